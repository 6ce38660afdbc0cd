"""A time limit that a stopped process does not hold against the other side."""

import asyncio
from types import TracebackType

_STOPPED = 0.5  # seconds; a timer that is so late was held up by more than a busy event loop
_GRACE = 1.0  # seconds


class time_limit:  # noqa: N801 - named like `asyncio.timeout`, of which it is a kind
    """End the block after *seconds* with TimeoutError, as ``asyncio.timeout`` does.

    An event loop looks at its timers before it looks at its sockets. A process that was stopped (SIGSTOP, a
    frozen container) would so throw away a reply that came in meanwhile, and its message ids with it. Where
    the limit has passed unseen, the block gets a second more to read what is there.
    """

    __slots__ = ("_due", "_limit", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        """Begin to count."""
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._seconds
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._timer = self._loop.call_at(self._due, self._passed)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting; turn the cancellation that the limit brought into a TimeoutError."""
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _passed(self) -> None:
        now = self._loop.time()
        self._limit.reschedule(now + _GRACE if now - self._due > _STOPPED else now)
