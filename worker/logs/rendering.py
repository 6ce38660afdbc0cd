"""The last steps of a line: the names that every line has, then JSON or something for people."""

import json
import sys
from datetime import UTC, datetime
from functools import lru_cache

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.domain.trace import TRACEPARENT, trace_ids

_HEADS = 512  # level, event and logger come in few combinations; those of libraries may be many


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

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """Return the line, without its end; every value is plain by now."""
        head = self._head(event.pop("level"), event.pop("event"), event.pop("logger"))
        # isoformat leaves out what is zero; one form for all keeps the lines in order as text.
        moment = datetime.now(UTC).isoformat(timespec="microseconds")[:-6]
        keys = f", {_encode(event)[1:-1]}" if event else ""
        return f'{{"timestamp": "{moment}Z"{head}{keys}}}'

    def _rendered_head(self, level: str, event: object, logger: str) -> str:
        head = _encode({"level": level, "event": event, "logger": logger})[1:-1]
        return f", {head}, {self._service}"


def console() -> list[Processor]:
    """Render for people; the names of the service would only be in their way."""
    colors = sys.stderr.isatty()
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


_encode = json.JSONEncoder(check_circular=False).encode
