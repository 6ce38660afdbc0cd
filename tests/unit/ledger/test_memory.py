"""The ledger in memory beyond what every ledger promises."""

from tests.contract.ledger_backends import SteppedClock, entry
from worker.ledger import MemoryLedger


class TestGrowth:
    """What has expired makes room."""

    async def test_a_long_life_takes_no_more_room(self) -> None:
        """With an entry a second and a minute's retention, at most about a minute's entries are held."""
        clock = SteppedClock()
        ledger = MemoryLedger(retention=60, clock=clock)
        for number in range(1000):
            await ledger.swap(f"job-{number}", expected=None, new=entry())
            clock.advance(1)
        assert await ledger.entries() == 60

    async def test_a_burst_that_expired_is_cleared_by_a_few_writes(self) -> None:
        """Each write drops some, none drops all."""
        clock = SteppedClock()
        ledger = MemoryLedger(retention=60, clock=clock)
        for number in range(800):
            await ledger.swap(f"old-{number}", expected=None, new=entry())
        clock.advance(61)
        await ledger.swap("new-0", expected=None, new=entry())
        assert (await ledger.entries() or 0) > 700
        for number in range(1, 120):
            await ledger.swap(f"new-{number}", expected=None, new=entry())
        assert await ledger.entries() == 120
