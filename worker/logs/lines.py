"""A line on its way out: made clean text, rendered, written.

The redaction is the last safety net of the logs: credentials become ``***``, phone numbers lose their middle.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from time import gmtime, strftime, time_ns

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.domain.trace import TRACEPARENT, trace_ids
from worker.logs.foreign import ADDRESS, with_tracebacks
from worker.logs.spellings import BEHIND_AN_ESCAPE, ESCAPED, forms_of, joined

HIDDEN = "***"

# Named by producers or by us; a job id made of digits must stay findable.
_KEPT = frozenset({"job_id", "message_id", "correlation_id", "traceparent", "timestamp"})
_PLAIN = frozenset({int, float, bool, type(None)})

# 10 to 15 digits (E.164), not inside a longer hexadecimal id; an escape may stand right before them. What it
# begins with is looked at first, as that takes least time.
_NUMBER = re.compile(
    rf"(?=[+\d])(?:(?<![0-9a-fA-F])|{BEHIND_AN_ESCAPE})"
    r"(?:\+\d(?:[ \-]?\d){9,14}|\d{10,15})(?![0-9a-fA-F])"
)
# What stands between groups of digits, as it is or escaped for a URL, HTML or JSON: blanks, dashes, dots.
_PLAIN_GAPS = r" .()\-\u00a0\u2007\u2009\u200b-\u200f\u202f\u2010-\u2015\u2060\ufeff"
_GAP = (
    rf"(?:[+{_PLAIN_GAPS}]|%(?:25){{0,2}}(?:20|2[89BbDdEe]|[Cc]2%(?:25){{0,2}}[Aa]0)"
    r"|&(?:amp;){0,2}(?:nbsp|#160|#32|#[xX][aA]0|#[xX]20);|\\{1,4}(?:u00[aA]0|u0020|x[aA]0))"
)
# Groups of digits such as "98765 40002" and "(098765)40004"; not the end of a hyphenated word or of a time.
_GROUPS = re.compile(
    rf"(?=[+(\d])(?:(?<![0-9A-Za-z])|{BEHIND_AN_ESCAPE})(?<![0-9A-Za-z]-)(?<![0-9][.:])"
    rf"[+(]{{0,2}}\d{{1,15}}(?:{_GAP}{{1,3}}\d{{1,15}})+(?![0-9a-fA-F])(?!-[0-9A-Za-z])",
    re.ASCII,
)
_SEPARATED = re.compile(rf"[0-9](?:[+{_PLAIN_GAPS}]{{1,3}}[0-9]|[%&\\])")  # found sooner than groups are
_NO_NUMBER = re.compile(
    r"\d{4}([-.])\d\d\1\d\d(?: \d\d?)?|\d\d([-.])\d\d\2\d{4}(?: \d\d?)?"  # a date, perhaps with the hour
    r"|(?:\d{1,3}\.){3}\d{1,3}"  # an IPv4 address
    r"|\d+\.\d{1,4}|\d{1,4}\.\d+"  # seconds, an amount
    r"|\d{1,3}\.\d{1,3}(?: \d{1,3}\.\d{1,3})+"  # several of these
)
_FEWEST = 7  # digits
_ENDS = 2
# Events, kinds, results, codes: the same few words in every line. Longer texts are read each time.
_WORD = 40  # characters
_WORDS = 1024
_HEADS = 512  # level, event and logger come in few combinations; those of libraries may be many


class Redaction:
    """A structlog processor that cleans every value of an event, nested ones and tracebacks included.

    Args:
        secrets: hidden wherever they occur, in any spelling; those under 6 characters only as whole words.
        names: hidden as whole words.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        forms = forms_of(secrets, names)
        self._plain = joined(form.pattern(escaped=False) for form in forms)
        self._escaped = joined(form.pattern(escaped=True) for form in forms)
        # One of these stands in each text that `_plain` finds something in.
        self._literals = tuple({one for form in forms for one in form.literals})
        self._word = lru_cache(_WORDS)(self.text)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Return the event with clean values; a stack or an exception is text by then."""
        if "exc_info" in event or "stack_info" in event:
            event = with_tracebacks(logger, method, event)
        for key, value in event.items():
            kind = type(value)
            if kind is str:
                if key in _KEPT:
                    event[key] = self.text(value, numbers=False)
                else:
                    event[key] = self._word(value) if len(value) <= _WORD else self.text(value)
            elif kind not in _PLAIN:
                event[key] = self._clean(value, numbers=key not in _KEPT)
        return event

    def text(self, value: str, *, numbers: bool = True) -> str:
        """Return *value* without secrets and, unless *numbers* is false, with masked phone numbers."""
        if ESCAPED.search(value):
            value = self._escaped.sub(HIDDEN, value)
        else:
            for literal in self._literals:
                if literal in value:
                    value = self._plain.sub(HIDDEN, value)
                    break
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


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the trace of the job at work, by the names of OpenTelemetry for logs that are not OTLP."""
    traceparent = TRACEPARENT.get()
    if traceparent is not None:
        event["trace_id"], event["span_id"] = trace_ids(traceparent)
    return event


class JsonLines:
    """Renders an event, clean by now, as one JSON object in one line.

    What all lines of one kind share is rendered once: a line costs its own keys and no more.

    Args:
        service: the service's name and version.
    """

    def __init__(self, service: tuple[str, str]) -> None:
        name, version = service
        self._service = _encode({"service.name": name, "service.version": version})[1:-1]
        self._head = lru_cache(_HEADS)(self._rendered_head)
        self._second, self._moment = -1, ""

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """Return the line, without its end; every value is plain by now."""
        if TRACEPARENT.get() is not None:
            event = add_trace(logger, method, event)
        head = self._head(event.pop("level"), event.pop("event"), event.pop("logger"))
        second, rest = divmod(time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._moment = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        keys = f", {_encode(event)[1:-1]}" if event else ""
        return f'{{"timestamp": "{self._moment}.{rest // 1000:06d}Z"{head}{keys}}}'

    def _rendered_head(self, level: str, event: object, logger: str) -> str:
        head = _encode({"level": level, "event": event, "logger": logger})[1:-1]
        return f", {head}, {self._service}"


def console() -> list[Processor]:
    """Render for people; the names of the service would only be in their way."""
    colors = sys.stderr.isatty()
    return [
        add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


_encode = json.JSONEncoder(check_circular=False).encode


class StderrLogger:
    """Writes lines to whatever ``sys.stderr`` is at the time.

    A log line that cannot be written is lost, not raised: no job may fail for it.
    """

    def __init__(self, name: str = "worker") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line, in one piece."""
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = warn = error = critical = fatal = exception = log = failure = msg


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
