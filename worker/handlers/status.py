"""Status jobs: look the ids up, a result for each hundred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas import (
    DeliveryFailed,
    Failure,
    JobKind,
    ResultKind,
    StatusJob,
    read_job,
    result_message_id,
)
from worker.domain.disposition import RetryPolicy
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError, WorkerError
from worker.domain.messages import DeadLetter, Delivery, Disposition, Done, JobSummary
from worker.domain.plan import PART_SIZE, batches
from worker.handlers import parallel
from worker.handlers.handled import Handled
from worker.handlers.lookups import Lookups
from worker.handlers.publication import delivery_message, message_of, result_message
from worker.ports import Clock, MessageReport, Publisher

_PARTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class StatusHandler:
    """Carries out status jobs. They only read: a repetition asks again."""

    lookups: Lookups
    publisher: Publisher
    policy: RetryPolicy
    clock: Clock
    max_body_bytes: int

    async def handle(self, delivery: Delivery) -> Handled:
        """Look up, publish, return what to do with the delivery.

        Raises:
            JobRejectedError: the job is invalid.
            UnavailableError: the broker or the gateway is away.
        """
        read = read_job(
            JobKind.STATUS, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        work = _StatusWork(self, read.job, read.job_id, delivery)
        try:
            statuses = await work.publish_all()
        except (TransientError, OutcomeUncertainError, PermanentError) as error:
            return await self._after(error, work)
        result = "final" if set(statuses) == {"final"} else "pending"
        counts = {"messages": len(read.job.message_ids), "parts": len(statuses)}
        return Handled(Done(), JobSummary("status", result, read.job_id, counts))

    async def _after(self, error: WorkerError, work: "_StatusWork") -> Handled:
        if not isinstance(error, PermanentError):
            again = self.policy.next_round(work.delivery, error.code, now=self.clock.now())
            if again:
                return Handled(again, JobSummary("status", "delayed", work.job_id))
        await work.publish_failure(error)
        given_up: Disposition = DeadLetter(error.code, error.detail)
        return Handled(given_up, JobSummary("status", "failed", work.job_id))


@dataclass(frozen=True, slots=True)
class _StatusWork:
    """One status job under way."""

    handler: StatusHandler
    job: StatusJob
    job_id: str
    delivery: Delivery

    async def publish_all(self) -> list[str]:
        """Publish a result for each part; return their statuses."""
        distinct_ids = tuple(dict.fromkeys(self.job.message_ids))
        parts = list(batches(distinct_ids, PART_SIZE))

        async def publish(numbered: tuple[int, tuple[str, ...]]) -> str:
            number, ids = numbered
            answers = await self.handler.lookups.status(ids)
            if refusal := _refusal(ids, answers):
                raise refusal
            reports = {name: said for name, said in answers.items() if not isinstance(said, PermanentError)}
            rows = [message_of(message_id, reports.get(message_id)) for message_id in ids]
            numbers = (number, len(parts))
            status, message = delivery_message(self.job_id, numbers, rows, self.job.metadata, self.delivery)
            await self.handler.publisher.publish_result(message)
            return status

        return await parallel.each(publish, enumerate(parts, start=1), limit=_PARTS_AT_ONCE)

    async def publish_failure(self, error: WorkerError) -> None:
        """Say that the job was given up."""
        failure = Failure(code=error.code, detail=error.detail)
        result = DeliveryFailed(job_id=self.job_id, error=failure, metadata=self.job.metadata)
        message_id = result_message_id(self.job_id, 1)
        message = result_message(ResultKind.DELIVERY, result, message_id, self.delivery)
        await self.handler.publisher.publish_result(message)


def _refusal(
    ids: Sequence[str], answers: Mapping[str, MessageReport | PermanentError]
) -> PermanentError | None:
    """Return why a part is refused: only where all of its ids are, as one must not cost the others theirs."""
    refusals = [answer for answer in answers.values() if isinstance(answer, PermanentError)]
    return refusals[0] if len(refusals) == len(ids) else None
