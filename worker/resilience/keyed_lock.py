"""One at a time for each key."""

from asyncio import Future, get_running_loop
from collections import deque
from types import TracebackType


class _Hold:
    """A key, held for the block."""

    __slots__ = ("_key", "_lines")

    def __init__(self, lines: "dict[str, deque[Future[None]]]", key: str) -> None:
        self._lines = lines
        self._key = key

    async def __aenter__(self) -> None:
        line = self._lines.get(self._key)
        if line is None:
            # Nobody has it, as nearly always.
            self._lines[self._key] = deque()
            return
        turn: Future[None] = get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the key to the first in line that still waits."""
        line = self._lines[self._key]
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._lines[self._key]


class KeyedLock:
    """Locks by key that vanish when nobody holds or awaits them; first come, first served."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Future[None]]] = {}

    def holding(self, key: str) -> _Hold:
        """Hold the key's lock for the block."""
        return _Hold(self._lines, key)
