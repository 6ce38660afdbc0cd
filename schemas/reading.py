"""From the bytes of a message to a job, or to the reasons why not."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Generic, Literal, cast, overload

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.channels import JobKind
from schemas.checks import ID_PATTERN
from schemas.failures import FailureCode
from schemas.fields import Metadata
from schemas.jobs import AccountJob, AnyJob, ApiJob, CancelJob, JobT, SendJob, StatusJob
from schemas.rejection import MAX_ERRORS, JobError, JobRejectedError, rejection
from schemas.strict_json import MAX_BODY_BYTES, parse, read_json, refuse_shape
from schemas.wording import translated, unknown_field

__all__ = ["JobError", "JobRejectedError", "ReadJob", "fingerprint", "read_job", "read_json"]

_MODELS: Final[dict[JobKind, type[AnyJob]]] = {
    JobKind.SEND: SendJob,
    JobKind.STATUS: StatusJob,
    JobKind.ACCOUNT: AccountJob,
    JobKind.API: ApiJob,
    JobKind.CANCEL: CancelJob,
}
_FIELDS: Final = {
    kind: frozenset(field.alias or name for name, field in model.model_fields.items())
    for kind, model in _MODELS.items()
}
_JOB_ID = re.compile(ID_PATTERN)
_METADATA: Final = TypeAdapter[dict[str, JsonValue]](Metadata)
_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


@dataclass(frozen=True, slots=True)
class ReadJob(Generic[JobT]):
    """A valid job.

    Attributes:
        job: its ``job_id`` is set, from the AMQP ``message_id`` where the body had none.
        job_id: the same, for type checkers that know the model's field as optional.
    """

    job: JobT
    job_id: str
    _members: Mapping[str, object] = field(repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Equal for equal content, whatever the order of keys and the id; made when it is asked for."""
        return fingerprint(self._members)


@overload
def read_job(
    kind: Literal[JobKind.SEND], body: bytes, *, message_id: str | None = ..., max_bytes: int = ...
) -> ReadJob[SendJob]: ...
@overload
def read_job(
    kind: Literal[JobKind.STATUS], body: bytes, *, message_id: str | None = ..., max_bytes: int = ...
) -> ReadJob[StatusJob]: ...
@overload
def read_job(
    kind: Literal[JobKind.ACCOUNT], body: bytes, *, message_id: str | None = ..., max_bytes: int = ...
) -> ReadJob[AccountJob]: ...
@overload
def read_job(
    kind: Literal[JobKind.API], body: bytes, *, message_id: str | None = ..., max_bytes: int = ...
) -> ReadJob[ApiJob]: ...
@overload
def read_job(
    kind: Literal[JobKind.CANCEL], body: bytes, *, message_id: str | None = ..., max_bytes: int = ...
) -> ReadJob[CancelJob]: ...
def read_job(
    kind: JobKind, body: bytes, *, message_id: str | None = None, max_bytes: int = MAX_BODY_BYTES
) -> ReadJob[SendJob] | ReadJob[StatusJob] | ReadJob[AccountJob] | ReadJob[ApiJob] | ReadJob[CancelJob]:
    """Read and validate the body of a job; *message_id* (the AMQP property) stands in for an absent id.

    Raises:
        JobRejectedError: with at most 20 errors that name field and remedy and quote no value, and with the
            job's id and metadata where they could be read.
    """
    value: object = None
    try:
        value = parse(body, max_bytes)
        refuse_shape(body, value)
        if not isinstance(value, dict):
            raise rejection(
                FailureCode.NOT_AN_OBJECT,
                "The body is JSON but not an object: send one job, as an object, a message.",
            )
        named = value.get("job_id") is not None
        job = _validated(kind, value if named else {**value, "job_id": _id_of(kind, value, message_id)})
    except JobRejectedError as error:
        error.job_id, error.metadata = _salvaged(value, message_id)
        raise
    return cast("ReadJob[SendJob]", ReadJob(job, job.job_id or "", value))


def fingerprint(job: Mapping[str, object]) -> str:
    """SHA-256, in hex, of a job's JSON value without its ``job_id``.

    The order of keys does not count, 1.0 equals 1, and a field that is null is an absent one; within
    ``metadata`` a null is a value.
    """
    content = {
        name: value if type(value) is str else _plain(value)
        for name, value in job.items()
        if name != "job_id" and value is not None
    }
    return hashlib.sha256(_CANONICAL(content).encode()).hexdigest()


def _plain(value: object) -> object:
    """The same JSON value, every whole number an int."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _plain(child) for name, child in value.items()}
    if isinstance(value, list):
        # Of strings alone, nearly every one.
        return value if set(map(type, value)) <= {str} else [_plain(child) for child in value]
    return value


def _id_of(kind: JobKind, job: Mapping[str, object], message_id: str | None) -> str:
    """The checked id of the message, for a *job* that names none."""
    if message_id is None:
        raise JobRejectedError(
            [
                JobError(
                    loc=("job_id",),
                    msg="`job_id` is missing, and the AMQP property message_id as well: give one of them, so "
                    "that a repeat can be told from a new job.",
                    type=FailureCode.MISSING.value,
                ),
                *_other_errors(kind, job),
            ]
        )
    if not _JOB_ID.fullmatch(message_id):
        raise rejection(
            FailureCode.WRONG_VALUE,
            "The AMQP property message_id stands in for `job_id` and must be 1 to 128 of "
            "A-Z a-z 0-9 . _ : -: correct it, or give `job_id`.",
            "properties",
            "message_id",
        )
    return message_id


def _other_errors(kind: JobKind, job: Mapping[str, object]) -> tuple[JobError, ...]:
    try:
        _validated(kind, job)
    except JobRejectedError as error:
        return error.errors
    return ()


def _validated(kind: JobKind, job: Mapping[str, object]) -> AnyJob:
    known = _FIELDS[kind]
    unknown: list[JobError] = []
    if not job.keys() <= known:
        # Kept from the model, which would make an error of each of a million unknown fields.
        first = islice((name for name in job if name not in known), MAX_ERRORS)
        unknown = [unknown_field(kind, name, known) for name in first]
        job = {name: job[name] for name in known if name in job}
    try:
        valid = _MODELS[kind].model_validate(job)
        if not unknown:
            return valid
        errors = unknown
    except ValidationError as error:
        # It holds the input: it ends here and is nobody's cause.
        errors = [*unknown, *translated(kind, error)]
    raise JobRejectedError(errors)


def _salvaged(value: object, message_id: str | None) -> tuple[str | None, dict[str, JsonValue]]:
    """What a rejection can still say of the job it is about."""
    job = value if isinstance(value, dict) else {}
    given = job.get("job_id")
    job_id = message_id if given is None else given
    sound = isinstance(job_id, str) and _JOB_ID.fullmatch(job_id)
    try:
        metadata = _METADATA.validate_python(job.get("metadata"), strict=True)
    except ValidationError:
        metadata = {}
    return (cast("str", job_id) if sound else None), metadata
