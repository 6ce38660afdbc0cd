"""What an operator tells about the account, and about the gateway where its document is silent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from worker.domain.recipients import NumberingPlan
from worker.iton.rules import Rule


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account; its repr shows none of it.

    Attributes:
        token: sent as ``Authorization: ITON <token>`` as well, where there is one.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a token that would end the header line.

        Raises:
            ValueError: it holds something else than visible ASCII.
        """
        if self.token is not None and not all("!" <= char <= "~" for char in self.token):
            raise ValueError("the API token must be made of visible ASCII characters")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How requests are written and replies read.

    Attributes:
        method: ``GET`` with a query, or ``POST`` form-encoded.
        text_parameter: the name that the document's parameter table forgot.
        default_sender: for messages that name none; None leaves the parameter out.
        url_limit: bytes; the URL of several numbers is shorter. Java servers commonly refuse 8 KB.
        zone: of the times in replies, which name none.
        numbering: of the numbers in status replies, which may be national ones.
        rules: about replies, tried before the built-in ones.
        now: the time, for a Retry-After that is a date.
        status_words: of the contract's statuses, by the gateway's words; they go before the table.
    """

    method: Literal["GET", "POST"] = "GET"
    text_parameter: str = "message"
    default_sender: str | None = None
    url_limit: int = 7_500
    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    numbering: NumberingPlan = field(default_factory=lambda: NumberingPlan("IN", frozenset({"IN"})))
    rules: Sequence[Rule] = ()
    now: Callable[[], datetime] = _utc_now
    status_words: Mapping[str, str] = field(default_factory=dict)
