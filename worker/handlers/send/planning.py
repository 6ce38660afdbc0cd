"""Who of a job's recipients is sent to, in which calls."""

import asyncio
from dataclasses import dataclass

from schemas import FailureCode, Outcome, SendJob
from worker.domain import plan
from worker.domain.entry import Call, Part, Settled, Split
from worker.domain.errors import WorkerError
from worker.domain.expiry import has_expired
from worker.domain.limits import MOST_PER_PART
from worker.domain.recipients import Distinct, NumberingPlan, distinct
from worker.domain.verdict import CANCELLED, OUTSIDE_HOURS_WORDS
from worker.handlers.lookups import Lookups
from worker.handlers.send.head import JobHead
from worker.handlers.send.timing import Timing
from worker.ports import Clock, Gateway

_MANY = 1_000  # recipients; normalising more would hold up the event loop for milliseconds


@dataclass(frozen=True, slots=True)
class Planning:
    """Makes the plan of a job: each recipient once, settled or in a call."""

    numbering: NumberingPlan
    lookups: Lookups
    gateway: Gateway
    clock: Clock
    timing: Timing

    async def planned(self, job: SendJob, head: JobHead, *, urgent: bool) -> Part | Split:
        """Decide who is sent to.

        Raises:
            WorkerError: the DND endpoint gave no answer.
        """
        recipients = await self._distinct(job)
        settled = plan.invalid_ones(recipients) if recipients.invalid else ()
        allowed = recipients.valid
        if head.expires_at and has_expired(head.expires_at, self.clock.now()):
            words = "the job's time had passed before it was taken"
            settled += _all(allowed, Outcome.EXPIRED, FailureCode.EXPIRED, words)
            allowed = ()
        elif (head.send_after is not None or head.in_hours) and self.timing.has_no_chance(head):
            settled += _all(allowed, Outcome.EXPIRED, FailureCode.OUTSIDE_HOURS, OUTSIDE_HOURS_WORDS)
            allowed = ()
        elif allowed and (job.dnd == "filter" if job.dnd else job.category == "promotional"):
            dnd = await self.lookups.dnd(allowed, urgent=urgent)
            if any(dnd.values()) or not all(map(dnd.__contains__, allowed)):
                settled += plan.listed_ones(allowed, dnd)
                allowed = tuple([name for name in allowed if dnd.get(name) is False])
        return self._cut(recipients, settled, allowed, head)

    async def unsent(self, job: SendJob, head: JobHead, error: WorkerError) -> Part | Split:
        """Settle everybody: the lookup's last round ended with *error*."""
        recipients = await self._distinct(job)
        words = f"the DND endpoint gave no answer: {error.detail}"
        failed = _all(recipients.valid, Outcome.FAILED, FailureCode.RETRIES_EXHAUSTED, words)
        return self._cut(recipients, plan.invalid_ones(recipients) + failed, (), head)

    async def cancelled(self, job: SendJob, head: JobHead) -> Part | Split:
        """Settle everybody of a job that was cancelled before it was planned; nobody is looked up."""
        recipients = await self._distinct(job)
        stopped = _all(recipients.valid, Outcome.CANCELLED, FailureCode.CANCELLED, CANCELLED)
        return self._cut(recipients, plan.invalid_ones(recipients) + stopped, (), head)

    async def _distinct(self, job: SendJob) -> Distinct:
        if len(job.recipients) <= _MANY:
            return distinct(job.recipients, self.numbering)
        return await asyncio.to_thread(distinct, job.recipients, self.numbering)

    def _cut(
        self, recipients: Distinct, settled: tuple[Settled, ...], allowed: tuple[str, ...], head: JobHead
    ) -> Part | Split:
        calls = self.gateway.pack(head.message, allowed)
        if len(recipients.order) <= MOST_PER_PART:
            return Part(recipients.order, settled, tuple([Call(called) for called in calls]))
        return plan.split(settled, calls)


def _all(
    recipients: tuple[str, ...], outcome: Outcome, code: FailureCode, detail: str
) -> tuple[Settled, ...]:
    return tuple(Settled(name, outcome, code=code, detail=detail) for name in recipients)
