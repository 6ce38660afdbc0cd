"""Jobs as they will be published: checked, with an id that is the same on every run."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import assert_never

from schemas.channels import JobKey, JobKind
from schemas.failures import FailureCode
from schemas.reading import JobRejectedError, fingerprint, read_job
from schemas.rejection import rejection
from worker.domain.errors import WorkerError
from worker.domain.expiry import has_expired
from worker.domain.messages import Delivery, Lane
from worker.domain.recipients import NumberingPlan, distinct
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.send.acceptance import Acceptance

MOST_FAULTS = 20

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:-]+")
_LONGEST_NAME = 80
_DIGEST = 20


class InputError(WorkerError):
    """The input cannot be published as it stands, and none of it was.

    Attributes:
        faults: at most 20 lines, each with its place, what is wrong and the remedy; one more where there
            may be others.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("wrong_input", faults[0])
        self.faults = tuple(faults[:MOST_FAULTS])
        if len(faults) >= MOST_FAULTS:
            self.faults += (f"there may be more: these are the first {MOST_FAULTS}",)


@dataclass(frozen=True, slots=True)
class InvalidRecipient:
    """An entry that cannot be sent to.

    Attributes:
        line: of the file, where there is one.
    """

    spelling: str
    detail: str
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}: "
        return f"{place}{self.spelling} cannot be sent to: {self.detail}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What a send job will do, by the settings.

    Attributes:
        distinct: numbers that can be sent to, each once.
        encoding: ``gsm7`` or ``ucs2``.
        segments: of the text.
        sender: the job's own, else that of the settings.
    """

    distinct: int
    invalid: tuple[InvalidRecipient, ...]
    encoding: str
    segments: int
    sender: str | None

    @property
    def credits(self) -> int:
        """One for each segment and number; those on the DND list cost nothing."""
        return self.distinct * self.segments


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job that the worker will accept.

    Attributes:
        entries: recipients of a send job, message ids of a status job.
        sending: of a send job.
    """

    job_id: str
    routing_key: str
    body: bytes
    entries: int
    sending: Sending | None = None


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

    @property
    def sendings(self) -> list[Sending]:
        """What the send jobs will do."""
        return [job.sending for job in self.jobs if job.sending is not None]

    @property
    def distinct(self) -> int:
        """Numbers that can be sent to; one that is in two jobs gets two texts, and counts twice."""
        return sum(sending.distinct for sending in self.sendings)

    @property
    def invalid(self) -> list[InvalidRecipient]:
        """Entries that cannot be sent to."""
        return [each for sending in self.sendings for each in sending.invalid]

    def insist_on_numbers(self) -> None:
        """Let nothing pass that would send to nobody.

        Raises:
            InputError: no entry of any job can be sent to.
        """
        if self.sendings and not self.distinct:
            raise InputError([str(each) for each in self.invalid])


@dataclass(frozen=True, slots=True)
class Preparation:
    """How all jobs of one input are made ready, by the worker's own rules.

    Attributes:
        campaign: start of the ids of jobs that bring none.
        acceptance: what the settings allow a send job.
        api: what they allow a call of the Web API.
        plan: whose numbers they allow.
        sender: of jobs that name none.
        now: what is not to be sent after an earlier moment is refused.
    """

    kind: JobKind
    urgent: bool
    campaign: str
    acceptance: Acceptance
    api: ApiAcceptance
    plan: NumberingPlan
    sender: str | None
    now: datetime

    def prepare(self, job: Mapping[str, object], lines: Sequence[int] = ()) -> PreparedJob:
        """Check *job* and give it an id if it has none: the campaign's name and a digest of its content.

        Args:
            job: its fields.
            lines: of the file, where each recipient stands; one line: where all do.

        Raises:
            JobRejectedError: the worker would reject it, or it is over.
        """
        given = job if job.get("job_id") is not None else {**job, "job_id": self._derived_id(job)}
        body = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        match self.kind:
            case JobKind.SEND:
                return self._send(body, lines)
            case JobKind.STATUS:
                status = read_job(JobKind.STATUS, body, max_bytes=self.max_bytes)
                return PreparedJob(status.job_id, self.routing_key, body, len(status.job.message_ids))
            case JobKind.ACCOUNT:
                account = read_job(JobKind.ACCOUNT, body, max_bytes=self.max_bytes)
                return PreparedJob(account.job_id, self.routing_key, body, 0)
            case JobKind.API:
                api = self.api.api_job(Delivery(Lane.API, body, self.routing_key))
                return PreparedJob(api.job_id, self.routing_key, body, 0)
            case JobKind.CANCEL:
                cancel = read_job(JobKind.CANCEL, body, max_bytes=self.max_bytes)
                return PreparedJob(cancel.job_id, self.routing_key, body, 0)
            case _:
                assert_never(self.kind)

    @property
    def max_bytes(self) -> int:
        """Of a body."""
        return self.acceptance.max_body_bytes

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
            case JobKind.API:
                return JobKey.API.value
            case JobKind.CANCEL:
                return JobKey.CANCEL.value
            case _:
                assert_never(self.kind)

    def _send(self, body: bytes, lines: Sequence[int]) -> PreparedJob:
        job, head = self.acceptance.send_job(Delivery(Lane.SEND, body, self.routing_key))
        if head.expires_at and has_expired(head.expires_at, self.now):
            raise rejection(
                FailureCode.EXPIRED, "`expires_at` is over: nothing would be sent any more.", "expires_at"
            )
        recipients = distinct(job.recipients, self.plan)
        sending = Sending(
            distinct=len(recipients.order) - len(recipients.invalid),
            invalid=_placed(recipients.invalid, job.recipients, lines),
            encoding=head.encoding,
            segments=head.segments,
            sender=head.sender or self.sender,
        )
        return PreparedJob(head.job_id, self.routing_key, body, len(job.recipients), sending)

    def _derived_id(self, job: Mapping[str, object]) -> str:
        return f"{self.campaign}-{fingerprint(job)[:_DIGEST]}"


def _placed(
    invalid: Mapping[str, str], recipients: Sequence[str], lines: Sequence[int]
) -> tuple[InvalidRecipient, ...]:
    """Find the first line of each."""
    if not invalid:
        return ()
    places = lines if len(lines) == len(recipients) else repeat(lines[0] if lines else None)
    first: dict[str, int | None] = {}
    for spelling, line in zip(recipients, places, strict=False):
        first.setdefault(spelling, line)
    return tuple(InvalidRecipient(spelling, detail, first[spelling]) for spelling, detail in invalid.items())


def campaign_name(given: str) -> str:
    """Return *given* as the start of an id: what an id may not hold becomes a dash."""
    return _NOT_IN_AN_ID.sub("-", given)[:_LONGEST_NAME].strip("-") or "campaign"


def faults_of(error: JobRejectedError, place: str) -> list[str]:
    """Return a line for each error of a rejected job."""
    return [f"{place}: {fault.msg}" for fault in error.errors]
