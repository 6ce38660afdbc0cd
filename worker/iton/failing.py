"""Whether a JSON reply says of itself that the call failed."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from worker.iton.bodies import pairs_of, plain_key
from worker.iton.ids import whole

_STATES = frozenset(
    {"status", "state", "result", "outcome", "response", "type", "statustext", "responsestatus"}
)
_CODES = frozenset({"status", "code", "statuscode", "httpstatus", "responsecode", "httpcode"})
_FLAGS = frozenset({"success", "successful", "issuccess", "issuccessful", "ok", "isok"})
_ERRORS = frozenset(
    {
        *("error", "errors", "err", "iserror", "haserror", "errorcode", "errcode", "errorno", "errormessage"),
        *("errormsg", "errordescription", "errordetail", "errordetails", "errortext", "exception", "fault"),
        "failure",
    }
)
_WORDED = frozenset(
    {"message", "msg", "text", "reason", "remark", "description", "detail", "details", "info"}
)
_GOOD = frozenset(
    {"success", "successful", "successfully", "ok", "okay", "done", "sent", "submitted", "accepted", "queued"}
)
_BAD = frozenset(
    {
        *("error", "err", "fail", "failed", "failure", "rejected", "reject", "invalid", "denied", "refused"),
        *("unsuccessful", "exception", "fault", "unauthorized", "unauthorised", "forbidden", "blocked"),
        *("ko", "nok", "nack", "false", "not", "unsent"),
    }
)
_NOTHING = frozenset({"none", "no", "null", "nil", "na", "n", "a", "false", "nothing", "noerror"})
_WORD = re.compile(r"[a-z]+")
_DEEPEST = 3
_LONGEST_CODE = 9  # digits


def says_it_failed(reply: Mapping[str, Any]) -> bool:
    """Tell whether *reply* names an error or a failure, and nowhere a success.

    ``{"status": "error"}``, ``{"success": false}``, ``{"error": "Invalid Sender ID"}``; not ``{"error": 0}``
    or ``{"status": "success", "error": "1 number filtered"}``.
    """
    said = set(_sayings(reply))
    return False in said and True not in said


def complains(reply: Mapping[str, Any]) -> bool:
    """Tell whether *reply* speaks of a failure in words, which may be those of the text that was sent."""
    spoken = (value for key, value in pairs_of(reply) if plain_key(key) in _WORDED)
    return any(not _BAD.isdisjoint(_words(value)) for value in spoken)


def _sayings(reply: Mapping[str, Any], depth: int = 0) -> Iterator[bool]:
    """Yield true for each member that says that the call went well, false for each that says it did not."""
    for key, value in pairs_of(reply):
        name = plain_key(key)
        if name in _STATES and isinstance(value, dict) and depth < _DEEPEST:
            yield from _sayings(value, depth + 1)
        if name in _STATES and (good := _state(value)) is not None:
            yield good
        if name in _CODES and (code := _number(value)) is not None and code >= HTTPStatus.BAD_REQUEST:
            yield False
        if name in _FLAGS and (good := _flag(value)) is not None:
            yield good
        if name in _ERRORS and _is_error(value, depth):
            yield False


def _state(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    words = _words(value)
    if not words:
        return None
    if words[0] in _BAD:
        return False
    return True if words[0] in _GOOD else None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if (number := _number(value)) is not None:
        return number > 0
    words = _words(value)
    return None if not words else words[0] in _GOOD | {"true", "yes", "y"}


def _is_error(value: object, depth: int) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, dict | list):
        inner = [item for _, item in pairs_of(value)] if isinstance(value, dict) else value
        return depth < _DEEPEST and any(_is_error(item, depth + 1) for item in inner)
    if (number := _number(value)) is not None:
        return number not in {0, HTTPStatus.OK}
    words = _words(value)
    if not words or words[0] in _GOOD:
        return False
    return words[0] not in _NOTHING or not _NOTHING.union({"error", "errors"}).issuperset(words)


def _number(value: object) -> int | None:
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_CODE else whole(value)


def _words(value: object) -> list[str]:
    return _WORD.findall(value.lower()) if isinstance(value, str) else []
