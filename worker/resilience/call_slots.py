"""How many calls may be in flight, with some kept for urgent ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CallSlots:
    """Bulk work fills all slots but the reserved ones; urgent work may take any.

    Args:
        total: calls in flight at the most.
        reserved: of these, never taken by bulk work.

    Attributes:
        in_use: slots held right now.
    """

    def __init__(self, total: int, reserved: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._bulk = asyncio.Semaphore(max(total - reserved, 1))
        self.in_use = 0

    def free(self, *, urgent: bool) -> bool:
        """Tell whether `take` would not wait."""
        return not self._all.locked() and (urgent or not self._bulk.locked())

    async def take(self, *, urgent: bool) -> None:
        """Wait for a slot; `give_back` must follow."""
        if not urgent:
            await self._bulk.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            if not urgent:
                self._bulk.release()
            raise
        self.in_use += 1

    def give_back(self, *, urgent: bool) -> None:
        """Free a slot."""
        self.in_use -= 1
        self._all.release()
        if not urgent:
            self._bulk.release()

    @asynccontextmanager
    async def one(self, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a slot for the block."""
        await self.take(urgent=urgent)
        try:
            yield
        finally:
            self.give_back(urgent=urgent)
