"""From a delivery to a send job that this worker can carry out, or to the reasons why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from schemas import FailureCode, JobError, JobKind, JobRejectedError, SendJob, read_job
from worker.domain import text
from worker.domain.messages import Delivery
from worker.handlers.send.head import JobHead

IN_HOURS: Final = frozenset({"promotional", "service_explicit"})
"""The categories that the hours apply to (docs/contract.md, 3)."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the operator allows.

    Attributes:
        max_body_bytes: a longer body is rejected unread.
        max_segments: a longer text is rejected.
        allowed_params: names that a job's ``params`` may have.
        send_after_limit: seconds that a job may be ahead of its time.
        now: tells the time.
    """

    max_body_bytes: int
    max_segments: int
    allowed_params: frozenset[str]
    send_after_limit: int
    now: Callable[[], datetime]

    def send_job(self, delivery: Delivery) -> tuple[SendJob, JobHead]:
        """Read and check a send job.

        Raises:
            JobRejectedError: it can never be carried out as it stands.
        """
        read = read_job(
            JobKind.SEND, delivery.body, message_id=delivery.message_id, max_bytes=self.max_body_bytes
        )
        job = read.job
        size = text.measure(job.text, unicode=job.unicode)
        unfit = job.unicode is False or size.segments > self.max_segments
        if (unfit or job.params or job.send_after) and (errors := self._errors(job, size, delivery)):
            raise JobRejectedError(errors, job_id=read.job_id, metadata=job.metadata)
        return job, JobHead(
            job_id=read.job_id,
            fingerprint=read.fingerprint,
            text=job.text,
            unicode=size.encoding is text.Encoding.UCS2,
            encoding=size.encoding.value,
            segments=size.segments,
            sender=job.sender,
            params=dict(job.params),
            expires_at=job.expires_at,
            resend=job.on_uncertain == "resend",
            track=job.track,
            send_after=job.send_after,
            in_hours=job.category in IN_HOURS,
            metadata=job.metadata,
        )

    def _errors(self, job: SendJob, size: text.Measure, delivery: Delivery) -> list[JobError]:
        return [
            *self._params_errors(job),
            *self._text_errors(job, size),
            *(self._time_errors(job.send_after, delivery) if job.send_after else ()),
        ]

    def _params_errors(self, job: SendJob) -> list[JobError]:
        words = "`{}` is not among the params that the worker's setting ITON_ALLOWED_PARAMS lists ({})"
        listed = ", ".join(sorted(self.allowed_params)) or "none"
        return [
            _error(FailureCode.PARAMS_NOT_ALLOWED, words.format(name, listed), "params", name)
            for name in job.params
            if name not in self.allowed_params
        ]

    def _time_errors(self, send_after: datetime, delivery: Delivery) -> list[JobError]:
        # What has waited was accepted, whatever the limit is now.
        if delivery.waited:
            return []
        ahead = send_after - self.now()
        if ahead <= timedelta(seconds=self.send_after_limit):
            return []
        words = (
            f"`send_after` is too far ahead: at most {self.send_after_limit} seconds"
            " (WORKER_SEND_AFTER_LIMIT); publish the job later"
        )
        return [_error(FailureCode.WRONG_VALUE, words, "send_after")]

    def _text_errors(self, job: SendJob, size: text.Measure) -> list[JobError]:
        if job.unicode is False and size.encoding is text.Encoding.UCS2:
            words = "the text has characters outside the GSM alphabet: leave `unicode` out, or say true"
            return [_error(FailureCode.UNICODE_REQUIRED, words, "unicode")]
        if size.segments > self.max_segments:
            words = f"the text takes {size.segments} {size.encoding} segments: at most {self.max_segments}"
            return [_error(FailureCode.TEXT_TOO_LONG, words, "text")]
        return []


def conflict(head: JobHead) -> JobRejectedError:
    """The rejection of other content under an id that is taken."""
    return conflict_of(head.job_id, head.metadata)


def conflict_of(job_id: str, metadata: Mapping[str, JsonValue]) -> JobRejectedError:
    """The same, of a job of any kind."""
    words = "another job with this `job_id` was taken before: give each job an id of its own"
    error = _error(FailureCode.JOB_ID_CONFLICT, words, "job_id")
    return JobRejectedError([error], job_id=job_id, metadata=metadata)


def _error(code: FailureCode, msg: str, *loc: str) -> JobError:
    return JobError(loc=loc, msg=msg, type=code.value)
