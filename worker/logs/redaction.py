"""The last safety net of the logs: credentials become ``***``, phone numbers lose their middle."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from structlog.typing import EventDict, WrappedLogger

from worker.logs.foreign import ADDRESS
from worker.logs.spellings import ESCAPED, as_word, base64_forms, in_base64, spelt

HIDDEN = "***"

# Named by producers or by us; a job id made of digits must stay findable.
_KEPT = frozenset({"job_id", "message_id", "correlation_id", "traceparent", "timestamp"})
_PLAIN = frozenset({int, float, bool, type(None)})

# 10 to 15 digits (E.164), not inside a longer hexadecimal id; a percent escape may stand right before them.
_NUMBER = re.compile(
    r"(?:(?<![0-9a-fA-F])|(?<=%[0-9a-fA-F]{2}))(?:\+\d(?:[ \-]?\d){9,14}|\d{10,15})(?![0-9a-fA-F])"
)
# Groups of digits with one separator between them, such as "98765 40002" and "(098765)40004"; not the end of
# a hyphenated word or of a time.
_GROUPS = re.compile(
    r"(?:(?<![0-9A-Za-z])|(?<=%[0-9a-fA-F]{2}))(?<![0-9A-Za-z]-)(?<![0-9][.:])"
    r"[+(]{0,2}\d{1,15}(?:(?:[ .\-]?[()][ .\-]?|[ .\-])\d{1,15})+(?![0-9a-fA-F])(?!-[0-9A-Za-z])",
    re.ASCII,
)
_SEPARATED = re.compile(r"[0-9][ .()\-]{1,3}[0-9]")  # found sooner than groups are
_NO_NUMBER = re.compile(
    r"\d{4}([-.])\d\d\1\d\d(?: \d\d?)?|\d\d([-.])\d\d\2\d{4}(?: \d\d?)?"  # a date, perhaps with the hour
    r"|(?:\d{1,3}\.){3}\d{1,3}"  # an IPv4 address
    r"|\d+\.\d{1,4}|\d{1,4}\.\d+"  # seconds, an amount
    r"|\d{1,3}\.\d{1,3}(?: \d{1,3}\.\d{1,3})+"  # several of these
)
_FEWEST = 7  # digits
_ENDS = 2
_SHORT = 6
# Events, kinds, results, codes: the same few words in every line. Longer texts are read each time.
_WORD = 40  # characters
_WORDS = 1024


@dataclass(frozen=True, slots=True)
class _Form:
    """A form of a secret.

    Attributes:
        escaped: what is looked for in a text with escapes.
        plain: what is looked for in any other.
        word: it counts only as a whole word.
        literals: of which *plain* holds one at the least.
    """

    secret: str
    escaped: str
    plain: str
    word: bool
    literals: tuple[str, ...]

    def pattern(self, *, escaped: bool) -> str:
        """Return one of its patterns with what must stand around it."""
        pattern = self.escaped if escaped else self.plain
        return as_word(pattern, escaped=escaped) if self.word else pattern


class Redaction:
    """A structlog processor that cleans every value of an event, nested ones and tracebacks included.

    Args:
        secrets: hidden wherever they occur, in any spelling; those under 6 characters only as whole words.
        names: hidden as whole words.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        forms = _forms(secrets, names)
        self._plain = _joined(form.pattern(escaped=False) for form in forms)
        self._escaped = _joined(form.pattern(escaped=True) for form in forms)
        # One of these stands in each text that `_plain` finds something in.
        self._literals = tuple({one for form in forms for one in form.literals})
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
        if ESCAPED.search(value):
            value = self._escaped.sub(HIDDEN, value)
        elif any(one in value for one in self._literals):
            value = self._plain.sub(HIDDEN, value)
        return _without_numbers(value) if numbers else value

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
    """Turn anything else into text here, as the renderer would do it behind our back.

    Of an exception only its kind: its words may be anybody's. Of an object that has no text of its own as
    well: an address in memory tells nobody anything, and makes another line of it each time.
    """
    kind = type(value)
    if isinstance(value, BaseException) or kind.__repr__ is object.__repr__:
        return f"<{kind.__name__}>"
    try:
        return ADDRESS.sub("", repr(value))
    except Exception:  # noqa: BLE001 - a broken __repr__ of anybody's must not lose the line
        return f"<{kind.__name__}>"


def _forms(secrets: Iterable[str], names: Iterable[str]) -> list[_Form]:
    """Return what is looked for, the longest first, so that no tail of one is left."""
    secrets, names = _variants(secrets), _variants(names)
    pairs = {f"{name}:{secret}" for name in names for secret in secrets}
    hidden = [_Form(name, spelt(name), re.escape(name), word=True, literals=(name,)) for name in names]
    hidden += [_Form(one, spelt(one), re.escape(one), len(one) < _SHORT, literals=(one,)) for one in secrets]
    for secret in secrets | pairs:
        literals = tuple(base64_forms(secret))
        plain = f"(?:{'|'.join(map(re.escape, literals))})={{0,2}}"
        hidden.append(_Form(secret, in_base64(secret), plain, len(secret) < _SHORT, literals))
    return sorted(hidden, key=lambda form: (form.word, -len(form.secret), form.escaped))


def _joined(patterns: Iterable[str]) -> re.Pattern[str]:
    """Match any of *patterns*, the first that does; nothing where there are none."""
    return re.compile("|".join(patterns) or "(?!)")


def _variants(secrets: Iterable[str]) -> set[str]:
    """Return *secrets*, and what they are without the escapes of a URL and without spaces around them."""
    found = {form for secret in secrets for form in (secret, unquote(secret))}
    return {form for secret in found for form in (secret, secret.strip()) if form.strip()}


def _without_numbers(value: str) -> str:
    value = _NUMBER.sub(_mask, value)
    return _GROUPS.sub(_mask_groups, value) if _SEPARATED.search(value) else value


def masked(number: str) -> str:
    """Return a phone number, or what a producer gave for one, as it may be shown: its ends alone."""
    if len(number) <= 2 * _ENDS:
        return "*" * len(number)
    return number[:_ENDS] + "*" * (len(number) - 2 * _ENDS) + number[-_ENDS:]


def _mask(match: re.Match[str]) -> str:
    number = match.group()
    return number[:_ENDS] + "*" * (len(number) - 2 * _ENDS) + number[-_ENDS:]


def _mask_groups(match: re.Match[str]) -> str:
    groups = match.group()
    if sum(map(str.isdigit, groups)) < _FEWEST or _NO_NUMBER.fullmatch(groups):
        return groups
    return _mask(match)
