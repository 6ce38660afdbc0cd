"""A worker's clocks inside the world."""

import asyncio
from datetime import UTC, datetime, timedelta

_BEGINNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


class WorldClock:
    """Time of the world; each worker has one, whose wall clock can be set wrong.

    Attributes:
        wrong_by: seconds that the wall clock is ahead.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.wrong_by = 0.0

    def now(self) -> datetime:
        """Wall-clock time, UTC."""
        return _BEGINNING + timedelta(seconds=self._loop.time() + self.wrong_by)

    def elapsed(self) -> float:
        """Seconds that only run forward."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def moment(at: float) -> datetime:
    """Return what a right wall clock shows at *at* of the loop."""
    return _BEGINNING + timedelta(seconds=at)
