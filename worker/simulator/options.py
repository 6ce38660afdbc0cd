"""Everything about the stand-in that can be chosen, at the start and while it runs."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Ending = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$")]
ContentType = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e][\x20-\x7e]{0,99}$")]


class ReplyForm(StrEnum):
    """What a sendSMS reply looks like."""

    TEXT = "text"
    MAP = "map"
    BARE = "bare"
    LISTS = "lists"
    JOINED = "joined"
    BARE_LISTS = "bare_lists"
    BARE_JOINED = "bare_joined"


class Spelling(StrEnum):
    """How phone numbers are spelt in replies."""

    GIVEN = "given"
    NATIONAL = "national"
    COUNTRY = "country"
    PLUS = "plus"


class SimulatorOptions(BaseModel):
    """The choices and their defaults; the control endpoint changes them under the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(default="demo", min_length=1, description="User name that calls must carry.")
    password: str = Field(
        default="demo", min_length=1, repr=False, description="Password that calls must carry."
    )
    token: str = Field(
        default="",
        repr=False,
        description="API token that calls must carry as `Authorization: ITON <token>`; empty: none is asked.",
    )
    balance: int = Field(
        default=1_000_000, ge=0, description="Credits at the start; one a segment and number."
    )
    senders: tuple[str, ...] = Field(
        default=(), description="Sender IDs that are allowed; empty: all of them."
    )
    max_segments: int = Field(default=10, ge=1, description="Longest text, in segments.")
    text_parameter: str = Field(
        default="message", min_length=1, description="Name of the parameter that holds the text."
    )
    reply_form: ReplyForm = Field(
        default=ReplyForm.MAP,
        description="sendSMS replies: text (one id a call), map (id to number below message_id), bare (the "
        "same map alone), lists and joined (several numbers an id), bare_lists, bare_joined.",
    )
    numbers_per_id: int = Field(
        default=2, ge=1, le=100, description="Numbers that share an id in the forms lists and joined."
    )
    spelling: Spelling = Field(
        default=Spelling.GIVEN,
        description="Numbers in replies: given, national (98...), country (9198...), plus (+9198...).",
    )
    account_form: Literal["text", "json"] = Field(default="text", description="Form of the account reply.")
    text_content_type: ContentType = Field(
        default="text/html;charset=UTF-8", description="Content type of replies that are text."
    )
    json_content_type: ContentType = Field(
        default="application/json;charset=UTF-8", description="Content type of replies that are JSON."
    )
    narrow_space: bool = Field(
        default=False, description="A narrow no-break space before AM/PM in dates, as newer Java prints it."
    )
    ripen_after: Seconds = Field(
        default=2, description="Seconds from the send until a message has its final status."
    )
    ripen_spread: Seconds = Field(
        default=0,
        description="Up to so many seconds more, by chance for each message and number.",
    )
    dnd_endings: tuple[Ending, ...] = Field(
        default=("00",), description="Numbers with these endings are on the DND list."
    )
    unverified_endings: tuple[Ending, ...] = Field(
        default=("99",), description="Numbers with these endings are missing from DND replies."
    )
    missing_endings: tuple[Ending, ...] = Field(
        default=(), description="Numbers with these endings are sent to, but missing from sendSMS replies."
    )
    latency: Seconds = Field(
        default=0, description="Seconds that every reply takes; the command is done first."
    )
    jitter: Seconds = Field(default=0, description="Up to so many seconds more, evenly spread.")
    max_in_flight: int = Field(default=0, ge=0, description="Calls served at once; 0: no limit.")
    over_limit: Literal["refuse", "queue"] = Field(
        default="refuse", description="What calls over max_in_flight meet: HTTP 503, or a wait."
    )
    remember: int = Field(
        default=200_000,
        ge=1,
        description="Sent messages (one a number) that are remembered for the log and message_status.",
    )
    remember_pairs: int = Field(
        default=2_000_000, ge=1, description="Pairs of number and text whose repeats are noticed, at least."
    )
    seed: int | None = Field(default=None, description="Seed of the dice for jitter and probabilities.")
