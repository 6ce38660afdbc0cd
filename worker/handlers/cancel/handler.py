"""Cancel jobs: read, remember the request, stop the target, record the answer, publish it."""

from dataclasses import dataclass

from schemas import (
    CancelFailed,
    CancelJob,
    CancelResult,
    CancelStatus,
    Failure,
    FailureCode,
    JobKind,
    JobRejectedError,
    ReadJob,
    ResultKind,
    read_job,
    result_message_id,
)
from schemas.rejection import rejection
from worker.domain.api_entry import api_key
from worker.domain.cancel_request import CancelRequest, cancel_key
from worker.domain.disposition import RetryPolicy
from worker.domain.errors import DeliveryLostError, EntryUnusableError
from worker.domain.messages import DeadLetter, Delivery, Done, JobSummary
from worker.handlers.cancel.marking import Marking, TargetUnknownError
from worker.handlers.cancel.requests import Requests
from worker.handlers.entries import EntryUnreadableError
from worker.handlers.handled import Handled
from worker.handlers.publication import result_message
from worker.handlers.send.acceptance import conflict_of
from worker.ports import Clock, Locks, Publisher

_OTHER_KINDS = (cancel_key, api_key)  # by which key the ledger knows jobs of other kinds, as far as it does


@dataclass(frozen=True, slots=True)
class CancelHandler:
    """Carries out cancel jobs. They need the ledger, and nothing of the gateway."""

    requests: Requests
    marking: Marking
    publisher: Publisher
    policy: RetryPolicy
    clock: Clock
    locks: Locks
    max_body_bytes: int

    async def handle(self, delivery: Delivery) -> Handled:
        """Stop the target, publish the answer, return what to do with the delivery.

        Raises:
            JobRejectedError: the job is invalid, its id belongs to another, or its target is no send job.
            UnavailableError: the ledger or the broker is away.
        """
        read = read_job(
            JobKind.CANCEL, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        job = read.job
        async with self.locks.holding(job.target):
            if delivery.is_lost():
                raise DeliveryLostError
            try:
                answer = await self._answer(read)
            except EntryUnusableError as error:
                return await self._another_round(error, read, delivery)
        result = CancelResult(job_id=read.job_id, target=job.target, status=answer, metadata=job.metadata)
        await self._publish(result, delivery)
        return Handled(Done(), JobSummary("cancel", answer.value, read.job_id))

    async def _answer(self, read: ReadJob[CancelJob]) -> CancelStatus:
        """Carry the request out once; the same one again gets the same answer."""
        target, asked = read.job.target, CancelRequest(read.fingerprint, read.job.target)
        opened = await self.requests.opened(read.job_id, asked)
        if opened.entry.fingerprint != asked.fingerprint:
            raise conflict_of(read.job_id, read.job.metadata)
        if opened.entry.answer is not None:
            return opened.entry.answer
        try:
            answer = await self.marking.stopped(target, read.job_id)
        except TargetUnknownError:
            answer = await self._not_there_yet(read)
        return await self.requests.answered(opened, answer)

    async def _not_there_yet(self, read: ReadJob[CancelJob]) -> CancelStatus:
        """Stop a job that may come later, unless the id is known to be that of another kind of job."""
        for key_of in _OTHER_KINDS:
            if await self.requests.exists(key_of(read.job.target)):
                words = "`target` is a job of another kind: send jobs alone can be stopped"
                raise _rejected(read, rejection(FailureCode.WRONG_VALUE, words, "target"))
        if await self.marking.announced(read.job.target, read.job_id):
            return CancelStatus.RECORDED
        try:
            return await self.marking.stopped(read.job.target, read.job_id)  # it came meanwhile
        except TargetUnknownError:
            words = "the entry of the job to stop comes and goes"
            raise EntryUnusableError("entry_contended", words) from None

    async def _another_round(
        self, error: EntryUnusableError, read: ReadJob[CancelJob], delivery: Delivery
    ) -> Handled:
        """Try again later; of what a newer release wrote, leave it to one that can read it."""
        if isinstance(error, EntryUnreadableError) and error.is_newer:
            raise error
        again = self.policy.next_round(delivery, error.code, now=self.clock.now())
        if again:
            return Handled(again, JobSummary("cancel", "delayed", read.job_id))
        words = f"given up after many attempts; the last one: {error.detail}"
        failure = Failure(code=FailureCode.RETRIES_EXHAUSTED, detail=words)
        result = CancelFailed(
            job_id=read.job_id, target=read.job.target, error=failure, metadata=read.job.metadata
        )
        await self._publish(result, delivery)
        given_up = DeadLetter(FailureCode.RETRIES_EXHAUSTED, words)
        return Handled(given_up, JobSummary("cancel", "failed", read.job_id))

    async def _publish(self, result: CancelResult | CancelFailed, delivery: Delivery) -> None:
        message_id = result_message_id(result.job_id, 1)
        await self.publisher.publish_result(result_message(ResultKind.CANCEL, result, message_id, delivery))


def _rejected(read: ReadJob[CancelJob], error: JobRejectedError) -> JobRejectedError:
    """Say of which job it is."""
    error.job_id, error.metadata = read.job_id, dict(read.job.metadata)
    return error
