"""Taking one part from its plan to an outcome for every recipient: claim, call, record."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

import structlog

from worker.domain import verdict
from worker.domain.entry import CallState, Entry, begin, release, revise
from worker.domain.errors import LedgerUnavailableError, OutcomeUncertainError, PermanentError, WorkerError
from worker.domain.verdict import Wishes
from worker.handlers.ledger_book import Held, LedgerBook, LostRaceError
from worker.ports import CallGate, Clock, Command, Gateway, Observer, Permit, Retry, TextMessage

log = structlog.get_logger(__name__)

_FRESH = 2.0  # seconds; a worker that was stopped for longer between claim and call asks the ledger again
_POLL = 0.5  # seconds; how often a worker looks whether another one's call has ended


@dataclass(frozen=True, slots=True)
class SendOrder:
    """What a call needs to know of its job."""

    message: TextMessage
    wishes: Wishes
    urgent: bool


@dataclass(frozen=True, slots=True)
class SendTools:
    """The collaborators of every send.

    Attributes:
        lease: seconds after its start in which a call must have been settled by its caller.
    """

    book: LedgerBook
    gateway: Gateway
    gate: CallGate
    retry: Retry
    clock: Clock
    observer: Observer
    lease: float


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
    """

    def __init__(self, tools: SendTools, order: SendOrder, held: Held, *, unwritten: bool) -> None:
        self._tools = tools
        self._order = order
        self._unwritten = unwritten
        self.held = held

    async def complete(self) -> None:
        """Return when every recipient has an outcome and the ledger knows it.

        Raises:
            TransientError, OutcomeUncertainError: the attempts of this round are used up.
            UnavailableError: the ledger or the gateway is away; the job must wait.
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

    def _state(self, index: int) -> CallState:
        return self.held.entry.part.calls[index].state

    async def _unless_raced(self, step: Awaitable[None]) -> None:
        try:
            await step
        except LostRaceError:
            self.held = await self._tools.book.reload(self.held.key)
            self._unwritten = False

    async def _call_with_retries(self, index: int) -> None:
        await self._tools.retry(lambda: self._attempt(index))

    async def _attempt(self, index: int) -> None:
        """Make one call and record what is known of it. An error that leaves may be retried."""
        try:
            async with self._tools.gate.admit(Command.SEND, urgent=self._order.urgent) as permit:
                if await self._claimed(index, permit):
                    await self._call(index)
        except PermanentError as error:
            log.debug("call.refused", job=self.held.key, code=error.code)
        except OutcomeUncertainError as error:
            log.warning("reply.lost", job=self.held.key, code=error.code, detail=error.detail)
            if self._state(index) is not CallState.DONE:
                raise  # the job prefers a repeat

    async def _claimed(self, index: int, permit: Permit) -> bool:
        """Mark the call as going out, right before it does; False where it must not."""
        clock, entry = self._tools.clock, self.held.entry
        if self._order.wishes.expired(clock.now()):
            permit.unused()
            await self._write(verdict.after_expiry(entry, index))
            return False
        at = clock.elapsed()
        await self._write(begin(entry, index, started=clock.now().timestamp()))
        if clock.elapsed() - at <= _FRESH:
            return True
        permit.unused()
        await self._write(release(self.held.entry, index, went_out=False))
        return False

    async def _call(self, index: int) -> None:
        recipients = self.held.entry.part.calls[index].recipients
        try:
            message_ids = await self._tools.gateway.send(self._order.message, recipients)
        except WorkerError as error:
            again = self._repeatable(index)
            await self._record(verdict.after_error(self.held.entry, index, error, repeatable=again))
            raise
        try:
            await self._record(verdict.after_reply(self.held.entry, index, message_ids))
        except LostRaceError:
            await self._revise(index, message_ids)
            raise

    async def _record(self, entry: Entry) -> None:
        """Write what the gateway answered. The ids are nowhere else: wait for a ledger that is away."""
        while True:
            try:
                return await self._write(entry)
            except LedgerUnavailableError:
                self._tools.gate.ledger_failed()
                await self._tools.clock.sleep(_POLL)

    async def _revise(self, index: int, message_ids: Mapping[str, str]) -> None:
        """Record the ids of a reply that came after another worker had taken the call over."""
        while True:
            current = await self._tools.book.reload(self.held.key)
            revised = revise(current.entry, index, message_ids)
            if revised == current.entry:
                return
            try:
                await self._tools.book.write(current, revised)
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
        self.held = await self._tools.book.write(self.held, entry)
        self._unwritten = False

    def _repeatable(self, index: int) -> bool:
        call = self.held.entry.part.calls[index]
        return self._order.wishes.repeatable(call, self._tools.clock.now())
