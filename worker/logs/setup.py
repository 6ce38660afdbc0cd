"""Logs: one JSON object a line or readable console lines on stderr, redacted on the way out.

Lines of our own go from structlog straight to the stream; those of libraries come in through the standard
``logging`` and pass the same processors. stdout stays free for what a command prints.
"""

import contextlib
import logging
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.logs.foreign import exception_in, first_line, outline
from worker.logs.redaction import Redaction
from worker.logs.rendering import JsonLines, add_trace, console

SERVICE = "iton-worker"

LogFormat = Literal["json", "console"]

# These name whole URLs at INFO. (The AMQP libraries are silenced where they are used.)
_TALKATIVE = ("httpx", "httpcore", "aiohttp", "asyncio")


def configure_logs(
    *,
    level: str = "info",
    form: LogFormat | None = None,
    secrets: Iterable[str] = (),
    names: Iterable[str] = (),
    service: str = SERVICE,
) -> None:
    """Set up structlog and ``logging`` for the whole process; may be called again.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``; lines below it cost next to nothing.
        form: None: console where stderr is a terminal, else json.
        secrets: replaced by ``***`` wherever they turn up.
        names: the same, but only as whole words (a user name may be a common word).
        service: the service's name in JSON lines.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    form = form or ("console" if sys.stderr.isatty() else "json")
    shared = _shared_processors(Redaction(secrets, names))
    rendering = [JsonLines((service, version(SERVICE)))] if form == "json" else console()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_NamedLogger,
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(threshold, shared, rendering)


class _NamedLogger:
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


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Writes to whatever ``sys.stderr`` is at the time, and never about its own trouble."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in logging.Handler
        """Say which line failed and nothing of its content, which was not redacted yet."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f'{{"level": "error", "event": "log.failed", "logger": "{record.name}"}}\n')


def _shared_processors(redaction: Redaction) -> list[Processor]:
    """Return what both kinds of lines pass; each costs every line something, so there are no more."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        # Before the redaction, so that a traceback is text by then.
        _add_tracebacks,
        redaction,
        add_trace,
    ]


def _add_tracebacks(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Turn what an event says of a stack or an exception into text; most say nothing."""
    if "stack_info" in event:
        event = _stack_as_text(logger, method, event)
    if "exc_info" in event and (error := exception_in(event.pop("exc_info"))) is not None:
        event["exception"] = outline(error)
    return event


_stack_as_text = structlog.processors.StackInfoRenderer()


def _route_standard_logging(threshold: int, shared: list[Processor], rendering: Sequence[Processor]) -> None:
    """Send every library's lines through the same processors."""
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:-2], first_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shared[-2:],
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(
            threshold if threshold <= logging.DEBUG else max(threshold, logging.WARNING)
        )
    logging.captureWarnings(capture=True)
