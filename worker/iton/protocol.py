"""Requests to ITON, built and packed without I/O (ITON API, HTTPS API COMMANDS).

Everything that comes from outside is percent-encoded, so no value can end its parameter or start another.
Commas between numbers and ids stay bare: they cost one byte instead of three, and mean the same.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

import httpx

from worker.domain.errors import PermanentError
from worker.domain.limits import MOST_PER_CALL
from worker.iton.dialect import Credentials, Dialect
from worker.ports import Command, TextMessage

# Numbers a sendSMS (SEND SMS) and ids a message_status; check_DNDnumber names no limit and gets the same.

# What sendSMS says itself (ITON API, REQUEST PARAMETERS), in lower case.
Headers = tuple[tuple[str, str], ...]

_HEADERS: Headers = (("Accept-Encoding", "gzip"), ("User-Agent", "iton-worker"))
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_TAKEN = frozenset({"username", "password", "cmd", "to", "unicode", "sender"})


@dataclass(eq=False, slots=True)
class Request:
    """One HTTP request; its repr shows no credentials.

    Attributes:
        url: percent-encoded, ASCII.
        content: the form of a POST; None for a GET.
    """

    command: Command
    method: str
    url: str = field(repr=False)
    headers: Headers = field(repr=False)
    content: bytes | None = field(repr=False)


class Requests:
    """Builds the requests of one account.

    Args:
        base_url: without query and fragment.
        credentials: of the account.
        dialect: how requests are written.
    """

    def __init__(self, base_url: str, credentials: Credentials, dialect: Dialect) -> None:
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise ValueError(f"the gateway's address cannot be read: {error}") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("the gateway's address must start with http:// or https:// and name a host")
        if url.userinfo or url.query or url.fragment:
            raise ValueError("the gateway's address must hold no credentials, query or fragment")
        self._address = str(url.copy_with(raw_path=url.raw_path))  # an empty path is "/" on the wire
        self._dialect = dialect
        self._account = f"username={_escaped(credentials.username)}&password={_escaped(credentials.password)}"
        token = credentials.token
        self._headers = (*_HEADERS, *((("Authorization", f"ITON {token}"),) if token else ()))
        self._form_headers = (*self._headers, _FORM)

    def __repr__(self) -> str:
        return f"Requests({self._address!r})"

    def send(self, message: TextMessage, recipients: Sequence[str]) -> Request:
        """Build a sendSMS for 1 to 100 numbers (digits with country code).

        Raises:
            PermanentError: the text is no valid Unicode, or a parameter of the message is none of its own.
            ValueError: a number is not made of digits, or there are none or too many.
        """
        _check_numbers(recipients)
        if message.params:
            taken = _TAKEN | {self._dialect.text_parameter.lower()}
            if any(name.lower() in taken for name in message.params):
                raise PermanentError("reserved_param", "params name what the worker fills itself")
        return self._request(Command.SEND, f"to={','.join(recipients)}", self._message_form(message))

    def check_dnd(self, recipients: Sequence[str]) -> Request:
        """Build a check_DNDnumber for 1 to 100 numbers (digits with country code)."""
        _check_numbers(recipients)
        return self._request(Command.DND, f"phoneNumbers={','.join(recipients)}")

    def message_status(self, message_ids: Sequence[str]) -> Request:
        """Build a message_status for ids that :func:`nameable_ids` let through."""
        return self._request(Command.STATUS, f"ids={','.join(map(_escaped, message_ids))}")

    def account(self) -> Request:
        """Build an account request."""
        return self._request(Command.ACCOUNT)

    def pack(self, message: TextMessage, recipients: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *recipients*, in order, into the fewest calls of at most 100 numbers and a URL below the limit.

        Where not even one number leaves the URL short enough, each goes alone: the gateway may still take
        it, and its refusal (414, say) is an outcome. A POST has no such limit.

        Raises:
            PermanentError: the text is no valid Unicode.
        """
        if len(recipients) == 1:
            return ((recipients[0],),)  # it goes alone in any case
        return _packed(recipients, self._room(Command.SEND, "to=", self._message_form(message)))

    def pack_ids(self, message_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *message_ids* likewise into message_status calls."""
        return _packed(message_ids, self._room(Command.STATUS, "ids="))

    def _room(self, command: Command, *fields: str) -> float:
        """Return the bytes that the listed items may take, each with a comma before it."""
        if self._dialect.method == "POST":
            return math.inf
        form = "&".join((self._account, f"cmd={command}", *fields))
        return self._dialect.url_limit - len(self._address) - len("?") - len(form)

    def _message_form(self, message: TextMessage) -> str:
        sender = message.sender if message.sender is not None else self._dialect.default_sender
        return _message_form(
            self._dialect.text_parameter, message.text, message.unicode, sender, tuple(message.params.items())
        )

    def _request(self, command: Command, *fields: str) -> Request:
        form = "&".join((self._account, f"cmd={command}", *fields))
        if self._dialect.method == "GET":
            return Request(command, "GET", f"{self._address}?{form}", self._headers, None)
        return Request(command, "POST", self._address, self._form_headers, form.encode())


@lru_cache(maxsize=256)
def _message_form(
    text_parameter: str,
    text: str,
    unicode: bool,  # noqa: FBT001 - what the job says
    sender: str | None,
    params: tuple[tuple[str, str], ...],
) -> str:
    """Write what a sendSMS says apart from its numbers; a text is measured, then sent, often to many."""
    told = f"&sender={_name(sender)}" if sender is not None else ""
    more = "".join(f"&{_name(name)}={_escaped(value)}" for name, value in params)
    return f"uniCode={'2' if unicode else '0'}{told}&{_name(text_parameter)}={_escaped(text)}{more}"


def nameable_ids(message_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct ids that a comma-separated list can name.

    An id with a comma, a space or a control character would be read as something else; ITON issued no such.
    """
    return tuple(
        name
        for name in dict.fromkeys(message_ids)
        if name and name.isprintable() and "," not in name and " " not in name
    )


def _packed(items: Sequence[str], room: float) -> tuple[tuple[str, ...], ...]:
    """Fill calls in order; an item that finds no room even in an empty call goes alone."""
    calls = [tuple(items[start : start + MOST_PER_CALL]) for start in range(0, len(items), MOST_PER_CALL)]
    joined = "".join(items)
    # Numbers, as nearly always: bytes are looked at ten times as fast as characters.
    if (
        joined.isascii()
        and joined.encode().isalnum()
        and all(sum(map(len, call)) + len(call) <= room for call in calls)
    ):
        return tuple(calls)
    calls = []
    call: list[str] = []
    left = room
    for item in items:
        # A comma each: the first has none, but the URL must stay below its limit by a byte.
        plain = item.isascii() and item.isalnum()  # numbers and ids: nothing to escape
        width = len(item if plain else quote(item, safe="", errors="replace")) + 1
        if call and (len(call) == MOST_PER_CALL or width > left):
            calls.append(tuple(call))
            call, left = [], room
        call.append(item)
        left -= width
    return (*calls, tuple(call)) if call else tuple(calls)


def _check_numbers(numbers: Sequence[str]) -> None:
    if not 1 <= len(numbers) <= MOST_PER_CALL:
        raise ValueError(f"1 to {MOST_PER_CALL} numbers a call, not {len(numbers)}")
    joined = "".join(numbers)
    if not (all(numbers) and joined.isascii() and joined.encode().isdigit()):
        raise ValueError("numbers must be made of digits, with country code")


@lru_cache(maxsize=256)
def _name(name: str) -> str:
    """Return a parameter's name, or a sender, which are few, as :func:`_escaped` does."""
    return _escaped(name)


def _escaped(value: str) -> str:
    """Percent-encode all but letters, digits and ``-._~`` (RFC 3986, 2.3).

    Raises:
        PermanentError: *value* holds half a surrogate pair, which UTF-8 cannot say.
    """
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        pass
    raise PermanentError("invalid_unicode", "the text or a parameter is no valid Unicode")
