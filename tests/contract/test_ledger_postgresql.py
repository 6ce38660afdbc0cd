"""What the PostgreSQL ledger promises beyond the port: servers that die, hang, lag, fill up or refuse."""

import asyncio
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from tests.contract.ledger_backends import LONG, entry
from tests.support.deadline import DEADLINE
from tests.support.postgresql_server import PASSWORD, PostgresqlServer
from worker.domain.errors import LedgerUnavailableError
from worker.ledger.postgresql.schema import rights, script
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ports import Swap

PATIENCE = 2.0
"""Seconds that a ledger gives a server which never answers."""
TOLD = 30.0
"""Seconds in which all callers are told; one after the other, they would wait more than three times that."""


@pytest.fixture(scope="module")
def spoiled_server() -> Iterator[PostgresqlServer]:
    """Start the server that the tests of this module may spoil, one after the other."""
    with PostgresqlServer() as server:
        server.command(script())
        yield server


@pytest.fixture
def server(spoiled_server: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """Provide it as it was at first."""
    yield spoiled_server
    for name in ("synchronous_commit", "synchronous_standby_names"):
        spoiled_server.command(f"ALTER SYSTEM RESET {name}")
    spoiled_server.command("SELECT pg_reload_conf()")


@pytest.fixture
async def ledger(server: PostgresqlServer) -> AsyncIterator[PostgresqlLedger]:
    """A ledger that gives no server up for being slow: a busy machine makes every one so."""
    opened = patient(server.url)
    yield opened
    await opened.close()


@pytest.fixture
async def impatient(server: PostgresqlServer) -> AsyncIterator[PostgresqlLedger]:
    """A ledger that gives up after `PATIENCE`."""
    opened = patient(server.url, PATIENCE)
    yield opened
    await opened.close()


def patient(url: str, timeout: float = DEADLINE) -> PostgresqlLedger:
    """A ledger with a prefix of its own."""
    return PostgresqlLedger(url, retention=LONG, prefix=f"test-{uuid.uuid4().hex}", timeout=timeout)


def sessions(server: PostgresqlServer) -> int:
    """How many connections workers have."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'iton-worker%'"
    return int(server.command(count))


async def answered(server: PostgresqlServer, question: str) -> object:
    """Ask until the answer is one; fail where it never is."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if answer := await asyncio.to_thread(server.command, question):
                return answer
            await asyncio.sleep(0.01)


CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'iton-worker%'"
)


class TestServerTrouble:
    """The server fails; callers are told, and the ledger goes on by itself."""

    async def test_acknowledged_writes_survive_a_killed_server(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """SIGKILL amid swaps: all that was acknowledged is there after the restart."""
        news = {f"job-{number}": entry(b"%d" % number) for number in range(2000)}

        async def write(key: str) -> str | None:
            try:
                return key if await ledger.swap(key, expected=None, new=news[key]) else None
            except LedgerUnavailableError:
                return None

        writing = [asyncio.create_task(write(key)) for key in news]
        await writing[0]
        server.kill()
        acknowledged = [key for key in await asyncio.gather(*writing) if key]
        with pytest.raises(LedgerUnavailableError, match="ledger_unreachable"):
            await ledger.check()
        server.start()
        assert acknowledged
        for key in acknowledged:
            assert news[key] == await ledger.load(key)

    async def test_a_cut_connection_is_made_again(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """No caller notices that the server dropped connections that were idle."""
        new = entry()
        await ledger.check()
        for _ in range(3):
            assert server.command(CUT) > 0
            assert await ledger.swap("job-1", expected=None, new=new) is True
        assert new == await ledger.load("job-1")

    async def test_a_frozen_server_is_given_up_in_time(
        self, server: PostgresqlServer, impatient: PostgresqlLedger
    ) -> None:
        """Every caller is told within the time limit; afterwards the answers fit their questions."""
        news = [entry(b"%d" % number) for number in range(50)]
        await impatient.check()
        with server.frozen():
            uses = [
                impatient.swap(f"job-{number}", expected=None, new=new) for number, new in enumerate(news)
            ]
            async with asyncio.timeout(TOLD):
                ends = await asyncio.gather(*uses, return_exceptions=True)
        assert {"ledger_timed_out"} == {getattr(end, "code", end) for end in ends}
        for number, new in enumerate(news):
            assert await impatient.swap(f"job-{number}", expected=None, new=new) is True
            assert new == await impatient.load(f"job-{number}")

    async def test_a_row_that_somebody_locks_is_given_up_in_time(
        self, server: PostgresqlServer, impatient: PostgresqlLedger
    ) -> None:
        """An administrator's open transaction on one entry, and nobody waits for ever."""
        first = entry()
        await impatient.swap("job-1", expected=None, new=first)
        holding = asyncio.create_task(
            asyncio.to_thread(server.command, "BEGIN; LOCK iton_worker.entries; SELECT pg_sleep(5); COMMIT")
        )
        locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        await answered(server, locked)
        with pytest.raises(LedgerUnavailableError, match="ledger_timed_out"):
            await impatient.swap("job-1", expected=first.token, new=entry())
        await holding
        assert await impatient.swap("job-2", expected=None, new=entry()) is True

    async def test_one_entry_that_cannot_be_stored_fails_alone(self, ledger: PostgresqlLedger) -> None:
        """A key that no database takes; those that went out with it stand."""
        keys = ["job-1", "job\x00", "job-2"]
        ends = await asyncio.gather(
            *(ledger.swap(key, expected=None, new=entry()) for key in keys), return_exceptions=True
        )
        assert [True, False, True] == [end is True for end in ends]
        assert not isinstance(ends[1], LedgerUnavailableError)

    async def test_many_callers_need_few_connections(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """Five hundred at once, no more than the three that are allowed."""
        before = sessions(server)
        await asyncio.gather(*[ledger.load(f"job-{number}") for number in range(500)])
        assert 1 <= sessions(server) - before <= 3

    async def test_rivals_never_wait_in_a_circle(self, server: PostgresqlServer) -> None:
        """Two workers that swap the same keys in opposite orders, many times over: no deadlock."""
        url, prefix = server.url, f"test-{uuid.uuid4().hex}"
        ledgers = [PostgresqlLedger(url, retention=LONG, prefix=prefix) for _ in range(2)]
        keys = [f"job-{number}" for number in range(40)]
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"
        before = server.command(deadlocks)
        for _ in range(10):
            held = [await ledgers[0].load(key) for key in keys]
            swaps = [
                Swap(key, stored.token if stored else None, entry())
                for key, stored in zip(keys, held, strict=True)
            ]
            ways = [swaps, [Swap(swap.key, swap.expected, entry()) for swap in reversed(swaps)]]
            answers = await asyncio.gather(
                *(one.swap_many(way) for one, way in zip(ledgers, ways, strict=True))
            )
            won = [sum(answer is True for answer in each) for each in answers]
            assert len(keys) == sum(won)
        for one in ledgers:
            await one.close()
        server.command("SELECT pg_stat_force_next_flush()")
        assert before == server.command(deadlocks)


class TestCommit:
    """What is acknowledged is where it must be."""

    @pytest.mark.parametrize("found", ["off", "local", "remote_write"])
    async def test_it_waits_for_the_standby_whatever_the_server_says(
        self, server: PostgresqlServer, impatient: PostgresqlLedger, found: str
    ) -> None:
        """A role, a database or a server with a weaker setting makes no swap return before its time."""
        await impatient.check()
        server.set("synchronous_commit", found)
        server.set("synchronous_standby_names", "nobody")
        await self._until_required(server)
        with pytest.raises(LedgerUnavailableError, match="ledger_timed_out"):
            await impatient.swap("job-1", expected=None, new=entry())

    async def test_a_wait_that_somebody_ends_is_no_success(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """The server then commits alone and says so in a warning; so does a repetition of the write."""
        await ledger.check()
        server.set("synchronous_standby_names", "nobody")
        await self._until_required(server)
        new = entry()
        for _ in range(2):
            swap = asyncio.create_task(ledger.swap("job-1", expected=None, new=new))
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            pid = await answered(server, waiting)
            await asyncio.to_thread(server.command, f"SELECT pg_cancel_backend({pid})")
            with pytest.raises(LedgerUnavailableError, match="ledger_not_replicated"):
                await swap

    async def _until_required(self, server: PostgresqlServer) -> None:
        """Wait until sessions see that a standby is required."""
        await answered(server, "SELECT current_setting('synchronous_standby_names') = 'nobody'")


class TestSchema:
    """Made by the worker where it may, by an administrator otherwise."""

    async def test_it_is_made_at_the_first_check(self, server: PostgresqlServer) -> None:
        """In a database of its own, by two workers at once."""
        server.command("CREATE DATABASE fresh")
        ledgers = [patient(server.url_of("postgres", database="fresh")) for _ in range(2)]
        await asyncio.gather(*(ledger.check() for ledger in ledgers))
        assert await ledgers[0].swap("job-1", expected=None, new=entry()) is True
        assert await ledgers[0].init() is False
        for ledger in ledgers:
            await ledger.close()
        server.command("DROP DATABASE fresh")

    async def test_who_may_not_make_it_says_who_must(self, server: PostgresqlServer) -> None:
        """With the command to type; once an administrator has typed it, all works with least rights."""
        server.command("CREATE DATABASE guarded")
        server.command(f"CREATE ROLE worker LOGIN PASSWORD '{PASSWORD}'")
        ledger = patient(server.url_of("worker", database="guarded"))
        with pytest.raises(LedgerUnavailableError, match=r"ledger_schema_missing.*ledger init"):
            await ledger.check()
        server.command(script(), database="guarded")
        with pytest.raises(LedgerUnavailableError, match=r"ledger_not_permitted.*--print-sql"):
            await ledger.check()
        server.command(rights("worker"), database="guarded")
        await ledger.check()
        new = entry()
        assert await ledger.swap("job-1", expected=None, new=new) is True
        assert [False] == await ledger.renew(["job-1"])
        assert new == await ledger.load("job-1")
        assert 0 == await ledger.bucket(10.0).take()
        assert 0 == await ledger.sweep()
        assert 1 == await ledger.entries()
        assert (await ledger.size() or 0) > 0
        await ledger.close()
        server.command("DROP DATABASE guarded")
        server.command("DROP ROLE worker")

    async def test_one_that_a_newer_release_made_is_refused_by_its_word(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """Not for its version alone: it says itself which programs can still use it."""
        server.command("UPDATE iton_worker.version SET version = 7, usable_by = 1")
        await ledger.check()
        server.command("UPDATE iton_worker.version SET version = 7, usable_by = 7")
        newer = patient(server.url)
        with pytest.raises(LedgerUnavailableError, match=r"ledger_schema_newer.*version 7"):
            await newer.check()
        server.command("UPDATE iton_worker.version SET version = 1, usable_by = 1")
        await newer.close()


class TestSweep:
    """What has expired is deleted, a bite at a time."""

    async def test_only_what_has_expired_goes(
        self, server: PostgresqlServer, ledger: PostgresqlLedger
    ) -> None:
        """Also more than one bite, and of other deployments."""
        keys = [f"old-{number}" for number in range(2500)]
        await ledger.swap_many([Swap(key, None, entry()) for key in keys])
        kept = entry()
        await ledger.swap("kept", expected=None, new=kept)
        server.command("UPDATE iton_worker.entries SET expires_hour = 9 WHERE key LIKE 'old-%'")
        other = patient(server.url)
        assert len(keys) == await other.sweep()
        assert 0 == server.command("SELECT count(*) FROM iton_worker.entries WHERE key LIKE 'old-%'")
        assert kept == await ledger.load("kept")
        await other.close()

    async def test_it_happens_by_itself(self, server: PostgresqlServer) -> None:
        """In the background of a worker that writes."""
        ledger = PostgresqlLedger(server.url, retention=LONG, prefix="sweeping", sweep_every=0.02)
        await ledger.swap("past", expected=None, new=entry())
        server.command("UPDATE iton_worker.entries SET expires_hour = 1 WHERE key = 'past'")
        await answered(server, "SELECT count(*) = 0 FROM iton_worker.entries WHERE key = 'past'")
        await ledger.close()


class TestSecrets:
    """The password is nowhere but on the wire."""

    async def test_no_error_tells_the_password(self, server: PostgresqlServer) -> None:
        """Refused, unreachable, unknown: neither text, nor chain, nor repr has it."""
        urls = [
            server.url_of("postgres", password="other-" + PASSWORD),
            server.url_of("nobody"),
            server.url_of("postgres", database="absent"),
            f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/postgres",
            f"postgresql://postgres:{PASSWORD}@127.0.0.1:1,127.0.0.1:2/postgres",
            f"{server.url}?sslmode=require",
            f"{server.url}?sslmode=verify-full&sslrootcert=/nowhere/{PASSWORD}",
            f"postgresql://postgres:{PASSWORD}@nowhere.invalid/postgres",
        ]
        ends = [await self._fail(url) for url in urls]
        assert [code for code, _ in ends] == [
            "ledger_credentials_refused",
            "ledger_credentials_refused",
            "ledger_database_unknown",
            *["ledger_unreachable"] * 5,
        ]
        assert [text for _, text in ends if PASSWORD in text] == []

    async def _fail(self, url: str) -> tuple[str, str]:
        ledger = patient(url, PATIENCE)
        with pytest.raises(LedgerUnavailableError) as caught:
            await ledger.swap("job-1", expected=None, new=entry())
        await ledger.close()
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        return caught.value.code, "".join(traceback.format_exception(caught.value)) + repr(ledger)


class TestWarnings:
    """Check tells once of settings that may lose entries."""

    async def test_they_are_mentioned_once(self, server: PostgresqlServer, ledger: PostgresqlLedger) -> None:
        """However often the ledger is checked. The server of these tests has no fsync."""
        server.set("synchronous_commit", "off")
        with capture_logs() as logs:
            await ledger.check()
            await ledger.check()
        assert ["ledger.fsync_off", "ledger.synchronous_commit_raised"] == [log["event"] for log in logs]
        assert all(PASSWORD not in str(log) for log in logs)


class TestStandbyAway:
    """A standby that stays away for long: nothing is sent, and the server is not run over."""

    async def test_no_connection_is_made_for_another_try(
        self, server: PostgresqlServer, impatient: PostgresqlLedger
    ) -> None:
        """Each commit keeps its session until the standby is back, so no more than three are ever begun."""
        await impatient.check()
        before = sessions(server)
        server.set("synchronous_standby_names", "nobody")
        await answered(server, "SELECT current_setting('synchronous_standby_names') = 'nobody'")
        for number in range(5):
            with pytest.raises(LedgerUnavailableError, match="ledger_timed_out"):
                await impatient.swap(f"job-{number}", expected=None, new=entry())
        assert await asyncio.to_thread(sessions, server) - before <= 2
        server.set("synchronous_standby_names", "")
        new = entry()
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    assert await impatient.swap("after", expected=None, new=new) is True
                    break
                except LedgerUnavailableError:
                    await asyncio.sleep(0.05)
        assert new == await impatient.load("after")
