"""At most so many calls a second."""

import asyncio
from collections.abc import Callable

from worker.domain.errors import LedgerUnavailableError
from worker.ports import Clock, TokenSource

_STORE_AWAY = 1.0  # seconds until a shared bucket that cannot be reached is asked again


class RateLimiter:
    """A token bucket that holds one second's worth. Who waits for a token stands in line elsewhere.

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
        self._spare = 0
        self._alone = True
        self._wanted: Callable[[], None] | None = None
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

    def take(self) -> bool:
        """Take the token for one call, if there is one."""
        if not self._whole_rate:
            return True
        if self._shared is None:
            return self._own_token() == 0
        if self._spare:
            self._spare -= 1
            return True
        return False

    def give_back(self) -> None:
        """Keep a token that nobody is going to use."""
        if self._shared is None:
            self._tokens += 1
        else:
            self._spare += 1

    def when_there_is_one(self, tell: Callable[[], None]) -> None:
        """Call *tell* once, as soon as `take` may succeed."""
        self._wanted = tell
        if self._pump is None:
            self._pump = asyncio.create_task(self._serve())

    def close(self) -> None:
        """Serve nobody any more."""
        if self._pump is not None:
            self._pump.cancel()

    async def _serve(self) -> None:
        """Wait for each token that is wanted, until none is."""
        while (tell := self._wanted) is not None:
            if (wait := await self._wait()) > 0:
                await self._clock.sleep(wait)
                continue
            self._wanted = None
            tell()
        self._pump = None

    async def _wait(self) -> float:
        """Return the seconds until there is a token; 0 where there is one."""
        if self._shared is None:
            self._fill()
            return max(1 - self._tokens, 0) / self._rate
        try:
            wait = await self._shared.take()
        except LedgerUnavailableError:
            return _STORE_AWAY
        self._spare += wait <= 0
        return wait

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
