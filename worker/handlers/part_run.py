"""Taking one part from its plan to an outcome for every recipient: claim, call, record."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from worker.domain import verdict
from worker.domain.entry import Call, CallState, Entry, MessageIds, Part, begin, release
from worker.domain.errors import LedgerUnavailableError, OutcomeUncertainError, PermanentError, WorkerError
from worker.handlers.call_steps import CallSteps, Step
from worker.handlers.finishing import LAST_STEP, finished
from worker.handlers.ledger_book import Held, LostRaceError
from worker.handlers.part_record import PartRecord
from worker.handlers.send_tools import SendOrder, SendTools
from worker.ports import Command, Subject

log = structlog.get_logger(__name__)

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
        record: the entry in this worker's hands.
    """

    def __init__(self, tools: SendTools, order: SendOrder, held: Held, *, unwritten: bool) -> None:
        self._tools = tools
        self._order = order
        self._claim: Call | None = None  # not followed by a call yet
        self._claimed_at = 0.0
        self._steps = CallSteps()
        self._stale = 0  # claims in a row that had grown too old
        self.record = PartRecord(tools, held, unwritten=unwritten)

    @property
    def held(self) -> Held:
        """The entry as last written or read."""
        return self.record.held

    async def complete(self) -> None:
        """Return when every recipient has an outcome and the ledger knows it.

        Raises:
            TransientError, OutcomeUncertainError: the attempts of this round are used up.
            UnavailableError: the ledger or the gateway is away; the job must wait.
            LostRaceError: the part was new to this worker, and what another has written is no plan for it.
            UnrecordedError: what is known of the part cannot be recorded.
        """
        while (index := self._next()) is not None or self.record.unwritten:
            if index is None:
                await self._unless_raced(self.record.write(self.held.entry))
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
                await self._unless_raced(self.record.write(last))

    def _next(self) -> int | None:
        return self.held.entry.part.next_call()

    def _at(self, index: int) -> Call:
        return self.held.entry.part.calls[index]

    def _state(self, index: int) -> CallState:
        calls = self.held.entry.part.calls
        return calls[index].state if index < len(calls) else CallState.DONE

    async def _unless_raced(self, step: Awaitable[None]) -> None:
        try:
            await step
        except LostRaceError:
            await self.record.catch_up()
        except LedgerUnavailableError:
            if not self.record.must_stay:
                raise
            await self.record.catch_up()

    async def _call_with_retries(self, index: int) -> None:
        await self._tools.retry(lambda: self._attempt(index))

    async def _attempt(self, index: int) -> None:
        """Make one call and record what is known of it. An error that leaves may be retried."""
        if self._state(index) is not CallState.READY:
            return  # the attempt that failed was the last one needed: a late reply had every id
        self._claim = None
        try:
            await self._steps.uncut(self._called(index))
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

    async def _called(self, index: int) -> None:
        if self._tools.joint is None:
            await self._call_alone(index)
        else:
            recipients, passenger = self._at(index).recipients, _Passenger(self, index)
            await self._tools.joint.make(
                self._order.message, recipients, passenger, urgent=self._order.urgent
            )

    async def _call_alone(self, index: int) -> None:
        message, numbers = self._order.message, self._at(index).recipients
        about = Subject((("sender", message.sender), message.text), numbers)
        async with self._tools.gate.admit(Command.SEND, urgent=self._order.urgent, about=about) as permit:
            if not await self.claim(index):
                permit.unused()
            elif self.departs(index):
                await self._call(index)
            else:
                permit.unused()
                await self.back_out(index)

    async def claim(self, index: int) -> bool:
        """Mark the call as going out, right before it does; False where it must not. Not to be cut in two."""
        claim = self.claiming(index)
        if claim is not None:
            await self.record.write(claim)
        return self._claim is not None

    def claiming(self, index: int) -> Entry | None:
        """What the entry says once the call goes out, or why it does not; None: there is nothing to say."""
        if self._state(index) is not CallState.READY:
            return None
        self._steps.at = Step.WRITING
        clock, now = self._tools.clock, self._tools.clock.now()
        if self._order.wishes.expired(now):
            return verdict.after_expiry(self.held.entry, index)
        self._claimed_at = clock.elapsed()
        begun = begin(self.held.entry, index, started=now.timestamp())
        self._claim = begun.part.calls[index]
        return begun

    def wrote(self, held: Held) -> bool:
        """Learn that the entry is written, as *held*; tell whether that was a claim."""
        self.record.wrote(held)
        return self._claim is not None

    def departs(self, index: int) -> bool:
        """Tell whether the claim holds for as long as the call may take; if so, a call has followed it.

        Where the claim is older, this worker was stopped on the way, or the ledger is too slow to send by.
        """
        clock, at = self._tools.clock, self._at(index)
        if clock.elapsed() - self._claimed_at > self._tools.margin:
            self._too_late()
            return False
        if (
            self._steps.stopped
            or self._order.wishes.expired(clock.now())
            or at.state is not CallState.CALLING
        ):
            return False
        self._claim, self._stale, self._steps.at = None, 0, Step.CALLING
        return True

    def _too_late(self) -> None:
        self._stale += 1
        if self._stale > 1:
            # Once is a worker that stood still; twice is the ledger.
            self._tools.gate.ledger_failed()

    async def back_out(self, index: int) -> None:
        """Make the call ready again: nothing was sent."""
        await self.record.settle(index, partial(release, went_out=False))
        self._claim = None

    async def _unclaimed(self) -> None:
        """Take back a claim that no call followed, so that nobody takes its reply for lost."""
        claim, book, patiently = self._claim, self._tools.book, self.record.patiently
        while claim is not None:
            held = await patiently(partial(book.load, self.held.key))
            plan = held.entry.plan if held else None
            index = plan.still_at(claim) if isinstance(plan, Part) else None
            if held is None or index is None:
                return
            with suppress(LostRaceError):
                await patiently(partial(book.write, held, release(held.entry, index, went_out=False)))

    async def _call(self, index: int) -> None:
        try:
            message_ids = await self._tools.gateway.send(self._order.message, self._at(index).recipients)
        except WorkerError as error:
            await self.ended(index, error)
            raise
        await self.ended(index, message_ids)

    async def ended(self, index: int, outcome: MessageIds | WorkerError) -> None:
        """Record what the gateway answered, or the error with which the call ended."""
        self._steps.at = Step.WRITING
        if isinstance(outcome, WorkerError):
            change = partial(verdict.after_error, error=outcome, repeatable=self._repeatable(index))
            await self.record.settle(index, change)
        else:
            await self.record.settle(index, partial(verdict.after_reply, message_ids=outcome))

    def answered(self, index: int, message_ids: MessageIds) -> Entry:
        """Own the reply; return what the entry says with it, if nobody else has changed it."""
        self._steps.at = Step.WRITING
        return self.record.knows(index, partial(verdict.after_reply, message_ids=message_ids))

    async def _outlast(self, index: int) -> None:
        """Wait for the end of another worker's call; take it over when its time is up."""
        seen, clock, lease = self.held, self._tools.clock, self._tools.lease
        # By the wall clock that started it, but never for longer than a whole lease by our own clock. A call
        # that is then repeated is given that in any case: where the clocks disagree, it may be under way.
        again = self._repeatable(index)
        age = 0.0 if again else clock.now().timestamp() - seen.entry.part.calls[index].started
        until = clock.elapsed() + min(max(lease - age, 0.0), lease)
        while (left := until - clock.elapsed()) > 0:
            await clock.sleep(min(_POLL, left))
            await self.record.catch_up()
            if self.held.token != seen.token:
                return
        again = self._repeatable(index)
        log.warning("call.taken_over", job=seen.key, repeated=again)
        await self.record.write(verdict.after_lease(self.held.entry, index, repeatable=again))

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
        return self.run.answered(self.index, message_ids)

    def recorded(self, held: Held) -> None:
        """As the protocol says."""
        self.run.wrote(held)

    async def record(self, outcome: MessageIds | WorkerError) -> None:
        """As the protocol says."""
        await self.run.ended(self.index, outcome)
        if isinstance(outcome, WorkerError):
            raise outcome
