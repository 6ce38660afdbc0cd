"""What the SQLite ledger promises beyond the port: kills, full disks, files that go away."""

# ruff: noqa: ASYNC240 -- a test may block its own loop for a moment

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.ledger_backends import LONG, SteppedClock, entry, rows, until
from tests.support.deadline import DEADLINE
from worker.domain.errors import LedgerUnavailableError
from worker.ledger import SqliteLedger
from worker.ledger.sqlite_users import is_open_elsewhere
from worker.ports import Swap

ROOT = Path(__file__).parents[2]
WRITER = [sys.executable, "-m", "tests.contract.ledger_writer"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a ledger that does not exist yet, in a directory that does not exist either."""
    return tmp_path / "state" / "iton" / "ledger.db"


@pytest.fixture
def clock() -> SteppedClock:
    """The ledger's clock."""
    return SteppedClock()


@pytest.fixture
async def ledger(path: Path, clock: SteppedClock) -> AsyncIterator[SqliteLedger]:
    """A ledger that is impatient with locks."""
    opened = SqliteLedger(path, retention=LONG, clock=clock, busy_timeout=0.1, sweep_every=0.02)
    yield opened
    await opened.close()


class TestDurability:
    """An acknowledged write is there whatever happens to the process."""

    def test_every_acknowledged_write_survives_sigkill(self, path: Path) -> None:
        """Two processes that share a file are killed while they write: nothing that was said is lost."""
        acknowledged: dict[str, str] = {}
        for attempt in range(2):
            writers = [
                subprocess.Popen([*WRITER, str(path), f"{attempt}-{name}"], cwd=ROOT, stdout=subprocess.PIPE)
                for name in "ab"
            ]
            for writer in writers:
                assert writer.stdout is not None
                said = [writer.stdout.readline() for _ in range(400)]
                writer.kill()
                said += writer.stdout.read().splitlines(keepends=True)
                writer.wait(timeout=DEADLINE)
                writer.stdout.close()
                acknowledged |= dict(line.decode().split() for line in said if line.endswith(b"\n"))
        assert len(acknowledged) >= 800
        assert asyncio.run(self._lost(path, acknowledged)) == {}

    async def _lost(self, path: Path, acknowledged: dict[str, str]) -> dict[str, str]:
        ledger = SqliteLedger(path, retention=LONG, clock=SteppedClock())
        lost = {}
        for key, token in acknowledged.items():
            held = await ledger.load(key)
            # The replacement may have been written while its acknowledgement was not.
            if held is None or (held.token != token and held.state != b"done" * 50):
                lost[key] = token
        await ledger.close()
        return lost

    async def test_commits_reach_the_disk(self, ledger: SqliteLedger) -> None:
        """The mode is a write-ahead log that is synced at each commit."""
        await ledger.check()
        both = "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous"
        modes = await ledger._thread.read(lambda file, _now: file._connection.execute(both).fetchone())
        assert modes == ("wal", 2)

    async def test_concurrent_swaps_share_their_commits(self, ledger: SqliteLedger) -> None:
        """Two hundred callers cost a few transactions, not two hundred."""
        statements: list[str] = []
        await ledger._thread.read(lambda file, _now: file._connection.set_trace_callback(statements.append))
        await asyncio.gather(
            *[ledger.swap(f"job-{number}", expected=None, new=entry()) for number in range(200)]
        )
        assert 1 <= statements.count("COMMIT") <= 10
        assert len(statements) < 100

    async def test_a_batch_is_one_commit(self, ledger: SqliteLedger) -> None:
        """Durable as a whole when it is answered, whatever number of entries."""
        statements: list[str] = []
        await ledger._thread.read(lambda file, _now: file._connection.set_trace_callback(statements.append))
        await ledger.swap_many([Swap(f"job-{number}", None, entry()) for number in range(300)])
        assert 1 == statements.count("COMMIT")
        # A sweep looks for what has expired in between, where all this takes long.
        assert len([one for one in statements if not one.startswith("SELECT id FROM entries")]) < 12

    async def test_a_batch_finds_its_entries_by_their_keys(self, ledger: SqliteLedger) -> None:
        """However many others there are: nothing is searched from end to end."""
        statements: list[str] = []
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(8)]
        await ledger.swap_many(swaps)
        await ledger._thread.read(lambda file, _now: file._connection.set_trace_callback(statements.append))
        await ledger.swap_many([Swap(one.key, one.new.token, entry()) for one in swaps])
        (update,) = [statement for statement in statements if statement.startswith("UPDATE")]
        plan = await ledger._thread.read(
            lambda file, _now: file._connection.execute(f"EXPLAIN QUERY PLAN {update}").fetchall()
        )
        steps = [step for *_, step in plan]
        assert any("SEARCH entries USING INDEX" in step and "(key=?)" in step for step in steps)
        assert not any(step.startswith("SCAN entries") for step in steps)

    async def test_an_entry_that_cannot_be_stored_fails_alone(self, ledger: SqliteLedger) -> None:
        """Its error is its own answer; its neighbours are written."""
        swaps = [
            Swap("job-1", None, entry()),
            Swap("job-\ud800", None, entry()),
            Swap("job-2", None, entry()),
        ]
        first, wrong, last = await ledger.swap_many(swaps)
        assert (True, True) == (first, last)
        assert isinstance(wrong, UnicodeEncodeError)
        assert swaps[2].new == await ledger.load("job-2")

    async def test_a_file_that_is_gone_fails_all(self, ledger: SqliteLedger, path: Path) -> None:
        """What was written to a deleted file is not said to stand."""
        await ledger.check()
        path.unlink()
        answers = await ledger.swap_many([Swap(f"job-{number}", None, entry()) for number in range(3)])
        assert [LedgerUnavailableError] * 3 == [type(answer) for answer in answers]
        assert 3 == len({id(answer) for answer in answers})


class TestFile:
    """Where the entries are."""

    async def test_only_the_owner_may_read_it(self, ledger: SqliteLedger, path: Path) -> None:
        """The file and what stands beside it hold phone numbers: mode 0600."""
        await ledger.swap("job-1", expected=None, new=entry())
        modes = {name.name: name.stat().st_mode & 0o777 for name in path.parent.iterdir()}
        assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}

    async def test_a_newer_schema_is_refused(self, ledger: SqliteLedger, path: Path) -> None:
        """A file of a later version is left alone, with a word on what to do."""
        path.parent.mkdir(parents=True)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(LedgerUnavailableError, match=r"schema 99.*run that version"):
            await ledger.check()

    async def test_a_file_that_is_no_database_is_refused(self, ledger: SqliteLedger, path: Path) -> None:
        """It is not overwritten, and the ledger works as soon as it is moved away."""
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not a database, but something of worth\n" * 100)
        with pytest.raises(LedgerUnavailableError, match="ledger_corrupted"):
            await ledger.check()
        assert path.read_bytes().startswith(b"not a database")
        path.unlink()
        await ledger.check()

    async def test_a_damaged_page_is_reported(self, ledger: SqliteLedger, path: Path) -> None:
        """Garbage in the middle of the file is an error with a remedy, never a wrong answer."""
        for number in range(200):
            await ledger.swap(f"job-{number}", expected=None, new=entry(b"x" * 500))
        await ledger.close()
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        again = SqliteLedger(path, retention=LONG, clock=SteppedClock())
        with pytest.raises(LedgerUnavailableError, match="ledger_corrupted"):
            await again.load("job-150")
        await again.close()

    async def test_a_path_that_cannot_be_made_is_reported(self, tmp_path: Path) -> None:
        """A file where a directory should be is named, and the ledger works once it is gone."""
        (tmp_path / "state").write_bytes(b"")
        ledger = SqliteLedger(tmp_path / "state" / "ledger.db", retention=LONG, clock=SteppedClock())
        with pytest.raises(LedgerUnavailableError, match="ledger_not_writable"):
            await ledger.check()
        (tmp_path / "state").unlink()
        await ledger.check()
        await ledger.close()

    async def test_processes_may_open_a_new_file_at_once(self, path: Path) -> None:
        """Nobody is turned away while another makes the tables."""
        ledgers = [SqliteLedger(path, retention=LONG, clock=SteppedClock()) for _ in range(6)]
        await asyncio.gather(*[ledger.check() for ledger in ledgers])
        await asyncio.gather(*[ledger.close() for ledger in ledgers])


class TestTrouble:
    """The store fails; callers are told, nothing false is acknowledged, and it goes on by itself."""

    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
    async def test_a_deleted_file_is_noticed(self, ledger: SqliteLedger, path: Path, suffix: str) -> None:
        """No write is acknowledged into a file that has no name any more; the next call opens anew."""
        await ledger.swap("job-1", expected=None, new=entry())
        Path(f"{path}{suffix}").unlink()
        with pytest.raises(LedgerUnavailableError, match="ledger_file_lost"):
            await ledger.swap("job-2", expected=None, new=entry())
        new = entry()
        assert await ledger.swap("job-3", expected=None, new=new) is True
        assert new == await ledger.load("job-3")

    async def test_a_deleted_file_is_noticed_by_a_reader(self, ledger: SqliteLedger, path: Path) -> None:
        """What is read from a file that is gone is not believed."""
        await ledger.swap("job-1", expected=None, new=entry())
        path.unlink()
        with pytest.raises(LedgerUnavailableError, match="ledger_file_lost"):
            await ledger.load("job-1")

    async def test_a_replaced_file_is_noticed(self, ledger: SqliteLedger, path: Path, tmp_path: Path) -> None:
        """A backup that is put in place is what counts from then on."""
        new, backup = entry(), SqliteLedger(tmp_path / "backup.db", retention=LONG, clock=SteppedClock())
        await backup.swap("job-1", expected=None, new=new)
        await backup.close()
        await ledger.check()
        (tmp_path / "backup.db").rename(path)
        for name in ("-wal", "-shm"):
            Path(f"{path}{name}").unlink()
        with pytest.raises(LedgerUnavailableError, match="ledger_file_lost"):
            await ledger.load("job-1")
        assert new == await ledger.load("job-1")

    async def test_a_directory_that_vanished_is_not_made_again(
        self, ledger: SqliteLedger, path: Path
    ) -> None:
        """It was the mount point of a disk, say: a new ledger in its place would know nothing."""
        await ledger.check()
        moved = path.parent.rename(path.parent.with_name("unmounted"))
        with pytest.raises(LedgerUnavailableError, match="ledger_file_lost"):
            await ledger.check()
        with pytest.raises(LedgerUnavailableError, match="ledger_not_writable"):
            await ledger.check()
        assert not path.parent.exists()
        moved.rename(path.parent)
        await ledger.check()

    async def test_a_full_database_is_reported_and_recovers(self, ledger: SqliteLedger) -> None:
        """Every caller of the batch is told; what was acknowledged before is there."""
        first = entry()
        await ledger.swap("job-1", expected=None, new=first)
        await ledger._thread.read(
            lambda file, _now: file._connection.execute("PRAGMA max_page_count = 20").fetchone()
        )
        swaps = [
            ledger.swap(f"big-{number}", expected=None, new=entry(b"x" * 20_000)) for number in range(20)
        ]
        ends = await asyncio.gather(*swaps, return_exceptions=True)
        assert {"ledger_full"} == {getattr(end, "code", end) for end in ends}
        assert first == await ledger.load("job-1")
        assert await ledger.load("big-1") is None
        assert await ledger.swap("big-1", expected=None, new=entry(b"x" * 20_000)) is True

    def test_a_failing_write_of_the_system_is_reported_and_recovers(self, path: Path) -> None:
        """Files that must not grow: an error, no entry lost, and on it goes when they may again."""
        done = subprocess.run(
            [*WRITER, str(path), "--limit"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.splitlines() == ["ledger_io_failed", "True True []"]

    async def test_a_lock_that_is_held_too_long_is_reported(self, ledger: SqliteLedger, path: Path) -> None:
        """Reading goes on meanwhile, and so does writing afterwards."""
        first = entry()
        await ledger.swap("job-1", expected=None, new=first)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="ledger_locked"):
            await ledger.swap("job-2", expected=None, new=entry())
        assert first == await ledger.load("job-1")
        other.execute("ROLLBACK")
        other.close()
        assert await ledger.swap("job-2", expected=None, new=entry()) is True

    async def test_an_entry_that_cannot_be_stored_hurts_nobody_else(self, ledger: SqliteLedger) -> None:
        """Its own caller gets the error; those who were written with it succeed."""
        keys = ["job-1", "job-\ud800", "job-2"]
        ends = await asyncio.gather(
            *[ledger.swap(key, expected=None, new=entry()) for key in keys], return_exceptions=True
        )
        assert [True, UnicodeEncodeError, True] == [end if end is True else type(end) for end in ends]

    async def test_each_caller_gets_an_error_of_its_own(self, ledger: SqliteLedger, path: Path) -> None:
        """Exceptions are not shared, or their tracebacks would grow with every caller."""
        await ledger.check()
        path.unlink()
        ends = await asyncio.gather(*[ledger.check() for _ in range(3)], return_exceptions=True)
        assert len({id(end) for end in ends}) == 3
        assert [end.__cause__ or end.__context__ for end in ends if end] == [None] * 3


class TestRetention:
    """Expired entries leave the file."""

    async def test_expired_entries_go_while_nothing_happens(
        self, ledger: SqliteLedger, path: Path, clock: SteppedClock
    ) -> None:
        """Without a single call, all of them, and none that is alive."""
        await asyncio.gather(
            *[ledger.swap(f"old-{number}", expected=None, new=entry()) for number in range(1500)]
        )
        clock.advance(LONG / 2)
        young = entry()
        await ledger.swap("young", expected=None, new=young)
        clock.advance(LONG / 2 + 1)
        await until(lambda: rows(path) == 1)
        assert young == await ledger.load("young")

    async def test_expired_entries_go_under_load(self, path: Path, clock: SteppedClock) -> None:
        """A worker that is never idle does not grow: neither its rows nor its file."""
        ledger = SqliteLedger(path, retention=60, clock=clock, sweep_every=LONG)
        sizes = []
        for batch in range(30):
            await asyncio.gather(
                *[ledger.swap(f"job-{batch}-{n}", expected=None, new=entry(b"x" * 300)) for n in range(200)]
            )
            clock.advance(30)
            sizes.append(await ledger.entries() or 0)
        assert rows(path) <= 1200
        assert max(sizes[10:]) <= 1500
        await ledger.close()
        assert path.stat().st_size < 1_500_000

    async def test_the_number_of_entries_is_never_too_low(self, ledger: SqliteLedger) -> None:
        """Of an empty ledger it is 0."""
        assert await ledger.entries() == 0
        for number in range(7):
            await ledger.swap(f"job-{number}", expected=None, new=entry())
        assert await ledger.entries() == 7


class TestUsers:
    """Whether a file may be moved."""

    async def test_a_file_that_another_process_has_open_is_known(self, path: Path) -> None:
        """Until that is over."""
        assert not is_open_elsewhere(path)
        words = [*WRITER, str(path), "other"]
        writer = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT)  # noqa: ASYNC220 -- as above
        try:
            assert writer.stdout is not None
            await asyncio.to_thread(writer.stdout.readline)
            assert await SqliteLedger(path, retention=LONG, clock=SteppedClock()).used_elsewhere()
        finally:
            writer.kill()
            writer.communicate()
        assert not is_open_elsewhere(path)

    def test_a_file_that_cannot_be_asked_is_no_traceback(self, tmp_path: Path) -> None:
        """As one of another user, or with a name that is too long."""
        with pytest.raises(LedgerUnavailableError, match="ENAMETOOLONG"):
            is_open_elsewhere(tmp_path / ("x" * 300))
