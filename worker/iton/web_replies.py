"""What of a reply of the Web API a result may hold: JSON or text, 64 KB of it, no credentials. Pure."""

import json
import math
from collections.abc import Callable, Iterator
from typing import NoReturn

from pydantic import JsonValue
from pydantic_core import to_json

LONGEST_REPLY = 64 * 1024
"""Bytes, as UTF-8."""

_DEEPEST = 32  # levels; what is nested deeper is handed on as text, which no reader stumbles over

Clean = Callable[[str], str]


def published(content: bytes, clean: Clean) -> tuple[JsonValue, bool]:
    """Return the reply as a result holds it, and whether it was cut.

    Args:
        content: the body, decompressed.
        clean: takes the credentials out of a text.
    """
    text = content.decode("utf-8-sig", errors="replace")
    value = _json(text)
    if isinstance(value, _None):
        return _cut(clean(text))
    shown = _cleaned(value, clean)
    return (shown, False) if len(to_json(shown)) <= LONGEST_REPLY else _cut(clean(text))


class _None:
    """No JSON."""


_NONE = _None()


def _json(text: str) -> JsonValue | _None:
    try:
        value: JsonValue = _JSON.decode(text)
    except (ValueError, RecursionError):
        return _NONE
    return value if _is_flat(value) else _NONE


def _is_flat(value: JsonValue) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return True
    return False


def _children(node: JsonValue) -> Iterator[JsonValue]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _cleaned(value: JsonValue, clean: Clean) -> JsonValue:
    """Hide credentials in strings, keys and numbers; whole characters only, or no JSON could say them."""
    if isinstance(value, str):
        return _whole(clean(value))
    if isinstance(value, dict):
        return {_whole(clean(key)): _cleaned(child, clean) for key, child in value.items()}
    if isinstance(value, list):
        return [_cleaned(child, clean) for child in value]
    if isinstance(value, bool) or value is None:
        return value
    spelt = str(value)
    hidden = clean(spelt)
    return value if hidden == spelt else hidden


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _cut(text: str) -> tuple[str, bool]:
    written = _whole(text).encode()
    if len(written) <= LONGEST_REPLY:
        return written.decode(), False
    return written[:LONGEST_REPLY].decode(errors="ignore"), True


def _fraction(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("beyond a double")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_JSON = json.JSONDecoder(parse_float=_fraction, parse_constant=_constant)
