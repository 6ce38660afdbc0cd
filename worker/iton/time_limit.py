"""A time limit that a stopped process does not hold against the other side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STOPPED = 0.5  # seconds; a timer that is so late was held up by more than a busy event loop
_GRACE = 1.0  # seconds


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """End the block after *seconds* with TimeoutError, as ``asyncio.timeout`` does.

    An event loop looks at its timers before it looks at its sockets. A process that was stopped (SIGSTOP, a
    frozen container) would so throw away a reply that came in meanwhile, and its message ids with it. Where
    the limit has passed unseen, the block gets a second more to read what is there.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    async with asyncio.timeout(None) as limit:

        def passed() -> None:
            now = loop.time()
            limit.reschedule(now + _GRACE if now - due > _STOPPED else now)

        timer = loop.call_at(due, passed)
        try:
            yield
        finally:
            timer.cancel()
