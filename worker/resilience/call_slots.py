"""How many calls may be in flight, with some kept for urgent ones."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

from worker.resilience.call_limit import CallLimit

_SHARE = 0.2  # of few slots, as far as so many are reserved at all


class CallSlots:
    """Bulk work fills all slots but the reserved ones; urgent work may take any, and goes first.

    Args:
        total: calls in flight at the most.
        reserved: of these, never taken by bulk work; fewer while there are few.
        adapting: finds out how many suit the gateway; None: always *total*.

    Attributes:
        limit: calls in flight at present.
        in_use: slots held right now. More than the limit only just after that went down.
    """

    def __init__(self, total: int, reserved: int, adapting: CallLimit | None = None) -> None:
        self._adapting = adapting
        self._total = total
        self._reserved = reserved
        self._bulk_in_use = 0
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}
        self.limit = adapting.value if adapting else total
        self.in_use = 0

    def free(self, *, urgent: bool) -> bool:
        """Tell whether `take` would not wait."""
        if self._has_waiting(urgent=True) or (not urgent and self._has_waiting(urgent=False)):
            return False
        return self._has_room(urgent=urgent)

    def served(self, kind: str, seconds: float) -> None:
        """A call was answered, *seconds* after it went out."""
        if self._adapting:
            self._adapting.served(kind, seconds, full=self._is_full)
            self._follow(self._adapting.value)

    def refused(self, kind: str) -> bool:
        """A call was turned away; tell whether it was one too many, and there are fewer from now on."""
        one_too_many = self._adapting is not None and self._adapting.refused(kind)
        if self._adapting:
            self._follow(self._adapting.value)
        return one_too_many

    def restart(self) -> None:
        """An outage is over: begin with few."""
        if self._adapting:
            self._adapting.restart()
            self._follow(self._adapting.value)

    async def take(self, *, urgent: bool) -> None:
        """Wait for a slot; `give_back` must follow."""
        if self.free(urgent=urgent):
            self._count(1, urgent=urgent)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[urgent].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(urgent=urgent)
            raise

    def give_back(self, *, urgent: bool) -> None:
        """Free a slot."""
        self._count(-1, urgent=urgent)
        self._let_in()

    @asynccontextmanager
    async def one(self, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a slot for the block."""
        await self.take(urgent=urgent)
        try:
            yield
        finally:
            self.give_back(urgent=urgent)

    def _follow(self, limit: int) -> None:
        if limit != self.limit:
            self.limit = limit
            self._let_in()

    @property
    def _is_full(self) -> bool:
        """Whether a higher limit would be used: by bulk work alone it is never reached."""
        waiting = self._has_waiting(urgent=True) or self._has_waiting(urgent=False)
        return waiting or self.in_use >= self.limit

    def _let_in(self) -> None:
        for urgent in (True, False):
            while self._has_waiting(urgent=urgent) and self._has_room(urgent=urgent):
                self._count(1, urgent=urgent)
                self._waiting[urgent].popleft().set_result(None)

    def _has_waiting(self, *, urgent: bool) -> bool:
        line = self._waiting[urgent]
        while line and line[0].done():
            line.popleft()
        return bool(line)

    def _has_room(self, *, urgent: bool) -> bool:
        if self.in_use >= self.limit:
            return False
        return urgent or self._bulk_in_use < max(self.limit - self._kept_free(), 1)

    def _kept_free(self) -> int:
        share = max(self._reserved * self.limit / self._total, self.limit * _SHARE)
        return min(self._reserved, ceil(share))

    def _count(self, step: int, *, urgent: bool) -> None:
        self.in_use += step
        if not urgent:
            self._bulk_in_use += step
