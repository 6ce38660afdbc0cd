"""One at a time for each key."""

from asyncio import Future, get_running_loop
from collections import deque
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class _Hold:
    """A key, held for the block."""

    lines: dict[str, deque[Future[None]]]
    key: str

    async def __aenter__(self) -> None:
        line = self.lines.get(self.key)
        if line is None:
            # Nobody has it, as nearly always.
            self.lines[self.key] = deque()
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
        if self.lines[self.key]:
            self._pass_on()
        else:
            del self.lines[self.key]

    def _pass_on(self) -> None:
        """Give the key to the first in line that still waits."""
        line = self.lines[self.key]
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self.lines[self.key]


class KeyedLock:
    """Locks by key that vanish when nobody holds or awaits them; first come, first served."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Future[None]]] = {}

    def holding(self, key: str) -> _Hold:
        """Hold the key's lock for the block."""
        return _Hold(self._lines, key)
