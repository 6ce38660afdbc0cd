"""The balance as a fleet reads it: one worker at a time, each building on the reading before.

Readings are taken in turns by compare-and-swap: whoever reads writes first that it does, then what it read.
So no fall is counted twice, and one that a worker saw in front of its death is counted by the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from worker.domain.balance import Balance, Movement, decode, encode, movement
from worker.domain.errors import UnavailableError
from worker.ports import Ledger, Stored

_EARLY = 0.9  # of the interval: the workers' clocks need not agree to the second


@dataclass(frozen=True, slots=True)
class Turn:
    """What was known when a worker asked for its turn.

    Attributes:
        token: of the entry as this worker wrote it; None where it is not its turn, or nobody can tell.
        known: by then.
        waits: another worker has read it lately.
    """

    token: str | None
    known: Balance
    waits: bool = False


@dataclass(frozen=True, slots=True)
class BalanceBook:
    """Gives the workers of a fleet their turns. Without the ledger a reading is only not counted.

    Attributes:
        key: of the entry; another account has another.
        draw_token: returns a fresh unique token for each write.
        store_time: seconds since the epoch by the ledger's clock.
    """

    ledger: Ledger
    key: str
    draw_token: Callable[[], str]
    store_time: Callable[[], float]

    async def turn(self, interval: float, *, at_once: bool) -> Turn:
        """Ask for the turn to read.

        Args:
            interval: seconds between two readings of the fleet.
            at_once: however long the last one is ago.
        """
        try:
            stored = await self.ledger.load(self.key)
            known = decode(stored.state) if stored else Balance()
            now = self.store_time()
            if not at_once and 0 <= now - known.at < _EARLY * interval:
                return Turn(None, known, waits=True)
            taken = await self._written(stored.token if stored else None, replace(known, at=now))
        except UnavailableError:
            return Turn(None, Balance())
        return Turn(taken, known, waits=taken is None and not at_once)

    async def read(self, turn: Turn, left: Decimal, *, low: bool) -> Movement | None:
        """Note a reading; return how the balance moved, where that is this worker's to count."""
        if turn.token is None:
            return None
        try:
            written = await self._written(turn.token, Balance(self.store_time(), left, low))
        except UnavailableError:
            return None
        return movement(turn.known, left) if written else None

    async def told(self) -> None:
        """Note that the fall below the threshold is published: no other worker says it again."""
        try:
            stored = await self.ledger.load(self.key)
            if stored is not None:
                await self._written(stored.token, replace(decode(stored.state), low=True))
        except UnavailableError:
            return

    async def _written(self, expected: str | None, balance: Balance) -> str | None:
        """Return the token of what was written; None where another worker was first."""
        token = self.draw_token()
        stands = await self.ledger.swap(self.key, expected=expected, new=Stored(token, encode(balance)))
        return token if stands else None
