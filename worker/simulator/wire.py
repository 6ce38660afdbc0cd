"""What goes in and out of one call: the command, what was asked, the reply."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_NUMBERS = 100  # ITON API, SEND SMS: "up to 100 mobile phone numbers"
MAX_IDS = 100  # ITON API, message_status: "up to 100 IDs"
MAX_REQUEST_LINE = 8192  # bytes; what Java servers accept unless told otherwise


class Command(StrEnum):
    """The values of ``cmd``; UNKNOWN stands for anything else, WEB_API for a call of the Web API."""

    SEND = "sendSMS"
    ACCOUNT = "account"
    STATUS = "message_status"
    DND = "check_DNDnumber"
    UNKNOWN = "unknown"
    WEB_API = "web_api"

    @classmethod
    def read(cls, cmd: str | None) -> "Command":
        """Return the command of *cmd*; the page spells ``Check_DNDnumber`` in one place."""
        return _BY_WORD.get(cmd or "", cls.UNKNOWN)


_WITHOUT_WORD = {Command.UNKNOWN, Command.WEB_API}
_BY_WORD = {command.value: command for command in Command if command not in _WITHOUT_WORD}
_BY_WORD["Check_DNDnumber"] = Command.DND


@dataclass(frozen=True, slots=True)
class Call:
    """One request, decoded.

    Attributes:
        params: first value of each parameter, as a Java servlet would read it.
        authorization: the header of that name, if any.
        repeated: names that were given more than once.
        about: what it is about, where no parameter says that.
    """

    params: Mapping[str, str]
    authorization: str | None = None
    method: str = "GET"
    repeated: tuple[str, ...] = ()
    about: Command | None = None

    @property
    def command(self) -> Command:
        """Which command it asks for."""
        if self.about is not None:
            return self.about
        return Command.read(self.params.get("cmd"))

    @property
    def numbers(self) -> list[str]:
        """The phone numbers that it names, as given."""
        joined = self.params.get("to") or self.params.get("phoneNumbers")
        return joined.split(",") if joined else []


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, not yet on the wire."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The gateway turns a call down with a line of text, as similar gateways do: HTTP 200.

    Attributes:
        code: a constant, counted in the state.
        text: the body of the reply.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


CREDENTIALS = ("credentials", "Invalid Username and Password")
CREDITS = ("credits", "Insufficient credits")
COMMAND = ("command", "Invalid command")
SENDER = ("sender", "Invalid Sender ID")
BLANK = ("blank", "Message is blank")
TOO_LONG = ("too_long", "Message size exceeds")
UNICODE = ("unicode", "Invalid uniCode")
NUMBERS = ("numbers", "Invalid mobile numbers")
TOO_MANY_NUMBERS = ("too_many_numbers", "Maximum 100 mobile numbers allowed per request")
IDS = ("ids", "Invalid message ids")
TOO_MANY_IDS = ("too_many_ids", "Maximum 100 message ids allowed per request")
