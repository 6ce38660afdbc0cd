"""What result consumers receive: a model a form, a reader for each exchange (docs/contract.md, 4).

Consumers should ignore fields they do not know, as these models do: later versions may add some.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, model_validator

from schemas.channels import ResultKind
from schemas.fields import AnyJson, GivenMetadata, JobId
from schemas.forms import Credits, Failure, Form, as_published, optional
from schemas.outcomes import (
    WITHOUT_ERROR,
    CancelStatus,
    DeliveryResultStatus,
    DeliveryStatus,
    Encoding,
    Outcome,
    SendStatus,
)
from schemas.rejection import JobError

MAX_ENTRIES_PER_PART: Final = 100

_PART: Final = "Which part this is, from 1."
_PARTS: Final = "How many parts the result has."
_METADATA: Final = "The job's, as it was given."


def _outcome_rules(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what the model's own check says."""
    as_published(schema)
    schema["allOf"] = [
        {
            "if": {"properties": {"outcome": {"const": "accepted"}}},
            "then": {"required": ["message_id"]},
            "else": {"not": {"required": ["message_id"]}},
        },
        {
            "if": {"properties": {"outcome": {"enum": ["accepted", "dnd"]}}},
            "then": {"not": {"required": ["error"]}},
            "else": {"required": ["error"]},
        },
    ]


class RecipientResult(Form):
    """What became of one recipient."""

    model_config = ConfigDict(json_schema_extra=_outcome_rules)

    recipient: str = Field(
        description="Digits with country code; of an `invalid` one the producer's own spelling.",
        examples=["919876543210"],
    )
    outcome: Outcome
    message_id: str | None = optional("ITON's id of the message; of `accepted` ones only.")
    earlier_message_ids: tuple[str, ...] | None = optional(
        "ITON's further ids for the same recipient: those that one reply gave it beside `message_id`, and "
        "those of an earlier call whose reply turned up late (then the message went out more than once, as "
        "`on_uncertain: resend` allows)."
    )
    error: Failure | None = optional("Of every outcome but `accepted` and `dnd`.")

    @model_validator(mode="after")
    def _fits_its_outcome(self) -> Self:
        if (self.message_id is not None) != (self.outcome is Outcome.ACCEPTED):
            raise ValueError("an accepted recipient has a message_id, any other has none")
        if (self.error is None) != (self.outcome in WITHOUT_ERROR):
            raise ValueError("accepted and dnd carry no error, any other outcome carries one")
        return self


class _MaybeJob(Form):
    job_id: JobId | None = Field(default=None, description="Null when it could not be read.")


class _Numbered(_MaybeJob):
    part: int = Field(default=1, ge=1, description=_PART)
    parts: int = Field(default=1, ge=1, description=_PARTS)


class SendResult(Form):
    """What became of the recipients of a send job, or of at most 100 of them."""

    job_id: JobId
    part: int = Field(ge=1, description=_PART)
    parts: int = Field(ge=1, description=_PARTS)
    revision: Annotated[int, Field(ge=2)] | None = optional(
        "2 when a reply turned up after its recipients were called uncertain."
    )
    status: SendStatus
    recipients: tuple[RecipientResult, ...] = Field(min_length=1, max_length=MAX_ENTRIES_PER_PART)
    counts: dict[Outcome, int] = Field(description="How often each outcome occurs in this part.")
    encoding: Encoding
    segments: int = Field(ge=1, description="How many segments each recipient's text has.")
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class _Rejected(_MaybeJob):
    status: Literal["rejected"] = "rejected"
    errors: tuple[JobError, ...] = Field(min_length=1, description="What is wrong with the job.")
    metadata: GivenMetadata = Field(default_factory=dict, description="The job's, where it could be read.")


class SendRejected(_Rejected, _Numbered):
    """A send job that could not be read or was invalid; nothing was sent, the job is a dead letter."""

    recipients: tuple[()] = ()
    counts: dict[Outcome, int] = Field(default_factory=dict, max_length=0, description="Empty.")


class RecipientDeliveryStatus(Form):
    """How far a message has come to one recipient."""

    recipient: str = Field(
        description="Digits with country code, as in send results; what is no mobile number of an allowed "
        "region, or may be one of two regions, as ITON spells it.",
        examples=["919876543210"],
    )
    status: DeliveryStatus
    raw_status: str = Field(
        description="ITON's own word; JSON that is no string as it is written, `null` say.",
        examples=["DELIVIRED"],
    )
    error: Failure | None = optional(
        "Of a tracked message whose recipient has no final status when its tracking ends: `tracking_ended`."
    )


class MessageStatus(Form):
    """What the gateway knows of one message."""

    message_id: str
    found: bool = Field(
        description="Whether the gateway's reply had the id. Of one that it refuses to look up, while it "
        "answers for others of the part, false as well."
    )
    sender: str | None = optional("The sender ID it was sent by.")
    sent_at: AwareDatetime | None = optional("When the gateway took it, with offset.")
    text: str | None = optional("The text that was sent.")
    recipients: tuple[RecipientDeliveryStatus, ...] = ()


class DeliveryResult(Form):
    """The delivery status of the messages of a status job, or of at most 100 of them."""

    job_id: JobId
    part: int = Field(ge=1, description=_PART)
    parts: int = Field(ge=1, description=_PARTS)
    status: DeliveryResultStatus
    messages: tuple[MessageStatus, ...] = Field(min_length=1, max_length=MAX_ENTRIES_PER_PART)
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class TrackedResult(Form):
    """What became of at most 100 accepted messages of a send job with `track`.

    Each accepted message of the job is in one of them, once.
    """

    job_id: JobId
    track: int = Field(
        ge=1,
        description="Which follow-up of the job this is; of a job with one part they count from 1, the k-th "
        "of part p of P is p + P * (k - 1).",
    )
    status: Literal["final"] = "final"
    messages: tuple[MessageStatus, ...] = Field(min_length=1, max_length=MAX_ENTRIES_PER_PART)
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class DeliveryRejected(_Rejected, _Numbered):
    """A status job that could not be read or was invalid; the job is a dead letter."""

    messages: tuple[()] = ()


class DeliveryFailed(_Numbered):
    """A status job, or a part of one, that was refused or whose retries are used up; a dead letter.

    Of a job of several parts, those that were answered have a `delivery.final` or `delivery.pending`
    instead; the dead letter is the job as a whole.
    """

    job_id: JobId
    status: Literal["failed"] = "failed"
    messages: tuple[()] = ()
    error: Failure
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class AccountResult(Form):
    """The balance that an account job asked for."""

    job_id: JobId
    status: Literal["balance"] = "balance"
    remaining_credits: Credits = Field(
        description="SMS credits; a whole number is a JSON integer.", examples=[417]
    )
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class AccountLow(Form):
    """The worker saw the balance go below its threshold; no job asked for it."""

    job_id: None = None
    status: Literal["low"] = "low"
    remaining_credits: Credits = Field(description="SMS credits.", examples=[17])
    threshold: Credits = Field(description="The setting that was passed.", examples=[100])
    metadata: GivenMetadata = Field(default_factory=dict, description="Empty.")


class AccountRejected(_Rejected):
    """An account job that could not be read or was invalid; the job is a dead letter."""


class AccountFailed(Form):
    """An account job whose retries are used up; the job is a dead letter."""

    job_id: JobId
    status: Literal["failed"] = "failed"
    error: Failure
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class ApiResult(Form):
    """What the Web API answered (2xx)."""

    job_id: JobId
    revision: Annotated[int, Field(ge=2)] | None = optional(
        "2 when the reply turned up after the call was reported as uncertain."
    )
    status: Literal["done"] = "done"
    http_status: int = Field(ge=200, le=299, description="Of the reply.", examples=[200])
    reply: AnyJson = Field(
        description="JSON as it came, or a string; null where there was nothing. At most 64 KB, credentials "
        "hidden."
    )
    truncated: Literal[True] | None = optional("The reply was longer: `reply` is the beginning of its text.")
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class _ApiEnd(Form):
    job_id: JobId
    revision: Annotated[int, Field(ge=2)] | None = optional(
        "2 when the reply turned up after the call was reported as uncertain."
    )


class ApiFailed(_ApiEnd):
    """The Web API refused the call, or could not be reached: nothing was done."""

    status: Literal["failed"] = "failed"
    http_status: int | None = optional("Of the reply, where there was one.")
    error: Failure
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class ApiUncertain(_ApiEnd):
    """The reply to a call that was no GET is lost, or a 5xx: it may have been carried out."""

    status: Literal["uncertain"] = "uncertain"
    http_status: int | None = optional("Of the reply, where there was one.")
    error: Failure
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class ApiRejected(_Rejected):
    """An api job that could not be read, was invalid or is not allowed; the job is a dead letter."""


class CancelResult(Form):
    """What became of a request to stop a send job."""

    job_id: JobId
    target: JobId = Field(description="The send job.")
    status: CancelStatus = Field(
        description="`recorded`: no call for the target begins from now on, and whoever would have been sent "
        "to is `cancelled` in the target's own results. `too_late`: each recipient had its outcome."
    )
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


class CancelRejected(_Rejected):
    """A cancel job that could not be read or was invalid; the job is a dead letter."""


class CancelFailed(Form):
    """A cancel job that was given up; its target goes on, unless `error` says else. A dead letter."""

    job_id: JobId
    target: JobId = Field(description="The send job.")
    status: Literal["failed"] = "failed"
    error: Failure
    metadata: GivenMetadata = Field(default_factory=dict, description=_METADATA)


AnySendResult = SendResult | SendRejected
AnyDeliveryResult = DeliveryResult | TrackedResult | DeliveryRejected | DeliveryFailed
AnyAccountResult = AccountResult | AccountLow | AccountRejected | AccountFailed
AnyApiResult = ApiResult | ApiFailed | ApiUncertain | ApiRejected
AnyCancelResult = CancelResult | CancelRejected | CancelFailed
AnyResult = AnySendResult | AnyDeliveryResult | AnyAccountResult | AnyApiResult | AnyCancelResult

_READERS: Final[dict[ResultKind, TypeAdapter[AnyResult]]] = {
    ResultKind.SEND: TypeAdapter(AnySendResult),
    ResultKind.DELIVERY: TypeAdapter(AnyDeliveryResult),
    ResultKind.ACCOUNT: TypeAdapter(AnyAccountResult),
    ResultKind.API: TypeAdapter(AnyApiResult),
    ResultKind.CANCEL: TypeAdapter(AnyCancelResult),
}


def read_result(kind: ResultKind, body: bytes) -> AnyResult:
    """The result in *body*, a message of the exchange of *kind*.

    Raises:
        pydantic.ValidationError: it is no such result.
    """
    return _READERS[kind].validate_json(body)
