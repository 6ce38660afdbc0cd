"""Api jobs where no call of the Web API can be made."""

from dataclasses import dataclass

from schemas import FailureCode, JobError, JobRejectedError
from worker.domain.messages import Delivery
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.handled import Handled


@dataclass(frozen=True, slots=True)
class NoWebApi:
    """Rejects every api job."""

    acceptance: ApiAcceptance

    async def handle(self, delivery: Delivery) -> Handled:
        """Reject it.

        Raises:
            JobRejectedError: always.
        """
        read = self.acceptance.api_job(delivery)
        words = "this version makes no calls of the Web API"
        error = JobError(loc=(), msg=words, type=FailureCode.UNSUPPORTED.value)
        raise JobRejectedError([error], job_id=read.job_id, metadata=read.job.metadata)
