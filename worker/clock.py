"""The system's clocks, behind the `Clock` port."""

import asyncio
import time
from datetime import UTC, datetime

# Linux: CLOCK_BOOTTIME goes on while the machine is suspended, CLOCK_MONOTONIC does not.
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        """Wall-clock time, UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds since the machine started, suspended time included."""
        return time.clock_gettime(_ELAPSED)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
