"""Taking one part from its plan to an outcome for every recipient: claim, call, record."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from worker.domain import verdict
from worker.domain.entry import Call, CallState, Entry, MessageIds, Part, begin, release, revise
from worker.domain.errors import LedgerUnavailableError, OutcomeUncertainError, PermanentError, WorkerError
from worker.handlers.finishing import LAST_STEP, finished
from worker.handlers.joint_sends import JointSends
from worker.handlers.ledger_book import Held, LostRaceError
from worker.handlers.send_tools import SendOrder, SendTools
from worker.ports import Command

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FRESH = 2.0  # seconds; a worker that was stopped for longer between claim and call asks the ledger again
_POLL = 0.5  # seconds; how often a worker looks whether another one's call has ended


class PartRun:
    """One worker's work on one part; another may be at it at the same time.

    Every step starts from the entry as it was last seen and ends with a swap, so that whoever loses a
    race learns it before acting on what is no longer true.

    Args:
        tools: the collaborators.
        order: what is sent.
        held: the entry, with its plan.
        unwritten: the plan is in memory only; the first swap stores it.

    Attributes:
        held: the entry as last written or read.
        late: a reply came after another worker had taken its call over. That worker may have published
            and acknowledged by now, so nobody but this one is left to publish the ids.
    """

    def __init__(self, tools: SendTools, order: SendOrder, held: Held, *, unwritten: bool) -> None:
        self._tools = tools
        self._order = order
        self._unwritten = unwritten
        self._claim: Call | None = None  # not followed by a call yet
        self._claimed_at = 0.0
        self.held = held
        self.late = False

    async def complete(self) -> None:
        """Return when every recipient has an outcome and the ledger knows it.

        Raises:
            TransientError, OutcomeUncertainError: the attempts of this round are used up.
            UnavailableError: the ledger or the gateway is away; the job must wait.
            LostRaceError: the part was new to this worker, and what another has written is no plan for it.
        """
        while (index := self._next()) is not None or self._unwritten:
            if index is None:
                await self._unless_raced(self._write(self.held.entry))
            elif self._state(index) is CallState.CALLING:
                await self._unless_raced(self._outlast(index))
            else:
                await self._unless_raced(self._call_with_retries(index))

    async def give_up(self, error: WorkerError) -> None:
        """Settle every call that is not done, after the last round ended with *error*."""
        while (index := self._next()) is not None:
            if self._state(index) is CallState.CALLING:
                await self._unless_raced(self._outlast(index))
            else:
                last = verdict.after_last_round(self.held.entry, index, error)
                await self._unless_raced(self._write(last))

    def _next(self) -> int | None:
        return self.held.entry.part.next_call()

    def _at(self, index: int) -> Call:
        return self.held.entry.part.calls[index]

    def _state(self, index: int) -> CallState:
        return self._at(index).state

    async def _unless_raced(self, step: Awaitable[None]) -> None:
        try:
            await step
        except LostRaceError:
            reload = partial(self._tools.book.reload, self.held.key)
            held = await (self._patiently(reload) if self.late else reload())
            if not isinstance(held.entry.plan, Part) or held.entry.fingerprint != self.held.entry.fingerprint:
                # Not this part's any more, or not planned yet: whoever planned it must look again.
                raise
            self.held, self._unwritten = held, False

    async def _call_with_retries(self, index: int) -> None:
        await self._tools.retry(lambda: self._attempt(index))

    async def _attempt(self, index: int) -> None:
        """Make one call and record what is known of it. An error that leaves may be retried."""
        if self._state(index) is not CallState.READY:
            return  # the attempt that failed was the last one needed: a late reply had every id
        self._claim = None
        try:
            if self._tools.joint is None:
                await self._call_alone(index)
            else:
                await self._call_with_others(index, self._tools.joint)
        except LedgerUnavailableError:
            await finished(self._unclaimed())
            raise
        except asyncio.CancelledError:
            with suppress(WorkerError, TimeoutError):
                async with asyncio.timeout(LAST_STEP):
                    await self._unclaimed()
            raise
        except PermanentError as error:
            log.debug("call.refused", job=self.held.key, code=error.code)
        except OutcomeUncertainError as error:
            log.warning("reply.lost", job=self.held.key, code=error.code, detail=error.for_log)
            if self._state(index) is not CallState.DONE:
                raise  # the job prefers a repeat

    async def _call_alone(self, index: int) -> None:
        async with self._tools.gate.admit(Command.SEND, urgent=self._order.urgent) as permit:
            if not await finished(self.claim(index)):
                permit.unused()
            elif self.departs(index):
                await self._call(index)
            else:
                permit.unused()
                await self.back_out(index)

    async def _call_with_others(self, index: int, joint: JointSends) -> None:
        recipients, passenger = self._at(index).recipients, _Passenger(self, index)
        await joint.make(self._order.message, recipients, passenger, urgent=self._order.urgent)

    async def claim(self, index: int) -> bool:
        """Mark the call as going out, right before it does; False where it must not. Not to be cut in two."""
        claim = self.claiming(index)
        if claim is not None:
            await self._write(claim)
        return self._claim is not None

    def claiming(self, index: int) -> Entry | None:
        """What the entry says once the call goes out, or why it does not; None: there is nothing to say."""
        if self._state(index) is not CallState.READY:
            return None
        clock, now = self._tools.clock, self._tools.clock.now()
        if self._order.wishes.expired(now):
            return verdict.after_expiry(self.held.entry, index)
        self._claimed_at = clock.elapsed()
        begun = begin(self.held.entry, index, started=now.timestamp())
        self._claim = begun.part.calls[index]
        return begun

    def wrote(self, held: Held) -> bool:
        """Learn that the entry is written, as *held*; tell whether that was a claim."""
        self.held, self._unwritten = held, False
        return self._claim is not None

    def departs(self, index: int) -> bool:
        """Tell whether the claim is fresh enough to call; if so, a call has followed it."""
        clock, at = self._tools.clock, self._at(index)
        late = clock.elapsed() - self._claimed_at > _FRESH or self._order.wishes.expired(clock.now())
        if late or at.state is not CallState.CALLING:
            return False
        self._claim = None
        return True

    async def back_out(self, index: int) -> None:
        """Make the call ready again: nothing was sent."""
        await self._record(index, partial(release, went_out=False))
        self._claim = None

    async def _unclaimed(self) -> None:
        """Take back a claim that no call followed, so that nobody takes its reply for lost."""
        claim, book = self._claim, self._tools.book
        while claim is not None:
            held = await self._patiently(partial(book.load, self.held.key))
            plan = held.entry.plan if held else None
            index = plan.still_at(claim) if isinstance(plan, Part) else None
            if held is None or index is None:
                return
            with suppress(LostRaceError):
                await self._patiently(partial(book.write, held, release(held.entry, index, went_out=False)))

    async def _call(self, index: int) -> None:
        try:
            message_ids = await self._tools.gateway.send(self._order.message, self._at(index).recipients)
        except WorkerError as error:
            await finished(self.record(index, error))
            raise
        await finished(self.record(index, message_ids))

    async def record(self, index: int, outcome: MessageIds | WorkerError) -> None:
        """Record what the gateway answered, or the error with which the call ended."""
        if isinstance(outcome, WorkerError):
            change = partial(verdict.after_error, error=outcome, repeatable=self._repeatable(index))
            await self._record(index, change)
        else:
            await self._keep(index, outcome)

    async def _keep(self, index: int, message_ids: MessageIds) -> None:
        """Record a reply, whoever has the call by now: the ids are nowhere else."""
        try:
            await self._record(index, partial(verdict.after_reply, message_ids=message_ids))
        except LostRaceError:
            self.late = True
            await self._revise(message_ids)
            raise

    async def _record(self, index: int, change: Callable[[Entry, int], Entry]) -> None:
        """Write what the gateway answered.

        Raises:
            LostRaceError: the call was taken over. Late ids of an earlier call alone are no such thing.
        """
        begun: Call = self._at(index)
        still: int | None = index
        while still is not None:
            with suppress(LostRaceError):
                return await self._patiently(partial(self._write, change(self.held.entry, still)))
            self.held = await self._patiently(partial(self._tools.book.reload, self.held.key))
            still = self.held.entry.part.still_at(begun)
        raise LostRaceError

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a ledger that is away."""
        while True:
            try:
                return await step()
            except LedgerUnavailableError:
                self._tools.gate.ledger_failed()
                await self._tools.clock.sleep(_POLL)

    async def _revise(self, message_ids: MessageIds) -> None:
        """Record the ids of a reply that came after another worker had taken the call over."""
        book = self._tools.book
        while True:
            current = await self._patiently(partial(book.reload, self.held.key))
            revised = revise(current.entry, message_ids)
            if revised == current.entry:
                return
            try:
                await self._patiently(partial(book.write, current, revised))
            except LostRaceError:
                continue
            log.warning("reply.late", job=self.held.key, recipients=len(message_ids))
            self._tools.observer.revised()
            return

    async def _outlast(self, index: int) -> None:
        """Wait for the end of another worker's call; take it over when its time is up."""
        seen, clock, lease = self.held, self._tools.clock, self._tools.lease
        # By the wall clock that started it, but never for longer than a whole lease by our own clock.
        age = clock.now().timestamp() - seen.entry.part.calls[index].started
        until = clock.elapsed() + min(max(lease - age, 0.0), lease)
        while (left := until - clock.elapsed()) > 0:
            await clock.sleep(min(_POLL, left))
            self.held = await self._tools.book.reload(seen.key)
            if self.held.token != seen.token:
                return
        again = self._repeatable(index)
        log.warning("call.taken_over", job=seen.key, repeated=again)
        await self._write(verdict.after_lease(self.held.entry, index, repeatable=again))

    async def _write(self, entry: Entry) -> None:
        self.wrote(await self._tools.book.write(self.held, entry))

    def _repeatable(self, index: int) -> bool:
        return self._order.wishes.repeatable(self._at(index), self._tools.clock.now())


@dataclass(frozen=True, slots=True)
class _Passenger:
    """One call of a part's run, on its way with those of other jobs."""

    run: PartRun
    index: int

    @property
    def held(self) -> Held:
        """As the protocol says."""
        return self.run.held

    def claiming(self) -> Entry | None:
        """As the protocol says."""
        return self.run.claiming(self.index)

    def claimed(self, held: Held) -> bool:
        """As the protocol says."""
        return self.run.wrote(held)

    def departs(self) -> bool:
        """As the protocol says."""
        return self.run.departs(self.index)

    async def back_out(self) -> None:
        """As the protocol says."""
        await self.run.back_out(self.index)

    def answered(self, message_ids: MessageIds) -> Entry:
        """As the protocol says."""
        return verdict.after_reply(self.run.held.entry, self.index, message_ids)

    def recorded(self, held: Held) -> None:
        """As the protocol says."""
        self.run.wrote(held)

    async def record(self, outcome: MessageIds | WorkerError) -> None:
        """As the protocol says."""
        await self.run.record(self.index, outcome)
        if isinstance(outcome, WorkerError):
            raise outcome
