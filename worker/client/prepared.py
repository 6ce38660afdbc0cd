"""Jobs as they will be published: checked, with an id that is the same on every run."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from schemas.channels import JobKey, JobKind
from schemas.reading import JobRejectedError, fingerprint, read_job
from worker.domain.errors import WorkerError

MOST_FAULTS = 20

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:-]+")
_LONGEST_NAME = 80
_DIGEST = 20


class InputError(WorkerError):
    """The input cannot be published as it stands, and none of it was.

    Attributes:
        faults: at most 20 lines, each with its place, what is wrong and the remedy.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("wrong_input", faults[0])
        self.faults = tuple(faults[:MOST_FAULTS])


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job that the worker will accept.

    Attributes:
        entries: recipients of a send job, message ids of a status job.
    """

    job_id: str
    routing_key: str
    body: bytes
    entries: int


@dataclass(frozen=True, slots=True)
class ReadJobs:
    """What an input holds.

    Attributes:
        jobs: in the order of the input, each id once.
        repeated: jobs that were left out because an earlier one is the same.
    """

    jobs: list[PreparedJob]
    repeated: int = 0

    @property
    def entries(self) -> int:
        """Recipients, or message ids, of all jobs."""
        return sum(job.entries for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How all jobs of one input are made ready.

    Attributes:
        campaign: start of the ids of jobs that bring none.
        max_bytes: of a body.
    """

    kind: JobKind
    urgent: bool
    campaign: str
    max_bytes: int

    def prepare(self, job: Mapping[str, object]) -> PreparedJob:
        """Check *job* and give it an id if it has none: the campaign's name and a digest of its content.

        Raises:
            JobRejectedError: the worker would reject it.
        """
        given = job if job.get("job_id") is not None else {**job, "job_id": self._derived_id(job)}
        body = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        job_id, entries = self._read(body)
        return PreparedJob(job_id, self.routing_key, body, entries)

    @property
    def routing_key(self) -> str:
        """Where the jobs go; only send jobs have an urgent lane."""
        match self.kind:
            case JobKind.SEND:
                return (JobKey.SEND_URGENT if self.urgent else JobKey.SEND).value
            case JobKind.STATUS:
                return JobKey.STATUS.value
            case JobKind.ACCOUNT:
                return JobKey.ACCOUNT.value
            case _:
                assert_never(self.kind)

    def _read(self, body: bytes) -> tuple[str, int]:
        """Return the id, and the count of recipients or message ids, of a valid job."""
        match self.kind:
            case JobKind.SEND:
                send = read_job(JobKind.SEND, body, max_bytes=self.max_bytes)
                return send.job_id, len(send.job.recipients)
            case JobKind.STATUS:
                status = read_job(JobKind.STATUS, body, max_bytes=self.max_bytes)
                return status.job_id, len(status.job.message_ids)
            case JobKind.ACCOUNT:
                return read_job(JobKind.ACCOUNT, body, max_bytes=self.max_bytes).job_id, 0
            case _:
                assert_never(self.kind)

    def _derived_id(self, job: Mapping[str, object]) -> str:
        return f"{self.campaign}-{fingerprint(job)[:_DIGEST]}"


def campaign_name(given: str) -> str:
    """Return *given* as the start of an id: what an id may not hold becomes a dash."""
    return _NOT_IN_AN_ID.sub("-", given)[:_LONGEST_NAME].strip("-") or "campaign"


def faults_of(error: JobRejectedError, place: str) -> list[str]:
    """Return a line for each error of a rejected job."""
    return [f"{place}: {fault.msg}" for fault in error.errors]
