"""A reply's body, decoded once: its text and, where it is JSON, its value. Content types are not trusted."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

# An error object's own words: {"error": ...}, {"status": "failed", "message": ...}.
_SPEAKING = frozenset(
    {
        *("error", "errors", "errormessage", "errordescription", "message", "messages", "msg", "reason"),
        *("description", "detail", "details", "fault", "response", "result", "results", "status", "data"),
    }
)
_DEEPEST = 4


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
    """Decode *content*; any bytes give a body."""
    text = content.decode("utf-8-sig", errors="replace").strip()
    try:
        value = _JSON.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        return Body(text, None)
    if isinstance(value, str):
        return Body(value.strip(), None)
    return Body(text, value if isinstance(value, dict | list) else None)


def plain_key(key: str) -> str:
    """Return *key* without case, spaces, hyphens and underscores: ``message_id`` is ``MessageId``."""
    return re.sub(r"[\s_-]+", "", key).lower()


def member(mapping: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - a JSON value may be anything
    """Return the value whose key is *name* (as :func:`plain_key` gives it), or None."""
    return next((value for key, value in mapping.items() if plain_key(key) == name), None)


def _strings(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _strings(item, depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        for key, item in value.items():
            if isinstance(item, str) or plain_key(key) in _SPEAKING:
                yield from _strings(item, depth + 1)


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are no JSON (RFC 8259, 6)."""
    raise ValueError(constant)


# json.loads would make one for every reply.
_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
