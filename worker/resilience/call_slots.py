"""How many calls may be in flight, with some kept for urgent ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


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

    @asynccontextmanager
    async def one(self, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a slot for the block."""
        async with AsyncExitStack() as held:
            if not urgent:
                await held.enter_async_context(self._bulk)
            await held.enter_async_context(self._all)
            self.in_use += 1
            try:
                yield
            finally:
                self.in_use -= 1
