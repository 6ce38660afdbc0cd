"""What sends and results need of a send job, however many recipients it had."""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from hashlib import sha256
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas import FailureCode, JobError, JobRejectedError
from worker.domain.entry import Entry, Part, Split
from worker.domain.entry_codec import UnreadableEntryError, part_from_row, part_to_row
from worker.domain.errors import UnavailableError
from worker.domain.value import value
from worker.ports import TextMessage

# The first form, and the one of what a release before this one cannot carry out: a part of a job that was
# cancelled before it was planned, whose messages are followed, or that may have to wait.
_PLAIN_FORM, _LATER_FORM = 1, 2
# A release that changes what a part holds counts its form up, and the one before it waits.
_FORM = _LATER_FORM


@value
class JobHead:
    """A send job without its recipients; checked where it is read from a part's message.

    Attributes:
        fingerprint: of the whole job's content.
        unicode: the text goes out as UCS-2.
        encoding: ``gsm7`` or ``ucs2``, as results name it.
        resend: a call with a lost reply may be made again.
        track: its messages are followed to their end.
        send_after: not sent before it.
        in_hours: the hours apply to it, where there are any.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)

    job_id: str
    fingerprint: str
    text: str
    unicode: bool
    encoding: str
    segments: int
    sender: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    resend: bool = False
    track: bool = False
    send_after: datetime | None = None
    in_hours: bool = False
    metadata: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def may_wait(self) -> bool:
        """Whether there may be moments at which it is not sent yet."""
        return self.send_after is not None or self.in_hours

    @property
    def message(self) -> TextMessage:
        """What is sent."""
        return TextMessage(self.text, self.unicode, self.sender, self.params, self.segments)


class PartOrder(BaseModel):
    """A part of a large job, as it travels on the parts queue: complete in itself.

    Attributes:
        number: of the part, 1-based.
        generation: of the job's plan.
        revision: that the part's result starts with.
        cancelled: the request that stopped the job before it was planned.
        plan: the part as the ledger's plan has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    v: int = 1
    # As the release calls it whose parts may still be on their way.
    head: JobHead = Field(alias="brief")
    number: int
    parts: int
    generation: int = 0
    revision: int = 1
    cancelled: str | None = None
    plan: list[Any]

    @classmethod
    def of(cls, head: JobHead, job: Entry, split: Split, number: int) -> Self:
        """Describe part *number* of the *split* in the entry of *job*."""
        return cls(
            v=_form(head, job),
            head=head,
            number=number,
            parts=len(split.parts),
            generation=job.generation,
            revision=job.revision,
            cancelled=job.cancelled,
            plan=part_to_row(split.parts[number - 1]),
        )

    @property
    def entry(self) -> Entry:
        """The part's entry in the ledger, as it begins."""
        return Entry(self.head.fingerprint, self.part, self.revision, cancelled=self.cancelled)

    @property
    def key(self) -> str:
        """Of the part's entry in the ledger, as `part_key` makes it."""
        return _key(self.head.job_id, self.head.fingerprint, self.generation, self.number, self.plan)

    @property
    def part(self) -> Part:
        """The part's plan."""
        return part_from_row(self.plan)

    def to_json(self) -> bytes:
        """The body of the part's message."""
        return self.model_dump_json(exclude_defaults=True, by_alias=True).encode()


def part_key(head: JobHead, generation: int, number: int, part: Part) -> str:
    """Name the entry of a part of the job's plan; no job id has a slash.

    It names what the part holds: entries of parts outlive their job's, and the same id may by then stand
    for other content, or for another cut of it.
    """
    return _key(head.job_id, head.fingerprint, generation, number, part_to_row(part))


def keys_of_parts(job_id: str, entry: Entry) -> list[tuple[str, Part]]:
    """Return the parts of a large job, each with the key of its entry, as `part_key` makes it."""
    parts = entry.plan.parts if isinstance(entry.plan, Split) else ()
    return [
        (_key(job_id, entry.fingerprint, entry.generation, number, part_to_row(part)), part)
        for number, part in enumerate(parts, start=1)
    ]


def _key(job_id: str, fingerprint: str, generation: int, number: int, row: list[Any]) -> str:
    cut = json.dumps([fingerprint, generation, row], default=list)
    return f"{job_id}/{number}/{sha256(cut.encode()).hexdigest()[:16]}"


def _form(head: JobHead, job: Entry) -> int:
    """The earliest form that says all of it: the release before this one carries out what it can."""
    later = head.track or head.may_wait or job.cancelled is not None
    return _LATER_FORM if later else _PLAIN_FORM


def _is_newer(raw: object) -> bool:
    """Tell whether workers of two releases share the queue while a deployment rolls."""
    form = raw.get("v") if isinstance(raw, dict) else None
    return isinstance(form, int) and form > _FORM


def read_part(body: bytes) -> tuple[PartOrder, Entry]:
    """Read the body of a message from a parts queue.

    Raises:
        JobRejectedError: it is not one of the worker's own.
        UnavailableError: a newer release made it, which must carry it out.
    """
    try:
        raw: Mapping[str, Any] = json.loads(body)
        if _is_newer(raw):
            words = f"a part has form {raw['v']}, this release reads {_FORM}"
            raise UnavailableError("part_unreadable", words)
        order = PartOrder.model_validate(raw)
        entry = order.entry
        if not entry.part.holds_together():
            raise UnreadableEntryError("its recipients are not those of its calls")  # noqa: TRY301 - caught below
    except (TypeError, ValueError, ValidationError, UnreadableEntryError, RecursionError):
        words = "this is not a part of a job that a worker has split: publish jobs on the jobs exchange"
        raise JobRejectedError([JobError(loc=(), msg=words, type=FailureCode.INVALID_JOB.value)]) from None
    return order, entry
