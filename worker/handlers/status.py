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
from worker.domain.errors import (
    AccountError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.limits import MOST_PER_PART
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, JobSummary, ResultMessage
from worker.domain.plan import batches
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

        A job is published as a whole: nothing of it while another round may answer what this one did not.

        Raises:
            JobRejectedError: the job is invalid.
            UnavailableError: the broker or the gateway is away.
        """
        read = read_job(
            JobKind.STATUS, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        ids = tuple(dict.fromkeys(read.job.message_ids))
        work = _StatusWork(self, read.job, read.job_id, delivery)
        try:
            if len(ids) <= MOST_PER_PART:
                parts = [await work.part((1, 1), ids)]
            else:
                parts = await work.parts(list(batches(ids, MOST_PER_PART)))
        except _AnotherRoundError as error:
            return Handled(error.delay, JobSummary("status", "delayed", read.job_id))
        messages = [part.message for part in parts]
        await parallel.each(self.publisher.publish_result, messages, limit=_PARTS_AT_ONCE)
        return _ended(parts, read.job_id, len(read.job.message_ids))


@dataclass(slots=True)
class _Part:
    """What became of a part.

    Attributes:
        status: of its result.
        message: that says so.
        refused: ids of an answered part that the gateway refused to look up.
        error: why it was not answered.
    """

    status: str
    message: ResultMessage
    refused: int = 0
    error: WorkerError | None = None


class _AnotherRoundError(Exception):
    """A part was not answered, and a later round may have an answer."""

    def __init__(self, delay: Delay) -> None:
        super().__init__(delay.reason)
        self.delay = delay


@dataclass(slots=True)
class _StatusWork:
    """One status job under way."""

    handler: StatusHandler
    job: StatusJob
    job_id: str
    delivery: Delivery

    async def parts(self, cut: Sequence[tuple[str, ...]]) -> list[_Part]:
        """Return what became of each part.

        Raises:
            _AnotherRoundError: the job is to be tried again as a whole.
        """

        async def asked(numbered: tuple[int, tuple[str, ...]]) -> _Part:
            number, ids = numbered
            return await self.part((number, len(cut)), ids)

        return await parallel.each(asked, enumerate(cut, start=1), limit=_PARTS_AT_ONCE)

    async def part(self, numbered: tuple[int, int], ids: Sequence[str]) -> _Part:
        """Return what became of one part: its number, of how many; likewise."""
        try:
            answers = await self.handler.lookups.status(ids)
        except (TransientError, OutcomeUncertainError, AccountError) as error:
            policy, now = self.handler.policy, self.handler.clock.now()
            if again := policy.next_round(self.delivery, error.code, now=now):
                raise _AnotherRoundError(again) from error
            return self._failed(numbered, error)
        reports = {name: said for name, said in answers.items() if not isinstance(said, PermanentError)}
        if refusal := _refusal(ids, answers):
            return self._failed(numbered, refusal)
        rows = [message_of(message_id, reports.get(message_id)) for message_id in ids]
        status, message = delivery_message(self.job_id, numbered, rows, self.job.metadata, self.delivery)
        return _Part(status, message, refused=len(answers) - len(reports))

    def _failed(self, numbered: tuple[int, int], error: WorkerError) -> _Part:
        number, parts = numbered
        result = DeliveryFailed(
            job_id=self.job_id,
            part=number,
            parts=parts,
            error=Failure(code=error.code, detail=error.detail),
            metadata=self.job.metadata,
        )
        message_id = result_message_id(self.job_id, number)
        message = result_message(ResultKind.DELIVERY, result, message_id, self.delivery)
        return _Part(result.status, message, error=error)


def _refusal(
    ids: Sequence[str], answers: Mapping[str, MessageReport | PermanentError]
) -> PermanentError | None:
    """Return why a part is refused: only where all of its ids are, as one must not cost the others theirs."""
    refusals = [answer for answer in answers.values() if isinstance(answer, PermanentError)]
    return refusals[0] if len(refusals) == len(ids) else None


def _ended(parts: Sequence[_Part], job_id: str, messages: int) -> Handled:
    """Return the end of a job whose parts are published: a dead letter where one of them failed."""
    errors = [part.error for part in parts if part.error]
    refused = sum(part.refused for part in parts)
    counts = {"messages": messages, "parts": len(parts)}
    counts |= {"refused": refused} if refused else {}
    if not errors:
        result = "final" if all(part.status == "final" for part in parts) else "pending"
        return Handled(Done(), JobSummary("status", result, job_id, counts))
    given_up: Disposition = DeadLetter(errors[0].code, errors[0].detail)
    return Handled(given_up, JobSummary("status", "failed", job_id, counts | {"failed_parts": len(errors)}))
