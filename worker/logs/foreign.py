"""What of exceptions and of libraries' lines may be in a log: who failed where, and no value of anybody's.

The words of an exception, and the objects that asyncio lists below a line, hold whatever the failing code had
in hand: texts and numbers in spellings that no redaction knows.
"""

import re
import sys
import traceback
from collections.abc import Iterator

import structlog
from structlog.typing import EventDict, WrappedLogger

ADDRESS = re.compile(r"(?: object)? at 0x[0-9a-fA-F]+")
"""Where an object is in memory: another place each time."""


def first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave of a library's sentence the first line: the objects that it is about stand below."""
    event["event"] = ADDRESS.sub("", str(event.get("event", "")).partition("\n")[0])
    return event


def exception_in(exc_info: object) -> BaseException | None:
    """Return the exception that *exc_info* means, as the standard logging and structlog pass it."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def outline(error: BaseException) -> str:
    """Return the traceback of *error* and, before it, of what led to it: with kinds and no words."""
    parts = [
        f"{''.join(traceback.format_tb(one.__traceback__))}{type(one).__name__}" for one in _chain(error)
    ]
    return "\n\n".join(reversed(parts))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def with_tracebacks(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Turn what an event says of a stack or an exception into text."""
    if "stack_info" in event:
        event = _stack_as_text(logger, method, event)
    if "exc_info" in event and (error := exception_in(event.pop("exc_info"))) is not None:
        event["exception"] = outline(error)
    return event


_stack_as_text = structlog.processors.StackInfoRenderer()
