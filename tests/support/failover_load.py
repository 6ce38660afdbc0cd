"""Claims by two workers amid failovers, counted: what is lost afterwards, and what both were given."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.failover_pairs import Pair
from worker.domain.errors import LedgerUnavailableError
from worker.ledger import AnyLedger
from worker.ports import Stored

_CALLERS = 20
_GIVE_UP = 40.0  # seconds after which a store is not coming back
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of the claims.

    Attributes:
        claims: that were acknowledged.
        lost: of those, the ones that the store does not have as they were written.
        doubled: keys that two workers were both given.
        longest: seconds that the longest claim took, failovers included.
    """

    claims: int
    lost: int
    doubled: int
    longest: float

    def words(self) -> str:
        """Return it in a line."""
        return (
            f"{self.claims} claims acknowledged, {self.lost} lost, {self.doubled} doubled, "
            f"the longest took {self.longest:.1f} s"
        )


class _Load:
    """Workers that claim the same keys, each key once, and repeat a claim whose answer is lost."""

    def __init__(self, ledgers: Sequence[AnyLedger]) -> None:
        self._ledgers = ledgers
        self._ends = False
        self.given: list[tuple[str, Stored]] = []
        self.longest = 0.0

    async def run(self) -> None:
        """Claim until told to end."""
        await asyncio.gather(*(self._caller(number) for number in range(_CALLERS)))

    def end(self) -> None:
        """Have all claims under way be the last."""
        self._ends = True

    async def _caller(self, number: int) -> None:
        count = 0
        while not self._ends:
            count += 1
            key = f"job-{number}-{count}"
            # One after the other, as a broker hands out again what it did not see acknowledged.
            for ledger in self._ledgers:
                await self._claim(ledger, key)

    async def _claim(self, ledger: AnyLedger, key: str) -> None:
        new = Stored(uuid.uuid4().hex, b"calling")
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < _GIVE_UP:
            try:
                if await ledger.swap(key, expected=None, new=new):
                    self.given.append((key, new))
                break
            except LedgerUnavailableError:
                await asyncio.sleep(_PAUSE)
        self.longest = max(self.longest, loop.time() - began)


async def claim_amid_failovers(
    pair: Pair, ledgers: Sequence[AnyLedger], *, times: int, every: float, stall: float = 0.0
) -> Counted:
    """Fail over so many *times*, *every* so many seconds, while *ledgers* claim; then look what is there."""
    for ledger in ledgers:
        await ledger.check()
    load = _Load(ledgers)
    running = asyncio.create_task(load.run())
    for _ in range(times):
        await asyncio.sleep(every)
        await asyncio.to_thread(pair.fail_over, stall=stall)
        await asyncio.sleep(every)
        await asyncio.to_thread(pair.heal)
    load.end()
    await running
    found = await asyncio.gather(*(ledgers[0].load(key) for key, _ in load.given))
    keys = {key for key, _ in load.given}
    return Counted(
        claims=len(load.given),
        lost=sum(there != new for there, (_, new) in zip(found, load.given, strict=True)),
        doubled=len(load.given) - len(keys),
        longest=load.longest,
    )
