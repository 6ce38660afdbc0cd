"""Why a job is refused: the entries of a rejected result, and the error that carries them."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.failures import FailureCode

Location = tuple[str | int, ...]

MAX_ERRORS = 20


class JobError(BaseModel):
    """One thing that is wrong with a job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    loc: Location = Field(
        description="Where in the body: names of fields and 0-based positions. `properties` first means an "
        "AMQP property. Empty: the body as a whole.",
        examples=[["recipients", 3], []],
    )
    msg: str = Field(
        description="What is wrong and what to do, for people. Quotes no phone number and no text.",
        examples=["`recipents` is no field of a send job: did you mean `recipients`?"],
    )
    type: str = Field(description="A failure code, for programs.", examples=["unknown_field"])


class JobRejectedError(Exception):
    """A job that can never be carried out as it stands.

    Attributes:
        errors: at least one and at most 20; no input is quoted in them.
        job_id: the job's id where it could be read, else None.
        metadata: the job's metadata where it could be read and is valid, else empty.
    """

    def __init__(
        self,
        errors: Sequence[JobError],
        *,
        job_id: str | None = None,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self.errors = tuple(errors[:MAX_ERRORS])
        self.job_id = job_id
        self.metadata = dict(metadata or {})
        super().__init__(self.detail)

    @property
    def detail(self) -> str:
        """The first error in words, and how many follow: fit for a log line or ``x-iton-detail``."""
        first = self.errors[0].msg if self.errors else "the job was rejected"
        more = len(self.errors) - 1
        return f"{first} (and {more} more)" if more > 0 else first


def rejection(code: FailureCode, msg: str, *loc: str | int) -> JobRejectedError:
    """A rejection for one reason."""
    return JobRejectedError([JobError(loc=loc, msg=msg, type=code.value)])
