"""Send jobs: accept, find or open the entry, plan, then claim, call, record and publish."""

from dataclasses import dataclass, replace

from schemas import SendJob
from worker.domain.entry import Entry, Split
from worker.domain.errors import (
    AccountError,
    DeliveryLostError,
    OutcomeUncertainError,
    TransientError,
    UnavailableError,
)
from worker.domain.limits import MOST_PER_PART
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, JobSummary
from worker.domain.value import value
from worker.handlers.entries import LostRaceError, Version
from worker.handlers.handled import Handled, forgotten
from worker.handlers.send.acceptance import Acceptance, conflict
from worker.handlers.send.completion import Completion, Planned
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.head import JobHead
from worker.handlers.send.large_jobs import LargeJobs, SplitJob
from worker.handlers.send.planning import Planning
from worker.handlers.send.timing import Timing
from worker.ports import CallGate, Clock, Command, Locks

_MOST_RACES = 20  # in a row for one job's entry: the store forgets what it is given, or gives it away


@value
class _Taken:
    """A job that was accepted.

    Attributes:
        here: a large one is sent by this worker alone.
    """

    job: SendJob
    head: JobHead
    delivery: Delivery
    here: bool = False


@dataclass(frozen=True, slots=True)
class SendHandler:
    """Carries out send jobs of one or many recipients."""

    acceptance: Acceptance
    planning: Planning
    completion: Completion
    large: LargeJobs
    entries: EntryStore
    gate: CallGate
    clock: Clock
    locks: Locks
    timing: Timing

    async def handle(self, delivery: Delivery) -> Handled:
        """Carry the job out, as far as that is this delivery's to do.

        Raises:
            JobRejectedError: the job is invalid, or its id belongs to another.
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        job, head = self.acceptance.send_job(delivery)
        async with self.locks.holding(head.job_id):
            if delivery.is_lost():
                raise DeliveryLostError
            if len(job.recipients) <= MOST_PER_PART:
                return await self._sent(_Taken(job, head, delivery))
            async with self.large.place(len(job.recipients), urgent=delivery.lane.is_urgent) as here:
                return await self._sent(_Taken(job, head, delivery, here))

    async def _sent(self, taken: _Taken) -> Handled:
        """Carry on from where the job's entry says that it is, until nobody comes between."""
        head, delivery = taken.head, taken.delivery
        seen = delivery.redelivered or delivery.attempts or delivery.replay or delivery.waited
        # The job's first entry may be the one with its plan: a write less for nearly every job. Not while the
        # lookups wait: the id is the first job's, however long it takes to plan that.
        new = not seen and self.gate.passes(Command.DND)
        for _ in range(_MOST_RACES):
            version = Version(head.job_id, None, Entry(head.fingerprint)) if new else await self._found(taken)
            if version is None:
                return forgotten(head.job_id)
            try:
                return await self._carried_on(taken, version)
            except LostRaceError:
                new = False  # another worker has it, or another job has its id
        raise UnavailableError("entry_contended", "the job's entry changes all the time")

    async def _carried_on(self, taken: _Taken, version: Version[Entry]) -> Handled:
        """Plan the job, if that has not been done, and send it."""
        head, delivery, planned = taken.head, taken.delivery, version.entry.plan
        given_up: DeadLetter | None = None
        unwritten = planned is None
        if planned is None and version.entry.cancelled is not None:
            planned = await self.planning.cancelled(taken.job, head)
        elif planned is None:
            if head.send_after is not None or head.in_hours:
                await self._wait(head, version)
            try:
                planned = await self.planning.planned(taken.job, head, urgent=delivery.lane.is_urgent)
            except (TransientError, OutcomeUncertainError, AccountError) as error:
                after = self.completion.after(error, delivery)
                if isinstance(after, Delay):
                    return await self._another_round(after, head, version)
                planned, given_up = await self.planning.unsent(taken.job, head, error), after
        if isinstance(planned, Split):
            handled = await self._large(taken, version, planned)
        else:
            version = replace(version, entry=replace(version.entry, plan=planned))
            part = Planned(head, version, unwritten=unwritten)
            handled = (await self.completion.ended(part, delivery)).whole
        return replace(handled, disposition=_worse(handled.disposition, given_up)) if given_up else handled

    async def _wait(self, head: JobHead, version: Version[Entry]) -> None:
        """Return if the job may be sent now, or never.

        Raises:
            WaitsError: it must wait. Its id is its own from now on.
            LostRaceError: it has been cancelled, or planned.
        """
        waits = self.timing.waits(head)
        if waits is None:
            return
        if version.token is None and (await self._opened(head)).entry != version.entry:
            raise LostRaceError
        raise waits

    async def _another_round(self, delay: Delay, head: JobHead, version: Version[Entry]) -> Handled:
        if version.token is None:
            # The id is this job's from now on, whatever comes while it waits.
            await self._opened(head)
        return Handled(delay, JobSummary("send", "delayed", head.job_id))

    async def _large(self, taken: _Taken, version: Version[Entry], split: Split) -> Handled:
        """Record the plan before anything follows from it, then send the parts."""
        head, known = taken.head, True
        while version.entry.plan is None:
            try:
                version = await self.entries.write(version, replace(version.entry, plan=split))
                known = False
            except LostRaceError:
                version = await self._own(head, await self.entries.reload(head.job_id))
        if not isinstance(version.entry.plan, Split):
            raise LostRaceError
        job = SplitJob(head, version.entry, version.entry.plan, known)
        return await self.large.carry_out(job, taken.delivery, here=taken.here)

    async def _found(self, taken: _Taken) -> Version[Entry] | None:
        """Find or make the job's entry; None where there is none and none may be made."""
        head, replay = taken.head, taken.delivery.replay
        if replay and replay.needs_entry(self.clock.now()):
            found = await self.entries.load(head.job_id)
            if found is None:
                return None
        else:
            # What has waited has its entry, as good as always.
            known = await self.entries.load(head.job_id) if taken.delivery.waited else None
            found = known or await self._opened(head)
        found = await self._own(head, found)
        return await self.entries.replayed(found, replay) if replay else found

    async def _opened(self, head: JobHead) -> Version[Entry]:
        try:
            return await self.entries.write(Version(head.job_id, None, Entry("")), Entry(head.fingerprint))
        except LostRaceError:
            return await self._own(head, await self.entries.reload(head.job_id))

    async def _own(self, head: JobHead, found: Version[Entry]) -> Version[Entry]:
        """Return the entry if it is this job's; one that a cancellation made becomes its own.

        Raises:
            JobRejectedError: the id belongs to another.
        """
        while found.entry.awaits_job:
            try:
                found = await self.entries.write(found, replace(found.entry, fingerprint=head.fingerprint))
            except LostRaceError:
                found = await self.entries.reload(head.job_id)
        if found.entry.fingerprint != head.fingerprint:
            raise conflict(head)
        return found


def _worse(published: Disposition, given_up: DeadLetter) -> Disposition:
    """A job whose results are out is a dead letter as well when it was given up."""
    return given_up if isinstance(published, Done) else published
