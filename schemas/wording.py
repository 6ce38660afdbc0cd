"""Validation errors in people's words: which field, what it must be, what came; never the value."""

import difflib
from collections.abc import Collection
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.channels import JobKind
from schemas.checks import json_type
from schemas.failures import FailureCode
from schemas.rejection import JobError, Location
from schemas.strict_json import shown_name

_EXPECTED: Final[dict[str, str]] = {
    "job_id": "a string of 1 to 128 of A-Z a-z 0-9 . _ : -",
    "recipients": "an array of 1 to 100,000 strings",
    "text": "a string of at least 1 character",
    "sender": "a string of 1 to 20 characters, or absent",
    "unicode": "true or false (not 1, 0 or a string), or absent",
    "category": '"promotional", "service", "service_explicit" or "transactional"',
    "dnd": '"filter" or "skip", or absent',
    "on_uncertain": '"report" or "resend"',
    "expires_at": 'a time with offset such as "2026-03-01T12:05:00+05:30"',
    "send_after": 'a time with offset such as "2026-03-01T12:00:00+05:30"',
    "track": "true or false",
    "params": "an object of strings",
    "metadata": "an object of plain JSON values",
    "method": '"GET", "POST", "PUT", "PATCH" or "DELETE"',
    "path": "a string of 1 to 2,000 characters, relative to the Web API's address",
    "json": "any JSON value",
    "fields": "an object of strings",
    "files": 'an array of {"name", "filename", "content_type", "data"}',
    "target": "the job_id of a send job, a string of 1 to 128 of A-Z a-z 0-9 . _ : -",
    "message_ids": "an array of 1 to 10,000 message ids, each a string",
}
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "category": ("promotional", "service", "service_explicit", "transactional"),
    "dnd": ("filter", "skip"),
    "on_uncertain": ("report", "resend"),
    "method": ("GET", "POST", "PUT", "PATCH", "DELETE"),
}
_CODES: Final[dict[str, FailureCode]] = {
    "missing": FailureCode.MISSING,
    "string_too_short": FailureCode.WRONG_LENGTH,
    "string_too_long": FailureCode.WRONG_LENGTH,
    "string_pattern_mismatch": FailureCode.WRONG_VALUE,
}
_ARTICLES: Final = {
    JobKind.SEND: "a",
    JobKind.STATUS: "a",
    JobKind.ACCOUNT: "an",
    JobKind.API: "an",
    JobKind.CANCEL: "a",
}
_OURS: Final = frozenset(code.value for code in FailureCode)
_LONGEST_GUESS: Final = 40


def translated(kind: JobKind, error: ValidationError) -> list[JobError]:
    """Every error of a validation in our codes and words."""
    return [_translated(kind, detail) for detail in error.errors(include_url=False)]


def unknown_field(kind: JobKind, name: str, known: Collection[str]) -> JobError:
    """The error for a field that is none of the job's, with the name that was probably meant."""
    guess = _closest(name, known)
    remedy = f"did you mean `{guess}`?" if guess else f"known are {', '.join(sorted(known))}."
    shown = shown_name(name)
    return JobError(
        loc=(shown,),
        msg=f"`{shown}` is no field of {_ARTICLES[kind]} {kind.value} job: {remedy}",
        type=FailureCode.UNKNOWN_FIELD.value,
    )


def _translated(kind: JobKind, detail: ErrorDetails) -> JobError:
    loc = tuple(shown_name(step) if isinstance(step, str) else step for step in detail["loc"])
    field = str(loc[0]) if loc else ""
    if detail["type"] in _OURS and detail["type"] != "missing":
        return JobError(loc=loc, msg=f"`{_path(loc)}` {detail['msg']}.", type=detail["type"])
    code = _code(detail)
    expected = _EXPECTED.get(field, "another value")
    if code is FailureCode.MISSING:
        msg = f"`{_path(loc)}` is missing from the {kind.value} job: give {expected}."
    else:
        msg = f"`{_path(loc)}` must be {expected}; {_what_came(field, code, detail['input'])}."
    return JobError(loc=loc, msg=msg, type=code.value)


def _code(detail: ErrorDetails) -> FailureCode:
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        return FailureCode.WRONG_VALUE
    return _CODES.get(detail["type"], FailureCode.WRONG_TYPE)


def _what_came(field: str, code: FailureCode, value: object) -> str:
    if code is FailureCode.WRONG_TYPE or not isinstance(value, str):
        return f"{json_type(value)} came"
    guess = _closest(value, _WORDS.get(field, ()))
    if guess:
        return f'another string came (did you mean "{guess}"?)'
    if code is FailureCode.WRONG_LENGTH:
        return f"{len(value):,} characters came"
    return (
        "a string came that is none of these"
        if field in _WORDS
        else "other characters came, or too many or none"
    )


def _closest(name: str, known: Collection[str]) -> str | None:
    if len(name) > _LONGEST_GUESS:
        return None
    spelt = {word.lower(): word for word in sorted(known)}
    found = difflib.get_close_matches(name.lower(), spelt, n=1)
    return spelt[found[0]] if found else None


def _path(loc: Location) -> str:
    """``recipients[3]``, ``params.name``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return "".join(steps).lstrip(".")
