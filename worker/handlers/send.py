"""Send jobs: accept, open in the ledger, plan (DND, calls, parts), then send."""

import asyncio
from dataclasses import dataclass, replace

from schemas import FailureCode, Outcome, SendJob
from worker.domain import plan
from worker.domain.entry import Entry, Part, Settled, Split
from worker.domain.errors import (
    AccountError,
    DeliveryLostError,
    OutcomeUncertainError,
    TransientError,
    WorkerError,
)
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, JobSummary
from worker.domain.recipients import Distinct, NumberingPlan, distinct
from worker.handlers.acceptance import Acceptance, conflict
from worker.handlers.brief import Brief
from worker.handlers.completion import Completion, Planned, is_urgent
from worker.handlers.handled import Handled, forgotten
from worker.handlers.large_jobs import LargeJobs, SplitJob
from worker.handlers.ledger_book import Held, LostRaceError
from worker.handlers.lookups import Lookups
from worker.ports import Command, Locks

_MANY = 1_000  # recipients; normalising more would hold up the event loop for milliseconds


@dataclass(frozen=True, slots=True)
class _Taken:
    """A job that was accepted.

    Attributes:
        here: a large one is sent by this worker alone.
    """

    job: SendJob
    brief: Brief
    delivery: Delivery
    here: bool = False


@dataclass(frozen=True, slots=True)
class SendHandler:
    """Carries out send jobs of one or many recipients."""

    acceptance: Acceptance
    numbering: NumberingPlan
    lookups: Lookups
    completion: Completion
    large: LargeJobs
    locks: Locks

    async def handle(self, delivery: Delivery) -> Handled:
        """Carry the job out, as far as that is this delivery's to do.

        Raises:
            JobRejectedError: the job is invalid, or its id belongs to another.
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        job, brief = self.acceptance.send_job(delivery)
        async with self.locks.holding(brief.job_id):
            if delivery.is_lost():
                raise DeliveryLostError
            if len(job.recipients) <= plan.PART_SIZE:
                return await self._worked(_Taken(job, brief, delivery))
            async with self.large.place(len(job.recipients), urgent=is_urgent(delivery)) as here:
                return await self._worked(_Taken(job, brief, delivery, here))

    async def _worked(self, taken: _Taken) -> Handled:
        seems_new = self._seems_new(taken.delivery)
        while True:
            try:
                return await self._work(taken, seems_new=seems_new)
            except LostRaceError:
                # It was not new: another worker has it, or another job has its id.
                seems_new = False

    def _seems_new(self, delivery: Delivery) -> bool:
        """Tell whether the job's first entry may be the one with its plan: a write less for nearly every job.

        Not while the lookups wait: the id is the first job's, however long it takes to plan that.
        """
        seen = delivery.redelivered or delivery.attempts or delivery.replay
        return not seen and self.completion.tools.gate.passes(Command.DND)

    async def _work(self, taken: _Taken, *, seems_new: bool) -> Handled:
        new = Held(taken.brief.job_id, None, Entry(taken.brief.fingerprint))
        held = new if seems_new else await self._found(taken)
        if held is None:
            return forgotten(taken.brief.job_id)
        if taken.delivery.replay:
            held = await self.completion.tools.book.replayed(held, taken.delivery.replay)
        if held.entry.plan is not None:
            return await self._carry_out(taken, held, planned_now=False)
        try:
            planned = await self._planned(taken)
        except (TransientError, OutcomeUncertainError, AccountError) as error:
            return await self._after_lookup_error(error, taken, held)
        return await self._with_plan(planned, taken, held)

    async def _found(self, taken: _Taken) -> Held | None:
        """Find or make the job's entry; None where there is none and none may be made."""
        tools, brief, replay = self.completion.tools, taken.brief, taken.delivery.replay
        if replay and replay.needs_entry(tools.clock.now()):
            held = await tools.book.load(brief.job_id)
        else:
            held = await self._opened(brief)
        return _own(brief, held) if held else None

    async def _opened(self, brief: Brief) -> Held:
        book = self.completion.tools.book
        try:
            return await book.write(Held(brief.job_id, None, Entry("")), Entry(brief.fingerprint))
        except LostRaceError:
            return _own(brief, await book.reload(brief.job_id))

    async def _planned(self, taken: _Taken) -> Part | Split:
        """Decide who is sent to, in which calls."""
        job, brief = taken.job, taken.brief
        recipients = await self._distinct(job)
        settled, allowed = plan.invalid_ones(recipients), recipients.valid
        if self._expired(brief):
            words = "the job's time had passed before it was taken"
            settled += _all(allowed, Outcome.EXPIRED, FailureCode.EXPIRED, words)
            allowed = ()
        elif _is_filtered(job) and allowed:
            dnd = await self.lookups.dnd(allowed, urgent=is_urgent(taken.delivery))
            settled += plan.listed_ones(allowed, dnd)
            allowed = tuple(name for name in allowed if dnd.get(name) is False)
        return self._cut(recipients, settled, allowed, brief)

    def _cut(
        self, recipients: Distinct, settled: tuple[Settled, ...], allowed: tuple[str, ...], brief: Brief
    ) -> Part | Split:
        calls = self.completion.tools.gateway.pack(brief.message, allowed)
        if len(recipients.order) <= plan.PART_SIZE:
            return plan.whole(recipients.order, settled, calls)
        return plan.split(settled, calls)

    async def _distinct(self, job: SendJob) -> Distinct:
        if len(job.recipients) <= _MANY:
            return distinct(job.recipients, self.numbering)
        return await asyncio.to_thread(distinct, job.recipients, self.numbering)

    async def _after_lookup_error(self, error: WorkerError, taken: _Taken, held: Held) -> Handled:
        """Wait for another round; after the last one, nobody is sent to."""
        brief = taken.brief
        disposition = self.completion.after(error, taken.delivery)
        if isinstance(disposition, Delay):
            if held.token is None:
                # The id is this job's from now on, whatever comes while it waits.
                await self._opened(brief)
            return Handled(disposition, JobSummary("send", "delayed", brief.job_id))
        recipients = await self._distinct(taken.job)
        words = f"the DND endpoint gave no answer: {error.detail}"
        failed = _all(recipients.valid, Outcome.FAILED, FailureCode.RETRIES_EXHAUSTED, words)
        unsent = self._cut(recipients, plan.invalid_ones(recipients) + failed, (), brief)
        handled = await self._with_plan(unsent, taken, held)
        return replace(handled, disposition=_worse(handled.disposition, disposition))

    async def _with_plan(self, planned: Part | Split, taken: _Taken, held: Held) -> Handled:
        """Put the plan on the entry; a large job's is recorded before anything follows from it."""
        if isinstance(planned, Part):
            return await self._carry_out(
                taken, replace(held, entry=replace(held.entry, plan=planned)), planned_now=True
            )
        book = self.completion.tools.book
        planned_now = False
        while held.entry.plan is None:
            try:
                held = await book.write(held, replace(held.entry, plan=planned))
                planned_now = True
            except LostRaceError:
                held = _own(taken.brief, await book.reload(taken.brief.job_id))
        return await self._carry_out(taken, held, planned_now=planned_now)

    async def _carry_out(self, taken: _Taken, held: Held, *, planned_now: bool) -> Handled:
        brief, entry, delivery = taken.brief, held.entry, taken.delivery
        if isinstance(entry.plan, Split):
            job = SplitJob(brief, entry, entry.plan, known=not planned_now)
            return await self.large.carry_out(job, delivery, here=taken.here)
        return await self.completion.complete(Planned(brief, held, unwritten=planned_now), delivery)

    def _expired(self, brief: Brief) -> bool:
        return brief.expires_at is not None and self.completion.tools.clock.now() >= brief.expires_at


def _own(brief: Brief, held: Held) -> Held:
    """Return the entry if it is this job's.

    Raises:
        JobRejectedError: the id belongs to another.
    """
    if held.entry.fingerprint != brief.fingerprint:
        raise conflict(brief)
    return held


def _is_filtered(job: SendJob) -> bool:
    """Tell whether the DND list applies: by the job's word, else by its category."""
    return job.dnd == "filter" if job.dnd else job.category == "promotional"


def _all(
    recipients: tuple[str, ...], outcome: Outcome, code: FailureCode, detail: str
) -> tuple[Settled, ...]:
    return tuple(Settled(name, outcome, code=code, detail=detail) for name in recipients)


def _worse(published: Disposition, given_up: DeadLetter) -> Disposition:
    """A job whose results are out is a dead letter as well when it was given up."""
    return given_up if isinstance(published, Done) else published
