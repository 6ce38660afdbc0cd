"""Questions to the gateway that only read: they may be asked again until they are answered."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Protocol, TypeVar, cast

import structlog

from schemas import FailureCode
from worker.domain.errors import (
    AccountError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.limits import MOST_PER_CALL
from worker.domain.plan import batches
from worker.handlers import parallel
from worker.ports import AnswerMemory, CallGate, Command, Gateway, MessageReport, Retry, Subject

log = structlog.get_logger(__name__)

# Refusals that may be about one key among many; any other is about the question as a whole.
_ABOUT_A_KEY = {Command.DND: FailureCode.NUMBER_REFUSED, Command.STATUS: FailureCode.REJECTED_BY_GATEWAY}
_AT_A_TIME = 2_000  # numbers looked up in the memory in one go: about two milliseconds
_TOGETHER = 2  # attempts for many keys, before it is found out whether one of them is the trouble
_AT_ONCE = 8  # calls of one job in flight, so that a large job does not take all slots

T = TypeVar("T")
V = TypeVar("V")

Ask = Callable[[Sequence[str]], Awaitable[Mapping[str, V | WorkerError]]]
PatientAsk = Callable[[Sequence[str], float], Awaitable[Mapping[str, V | WorkerError]]]


def unpooled(command: Command, ask: Ask[V]) -> Ask[V]:  # noqa: ARG001 - as the protocol says
    """Ask for each caller by itself."""
    return ask


def alone(ask: Ask[V]) -> PatientAsk[V]:
    """Ask for each caller by itself, at once."""
    return lambda keys, _patience: ask(keys)


class PatientPooling(Protocol):
    """The same as `Pooling` for callers who say for how long they would wait for company."""

    def __call__(self, ask: Ask[V]) -> PatientAsk[V]:
        """Return a question with the seconds to wait as its second argument."""
        ...


class Pooling(Protocol):
    """Makes of a question about many keys one that several callers share."""

    def __call__(self, command: Command, ask: Ask[V]) -> Ask[V]:
        """Return a question that gathers the keys of its callers and tells each what concerns it."""
        ...


class Lookups:
    """Asks through the gate, with retries; questions of several jobs go out together.

    Args:
        gateway: is asked.
        gate: lets the calls through.
        retry: of each command.
        memory: of DND answers.
        pooling: gathers the keys of several jobs.
        patiently: gathers the ids of tracked messages.
    """

    def __init__(
        self,
        gateway: Gateway,
        gate: CallGate,
        retry: Mapping[Command, Retry],
        *,
        memory: AnswerMemory,
        pooling: Pooling = unpooled,
        patiently: PatientPooling = alone,
    ) -> None:
        self._gateway = gateway
        self._gate = gate
        self._retry = retry
        self._memory = memory
        self._dnd = {
            urgent: pooling(Command.DND, partial(self._ask_dnd, urgent=urgent)) for urgent in (False, True)
        }
        self._status = pooling(Command.STATUS, self._ask_status)
        self._tracked = patiently(partial(self._ask_status, patient=True))

    async def dnd(self, recipients: Sequence[str], *, urgent: bool) -> Mapping[str, bool | PermanentError]:
        """Tell of each number whether it is on the DND list, or why the gateway refused to look it up.

        Those the gateway leaves out are missing.
        """
        known: dict[str, bool | WorkerError] = {}
        if len(recipients) <= _AT_A_TIME:
            known |= self._memory.recall(recipients)
        else:
            known |= await self._remembered(recipients)
        unknown = [number for number in recipients if number not in known] if known else recipients
        if not unknown:
            return _answers(known)
        if len(unknown) <= MOST_PER_CALL:
            said = await self._dnd[urgent](unknown)
            return _answers({**known, **said} if known else said)
        # A large job fills calls by itself: in the common line it would only stand before the small ones.
        ask = partial(self._ask_dnd, urgent=urgent)
        for answer in await parallel.each(ask, batches(unknown, MOST_PER_CALL), limit=_AT_ONCE):
            known |= answer
        return _answers(known)

    async def _remembered(self, recipients: Sequence[str]) -> dict[str, bool]:
        known: dict[str, bool] = {}
        for number, some in enumerate(batches(recipients, _AT_A_TIME)):
            if number:
                await asyncio.sleep(0)  # a large job must not keep the others waiting
            known |= self._memory.recall(some)
        return known

    async def status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport | PermanentError]:
        """Report on *message_ids*; unknown ones are missing, a refused one has its refusal."""
        if len(message_ids) <= MOST_PER_CALL:
            return _answers(await self._status(message_ids))
        answers = await parallel.each(self._status, batches(message_ids, MOST_PER_CALL), limit=_AT_ONCE)
        return _answers({name: report for answer in answers for name, report in answer.items()})

    async def tracked(
        self, message_ids: Sequence[str], *, patience: float
    ) -> Mapping[str, MessageReport | WorkerError]:
        """Report on messages that are followed, behind everything else that asks.

        Args:
            message_ids: any number.
            patience: seconds to wait for the ids of others, so that calls are full.

        Returns:
            By id what is known, or why nothing is: unknown ids are missing.

        Raises:
            WorkerError: there was no answer about any of a call's ids; or the gateway is away.
        """
        return await self._tracked(message_ids, patience)

    async def account(self) -> Decimal:
        """Return the remaining credits."""
        return await self._asked(Command.ACCOUNT, self._gateway.account, (), urgent=False)

    async def _ask_dnd(self, numbers: Sequence[str], *, urgent: bool) -> Mapping[str, bool | WorkerError]:
        answers = await self._divided(Command.DND, self._gateway.check_dnd, numbers, urgent=urgent)
        known = answers
        if _holds_errors(answers):
            _tell_of_refusals(Command.DND, len(numbers), answers)
            known = {name: said for name, said in answers.items() if not isinstance(said, WorkerError)}
        # Right away: a large job that is put off, or killed, does not ask for these again. A refusal is no
        # answer: it is not remembered.
        self._memory.keep(cast("Mapping[str, bool]", known))
        return answers

    async def _ask_status(
        self, ids: Sequence[str], *, patient: bool = False
    ) -> Mapping[str, MessageReport | WorkerError]:
        found: dict[str, MessageReport | WorkerError] = {}
        ask = self._gateway.message_status
        for call in self._gateway.pack_ids(ids):
            answers = await self._divided(Command.STATUS, ask, call, urgent=False, patient=patient)
            if _holds_errors(answers):
                _tell_of_refusals(Command.STATUS, len(call), answers)
            found |= answers
        return found

    async def _divided(
        self,
        command: Command,
        call: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]],
        keys: Sequence[str],
        *,
        urgent: bool,
        patient: bool = False,
    ) -> Mapping[str, V | WorkerError]:
        """Ask about *keys*; where that fails, find out which of them it is: the rest must not fail with it.

        Raises:
            WorkerError: an outage, of which no key is the cause.
        """
        try:
            asked = self._asked(command, lambda: call(keys), keys, urgent=urgent, patient=patient)
            return await asked
        except PermanentError as error:
            if len(keys) == 1 or error.code != _ABOUT_A_KEY[command]:
                return dict.fromkeys(keys, error)
            log.debug("lookup.divided", command=command.value, code=error.code, keys=len(keys))
        except (TransientError, OutcomeUncertainError, AccountError) as error:
            if not error.counts:
                raise
            if len(keys) == 1:
                return {keys[0]: error}
            log.debug("lookup.divided", command=command.value, code=error.code, keys=len(keys))
        half = len(keys) // 2
        first = await self._divided(command, call, keys[:half], urgent=urgent, patient=patient)
        rest = await self._divided(command, call, keys[half:], urgent=urgent, patient=patient)
        return {**first, **rest}

    async def _asked(
        self,
        command: Command,
        call: Callable[[], Awaitable[T]],
        keys: Sequence[str],
        *,
        urgent: bool,
        patient: bool = False,
    ) -> T:
        about = Subject(keys=keys)
        times = 1  # as patient as at first: a lost answer is there at once when one asks anew

        async def attempt() -> T:
            nonlocal times
            async with self._gate.admit(command, urgent=urgent, about=about, patient=patient) as permit:
                try:
                    async with asyncio.timeout(permit.patience * times):
                        return await call()
                except TimeoutError:
                    times *= 2
                    raise _late() from None

        return await self._retry[command](attempt, limit=_TOGETHER if len(keys) > 1 else None)


def _late() -> OutcomeUncertainError:
    """No attempt that counts: the call's own time limit was not reached."""
    late = OutcomeUncertainError(FailureCode.REPLY_LOST, "the answer is late")
    late.counts = False
    return late


def _holds_errors(said: Mapping[str, V | WorkerError]) -> bool:
    """Tell whether a key has no answer, by the kinds of what was said: of nearly all questions each has."""
    return any(issubclass(kind, WorkerError) for kind in set(map(type, said.values())))


def _answers(said: Mapping[str, V | WorkerError]) -> Mapping[str, V | PermanentError]:
    """Return what was *said*, if there is nothing that another round may change.

    Raises:
        WorkerError: why a key has no answer yet.
    """
    if not _holds_errors(said):
        return cast("Mapping[str, V]", said)
    answers: dict[str, V | PermanentError] = {}
    for key, answer in said.items():
        if isinstance(answer, WorkerError) and not isinstance(answer, PermanentError):
            raise copy.copy(answer)  # several jobs must not share a traceback
        answers[key] = answer
    return answers


def _tell_of_refusals(command: Command, keys: int, answers: Mapping[str, V | WorkerError]) -> None:
    """Log once for a question about so many *keys* how many of them were refused."""
    refusals = [answer for answer in answers.values() if isinstance(answer, WorkerError)]
    if refusals:
        log.warning(
            "lookup.refused",
            command=command.value,
            code=refusals[0].code,
            detail=refusals[0].for_log,
            keys=keys,
            refused=len(refusals),
        )
