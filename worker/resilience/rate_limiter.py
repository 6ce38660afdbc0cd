"""At most so many calls a second, urgent ones first."""

import asyncio
import heapq
from itertools import count

from worker.ports import Clock


class RateLimiter:
    """A token bucket that holds one second's worth.

    Args:
        rate: calls a second; 0 for no limit.
        clock: time.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._whole_rate = rate
        self._rate = rate
        self._clock = clock
        self._tokens = self._size
        self._filled_at = clock.elapsed()
        self._line: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._pump: asyncio.Task[None] | None = None

    @property
    def _size(self) -> float:
        return max(self._rate, 1.0)

    def share_with(self, workers: int) -> None:
        """Take an equal share of the rate among *workers* (this one included)."""
        self._fill()
        self._rate = self._whole_rate / max(workers, 1)
        self._tokens = min(self._tokens, self._size)

    async def take(self, *, urgent: bool) -> None:
        """Wait for the leave to make one call."""
        if not self._whole_rate:
            return
        self._fill()
        if not self._line and self._tokens >= 1:
            self._tokens -= 1
            return
        leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (not urgent, next(self._numbers), leave))
        if self._pump is None:
            self._pump = asyncio.create_task(self._serve())
        try:
            await leave
        except asyncio.CancelledError:
            if leave.done() and not leave.cancelled():
                self._tokens += 1  # it was given, and nobody is going to use it
            raise

    def close(self) -> None:
        """Serve nobody any more."""
        if self._pump is not None:
            self._pump.cancel()

    async def _serve(self) -> None:
        """Hand out tokens as they come, to the first in line that still waits."""
        while self._line:
            self._fill()
            if self._tokens < 1:
                await self._clock.sleep((1 - self._tokens) / self._rate)
                continue
            leave = heapq.heappop(self._line)[-1]
            if not leave.done():
                self._tokens -= 1
                leave.set_result(None)
        self._pump = None

    def _fill(self) -> None:
        now = self._clock.elapsed()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
