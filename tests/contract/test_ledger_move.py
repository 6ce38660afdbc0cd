"""Moving a ledger from store to store: all arrives, twice does no harm, nobody's is overwritten."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.ledger_backends import LONG, SteppedClock, entry, ledger_with_an_entry
from tests.support.postgresql_server import PASSWORD, PostgresqlServer
from tests.support.redis_server import RedisServer
from tests.support.restored_logs import restored_logs
from worker.cli.app import main
from worker.client.ledger_moving import Moved, MoveError, Store, insist_on_no_user, move
from worker.ledger import SqliteLedger
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger
from worker.ports import Swap

KINDS = ["sqlite", "redis", "postgresql"]
Open = Callable[[str], Store]


@pytest.fixture
def opened(tmp_path: Path, redis_server: RedisServer, postgresql_server: PostgresqlServer) -> Open:
    """Provide a function that opens the store of a kind, the same one each time, empty at first."""
    # Of a prefix that is a pattern to Redis, and begins like another one.
    prefix = f"t[{uuid.uuid4().hex}]*?"

    def open_store(kind: str) -> Store:
        if kind == "sqlite":
            return SqliteLedger(tmp_path / "ledger.db", retention=LONG, clock=SteppedClock())
        if kind == "redis":
            return RedisLedger(redis_server.url, retention=LONG, prefix=prefix)
        return PostgresqlLedger(postgresql_server.url, retention=LONG, prefix=prefix)

    return open_store


async def filled(store: Store, count: int) -> dict[str, Swap]:
    """Write so many entries."""
    swaps = [
        Swap(f"job-{number:04}/{number % 3}", None, entry(bytes([number % 256]))) for number in range(count)
    ]
    assert all(answer is True for answer in await store.swap_many(swaps))
    return {swap.key: swap for swap in swaps}


class TestMove:
    """From each kind of store to another."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [("sqlite", "postgresql"), ("redis", "postgresql"), ("postgresql", "redis"), ("redis", "sqlite")],
    )
    async def test_every_entry_arrives_as_it_was(self, opened: Open, old: str, new: str) -> None:
        """Token and state; the old store keeps its own, and a second move finds all there."""
        source, target = opened(old), opened(new)
        written = await filled(source, 230)
        seen: list[int] = []
        for _ in range(2):
            assert Moved(230) == await move(source, target, seen.append)
        assert 230 == max(seen)
        for key, swap in written.items():
            assert swap.new == await source.load(key) == await target.load(key)
        await source.close()
        await target.close()

    @pytest.mark.parametrize("kind", KINDS)
    async def test_what_a_worker_has_written_meanwhile_is_not_overwritten(
        self, opened: Open, kind: str
    ) -> None:
        """Nobody could tell which is right."""
        source, target = opened(kind), opened(next(each for each in KINDS if each != kind))
        await filled(source, 3)
        other = entry(b"newer")
        await target.swap("job-0001/1", expected=None, new=other)
        with pytest.raises(MoveError, match="another version of job-0001/1"):
            await move(source, target, lambda _: None)
        assert other == await target.load("job-0001/1")
        await source.close()
        await target.close()

    @pytest.mark.parametrize("kind", ["postgresql"])
    async def test_a_store_that_somebody_uses_is_refused(self, opened: Open, kind: str) -> None:
        """As far as it knows; when he is gone, it is not."""
        user, store = opened(kind), opened(kind)
        await user.check()
        with pytest.raises(MoveError, match="--from"):
            await insist_on_no_user(store, "--from")
        await user.close()
        await insist_on_no_user(store, "--from")
        await store.close()


class TestCommand:
    """What a person types."""

    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
        monkeypatch.setenv("AMQP_PREFIX", f"test-{uuid.uuid4().hex}")

    def test_init_makes_the_schema_and_says_so(
        self,
        postgresql_server: PostgresqlServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Once; then it is there."""
        postgresql_server.command("CREATE DATABASE commanded")
        postgresql_server.command('CREATE ROLE "the worker"')
        monkeypatch.setenv("LEDGER_URL", postgresql_server.url_of("postgres", database="commanded"))
        with restored_logs():
            ends = [main(["ledger", "init", "--role", "the worker"]) for _ in range(2)]
        assert [0, 0] == ends
        shown = capsys.readouterr().out.splitlines()
        assert [
            "schema version 1 made, the worker may use it",
            "schema version 1 was there already, the worker may use it",
        ] == shown
        postgresql_server.command("DROP DATABASE commanded")
        postgresql_server.command('DROP ROLE "the worker"')

    def test_what_is_printed_can_be_run(
        self, postgresql_server: PostgresqlServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In an empty database, and once more."""
        assert 0 == main(["ledger", "init", "--print-sql", "--role", "postgres"])
        printed = capsys.readouterr().out
        postgresql_server.command("CREATE DATABASE printed")
        for _ in range(2):
            postgresql_server.command(printed, database="printed")
        assert 1 == postgresql_server.command("SELECT version FROM iton_worker.version", database="printed")
        postgresql_server.command("DROP DATABASE printed")

    def test_init_of_another_kind_of_ledger_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the setting and what it would have to be."""
        with restored_logs():
            assert 2 == main(["ledger", "init"])
        assert "LEDGER_URL means a SQLite file" in capsys.readouterr().err

    def test_a_ledger_is_moved(
        self,
        postgresql_server: PostgresqlServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        """From the default one to where a variable points."""
        asyncio.run(ledger_with_an_entry(tmp_path / "iton-ledger.db"))
        monkeypatch.setenv("NEW", postgresql_server.url)
        with restored_logs():
            assert 0 == main(["ledger", "move", "--to", "env:NEW", "--without-broker"])
        assert "1 entry is in the new ledger" in capsys.readouterr().out

    def test_a_ledger_that_is_not_there_is_not_moved(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A mistyped name is no ledger without entries: the new one would know nobody who was sent to."""
        with restored_logs():
            words = ["--from", f"sqlite:///{tmp_path}/old.db", "--to", f"sqlite:///{tmp_path}/new.db"]
            assert 1 == main(["ledger", "move", "--without-broker", *words])
        assert "there is no ledger at --from" in capsys.readouterr().err
        assert [] == list(tmp_path.glob("*.db"))

    def test_a_ledger_without_entries_is_told(
        self,
        monkeypatch: pytest.MonkeyPatch,
        postgresql_server: PostgresqlServer,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Another prefix, or database, looks like that."""
        monkeypatch.setenv("OLD", postgresql_server.url)
        with restored_logs():
            words = ["--from", "env:OLD", "--to", f"sqlite:///{tmp_path}/new.db"]
            assert 1 == main(["ledger", "move", "--without-broker", *words])
        captured = capsys.readouterr()
        assert "the old ledger holds no entry" in captured.err
        assert "AMQP_PREFIX (test-" in captured.err
        assert "" == captured.out

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--to", f"postgresql://u:{PASSWORD}@h/db"], "every user of the machine can read"),
            (["--to", "env:NOTHING"], "NOTHING, which is not set"),
            (["--to", "memory://"], "--to is memory://"),
            (["--to", "postgresql://h"], "--to cannot be used"),
            ([], "name the same ledger"),
        ],
    )
    def test_slips_are_told_before_anything_is_done(
        self, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """And no password is repeated."""
        with restored_logs():
            assert 2 == main(["ledger", "move", "--without-broker", *words])
        shown = capsys.readouterr().err
        assert said in shown
        assert PASSWORD not in shown
