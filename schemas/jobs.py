"""What producers publish: one model a kind of job (docs/contract.md, 3).

Strict: unknown fields are refused and nothing is converted; an explicit null of an optional field is the
same as its absence. Python producers build a model and publish
``job.to_json()``; an AMQP ``message_id`` may stand in for ``job_id``.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from schemas.checks import MAX_PARAMS, RFC3339_PATTERN, aware_time, refusal
from schemas.failures import FailureCode
from schemas.fields import (
    AnyJson,
    JobId,
    Metadata,
    RecipientEntries,
    StatusEntries,
    StringParams,
    is_empty,
    is_none,
    null_is,
)
from schemas.uploads import MAX_PARTS, MAX_PATH, NOT_BOTH, ApiFile, FormFields, FormFiles

__all__ = ["AccountJob", "AnyJob", "ApiFile", "ApiJob", "Job", "JobT", "SendJob", "StatusJob"]

FormT = TypeVar("FormT")

_JOB_ID: Final = (
    "Identity for de-duplication, 1 to 128 of A-Z a-z 0-9 . _ : -. When absent, the AMQP property message_id "
    "stands in; when both are absent the job is rejected. The same id with the same content is carried out "
    "once; with other content it is rejected."
)


def _metadata() -> Any:  # noqa: ANN401 - what pydantic's own Field returns
    return Field(
        default_factory=dict,
        exclude_if=is_empty,
        description="At most 4 KB as compact UTF-8 JSON; returned in every result of the job.",
        examples=[{"order": 1841}],
    )


def _words_or_null(*words: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "enum": [*words, None]}


def _before_the_end(value: datetime | None, job: ValidationInfo) -> datetime | None:
    end = job.data.get("expires_at")
    if value is not None and end is not None and end <= value:
        raise refusal(
            FailureCode.WRONG_VALUE,
            "is not before `expires_at`, so that nothing could be sent: give a later `expires_at`, or an "
            "earlier `send_after`",
        )
    return value


class Job(BaseModel):
    """What every job has, next to ``metadata``.

    Attributes:
        job_id: None when the AMQP ``message_id`` stands in for it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    job_id: JobId | None = Field(
        default=None, exclude_if=is_none, description=_JOB_ID, examples=["order-1841"]
    )

    def to_json(self) -> bytes:
        """The body to publish: UTF-8 JSON in which absent fields are left out."""
        return self.model_dump_json().encode()


class SendJob(Job):
    """Send one text to many recipients."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Your order is on its way."},
                {
                    "job_id": "otp-77",
                    "recipients": ["+91 98765 43210"],
                    "text": "Your code is 424242",
                    "sender": "ITONIN",
                    "category": "transactional",
                    "on_uncertain": "resend",
                    "expires_at": "2026-03-01T12:05:00+05:30",
                },
            ]
        }
    )

    recipients: RecipientEntries = Field(
        description="Phone numbers in any usual spelling, 1 to 100,000; India where there is no country "
        "code. Repeats are collapsed; what cannot be a mobile number of an allowed region is `invalid` for "
        "itself and does not reject the job.",
        examples=[["919876543210", "+91 98765 43210"]],
    )
    text: Annotated[str, Field(min_length=1)] = Field(
        description="Sent as given, never altered. At least 1 character, at most 10 segments (a setting of "
        "the worker). Each segment costs a credit for each recipient: 160 characters of the GSM alphabet, "
        "153 of a longer text (^ { } \\ [ ] ~ | € count twice); of any other 70 UTF-16 units, 67 of a longer "
        "one.",
        examples=["Your order is on its way."],
    )
    sender: Annotated[str, Field(min_length=1, max_length=20)] | None = Field(
        default=None,
        exclude_if=is_none,
        description="Custom sender ID, 1 to 20 characters. Absent: the one of the worker's settings.",
        examples=["ITONIN"],
    )
    unicode: bool | None = Field(
        default=None,
        exclude_if=is_none,
        description="Absent: detected from the text. `false` with a text that needs Unicode is rejected.",
    )
    category: Annotated[
        Literal["promotional", "service", "service_explicit", "transactional"],
        BeforeValidator(null_is("promotional")),
        WithJsonSchema(_words_or_null("promotional", "service", "service_explicit", "transactional")),
    ] = Field(
        default="promotional",
        description="The DND filter applies to `promotional` messages; the worker's hours to these and to "
        "`service_explicit` ones.",
    )
    dnd: Literal["filter", "skip"] | None = Field(
        default=None, exclude_if=is_none, description="Overrides what the category says about the DND filter."
    )
    on_uncertain: Annotated[
        Literal["report", "resend"],
        BeforeValidator(null_is("report")),
        WithJsonSchema(_words_or_null("report", "resend")),
    ] = Field(
        default="report",
        description="Whether a call whose reply is lost may be made again (`resend`: somebody may get the "
        "text twice), or is reported as `uncertain`.",
    )
    expires_at: Annotated[
        AwareDatetime | None,
        BeforeValidator(aware_time),
        WithJsonSchema({"type": ["string", "null"], "format": "date-time", "pattern": RFC3339_PATTERN}),
    ] = Field(
        default=None,
        exclude_if=is_none,
        description="RFC 3339 time with offset. Not sent after it; checked right before the call.",
        examples=["2026-03-01T12:05:00+05:30"],
    )
    send_after: Annotated[
        AwareDatetime | None,
        BeforeValidator(aware_time),
        AfterValidator(_before_the_end),
        WithJsonSchema({"type": ["string", "null"], "format": "date-time", "pattern": RFC3339_PATTERN}),
    ] = Field(
        default=None,
        exclude_if=is_none,
        description="RFC 3339 time with offset, before `expires_at`. Not sent before it; in the past: at "
        "once. At most 7 days ahead (a setting of the worker).",
        examples=["2026-03-01T12:00:00+05:30"],
    )
    track: Annotated[
        bool,
        BeforeValidator(null_is(default=False)),
        WithJsonSchema({"type": ["boolean", "null"]}),
    ] = Field(default=False, description="Follow the delivery of every accepted message until it is final.")
    params: StringParams = Field(
        default_factory=dict,
        exclude_if=is_empty,
        description=f"Further query parameters for the gateway, at most {MAX_PARAMS}, passed on as they are; "
        "only names that the worker's setting ITON_ALLOWED_PARAMS lists.",
        examples=[{"templateid": "1207161234567890123"}],
    )
    metadata: Metadata = _metadata()


class StatusJob(Job):
    """Ask for the delivery status of messages that were sent before."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"job_id": "poll-7", "message_ids": ["5320729be4b05199d2c3d80f"]}]}
    )

    message_ids: StatusEntries = Field(
        description="Message ids of send results, 1 to 10,000; each 1 to 200 printable characters, without "
        "spaces and commas.",
        examples=[["5320729be4b05199d2c3d80f"]],
    )
    metadata: Metadata = _metadata()


class AccountJob(Job):
    """Ask for the remaining credits of the account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"job_id": "balance-2026-03-01"}]})

    metadata: Metadata = _metadata()


class ApiJob(Job):
    """One call of ITON's Web API (Credentials, Channels, Media), where the worker is given its address."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "push-key-7",
                    "method": "POST",
                    "path": "credentials/gcm",
                    "json": {"name": "shop", "key": "AIzaSyExample"},
                },
                {
                    "job_id": "push-certificate-7",
                    "method": "POST",
                    "path": "credentials/apns",
                    "fields": {"name": "shop"},
                    "files": [
                        {
                            "name": "certificate",
                            "filename": "shop.p12",
                            "content_type": "application/x-pkcs12",
                            "data": "ZXhhbXBsZQ==",
                        }
                    ],
                },
                {"job_id": "channels-1", "method": "GET", "path": "channels?limit=10"},
            ],
            "allOf": [NOT_BOTH],
        }
    )

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        description="Only a GET may be repeated by the worker; any other call goes out once."
    )
    path: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATH)] = Field(
        description="Relative to the Web API's address, without a slash in front; a query is allowed. Its "
        "first segments must be among those of the worker's setting ITON_WEB_API_PATHS. Percent-encoded "
        "where needed; without `..`, `//`, backslashes, control characters and fragments, in any encoding.",
        examples=["credentials/gcm"],
    )
    document: AnyJson = Field(
        default=None,
        alias="json",
        exclude_if=is_none,
        description="Sent as application/json. Not beside `fields` and `files`.",
    )
    fields: FormFields = Field(
        default_factory=dict, exclude_if=is_empty, description="Sent as parts of multipart/form-data."
    )
    files: FormFiles = Field(
        default=(),
        exclude_if=is_empty,
        description="Sent as parts of multipart/form-data; 5,000,000 bytes, decoded, together.",
        json_schema_extra={"type": ["array", "null"], "maxItems": MAX_PARTS},
    )
    metadata: Metadata = _metadata()

    @field_validator("fields", "files")
    @classmethod
    def _not_beside_json(cls, value: FormT, info: ValidationInfo) -> FormT:
        if value and info.data.get("document") is not None:
            raise refusal(FailureCode.WRONG_VALUE, "stands beside `json`: give one or the other")
        return value

    def to_json(self) -> bytes:
        """The body to publish: UTF-8 JSON in which absent fields are left out."""
        return self.model_dump_json(by_alias=True).encode()


class CancelJob(Job):
    """Stop a send job: from the result `recorded` on no call for it begins.

    It may overtake its target, which is then stopped when it comes.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"job_id": "stop-order-1841", "target": "order-1841"}]}
    )

    target: JobId = Field(
        description="The `job_id` of the send job to stop; not the request's own.", examples=["order-1841"]
    )
    metadata: Metadata = _metadata()

    @field_validator("target")
    @classmethod
    def _not_itself(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("job_id"):
            raise refusal(FailureCode.WRONG_VALUE, "is the request's own `job_id`: name the send job to stop")
        return value


AnyJob = SendJob | StatusJob | AccountJob | ApiJob | CancelJob
JobT = TypeVar("JobT", SendJob, StatusJob, AccountJob, ApiJob, CancelJob)
