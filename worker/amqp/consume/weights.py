"""Several heavy things at once, up to a weight in all."""

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Weights:
    """Lets the first in line through as soon as there is room for it; one that is alone has room always.

    Args:
        most: that may be held at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._line: deque[tuple[int, Future[None]]] = deque()
        self.held = 0

    @asynccontextmanager
    async def holding(self, weight: int) -> AsyncIterator[None]:
        """Hold *weight* for the block."""
        await self._take(weight)
        try:
            yield
        finally:
            self._give_back(weight)

    async def _take(self, weight: int) -> None:
        if not self._line and self._fits(weight):
            self.held += weight
            return
        turn: Future[None] = get_running_loop().create_future()
        self._line.append((weight, turn))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._give_back(weight)
            else:
                self._let_in()  # a lighter one behind it may fit
            raise

    def _give_back(self, weight: int) -> None:
        self.held -= weight
        self._let_in()

    def _let_in(self) -> None:
        while self._line:
            weight, turn = self._line[0]
            if not turn.done():
                if not self._fits(weight):
                    return
                self.held += weight
                turn.set_result(None)
            self._line.popleft()

    def _fits(self, weight: int) -> bool:
        return not self.held or self.held + weight <= self._most
