"""Send jobs: accept, find or open the entry, plan, then claim, call, record and publish."""

from dataclasses import dataclass, replace

from schemas import SendJob
from worker.domain.entry import Entry, Part, Split
from worker.domain.errors import (
    AccountError,
    DeliveryLostError,
    OutcomeUncertainError,
    TransientError,
    WorkerError,
)
from worker.domain.limits import MOST_PER_PART
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, JobSummary
from worker.handlers.handled import Handled, forgotten
from worker.handlers.send.acceptance import Acceptance, conflict
from worker.handlers.send.completion import Completion, Planned
from worker.handlers.send.entries import EntryStore, LostRaceError, Version
from worker.handlers.send.head import JobHead
from worker.handlers.send.large_jobs import LargeJobs, SplitJob
from worker.handlers.send.planning import Planning
from worker.ports import CallGate, Clock, Command, Locks


@dataclass(frozen=True, slots=True)
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
        head = taken.head
        if self._seems_new(taken.delivery):
            try:
                return await self._carried_on(taken, Version(head.job_id, None, Entry(head.fingerprint)))
            except LostRaceError:
                pass  # it was not: another worker has it, or another job has its id
        while True:
            found = await self._found(taken)
            if found is None:
                return forgotten(head.job_id)
            try:
                return await self._carried_on(taken, found)
            except LostRaceError:
                continue

    def _seems_new(self, delivery: Delivery) -> bool:
        """Tell whether the job's first entry may be the one with its plan: a write less for nearly every job.

        Not while the lookups wait: the id is the first job's, however long it takes to plan that.
        """
        seen = delivery.redelivered or delivery.attempts or delivery.replay
        return not seen and self.gate.passes(Command.DND)

    async def _found(self, taken: _Taken) -> Version | None:
        """Find or make the job's entry; None where there is none and none may be made."""
        head, replay = taken.head, taken.delivery.replay
        if replay and replay.needs_entry(self.clock.now()):
            found = await self.entries.load(head.job_id)
            if found is None:
                return None
        else:
            found = await self._opened(head)
        found = _own(head, found)
        return await self.entries.replayed(found, replay) if replay else found

    async def _opened(self, head: JobHead) -> Version:
        try:
            return await self.entries.write(Version(head.job_id, None, Entry("")), Entry(head.fingerprint))
        except LostRaceError:
            return _own(head, await self.entries.reload(head.job_id))

    async def _carried_on(self, taken: _Taken, version: Version) -> Handled:
        """Go on from where the entry says that the job is."""
        if version.entry.plan is not None:
            return await self._as_planned(taken, version, planned_now=False)
        urgent = taken.delivery.lane.is_urgent
        try:
            planned = await self.planning.planned(taken.job, taken.head, urgent=urgent)
        except (TransientError, OutcomeUncertainError, AccountError) as error:
            return await self._after_lookup_error(error, taken, version)
        return await self._with_plan(planned, taken, version)

    async def _with_plan(self, planned: Part | Split, taken: _Taken, version: Version) -> Handled:
        """Put the plan on the entry; a large job's is recorded before anything follows from it."""
        if isinstance(planned, Part):
            entry = replace(version.entry, plan=planned)
            return await self._as_planned(taken, replace(version, entry=entry), planned_now=True)
        planned_now = False
        while version.entry.plan is None:
            try:
                version = await self.entries.write(version, replace(version.entry, plan=planned))
                planned_now = True
            except LostRaceError:
                version = _own(taken.head, await self.entries.reload(taken.head.job_id))
        return await self._as_planned(taken, version, planned_now=planned_now)

    async def _as_planned(self, taken: _Taken, version: Version, *, planned_now: bool) -> Handled:
        head, entry, delivery = taken.head, version.entry, taken.delivery
        if isinstance(entry.plan, Split):
            job = SplitJob(head, entry, entry.plan, known=not planned_now)
            return await self.large.carry_out(job, delivery, here=taken.here)
        return await self.completion.complete(Planned(head, version, unwritten=planned_now), delivery)

    async def _after_lookup_error(self, error: WorkerError, taken: _Taken, version: Version) -> Handled:
        """Wait for another round; after the last one, nobody is sent to."""
        head = taken.head
        disposition = self.completion.after(error, taken.delivery)
        if isinstance(disposition, Delay):
            if version.token is None:
                # The id is this job's from now on, whatever comes while it waits.
                await self._opened(head)
            return Handled(disposition, JobSummary("send", "delayed", head.job_id))
        unsent = await self.planning.unsent(taken.job, head, error)
        handled = await self._with_plan(unsent, taken, version)
        return replace(handled, disposition=_worse(handled.disposition, disposition))


def _own(head: JobHead, found: Version) -> Version:
    """Return the entry if it is this job's.

    Raises:
        JobRejectedError: the id belongs to another.
    """
    if found.entry.fingerprint != head.fingerprint:
        raise conflict(head)
    return found


def _worse(published: Disposition, given_up: DeadLetter) -> Disposition:
    """A job whose results are out is a dead letter as well when it was given up."""
    return given_up if isinstance(published, Done) else published
