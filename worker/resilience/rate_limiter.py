"""At most so many calls a second, urgent ones first."""

import asyncio
import heapq
from itertools import count

from worker.domain.errors import LedgerUnavailableError
from worker.ports import Clock, TokenSource

_STORE_AWAY = 1.0  # seconds until a shared bucket that cannot be reached is asked again


class RateLimiter:
    """A token bucket that holds one second's worth.

    Args:
        rate: calls a second; 0 for no limit.
        clock: time.
        shared: a bucket of the whole fleet, in place of one of our own.
    """

    def __init__(self, rate: float, clock: Clock, *, shared: TokenSource | None = None) -> None:
        self._shared = shared
        self._whole_rate = rate
        self._rate = rate
        self._clock = clock
        self._tokens = self._size
        self._filled_at = clock.elapsed()
        self._line: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._spare = 0
        self._alone = True
        self._pump: asyncio.Task[None] | None = None

    @property
    def _size(self) -> float:
        return max(self._rate, 1.0)

    @property
    def limits(self) -> bool:
        """Whether there is a limit at all."""
        return self._whole_rate > 0

    @property
    def shares(self) -> bool:
        """Whether each worker keeps to a share of the limit, for want of a bucket of the whole fleet."""
        return self.limits and self._shared is None

    def share_with(self, workers: int) -> None:
        """Take an equal share of the rate among *workers* (this one included).

        Who joins others brings no burst: theirs may have been spent just now.
        """
        self._fill()
        joins, self._alone = self._alone and workers > 1, workers <= 1
        self._rate = self._whole_rate / max(workers, 1)
        self._tokens = 0.0 if joins else min(self._tokens, self._size)

    async def take(self, *, urgent: bool) -> None:
        """Wait for the leave to make one call."""
        if not self._whole_rate:
            return
        if not self._shared and not self._line and self._own_token() == 0:
            return
        leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (not urgent, next(self._numbers), leave))
        if self._pump is None:
            self._pump = asyncio.create_task(self._serve())
        try:
            await leave
        except asyncio.CancelledError:
            if leave.done() and not leave.cancelled():
                self._give_back()
            raise

    def close(self) -> None:
        """Serve nobody any more."""
        if self._pump is not None:
            self._pump.cancel()

    async def _serve(self) -> None:
        """Hand out tokens as they come, to the first in line that still waits."""
        while self._line:
            if (wait := await self._token()) > 0:
                await self._clock.sleep(wait)
                continue
            while self._line and (leave := heapq.heappop(self._line)[-1]).done():
                pass
            if leave.done():
                self._give_back()
            else:
                leave.set_result(None)
        self._pump = None

    async def _token(self) -> float:
        """Take a token and return 0, else the seconds to wait for one."""
        if not self._shared:
            return self._own_token()
        if self._spare:
            self._spare -= 1
            return 0.0
        try:
            return await self._shared.take()
        except LedgerUnavailableError:
            return _STORE_AWAY

    def _give_back(self) -> None:
        """Keep a token that nobody is going to use."""
        if self._shared:
            self._spare += 1
        else:
            self._tokens += 1

    def _own_token(self) -> float:
        self._fill()
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0

    def _fill(self) -> None:
        now = self._clock.elapsed()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
