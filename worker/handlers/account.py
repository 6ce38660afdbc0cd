"""Account jobs: the balance, asked for by a producer."""

from dataclasses import dataclass

from schemas import (
    AccountFailed,
    AccountResult,
    AnyResult,
    Failure,
    JobKind,
    ResultKind,
    read_job,
    result_message_id,
)
from worker.domain.disposition import RetryPolicy
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError
from worker.domain.messages import DeadLetter, Delivery, Done, JobSummary
from worker.handlers.handled import Handled
from worker.handlers.lookups import Lookups
from worker.handlers.publication import result_message
from worker.ports import Clock, Observer, Publisher


@dataclass(frozen=True, slots=True)
class AccountHandler:
    """Carries out account jobs. They only read: a repetition asks again."""

    lookups: Lookups
    publisher: Publisher
    policy: RetryPolicy
    clock: Clock
    observer: Observer
    max_body_bytes: int

    async def handle(self, delivery: Delivery) -> Handled:
        """Ask, publish, return what to do with the delivery.

        Raises:
            JobRejectedError: the job is invalid.
            UnavailableError: the broker or the gateway is away.
        """
        read = read_job(
            JobKind.ACCOUNT, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        job_id, metadata = read.job_id, read.job.metadata
        try:
            balance = await self.lookups.account()
        except (TransientError, OutcomeUncertainError, PermanentError) as error:
            permanent = isinstance(error, PermanentError)
            again = None if permanent else self.policy.next_round(delivery, error.code, now=self.clock.now())
            if again:
                return Handled(again, JobSummary("account", "delayed", job_id))
            failure = Failure(code=error.code, detail=error.detail)
            await self._publish(AccountFailed(job_id=job_id, error=failure, metadata=metadata), delivery)
            return Handled(DeadLetter(error.code, error.detail), JobSummary("account", "failed", job_id))
        self.observer.credits_seen(balance)
        result = AccountResult(job_id=job_id, remaining_credits=balance, metadata=metadata)
        await self._publish(result, delivery)
        return Handled(Done(), JobSummary("account", "balance", job_id))

    async def _publish(self, result: AnyResult, delivery: Delivery) -> None:
        message_id = result_message_id(result.job_id or "", 1)
        await self.publisher.publish_result(result_message(ResultKind.ACCOUNT, result, message_id, delivery))
