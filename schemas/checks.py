"""What the fields of jobs may hold: checks with words of our own, and with an end to their errors.

A list of 100,000 wrong entries gives 20 errors, not 100,000.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.failures import FailureCode
from schemas.rejection import MAX_ERRORS

MAX_RECIPIENTS: Final = 100_000
MAX_MESSAGE_IDS: Final = 10_000
MAX_PARAMS: Final = 100

RESERVED_PARAMS: Final = frozenset(
    {"username", "password", "cmd", "to", "message", "unicode", "sender", "ids", "phonenumbers"}
)
"""Names that the worker itself gives to the gateway, in lower case."""

PARAM_NAME_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,64}$"
RFC3339_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-5][0-9])$"
)
ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
# Invisible characters by name: which characters can be printed depends on the version of Unicode.
MESSAGE_ID_PATTERN: Final = (
    r"^[^\s,\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"{1,200}$"
)
"""Whatever ITON may issue; at a comma or a space a list of ids could not be told apart."""
MAX_METADATA_BYTES: Final = 4096

_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)
_PARAM_NAME = re.compile(PARAM_NAME_PATTERN)
_RFC3339 = re.compile(RFC3339_PATTERN)
_SECONDS = slice(17, 19)
_CHARACTER_NAMES: Final = {
    ",": "a comma",
    " ": "a space",
    "\n": "a line break",
    "\r": "a line break",
}


def refusal(code: FailureCode, msg: str) -> PydanticCustomError:
    """An error for a validator to raise; its type is one of our codes and its words stand as they are."""
    # Braces would be taken for placeholders of the template.
    return PydanticCustomError(code.value, "{words}", {"words": msg})


def is_unicode(text: str) -> bool:
    """Tell whether *text* can be encoded: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def small(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return *metadata*, of plain JSON values and no longer than allowed."""
    if not metadata:
        return metadata
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except UnicodeEncodeError:
        raise refusal(
            FailureCode.INVALID_UNICODE, "holds half of a surrogate pair: send whole characters"
        ) from None
    except (ValueError, RecursionError):
        raise refusal(
            FailureCode.NUMBER_OUT_OF_RANGE, "holds NaN, Infinity or endless nesting: send plain JSON values"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise refusal(
            FailureCode.WRONG_LENGTH,
            f"has {size} bytes as compact JSON, {MAX_METADATA_BYTES} at most: keep a key in it, no more",
        )
    return metadata


Complaint = PydanticCustomError | str
Complaints = Iterator[tuple[str | int, Complaint]]


def _raise_first(complaints: Complaints) -> None:
    """Raise the first few complaints, each at its own place; they carry no input."""
    details: list[InitErrorDetails] = [
        {"type": complaint, "loc": (place,), "input": None}
        for place, complaint in islice(complaints, MAX_ERRORS)
    ]
    if details:
        raise ValidationError.from_exception_data("entries", details, hide_input=True)


def _came(value: object) -> PydanticCustomError:
    remedy = ": put it in quotes" if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return refusal(FailureCode.WRONG_TYPE, f"must be a string, but {json_type(value)} came{remedy}")


def json_type(value: object) -> str:
    """The JSON type of *value* in words, with its article; nothing of the value itself."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "an object"}
    return names.get(type(value), "an array" if isinstance(value, list | tuple) else type(value).__name__)


def _not_strings(entries: list[object]) -> Complaints:
    for place, entry in enumerate(entries):
        if not isinstance(entry, str):
            yield place, _came(entry)
        elif not is_unicode(entry):
            yield (
                place,
                refusal(FailureCode.INVALID_UNICODE, "holds half of a surrogate pair: send whole characters"),
            )


def _not_ids(entries: list[object]) -> Complaints:
    for place, entry in enumerate(entries):
        if not isinstance(entry, str):
            yield place, _came(entry)
        elif not _is_message_id(entry):
            yield place, refusal(FailureCode.WRONG_VALUE, _why_no_id(entry))


def _is_message_id(entry: str) -> bool:
    return is_unicode(entry) and _MESSAGE_ID.fullmatch(entry) is not None


def _why_no_id(entry: str) -> str:
    if not 1 <= len(entry) <= 200:  # noqa: PLR2004 - the bounds of MESSAGE_ID_PATTERN
        return f"must be a message id of 1 to 200 characters, but has {len(entry)}"
    odd = next(character for character in entry if not _is_message_id(character))
    if name := _CHARACTER_NAMES.get(odd):
        return f"must be one message id, but holds {name}: give every id as an entry of its own"
    return f"must be a message id, but holds U+{ord(odd):04X}, which cannot be printed: copy the id anew"


def _entries(
    limit: int,
    complaints: Callable[[list[object]], Complaints],
    matches: Callable[[str], object] | None = None,
) -> Callable[[object], tuple[str, ...]]:
    """A check of an array that stops at *limit* entries and at the first few complaints.

    Args:
        limit: of entries.
        complaints: what is wrong with each entry.
        matches: tells of an entry in ASCII whether it is free of complaints; None: each is.
    """

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            hint = ": wrap it in [ ]" if isinstance(value, str) else ""
            raise refusal(
                FailureCode.WRONG_TYPE, f"must be an array of strings, but {json_type(value)} came{hint}"
            )
        if not 1 <= len(value) <= limit:
            hint = "split the job" if value else "give at least one"
            raise refusal(
                FailureCode.WRONG_LENGTH, f"must have 1 to {limit:,} entries, but has {len(value):,}: {hint}"
            )
        try:
            # Nearly always there is no complaint, which is told soonest of all of them together.
            sound = "".join(value).isascii() and (matches is None or all(map(matches, value)))
        except TypeError:  # not all are strings
            sound = False
        if not sound:
            _raise_first(complaints(list(value)))
        return tuple(value)

    return check


def _wrong_params(params: dict[object, object]) -> Complaints:
    for name, value in params.items():
        if not isinstance(name, str) or not _PARAM_NAME.fullmatch(name):
            yield (
                "[key]",
                refusal(FailureCode.WRONG_VALUE, "has a name other than 1 to 64 of A-Z a-z 0-9 _ . -"),
            )
        elif name.lower() in RESERVED_PARAMS:
            yield (
                name,
                refusal(
                    FailureCode.RESERVED_PARAM,
                    "is a parameter that the worker itself gives to the gateway: leave it out",
                ),
            )
        elif not isinstance(value, str):
            yield name, _came(value)
        elif not is_unicode(value):
            yield (
                name,
                refusal(FailureCode.INVALID_UNICODE, "holds half of a surrogate pair: send whole characters"),
            )


def string_params(value: object) -> object:
    """Return an object of strings whose names are free to be used; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refusal(FailureCode.WRONG_TYPE, f"must be an object of strings, but {json_type(value)} came")
    if len(value) > MAX_PARAMS:
        raise refusal(
            FailureCode.WRONG_LENGTH, f"must have at most {MAX_PARAMS} names, but has {len(value):,}"
        )
    _raise_first(_wrong_params(value))
    return value


def aware_time(value: object) -> object:
    """Read an RFC 3339 time with offset; leave None and a datetime to the field's own check.

    Raises:
        PydanticCustomError: anything else: a bare date, a number, a time without offset.
    """
    if value is None or isinstance(value, datetime):
        return value
    expected = 'must be a time with offset such as "2026-03-01T12:05:00+05:30"'
    if not isinstance(value, str):
        raise refusal(FailureCode.WRONG_TYPE, f"{expected}, but {json_type(value)} came")
    if not _RFC3339.fullmatch(value):
        raise refusal(FailureCode.WRONG_VALUE, f"{expected} (RFC 3339), but has another form or no offset")
    try:
        return _moment(value.upper())
    except (ValueError, OverflowError):
        raise refusal(
            FailureCode.WRONG_VALUE, f"{expected}, but names a moment that is in no calendar"
        ) from None


def _moment(written: str) -> datetime:
    """Read a time; a leap second (RFC 3339, 5.7), which Python has not, is the moment behind it."""
    if written[_SECONDS] != "60":
        return datetime.fromisoformat(written)
    last = datetime.fromisoformat(f"{written[: _SECONDS.start]}59{written[_SECONDS.stop :]}")
    behind = last.replace(microsecond=0) + timedelta(seconds=1)
    utc = behind.astimezone(UTC)
    # They end months, at the same moment everywhere; which months is told half a year ahead.
    if (utc.day, utc.time()) != (1, time()):
        raise ValueError(written)
    return behind


recipients: Final = _entries(MAX_RECIPIENTS, _not_strings)
message_ids: Final = _entries(MAX_MESSAGE_IDS, _not_ids, _MESSAGE_ID.fullmatch)
