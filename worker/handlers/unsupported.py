"""Jobs of a kind that this release knows by name only."""

from dataclasses import dataclass
from typing import Literal

from schemas import FailureCode, JobError, JobKind, JobRejectedError, read_job
from worker.domain.messages import Delivery
from worker.handlers.handled import Handled


@dataclass(frozen=True, slots=True)
class UnsupportedHandler:
    """Rejects every job of *kind*, by name."""

    kind: Literal[JobKind.CANCEL]
    max_body_bytes: int

    async def handle(self, delivery: Delivery) -> Handled:
        """Reject the job.

        Raises:
            JobRejectedError: always.
        """
        read = read_job(
            self.kind, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        words = f"this version cannot carry out {self.kind.value} jobs: run one that can"
        error = JobError(loc=(), msg=words, type=FailureCode.UNSUPPORTED.value)
        raise JobRejectedError([error], job_id=read.job_id, metadata=read.job.metadata)
