"""The last safety net of the logs: credentials become ``***``, phone numbers lose their middle."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote

from structlog.typing import EventDict, WrappedLogger

HIDDEN = "***"

# Named by producers or by us; a job id made of digits must stay findable.
_KEPT = frozenset({"job_id", "message_id", "correlation_id", "traceparent", "timestamp"})
_PLAIN = frozenset({int, float, bool, type(None)})

# 10 to 15 digits (E.164), not inside a longer hexadecimal id; a percent escape may stand right before them.
_NUMBER = re.compile(
    r"(?:(?<![0-9a-fA-F])|(?<=%[0-9a-fA-F]{2}))(?:\+\d(?:[ \-]?\d){9,14}|\d{10,15})(?![0-9a-fA-F])"
)
_ENDS = 2
_SHORT = 6
# Events, kinds, results, codes: the same few words in every line. Longer texts are read each time.
_WORD = 40  # characters
_WORDS = 1024


class Redaction:
    """A structlog processor that cleans every value of an event, nested ones and tracebacks included.

    Args:
        secrets: hidden wherever they occur, raw or encoded; those under 6 characters only as whole words.
        names: hidden as whole words.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        secrets, names = set(secrets), set(names)
        anywhere = _forms(secret for secret in secrets if len(secret) >= _SHORT)
        words = _forms({*names, *(secret for secret in secrets if len(secret) < _SHORT)})
        self._secret = _pattern(anywhere, words)
        self._word = lru_cache(_WORDS)(self.text)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event with clean values."""
        for key, value in event.items():
            if type(value) in _PLAIN:
                continue
            if key in _KEPT:
                event[key] = self._clean(value, numbers=False)
            elif type(value) is str and len(value) <= _WORD:
                event[key] = self._word(value)
            else:
                event[key] = self._clean(value, numbers=True)
        return event

    def text(self, value: str, *, numbers: bool = True) -> str:
        """Return *value* without secrets and, unless *numbers* is false, with masked phone numbers."""
        if self._secret:
            value = self._secret.sub(HIDDEN, value)
        return _NUMBER.sub(_mask, value) if numbers else value

    def _clean(self, value: object, *, numbers: bool) -> object:
        if isinstance(value, str):
            return self.text(value, numbers=numbers)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): self._clean(item, numbers=numbers and key not in _KEPT)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, numbers=numbers) for item in value]
        return self.text(_shown(value), numbers=numbers)


def _shown(value: object) -> str:
    """Turn anything else into text here, as the renderer would do it behind our back."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ of anybody's must not lose the line
        return f"<{type(value).__name__}>"


def _forms(secrets: Iterable[str]) -> set[str]:
    """Return the spellings in which a secret turns up: raw, percent-encoded, decoded, inside a repr."""
    found: set[str] = set()
    for secret in secrets:
        for raw in {secret, unquote(secret)}:
            found |= {raw, quote(raw), quote(raw, safe=""), quote_plus(raw), repr(raw)[1:-1]}
            found.add(repr(raw.encode("utf-8", "surrogateescape"))[2:-1])
    return {form for form in found if form.strip()}


def _pattern(anywhere: set[str], words: set[str]) -> re.Pattern[str] | None:
    """Match the longest spelling first, so that no tail of one is left over."""
    choices = [re.escape(form) for form in sorted(anywhere, key=len, reverse=True)]
    choices += [
        rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])" for form in sorted(words, key=len, reverse=True)
    ]
    return re.compile("|".join(choices)) if choices else None


def _mask(match: re.Match[str]) -> str:
    number = match.group()
    return number[:_ENDS] + "*" * (len(number) - 2 * _ENDS) + number[-_ENDS:]
