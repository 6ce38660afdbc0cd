"""From a delivery to an api job that this worker may carry out, or to the reasons why not."""

from dataclasses import dataclass

from schemas import ApiJob, FailureCode, JobError, JobKind, JobRejectedError, ReadJob, read_job
from worker.domain.messages import Delivery
from worker.domain.web_path import Allowed, WrongPathError, checked, is_allowed


@dataclass(frozen=True, slots=True)
class ApiAcceptance:
    """What the operator allows.

    Attributes:
        is_on: whether the worker knows the Web API's address.
        allowed: first segments that a path may begin with.
        max_body_bytes: a longer body is rejected unread.
    """

    is_on: bool
    allowed: Allowed
    max_body_bytes: int

    def api_job(self, delivery: Delivery) -> ReadJob[ApiJob]:
        """Read and check an api job.

        Raises:
            JobRejectedError: it can never be carried out as it stands.
        """
        read = read_job(
            JobKind.API, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        if error := self._error(read.job):
            raise JobRejectedError([error], job_id=read.job_id, metadata=read.job.metadata)
        return read

    def _error(self, job: ApiJob) -> JobError | None:
        if not self.is_on:
            words = "api jobs are switched off in this worker: ask the operator to set ITON_WEB_API_URL"
            return JobError(loc=(), msg=words, type=FailureCode.UNSUPPORTED.value)
        try:
            path = checked(job.path)
        except WrongPathError as error:
            return _of_path(FailureCode.WRONG_VALUE, f"`path` {error}.")
        if is_allowed(path, self.allowed):
            return None
        listed = ", ".join(self.allowed) or "none"
        words = "`path` begins with none of the segments that the worker's setting ITON_WEB_API_PATHS lists"
        return _of_path(
            FailureCode.PATH_NOT_ALLOWED,
            f"{words} ({listed}): ask the operator to list them, or correct the path.",
        )


def conflict(read: ReadJob[ApiJob]) -> JobRejectedError:
    """The rejection of other content under an id that is taken."""
    words = "another api job with this `job_id` was taken before: give each job an id of its own"
    error = JobError(loc=("job_id",), msg=words, type=FailureCode.JOB_ID_CONFLICT.value)
    return JobRejectedError([error], job_id=read.job_id, metadata=read.job.metadata)


def _of_path(code: FailureCode, msg: str) -> JobError:
    return JobError(loc=("path",), msg=msg, type=code.value)
