"""From a planned part to its published result."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from schemas import FailureCode, Outcome
from worker.domain import verdict
from worker.domain.disposition import RetryPolicy
from worker.domain.entry import Entry, Settled
from worker.domain.errors import (
    AccountError,
    BrokerUnavailableError,
    OutcomeUncertainError,
    TransientError,
    UnavailableError,
    WorkerError,
)
from worker.domain.messages import (
    DeadLetter,
    Delay,
    Delivery,
    Disposition,
    Done,
    JobSummary,
    Lane,
    ResultMessage,
)
from worker.domain.verdict import Wishes
from worker.handlers.brief import Brief
from worker.handlers.finishing import completed
from worker.handlers.handled import Handled
from worker.handlers.ledger_book import Held
from worker.handlers.part_record import PartRecord, UnrecordedError
from worker.handlers.part_run import PartRun
from worker.handlers.publication import send_message
from worker.handlers.send_tools import SendOrder, SendTools
from worker.ports import Publisher

log = structlog.get_logger(__name__)

# What ends a round of attempts, and not the job.
_ROUND_OVER = (TransientError, OutcomeUncertainError, AccountError)
# Seconds between attempts to publish what nobody else will, growing: each may place a copy.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

H = TypeVar("H")

_URGENT = frozenset({Lane.SEND_URGENT, Lane.SEND_URGENT_PARTS})


def is_urgent(delivery: Delivery) -> bool:
    """Tell whether the job came through an urgent lane."""
    return delivery.lane in _URGENT


@dataclass(frozen=True, slots=True)
class Completion:
    """Completes parts and publishes what became of them.

    Attributes:
        most_resends: calls at the most for a job that prefers a double to a doubt.
    """

    tools: SendTools
    publisher: Publisher
    policy: RetryPolicy
    most_resends: int

    async def complete(self, part: "Planned", delivery: Delivery) -> Handled:
        """Send, record, publish; return what to do with the delivery."""
        run = self._run(part, delivery)
        return await self._kept(run, part, delivery, self._completed(run, part, delivery))

    async def _completed(self, run: PartRun, part: "Planned", delivery: Delivery) -> Handled:
        disposition: Disposition | None = None
        try:
            await run.complete()
        except _ROUND_OVER as error:
            disposition = self.after(error, delivery)
            if isinstance(disposition, Delay):
                await run.record.stay()
                return Handled(disposition, JobSummary("send", "delayed", part.brief.job_id))
            await run.give_up(error)
        return await self._published(run, part, delivery, run.held.entry, disposition)

    async def complete_at_once(self, part: "Planned", delivery: Delivery) -> "Ended":
        """The same for a part that is not the delivery's only one."""
        run = self._run(part, delivery)
        handled = await self._kept(run, part, delivery, self._completed_at_once(run, part, delivery))
        return Ended(handled.summary if handled else None, run.record)

    async def _completed_at_once(self, run: PartRun, part: "Planned", delivery: Delivery) -> Handled | None:
        try:
            await run.complete()
        except _ROUND_OVER:
            await run.record.stay()
            return None
        return await self._published(run, part, delivery, run.held.entry, Done())

    async def _kept(
        self, run: PartRun, part: "Planned", delivery: Delivery, work: Awaitable[H]
    ) -> H | Handled:
        """Await *work*; whatever ends it, a reply that is not recorded is published from memory."""
        try:
            try:
                return await work
            except UnavailableError:
                await run.record.stay()
                raise
        except BaseException as error:
            known = run.record.unrecorded
            if known is None:
                raise
            hurry = isinstance(error, asyncio.CancelledError)
            why = str(error) if isinstance(error, UnrecordedError) else type(error).__name__
        log.error("reply.unrecorded", job=run.held.key, reason=why)
        entry = verdict.as_far_as_known(known)
        return await completed(self._published(run, part, delivery, entry, None), hurry=hurry)

    def _run(self, part: "Planned", delivery: Delivery) -> PartRun:
        return PartRun(self.tools, self._order(part.brief, delivery), part.held, unwritten=part.unwritten)

    async def _published(
        self, run: PartRun, part: "Planned", delivery: Delivery, entry: Entry, disposition: Disposition | None
    ) -> Handled:
        """Publish what became of a part."""
        disposition = disposition or self.given_up(entry.part.outcomes(), delivery) or Done()
        result, message = send_message(part.brief, entry, part.number, part.parts, delivery)
        await self._publish(message, alone=run.record.late or run.record.unrecorded is not None)
        if Outcome.UNCERTAIN in result.counts and isinstance(disposition, DeadLetter):
            # A replay of this one may reach somebody twice: it must look different from one that is safe.
            disposition = replace(disposition, reason=FailureCode.REPLY_LOST)
        counts = {outcome.value: count for outcome, count in result.counts.items()}
        calls = sum(call.attempts for call in entry.part.calls)
        summary = JobSummary("send", result.status.value, part.brief.job_id, counts, calls)
        return Handled(disposition, summary)

    async def _publish(self, message: ResultMessage, *, alone: bool) -> None:
        """Publish; where no delivery is left that would bring another worker to do it, until it works."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self.publisher.publish_result(message)
            except BrokerUnavailableError:
                if not alone:
                    raise
                await self.tools.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def given_up(self, outcomes: Iterable[Settled], delivery: Delivery) -> DeadLetter | None:
        """Tell whether this is the delivery with which the job was given up, come again.

        Its worker may have died before the dead letter was there. A job that is merely published once more
        has its rounds ahead of it, and only gets its results again.
        """
        last = next((one for one in outcomes if one.code == FailureCode.RETRIES_EXHAUSTED), None)
        if last is None or self.policy.next_round(delivery, "", now=self.tools.clock.now()):
            return None
        return DeadLetter(FailureCode.RETRIES_EXHAUSTED, last.detail or "")

    def after(self, error: WorkerError, delivery: Delivery) -> Delay | DeadLetter:
        """Give the job another round, or give it up."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        now = self.tools.clock.now()
        again = self.policy.next_round(delivery, error.code, now=now, at_least=asked or 0.0)
        return again or DeadLetter(FailureCode.RETRIES_EXHAUSTED, error.detail)

    def _order(self, brief: Brief, delivery: Delivery) -> SendOrder:
        wishes = Wishes(brief.expires_at, self.most_resends if brief.resend else 1)
        return SendOrder(brief.message, wishes, is_urgent(delivery))


@dataclass(frozen=True, slots=True)
class Planned:
    """A part that may be worked on.

    Attributes:
        unwritten: the plan is not in the ledger yet; the first step stores it.
    """

    brief: Brief
    held: Held
    number: int = 1
    parts: int = 1
    unwritten: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """How far a part got in one round.

    Attributes:
        summary: of what was published; None where one round was not enough.
        record: its entry.
    """

    summary: JobSummary | None
    record: PartRecord
