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
from structlog.typing import Processor

from worker.logs.foreign import first_line
from worker.logs.lines import JsonLines, Redaction, StderrLogger, console

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
    named: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    rendering = [JsonLines((service, version(SERVICE)))] if form == "json" else console()
    # Each costs every line something, so there are no more.
    leaving = [Redaction(secrets, names), *rendering]
    structlog.configure(
        processors=[*named, *leaving],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=StderrLogger,
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(threshold, named, leaving)


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


def _route_standard_logging(threshold: int, named: Sequence[Processor], leaving: Sequence[Processor]) -> None:
    """Send every library's lines through the same processors."""
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*named, first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *leaving],
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
