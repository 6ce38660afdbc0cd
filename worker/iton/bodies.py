"""A reply's body, decoded once: its text and, where it is JSON, its value. Content types are not trusted."""

import json
import re
import string
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from worker.iton.loose_json import tidied

# An error object's own words: {"error": ...}, {"status": "failed", "message": ...}.
_SPEAKING = frozenset(
    {
        *("error", "errors", "errormessage", "errordescription", "message", "messages", "msg", "reason"),
        *("description", "detail", "details", "fault", "response", "result", "results", "status", "data"),
    }
)
_DEEPEST = 4
# What is no part of a text at its ends: a mark for each included file (PHP), the end of a string (C).
_EDGES = string.whitespace + "\u0085\u00a0\u200b\u2028\u2029\ufeff\0\x1a"

# The longer marks first: UTF-32's little one begins like UTF-16's.
_MARKS = (
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_ASCII_IN_UTF16 = (
    (re.compile(rb"(?:[\t\n\r -~]\0){2}"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\n\r -~]){2}"), "utf-16-be"),
)


class Repeating(dict[str, Any]):
    """A JSON object in which a key repeats: as a mapping it has the last of the key's values.

    Attributes:
        pairs: every key with every value, in order.
    """

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self.pairs = tuple(pairs)
        super().__init__(self.pairs)


@dataclass(frozen=True, slots=True)
class Body:
    """What a reply holds.

    Attributes:
        text: stripped; of a JSON string, what it holds.
        json: the value of a JSON object or array; None for anything else.
    """

    text: str
    json: Mapping[str, Any] | list[Any] | None

    @property
    def is_page(self) -> bool:
        """Whether it is markup: a maintenance page, a login form, an error page of a server in between."""
        return self.text.startswith("<")

    @property
    def words(self) -> str:
        """What it says to people: of JSON the strings at its top and below keys such as ``error``."""
        return self.text if self.json is None else "; ".join(_strings(self.json, 0))


def decoded(content: bytes) -> Body:
    """Decode *content*; any bytes give a body.

    A string that holds an object or an array, as servers print that encode twice, is what it holds.
    """
    text = content.decode(_charset(content), errors="replace").strip(_EDGES)
    value = _value(text)
    if isinstance(value, str):
        text = value.strip()
        value = _value(text) if text.startswith(("{", "[")) else None
    return Body(text, value if isinstance(value, dict | list) else None)


def held(value: object) -> object:
    """Return the object or array that the string *value* holds; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        inner = _value(value.strip())
        return value if inner is None else inner
    return value


def begun(text: str, place: int) -> tuple[object, int]:
    """Return the JSON value that begins at *place* and where it ends; None where none does."""
    try:
        return _JSON.raw_decode(text, place)
    except (ValueError, ArithmeticError, RecursionError):
        end = text.rfind("}") + 1
        value = _value(text[place:end])
        return value, place + 1 if value is None else end


def objects_of(value: object) -> list[Mapping[str, Any]]:
    """Return the object that *value* is, or those that it is a list of."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def pairs_of(mapping: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return every key with every value that the reply gave it."""
    return mapping.pairs if isinstance(mapping, Repeating) else mapping.items()


def plain_key(key: str) -> str:
    """Return *key* without case, spaces, hyphens and underscores: ``message_id`` is ``MessageId``."""
    return re.sub(r"[\s_-]+", "", key).lower()


def members(mapping: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values whose key is *name* (as :func:`plain_key` gives it), in order."""
    return [value for key, value in pairs_of(mapping) if plain_key(key) == name]


def _strings(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _strings(item, depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        for key, item in pairs_of(value):
            if isinstance(item, str) or plain_key(key) in _SPEAKING:
                yield from _strings(item, depth + 1)


def _charset(content: bytes) -> str:
    """Tell by the first bytes: the labels of replies are often wrong."""
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    unmarked = next((name for start, name in _ASCII_IN_UTF16 if start.match(content)), "utf-8-sig")
    return marked or unmarked


def _value(text: str) -> object:
    """Return the JSON value that *text* is, or was meant to be; None when it is none."""
    try:
        return _JSON.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        if not text.startswith(("{", "[")):
            return None
    try:
        return _LOOSE_JSON.decode(tidied(text))
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else Repeating(pairs)


def _fraction(written: str) -> Decimal | str:
    """Read a number; one that no arithmetic can hold stays as it is written."""
    try:
        return Decimal(written)
    except ArithmeticError:
        return written


def _integer(written: str) -> int | str:
    try:
        return int(written)
    except ValueError:  # Python reads a few thousand digits and no more
        return written


# json.loads would make one for every reply. NaN and Infinity, which are no JSON, are words. Numbers are
# never floats, which would lose digits of an id. Line breaks within strings are borne.
_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=str, object_pairs_hook=_object, strict=False)
_LOOSE_JSON = json.JSONDecoder(
    parse_float=_fraction, parse_int=_integer, parse_constant=str, object_pairs_hook=_object, strict=False
)
