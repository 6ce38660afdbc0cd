"""From a planned part to its published result: claim, call, record, publish."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from schemas import FailureCode, Outcome
from worker.domain import verdict
from worker.domain.disposition import RetryPolicy
from worker.domain.entry import Entry, Part, Settled
from worker.domain.errors import (
    AccountError,
    BrokerUnavailableError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    TransientError,
    UnavailableError,
    WorkerError,
)
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, JobSummary
from worker.domain.value import value
from worker.domain.verdict import Wishes
from worker.handlers.entries import Version
from worker.handlers.finishing import completed
from worker.handlers.handled import Handled
from worker.handlers.publication import send_message
from worker.handlers.send.head import JobHead
from worker.handlers.send.part_work import PartWork
from worker.handlers.send.ports import CallOrder, SendPorts
from worker.handlers.send.record import PartRecord, UnrecordedError
from worker.handlers.send.timing import Timing
from worker.handlers.track.following import Following, Source

log = structlog.get_logger(__name__)

# What ends a round of attempts, and not the job.
_ROUND_OVER = (TransientError, OutcomeUncertainError, AccountError)
# Seconds between attempts to publish what nobody else will, growing: each may place a copy.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


@value
class Planned:
    """A part that may be worked on.

    Attributes:
        unwritten: the plan is not in the ledger yet; the first step stores it.
        shares_round: a round of its delivery is not this part's alone: it ends without one that is not done.
    """

    head: JobHead
    version: Version[Entry]
    number: int = 1
    parts: int = 1
    unwritten: bool = True
    shares_round: bool = False


@value
class Ended:
    """How far a part got in one round.

    Attributes:
        handled: None where one round was not enough for a part that shares it.
        record: its entry; None where it has none any more.
    """

    handled: Handled | None
    record: PartRecord | None

    @property
    def whole(self) -> Handled:
        """What to do with the delivery of a part that does not share its round."""
        if self.handled is None:
            raise TypeError("a round that is not shared ends with another one, or the part is given up")
        return self.handled


@dataclass(frozen=True, slots=True)
class Completion:
    """Completes parts and publishes what became of them.

    Attributes:
        make: makes the call that a part is at, alone or with those of other jobs.
        most_resends: calls at the most for a job that prefers a double to a doubt.
        following: sees to the messages of jobs that are tracked.
    """

    ports: SendPorts
    make: Callable[[PartWork], Awaitable[object]]
    policy: RetryPolicy
    most_resends: int
    following: Following
    timing: Timing

    async def ended(self, part: Planned, delivery: Delivery) -> Ended:
        """Send, record, publish; a reply that is not recorded in the end is published from memory."""
        head = part.head
        times = self.timing.times(head) if head.send_after is not None or head.in_hours else None
        wishes = Wishes(head.expires_at, self.most_resends if head.resend else 1, times)
        order = CallOrder(head.message, wishes, delivery.lane.is_urgent)
        record = PartRecord(self.ports, part.version, unwritten=part.unwritten)
        work = PartWork(self.ports, order, record, delivery.progress, self.make)
        try:
            await work.complete()
            done = Done() if part.shares_round else None
            return Ended(await self._published(record, part, delivery, record.version.entry, done), record)
        except BaseException as error:  # noqa: BLE001 - what is in hand is looked after, then it is raised
            return Ended(await self._after_all(error, work, part, delivery), record)

    async def _after_all(
        self, error: BaseException, work: PartWork, part: Planned, delivery: Delivery
    ) -> Handled | None:
        """See to it that nothing is lost with a part that could not be completed.

        Raises:
            BaseException: *error*, where the ledger has all that is known.
        """
        record = work.record
        try:
            if isinstance(error, _ROUND_OVER):
                return await self._round_over(error, work, part, delivery)
            if isinstance(error, UnavailableError):
                await record.stay()
            raise error  # noqa: TRY301 - to be looked at like what comes in its place
        except BaseException as latest:
            if (known := record.unrecorded) is None:
                raise
            cause = latest
        log.error("reply.unrecorded", job=record.version.key, reason=_why(cause))
        from_memory = self._published(record, part, delivery, verdict.as_far_as_known(known), None)
        return await completed(from_memory, hurry=isinstance(cause, asyncio.CancelledError))

    async def _round_over(
        self, error: WorkerError, work: PartWork, part: Planned, delivery: Delivery
    ) -> Handled | None:
        disposition = None if part.shares_round else self.after(error, delivery)
        if not isinstance(disposition, DeadLetter):
            await work.record.stay()
            if disposition is None:
                return None
            return Handled(disposition, JobSummary("send", "delayed", part.head.job_id))
        await work.give_up(error)
        return await self._published(work.record, part, delivery, work.record.version.entry, disposition)

    async def _published(
        self,
        record: PartRecord,
        part: Planned,
        delivery: Delivery,
        entry: Entry,
        disposition: Disposition | None,
    ) -> Handled:
        """Publish what became of a part."""
        result, message = send_message(part.head, entry, part.number, part.parts, delivery)
        if disposition is None and Outcome.FAILED in result.counts:
            disposition = self.given_up(entry.part.given_up(), delivery)
        disposition = disposition or Done()
        alone = record.late or record.unrecorded is not None
        if alone:
            await self._alone(lambda: self.ports.publisher.publish_result(message))
        else:
            await self.ports.publisher.publish_result(message)
        if part.head.track:
            await self._followed(part, entry.part, delivery, alone=alone)
        if Outcome.UNCERTAIN in result.counts and isinstance(disposition, DeadLetter):
            # A replay of this one may reach somebody twice: it must look different from one that is safe.
            disposition = replace(disposition, reason=FailureCode.REPLY_LOST)
        counts = {outcome.value: count for outcome, count in result.counts.items()}
        calls = sum([call.attempts for call in entry.part.calls])
        return Handled(disposition, JobSummary("send", result.status.value, part.head.job_id, counts, calls))

    async def _followed(self, part: Planned, plan: Part, delivery: Delivery, *, alone: bool) -> None:
        """See to it that the accepted messages are followed, before the delivery may be acknowledged."""
        head = part.head
        source = Source(head.job_id, head.fingerprint, part.number, part.parts, head.metadata)

        async def follow() -> None:
            await self.following.follow(source, plan, delivery)

        await (self._alone(follow) if alone else follow())

    async def _alone(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do it, until it works: no delivery is left that would bring another worker to do it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await step()
            except (BrokerUnavailableError, LedgerUnavailableError):
                await self.ports.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def given_up(self, last: Settled | None, delivery: Delivery) -> DeadLetter | None:
        """Tell whether this is the delivery with which the job was given up, as *last* says, come again.

        Its worker may have died before the dead letter was there. A job that is merely published once more
        has its rounds ahead of it, and only gets its results again.
        """
        if last is None or self.policy.next_round(delivery, "", now=self.ports.clock.now()):
            return None
        return DeadLetter(FailureCode.RETRIES_EXHAUSTED, last.detail or "")

    def after(self, error: WorkerError, delivery: Delivery) -> Delay | DeadLetter:
        """Give the job another round, or give it up."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        now = self.ports.clock.now()
        again = self.policy.next_round(delivery, error.code, now=now, at_least=asked or 0.0)
        return again or DeadLetter(FailureCode.RETRIES_EXHAUSTED, error.detail)


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, UnrecordedError) else type(error).__name__
