"""The message that brings the next look at tracked messages: complete in itself."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from schemas import FailureCode, JobError, JobRejectedError
from worker.domain.errors import UnavailableError
from worker.domain.tracking import Unit, messages_from, messages_row, tracking_key

_FORM = 1


class FollowUp(BaseModel):
    """A look that is due, as it travels.

    It carries the messages as well: where the ledger has lost the unit's entry, they are followed all the
    same.

    Attributes:
        fingerprint: of the job's content.
        part: of the job, 1-based, and of how many.
        look: which one it brings.
        nonce: no other message for the same look has it.
        results: how many there were when it was published.
        messages: those that were open then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    v: int = _FORM
    job_id: str
    fingerprint: str
    part: int
    parts: int
    metadata: dict[str, JsonValue] = {}
    look: int
    nonce: str
    step: int = 0
    results: int = 0
    messages: list[Any]

    @property
    def key(self) -> str:
        """Of the unit's entry."""
        return tracking_key(self.job_id, self.part, self.fingerprint)

    def brings(self, unit: Unit | None) -> bool:
        """Tell whether the look is due: the entry names this message, or does not know of it yet."""
        if unit is None or self.look > unit.look:
            return True
        return self.look == unit.look and self.nonce == unit.nonce

    def joined(self, unit: Unit | None) -> Unit:
        """Return the unit with what this message knows of it."""
        if unit is None:
            own = Unit(self.look, self.nonce, self.step, self.results)
            return own.with_more(messages_from(self.messages)).at(self.look, self.nonce, step=self.step)
        return unit.with_more(messages_from(self.messages)) if self.look > unit.look else unit

    def next(self, unit: Unit, nonce: str) -> "FollowUp":
        """Return the message for the look at which *unit* shall be."""
        known = {"results": unit.results, "messages": messages_row(unit.open)}
        return self.model_copy(update={"look": unit.look, "nonce": nonce, "step": unit.step, **known})

    def to_json(self) -> bytes:
        """The body."""
        return self.model_dump_json(exclude_defaults=True).encode()


def read_follow_up(body: bytes) -> FollowUp:
    """Read the body of a message from the queue of looks.

    Raises:
        JobRejectedError: it is none of the worker's own.
        UnavailableError: a newer release made it, which must carry it out.
    """
    try:
        raw: Mapping[str, Any] = json.loads(body)
        form = raw.get("v", _FORM) if isinstance(raw, dict) else None
        if isinstance(form, int) and form > _FORM:
            words = f"a follow-up has form {form}, this release reads {_FORM}"
            raise UnavailableError("follow_up_unreadable", words)
        follow_up = FollowUp.model_validate(raw)
        messages_from(follow_up.messages)
    except (TypeError, ValueError, ValidationError, RecursionError):
        words = (
            "this is no follow-up of a worker: publish jobs on the jobs exchange, with `track` to follow them"
        )
        raise JobRejectedError([JobError(loc=(), msg=words, type=FailureCode.INVALID_JOB.value)]) from None
    return follow_up
