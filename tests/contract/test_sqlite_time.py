"""A wall clock that jumps does not make a SQLite ledger forget."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.ledger_backends import SteppedClock, entry
from worker.ledger import SqliteLedger
from worker.ledger.sqlite_time import LedgerTime
from worker.ports import Stored

RETENTION = 3_600.0
TEN_YEARS = timedelta(days=3_652)


class WallClock(SteppedClock):
    """A clock whose wall time somebody sets."""

    def set(self, moment: datetime) -> None:
        """Set it, while no time passes."""
        self._now = moment

    def boot(self) -> None:
        """Start the machine anew."""
        self._elapsed = 0.0


@pytest.fixture
def clock() -> WallClock:
    """The machine's clock."""
    return WallClock()


@pytest.fixture
def opened(tmp_path: Path, clock: WallClock) -> Callable[[], SqliteLedger]:
    """Open the ledger, as each new process does."""
    return lambda: SqliteLedger(tmp_path / "ledger.db", retention=RETENTION, clock=clock, sweep_every=0.01)


async def written(ledger: SqliteLedger) -> Stored:
    """An entry that is in the ledger."""
    new = entry()
    assert await ledger.swap("job-1", expected=None, new=new)
    return new


async def swept(ledger: SqliteLedger) -> None:
    """Give the thread the time to delete what has expired."""
    for _ in range(600):
        await ledger.swap("other", expected=None, new=entry())


class TestJumps:
    """The clock is set, and perhaps back again."""

    @pytest.mark.row(
        "retention/clock",
        "the wall clock jumps by ten years, while a worker runs and while none does",
        "a SQLite ledger forgets nothing",
    )
    async def test_forward_while_it_runs(self, clock: WallClock, opened: Callable[[], SqliteLedger]) -> None:
        """What was written before is there, is not deleted, and expires when its time is over."""
        ledger = opened()
        new = await written(ledger)
        clock.set(clock.now() + TEN_YEARS)
        await swept(ledger)
        assert new == await ledger.load("job-1")
        clock.set(clock.now() - TEN_YEARS)
        assert new == await ledger.load("job-1")
        clock.advance(RETENTION + 1)
        assert await ledger.load("job-1") is None
        await ledger.close()

    @pytest.mark.row("retention/clock")
    async def test_forward_between_two_processes(
        self, clock: WallClock, opened: Callable[[], SqliteLedger]
    ) -> None:
        """However often a process is started with the wrong time."""
        ledger = opened()
        new = await written(ledger)
        await ledger.close()
        for _ in range(20):
            clock.set(clock.now() + TEN_YEARS)
            ledger = opened()
            await swept(ledger)
            assert new == await ledger.load("job-1")
            await ledger.close()

    async def test_a_boot_with_a_wrong_clock(
        self, clock: WallClock, opened: Callable[[], SqliteLedger], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody knows how long the machine was off: for a part of the retention the clock is believed."""
        monkeypatch.setattr("worker.ledger.sqlite_time._MOST_UNSEEN", 600_000)
        ledger = opened()
        new = await written(ledger)
        await ledger.close()
        clock.boot()
        clock.set(clock.now() + TEN_YEARS)
        ledger = opened()
        await swept(ledger)
        assert new == await ledger.load("job-1")
        await ledger.close()

    async def test_a_machine_that_boots_in_1970(
        self, clock: WallClock, opened: Callable[[], SqliteLedger]
    ) -> None:
        """And is set right while it runs: entries of before and after live as long as they should."""
        right = clock.now()
        clock.set(datetime(1970, 1, 1, tzinfo=UTC))
        ledger = opened()
        new = await written(ledger)
        clock.set(right)
        assert new == await ledger.load("job-1")
        await ledger.close()
        clock.boot()
        ledger = opened()
        assert new == await ledger.load("job-1")
        await ledger.close()

    async def test_time_that_passes_is_counted_over_processes(
        self, clock: WallClock, opened: Callable[[], SqliteLedger]
    ) -> None:
        """By the clock that counts on: restarts do not make entries live for ever."""
        ledger = opened()
        await written(ledger)
        await ledger.close()
        clock.advance(RETENTION + 1)
        ledger = opened()
        assert await ledger.load("job-1") is None
        await ledger.close()

    async def test_a_file_of_an_older_release(
        self, clock: WallClock, opened: Callable[[], SqliteLedger], tmp_path: Path
    ) -> None:
        """It has no time of its own: its last write is when it stopped."""
        import sqlite3  # noqa: PLC0415 - for this one

        ledger = opened()
        new = await written(ledger)
        await ledger.close()
        with sqlite3.connect(tmp_path / "ledger.db") as connection:
            connection.execute("DROP TABLE ledger_time")
        connection.close()
        clock.set(clock.now() + TEN_YEARS)
        ledger = opened()
        assert new == await ledger.load("job-1")
        await ledger.close()


class TestLedgerTime:
    """What is believed, and for how long."""

    def time(self, clock: WallClock, boot: str = "a") -> LedgerTime:
        """A time that goes on in the boot of that name."""
        return LedgerTime(clock, lambda: boot)

    def test_within_a_boot_the_counting_clock_is_believed(self, clock: WallClock) -> None:
        """Whatever the wall clock says."""
        first = self.time(clock)
        first.begin(None, last_write=None)
        noted = first.note()
        clock.advance(5_000)
        clock.set(clock.now() - TEN_YEARS)
        second = self.time(clock)
        second.begin(noted, last_write=None)
        assert first.now() == second.now() == noted[0] + 5_000_000

    @pytest.mark.parametrize(("away", "counted"), [(60, 60_000), (1e9, 3_600_000), (-1e9, 0)])
    def test_over_a_boot_the_wall_clock_is_for_an_hour(
        self, clock: WallClock, away: float, counted: int
    ) -> None:
        """And never backwards."""
        first = self.time(clock)
        first.begin(None, last_write=None)
        noted = first.note()
        clock.set(clock.now() + timedelta(seconds=away))
        second = self.time(clock, "b")
        second.begin(noted, last_write=None)
        assert counted == second.now() - noted[0]

    def test_a_file_that_is_opened_again_does_not_set_it_back(self, clock: WallClock) -> None:
        """What was noted is older than what passed since."""
        time = self.time(clock)
        time.begin(None, last_write=None)
        noted = time.note()
        clock.advance(100)
        before = time.now()
        time.begin((noted[0] - 50_000, noted[1], noted[2]), last_write=None)
        assert before == time.now()
