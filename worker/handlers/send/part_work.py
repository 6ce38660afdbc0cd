"""Taking one part from its plan to an outcome for every recipient."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog

from worker.domain import verdict
from worker.domain.entry import Call, CallState, Entry, MessageIds, Part, begin, release
from worker.domain.errors import (
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    UnavailableError,
    WaitsError,
    WorkerError,
)
from worker.domain.progress import Progress, Step
from worker.domain.waiting import Times
from worker.handlers.entries import LostRaceError
from worker.handlers.finishing import LAST_STEP, finished
from worker.handlers.send.ports import CallOrder, SendPorts
from worker.handlers.send.record import PartRecord

log = structlog.get_logger(__name__)

_MOST_RACES = 20  # in a row; each was won by another worker, of which there are not so many at one part
_POLL = 0.5  # seconds; how often a worker looks whether another one's call has ended


class PartWork:
    """One worker's work on one part; another may be at it at the same time.

    Every step starts from the entry as it was last seen and ends with a swap, so that whoever loses a
    race learns it before acting on what is no longer true.

    Args:
        ports: the collaborators.
        order: what is sent.
        record: the entry, with its plan.
        progress: of the delivery that this is for.
        make: makes the call that the part is at; how it ended is in `failure`.

    Attributes:
        order: as above.
        record: the entry in this worker's hands.
        claim: of the call that it is at, as long as no call has followed it.
        failure: with which the last call ended for this part; None where it went well.
    """

    def __init__(
        self,
        ports: SendPorts,
        order: CallOrder,
        record: PartRecord,
        progress: Progress,
        make: "Callable[[PartWork], Awaitable[object]]",
    ) -> None:
        self._ports = ports
        self._progress = progress
        self._make = make
        self._index = 0  # of the call that it is at
        self._at = Step.WAITING
        self._claimed_at = 0.0
        self._cut = False  # its job was cancelled
        self._races = 0  # that were lost in a row
        self._stale = 0  # claims in a row that had grown too old
        self._last: WorkerError | None = None
        self.order = order
        self.record = record
        self.claim: Call | None = None
        self.failure: Exception | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """To whom the call goes that it is at."""
        return self.record.part.calls[self._index].recipients

    @property
    def at(self) -> Step:
        """The step that it is in."""
        return Step.WAITING if self.record.is_patient else self._at

    @property
    def stopped(self) -> bool:
        """Whether no call may begin any more."""
        return self._progress.stopped or self._cut

    async def complete(self) -> None:
        """Return when every recipient has an outcome and the ledger knows it.

        Raises:
            TransientError, OutcomeUncertainError: the attempts of this round are used up.
            UnavailableError: the ledger or the gateway is away, or the worker stops; the job must wait. So
                it must for its time or for the hours: WaitsError.
            LostRaceError: the part was new to this worker, and what another has written is no plan for it.
            UnrecordedError: what is known of the part cannot be recorded.
        """
        record = self.record
        self._progress.works.append(self)
        try:
            while True:
                index = record.part.next_call()
                if index is None and not record.unwritten:
                    return
                try:
                    if index is None:
                        await record.write(record.version.entry)
                    else:
                        self._index = index
                        await self._step(record.part.calls[index])
                except LostRaceError:
                    await self._raced()
                except LedgerUnavailableError:
                    if not record.must_stay:
                        raise
                    await record.catch_up()
                else:
                    self._races = 0
        finally:
            self._progress.works.remove(self)

    async def give_up(self, error: WorkerError) -> None:
        """Settle every call that is not done, after the last round ended with *error*."""
        self._last = error
        await self.complete()

    def _step(self, call: Call) -> Awaitable[None]:
        if call.state is CallState.CALLING:
            return self._outlast()
        if self._last is not None:
            entry = self.record.version.entry
            return self.record.write(verdict.after_last_round(entry, self._index, self._last))
        return self._ports.retry(self._attempt)

    async def _raced(self) -> None:
        self._races += 1
        if self._races > _MOST_RACES:
            # Nobody loses so many by chance: the store forgets what it is given, or gives it away.
            raise UnavailableError("entry_contended", "the job's entry changes all the time")
        await self.record.catch_up()

    def _state(self) -> CallState:
        calls = self.record.part.calls
        return calls[self._index].state if self._index < len(calls) else CallState.DONE

    async def _attempt(self) -> None:
        """Make one call and record what is known of it. An error that leaves may be retried."""
        if self._state() is not CallState.READY:
            return  # the attempt that failed was the last one needed: a late reply had every id
        entry = self.record.version.entry
        if entry.cancelled is not None:
            await self.record.write(verdict.after_cancel(entry, self._index))
            return
        if self.stopped:
            raise UnavailableError("worker_stopping", "the worker stops and gives the job back")
        self.claim = self.failure = None
        try:
            await self._make(self)
            if self.failure is not None:
                raise self.failure
        except LedgerUnavailableError:
            await finished(self._unclaimed())
            raise
        except asyncio.CancelledError:
            await self._cut_off()
            raise
        except PermanentError as error:
            log.debug("call.refused", job=self.record.version.key, code=error.code)
        except OutcomeUncertainError as error:
            log.warning("reply.lost", job=self.record.version.key, code=error.code, detail=error.for_log)
            if self._state() is not CallState.DONE:
                raise  # the job prefers a repeat
        finally:
            self._at = Step.WAITING

    async def _cut_off(self) -> None:
        """Leave nothing half written behind, in the little time that a stop leaves."""
        self._cut = True
        with suppress(WorkerError, LostRaceError, TimeoutError):
            async with asyncio.timeout(LAST_STEP):
                # A stop has given a record that hangs its time: what is left of it is for the results.
                if self.record.unrecorded is not None and not self._progress.stopped:
                    await self.record.catch_up()
                await self._unclaimed()

    def claiming(self) -> Entry | None:
        """What the entry says once the call goes out, or why it does not; None: there is nothing to say."""
        entry = self.record.version.entry
        if self.stopped or self.record.part.calls[self._index].state is not CallState.READY:
            return None
        self._at = Step.WRITING
        if entry.cancelled is not None:
            return verdict.after_cancel(entry, self._index)
        clock, wishes = self._ports.clock, self.order.wishes
        if wishes.expires_at or wishes.times:
            now = clock.now()
            if wishes.expired(now):
                return verdict.after_expiry(entry, self._index)
            if wishes.times is not None and (waits := wishes.times.wait(now)) is not None:
                return self._waiting(waits, wishes.times, now)
        self._claimed_at = clock.elapsed()
        begun = begin(entry, self._index, started=self._ports.store_time())
        self.claim = begun.part.calls[self._index]
        return begun

    def _waiting(self, waits: WaitsError, times: Times, now: datetime) -> Entry | None:
        """What the entry says of a call that must wait: nothing, unless it has no chance left."""
        if times.has_no_chance(now):
            return verdict.after_hours(self.record.version.entry, self._index)
        waits.job_id, _, _ = self.record.version.key.partition("/")
        self.failure = waits
        return None

    def goes_out(self) -> bool:
        """Tell whether the claim holds for as long as the call may take; if so, a call has followed it.

        Where the claim is older, this worker was stopped on the way, or the ledger is too slow to send by.
        """
        clock, wishes = self._ports.clock, self.order.wishes
        if clock.elapsed() - self._claimed_at > self._ports.margin:
            self._too_late()
            return False
        if self.stopped or self.record.part.calls[self._index].state is not CallState.CALLING:
            return False
        if (wishes.expires_at or wishes.times) and wishes.forbid(clock.now()):
            return False
        self.claim, self._stale, self._at = None, 0, Step.CALLING
        return True

    def _too_late(self) -> None:
        self._stale += 1
        if self._stale > 1:
            # Once is a worker that stood still; twice is the ledger.
            self._ports.gate.ledger_failed()

    async def back_out(self) -> None:
        """Make the call ready again: nothing was sent."""
        self._at = Step.WRITING
        await self.record.settle(self._index, partial(release, went_out=False))
        self.claim = None

    async def _unclaimed(self) -> None:
        """Take back a claim that no call followed, so that nobody takes its reply for lost."""
        claim, entries, patiently = self.claim, self._ports.entries, self.record.patiently
        while claim is not None:
            found = await patiently(partial(entries.load, self.record.version.key))
            plan = found.entry.plan if found else None
            index = plan.still_at(claim) if isinstance(plan, Part) else None
            if found is None or index is None:
                return
            with suppress(LostRaceError):
                await patiently(partial(entries.write, found, release(found.entry, index, went_out=False)))

    def answered(self, message_ids: MessageIds) -> Entry:
        """Own the reply; return what the entry says with it, if nobody else has changed it."""
        self._at = Step.WRITING
        return self.record.knows(self._index, partial(verdict.after_reply, message_ids=message_ids))

    async def ended(self, outcome: MessageIds | WorkerError) -> None:
        """Record what the gateway answered, or the error with which the call ended."""
        self._at = Step.WRITING
        if isinstance(outcome, WorkerError):
            change = partial(verdict.after_error, error=outcome, repeatable=self._repeatable())
            await self.record.settle(self._index, change)
        else:
            await self.record.settle(self._index, partial(verdict.after_reply, message_ids=outcome))

    async def _outlast(self) -> None:
        """Wait for the end of another worker's call; take it over when its time is up."""
        seen, clock, lease = self.record.version, self._ports.clock, self._ports.lease
        # By the store's clock, that started it, but never for longer than a whole lease by our own. A call
        # that is then repeated is given that in any case: where the clocks disagree, it may be under way.
        again = self._repeatable()
        age = 0.0 if again else self._ports.store_time() - self._call().started
        until = clock.elapsed() + min(max(lease - age, 0.0), lease)
        while (left := until - clock.elapsed()) > 0:
            await clock.sleep(min(_POLL, left))
            await self.record.catch_up()
            if self.record.version.token != seen.token:
                return
        again = self._repeatable()
        log.warning("call.taken_over", job=seen.key, repeated=again)
        await self.record.write(verdict.after_lease(self.record.version.entry, self._index, repeatable=again))

    def _call(self) -> Call:
        return self.record.part.calls[self._index]

    def _repeatable(self) -> bool:
        if self.record.version.entry.cancelled is not None:
            return False
        return self.order.wishes.repeatable(self._call(), self._ports.clock.now())
