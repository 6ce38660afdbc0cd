"""JSON without the liberties that parsers take: what two readers could read differently is refused.

One pass for a sound body; a second look is taken only where the bytes give a reason for it.
"""

import json
import math
import re
from typing import Final, NoReturn

from schemas.checks import is_unicode
from schemas.failures import FailureCode
from schemas.rejection import JobRejectedError, Location, rejection

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 308
"""What still fits into a double: other JSON readers take a longer number for infinity."""

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
# In groups too: a phone number is nowhere quoted, also where it stands in the place of a name.
_LONG_DIGITS = re.compile(r"\d(?:\W{0,3}\d){4,}")
_MAX_NAME: Final = 40


def read_json(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> object:
    """Parse *body*, strictly.

    Refused: more than *max_bytes*, anything but UTF-8, a byte order mark, the same key twice in an object,
    NaN and Infinity, numbers beyond a double, more than 32 levels, halves of surrogate pairs.

    Raises:
        JobRejectedError: with one error that names the remedy and quotes no value.
    """
    value = parse(body, max_bytes)
    refuse_shape(body, value)
    return value


def parse(body: bytes, max_bytes: int) -> object:
    """The first half of `read_json`: what must hold before there is a value at all.

    Raises:
        JobRejectedError: size, encoding, syntax, duplicate keys, numbers.
    """
    if len(body) > max_bytes:
        raise rejection(
            FailureCode.TOO_LARGE,
            f"The body has {len(body):,} bytes, {max_bytes:,} at most: split the job into several.",
        )
    try:
        return _DECODER.decode(body.decode())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        refused = _unreadable(error)
    # Raised outside the handler: the decoders' own errors would carry the body along.
    raise refused


def refuse_shape(body: bytes, value: object) -> None:
    """The second half: what a parsed value may still be refused for.

    Raises:
        JobRejectedError: depth, halves of surrogate pairs.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _refuse_depth(value)
    if _SURROGATE_ESCAPE.search(body):
        _refuse_surrogates(value)


def shown_name(name: str) -> str:
    """A name of the producer's, fit to be shown: cut short, printable, without phone numbers."""
    cut = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
    printable = "".join(character if character.isprintable() else "?" for character in cut)
    return _LONG_DIGITS.sub("*****", printable)


def _unreadable(error: UnicodeDecodeError | json.JSONDecodeError | RecursionError) -> JobRejectedError:
    match error:
        case UnicodeDecodeError():
            return rejection(
                FailureCode.NOT_UTF8,
                f"The body is not UTF-8 (byte {error.start:,}): encode it as UTF-8 before publishing.",
            )
        case json.JSONDecodeError() if error.doc.startswith("\ufeff"):
            return rejection(
                FailureCode.NOT_UTF8,
                "The body starts with a byte order mark: encode it as UTF-8 without one.",
            )
        case json.JSONDecodeError():
            return rejection(FailureCode.NOT_JSON, _where(error))
        case RecursionError():
            return _too_deep()


def _where(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "The body is empty: send one JSON object."
    return (
        f"The body is not JSON (line {error.lineno}, column {error.colno}: {error.msg}): "
        "send one JSON object, made by a JSON library."
    )


def _too_deep() -> JobRejectedError:
    return rejection(
        FailureCode.TOO_DEEP,
        f"The body is nested deeper than {MAX_DEPTH} levels: flatten it, or send a string.",
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse_double(pairs)
    return members


def _refuse_double(pairs: list[tuple[str, object]]) -> NoReturn:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    raise rejection(
        FailureCode.DUPLICATE_KEY, f"The key `{shown_name(name)}` stands twice in one object: give it once."
    )


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _out_of_range()
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _out_of_range()
    return number


def _constant(name: str) -> NoReturn:
    raise rejection(
        FailureCode.NUMBER_OUT_OF_RANGE,
        f"The body holds {name}, which is no JSON: send null, or leave it out.",
    )


def _out_of_range() -> JobRejectedError:
    return rejection(
        FailureCode.NUMBER_OUT_OF_RANGE,
        "The body holds a number that is too large to be read: send it as a string.",
    )


def _children(node: object) -> list[object]:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if type(child) in {dict, list}]
        if not level:
            return
    raise _too_deep()


def _refuse_surrogates(value: object) -> None:
    loc = _surrogate_in(value, ())
    if loc is not None:
        raise rejection(
            FailureCode.INVALID_UNICODE,
            "A string holds half of a surrogate pair (\\ud800 to \\udfff): send whole characters.",
            *loc,
        )


def _surrogate_in(value: object, loc: Location) -> Location | None:
    """The place of the first string that is no Unicode; depth is bounded before."""
    if isinstance(value, str):
        return None if is_unicode(value) else loc
    if isinstance(value, dict):
        if not all(map(is_unicode, value)):
            return loc
        places = ((shown_name(name), child) for name, child in value.items())
        return next(filter(None, (_surrogate_in(child, (*loc, name)) for name, child in places)), None)
    if isinstance(value, list):
        return next(filter(None, (_surrogate_in(child, (*loc, i)) for i, child in enumerate(value))), None)
    return None


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
