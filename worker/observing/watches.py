"""What nobody reports and must be looked at every so often."""

import math
from dataclasses import dataclass
from typing import Protocol

from worker.domain.errors import LedgerUnavailableError
from worker.metrics import Metrics
from worker.ports import Clock

_LEDGER_EVERY = 30.0  # seconds; the scrapes of a minute see every other look
_LOOP_EVERY = 1.0


class Sized(Protocol):
    """A store that may know how much it holds."""

    async def entries(self) -> int | None:
        """Return the number of entries, None where the store cannot tell; LedgerUnavailableError."""
        ...

    async def size(self) -> int | None:
        """Return the bytes that they take, None where the store cannot tell; LedgerUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerSizeWatch:
    """Looks how many entries the ledger holds, and how much room they take."""

    ledger: Sized
    metrics: Metrics
    clock: Clock

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await self.clock.sleep(_LEDGER_EVERY)

    async def look(self) -> None:
        """Look once; while the store is away nobody knows."""
        try:
            entries, size = await self.ledger.entries(), await self.ledger.size()
        except LedgerUnavailableError:
            entries = size = None
        self.metrics.ledger.entries.set(math.nan if entries is None else entries)
        self.metrics.ledger.size.set(math.nan if size is None else size)


@dataclass(frozen=True, slots=True)
class LoopWatch:
    """Measures how late the event loop is."""

    metrics: Metrics
    clock: Clock

    async def run(self) -> None:
        """Measure, for ever."""
        while True:
            await self.look()

    async def look(self) -> None:
        """Sleep once, and see how long it took."""
        started = self.clock.elapsed()
        await self.clock.sleep(_LOOP_EVERY)
        late = self.clock.elapsed() - started - _LOOP_EVERY
        self.metrics.process.loop_lag.observe(max(0.0, late))
