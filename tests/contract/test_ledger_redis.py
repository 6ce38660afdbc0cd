"""What the Redis ledger promises beyond the port: servers that die, hang, fill up or refuse."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.contract.ledger_backends import LONG, entry
from tests.support.deadline import DEADLINE
from tests.support.redis_server import RedisServer
from worker.domain.errors import EntryUnusableError, LedgerUnavailableError
from worker.ledger.redis import RedisLedger
from worker.ports import Swap

PASSWORD = "s3cret-p4ss"
PATIENCE = 2.0
"""Seconds that a ledger gives a server which never answers."""
TOLD = 30.0
"""Seconds in which all callers are told; one after the other, they would wait more than three times that."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, which it may spoil."""
    with RedisServer(tmp_path / "redis", password=PASSWORD) as started:
        yield started


@pytest.fixture
async def ledger(server: RedisServer) -> AsyncIterator[RedisLedger]:
    """A ledger that gives no server up for being slow: a busy machine makes every one so."""
    opened = RedisLedger(server.url, retention=LONG, timeout=DEADLINE)
    yield opened
    await opened.close()


@pytest.fixture
async def impatient(server: RedisServer) -> AsyncIterator[RedisLedger]:
    """A ledger that gives up after `PATIENCE`."""
    opened = RedisLedger(server.url, retention=LONG, timeout=PATIENCE)
    yield opened
    await opened.close()


class TestCluster:
    """A server that keeps a part of the keys only."""

    @pytest.mark.parametrize("assigned", [False, True], ids=["no slots", "all slots"])
    async def test_a_node_of_a_cluster_is_refused(self, tmp_path: Path, *, assigned: bool) -> None:
        """Also one that would take every write at present."""
        with RedisServer(tmp_path / "redis", cluster=True) as node:
            if assigned:
                node.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            ledger = RedisLedger(node.url, retention=LONG)
            for _ in range(2):
                with pytest.raises(LedgerUnavailableError, match="ledger_cluster"):
                    await ledger.check()
            await ledger.close()

    async def test_a_database_that_is_not_there(self, server: RedisServer) -> None:
        """Says what to correct."""
        ledger = RedisLedger(server.url.replace("/0", "/99"), retention=LONG)
        with pytest.raises(LedgerUnavailableError, match="no database of that number") as caught:
            await ledger.check()
        assert "ledger_database_unknown" == caught.value.code
        await ledger.close()

    async def test_a_user_without_more_than_it_needed_before_renews(self, server: RedisServer) -> None:
        """PTTL and PEXPIRE are not among what an older release asked for."""
        allowed = ("+get", "+set", "+getrange", "+evalsha", "+eval", "+ping", "+info")
        server.command("ACL", "SETUSER", "small", "on", ">word", "~iton:*", "-@all", *allowed)
        ledger = RedisLedger(f"redis://small:word@127.0.0.1:{server.port}/0", retention=LONG, prefix="iton")
        new = entry()
        await ledger.swap("job-1", expected=None, new=new)
        server.command("PEXPIRE", "iton:ledger:job-1", "5000")
        assert [True, False] == await ledger.renew(["job-1", "absent"])
        assert new == await ledger.load("job-1")
        assert server.command("PTTL", "iton:ledger:job-1") > 10_000
        await ledger.close()


class TestServerTrouble:
    """The server fails; callers are told, and the ledger goes on by itself."""

    async def test_acknowledged_writes_survive_a_killed_server(
        self, server: RedisServer, ledger: RedisLedger
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

    async def test_a_cut_connection_is_made_again(self, server: RedisServer, ledger: RedisLedger) -> None:
        """No caller notices that the server dropped connections that were idle."""
        new = entry()
        await ledger.check()
        for _ in range(3):
            server.command("CLIENT", "KILL", "TYPE", "normal")
            assert await ledger.swap("job-1", expected=None, new=new) is True
        assert new == await ledger.load("job-1")

    async def test_a_frozen_server_is_given_up_in_time(
        self, server: RedisServer, impatient: RedisLedger
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

    async def test_flushed_scripts_are_sent_again(self, server: RedisServer, ledger: RedisLedger) -> None:
        """A server that forgot the script gets it once more, for all callers."""
        await ledger.check()
        server.command("SCRIPT", "FLUSH")
        swaps = [ledger.swap(f"job-{number}", expected=None, new=entry()) for number in range(20)]
        assert await asyncio.gather(*swaps) == [True] * 20

    async def test_a_batch_survives_flushed_scripts(self, server: RedisServer, ledger: RedisLedger) -> None:
        """Each of its swaps is done once, and answered in its place."""
        await ledger.swap("job-3", expected=None, new=entry())
        server.command("SCRIPT", "FLUSH")
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(20)]
        assert [number != 3 for number in range(20)] == await ledger.swap_many(swaps)

    async def test_a_frozen_server_fails_a_batch(self, server: RedisServer, impatient: RedisLedger) -> None:
        """Within the time limit, each entry by itself; the same batch again stands."""
        await impatient.check()
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(50)]
        with server.frozen():
            async with asyncio.timeout(TOLD):
                answers = await impatient.swap_many(swaps)
        assert ["ledger_timed_out"] * 50 == [getattr(answer, "code", "") for answer in answers]
        assert [True] * 50 == await impatient.swap_many(swaps)

    async def test_a_full_server_is_reported_and_recovers(
        self, server: RedisServer, ledger: RedisLedger
    ) -> None:
        """Out of memory under noeviction: swaps and check fail, with a remedy."""
        await ledger.swap("job-0", expected=None, new=entry())
        server.command("CONFIG", "SET", "maxmemory", "1")
        for use in (ledger.swap("job-1", expected=None, new=entry()), ledger.check()):
            with pytest.raises(LedgerUnavailableError, match=r"ledger_full.*maxmemory"):
                await use
        server.command("CONFIG", "SET", "maxmemory", "0")
        assert await ledger.swap("job-1", expected=None, new=entry()) is True

    async def test_a_replica_is_reported_and_left(self, server: RedisServer, ledger: RedisLedger) -> None:
        """A server that was demoted takes no write; when it leads again, all works."""
        await ledger.check()
        server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(LedgerUnavailableError, match=r"ledger_read_only.*primary"):
            await ledger.swap("job-1", expected=None, new=entry())
        server.command("REPLICAOF", "NO", "ONE")
        assert await ledger.swap("job-1", expected=None, new=entry()) is True

    async def test_a_foreign_value_is_refused(self, server: RedisServer, ledger: RedisLedger) -> None:
        """What another program wrote under our key is neither believed nor overwritten."""
        server.command("SET", "iton:ledger:job-1", "not ours")
        server.command("LPUSH", "iton:ledger:job-2", "not ours")
        for use in (ledger.load("job-1"), ledger.load("job-2")):
            with pytest.raises(EntryUnusableError, match="ledger_foreign_entry"):
                await use
        assert await ledger.swap("job-1", expected=None, new=entry()) is False

    async def test_many_callers_need_few_connections(self, server: RedisServer, ledger: RedisLedger) -> None:
        """Five hundred at once, no more than the four that are allowed."""
        await asyncio.gather(*[ledger.load(f"job-{number}") for number in range(500)])
        clients = server.command("CLIENT", "LIST", "TYPE", "normal").decode().splitlines()
        assert len([client for client in clients if "cmd=client" not in client]) <= 4


class TestReplicas:
    """``wait_replicas``: what no replica has does not count."""

    async def test_a_swap_counts_once_a_replica_has_it(self, tmp_path: Path) -> None:
        """And not while it is away, nor when it is repeated then; afterwards all goes on."""
        with RedisServer(tmp_path / "one") as one, RedisServer(tmp_path / "two") as two:
            two.command("REPLICAOF", "127.0.0.1", str(one.port))
            ledger = RedisLedger(f"{one.url}?wait_replicas=1", retention=LONG, timeout=PATIENCE)
            await self._until_it_works(ledger)
            new, other = entry(), entry()
            assert await ledger.swap("job-1", expected=None, new=new) is True
            assert two.command("GET", "iton:ledger:job-1").endswith(new.state)
            two.command("REPLICAOF", "NO", "ONE")
            for swapped in (new, other):
                for _ in range(2):
                    with pytest.raises(LedgerUnavailableError, match="ledger_not_replicated"):
                        await ledger.swap(f"job-{swapped.token}", expected=None, new=swapped)
            with pytest.raises(LedgerUnavailableError, match="ledger_not_replicated"):
                await ledger.swap("job-1", expected=None, new=new)
            assert new == await ledger.load("job-1")
            two.command("REPLICAOF", "127.0.0.1", str(one.port))
            await self._until_it_works(ledger)
            assert await ledger.swap("job-1", expected=new.token, new=other) is True
            await ledger.close()

    async def _until_it_works(self, ledger: RedisLedger) -> None:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await ledger.check()
                except LedgerUnavailableError:
                    await asyncio.sleep(0.05)
                else:
                    return


class TestSecrets:
    """The password is nowhere but on the wire."""

    async def test_no_error_tells_the_password(self, server: RedisServer) -> None:
        """Refused, unreachable or malformed: neither text, nor chain, nor repr has it."""
        server.command("ACL", "SETUSER", "limited", "on", f">{PASSWORD}", "~*", "-@all")
        urls = [
            server.url.replace(PASSWORD, "other-" + PASSWORD),
            server.url.replace(":" + PASSWORD, "limited:" + PASSWORD),
            f"redis://:{PASSWORD}@127.0.0.1:1/0",
            f"rediss://:{PASSWORD}@127.0.0.1:{server.port}/0",
            f"unix://:{PASSWORD}@/nowhere/redis.sock",
        ]
        ends = [await self._fail(url) for url in urls]
        assert [code for code, _ in ends] == [
            "ledger_credentials_refused",
            "ledger_credentials_refused",
            "ledger_unreachable",
            "ledger_timed_out",
            "ledger_unreachable",
        ]
        assert [text for _, text in ends if PASSWORD in text] == []

    async def _fail(self, url: str) -> tuple[str, str]:
        ledger = RedisLedger(url, retention=LONG, timeout=PATIENCE)
        with pytest.raises(LedgerUnavailableError) as caught:
            await ledger.swap("job-1", expected=None, new=entry())
        await ledger.close()
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        return caught.value.code, "".join(traceback.format_exception(caught.value)) + repr(ledger)


class TestWarnings:
    """Check tells once of settings that may lose entries."""

    async def test_settings_that_keep_all_are_not_mentioned(self, ledger: RedisLedger) -> None:
        """Noeviction and an append-only file are as they should be."""
        with capture_logs() as logs:
            await ledger.check()
        assert logs == []

    async def test_eviction_and_a_missing_append_only_file_are_mentioned_once(
        self, server: RedisServer, ledger: RedisLedger
    ) -> None:
        """However often the ledger is checked."""
        server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        server.command("CONFIG", "SET", "appendonly", "no")
        with capture_logs() as logs:
            await ledger.check()
            await ledger.check()
        assert [log["event"] for log in logs] == ["ledger.eviction_possible", "ledger.appendonly_off"]
        assert all(PASSWORD not in str(log) for log in logs)

    async def test_a_server_that_hides_its_settings_is_used_all_the_same(self, server: RedisServer) -> None:
        """INFO may be forbidden; GET, SET and EVALSHA are all that is needed."""
        rights = ["~iton:*", "-@all", "+get", "+set", "+getrange", "+evalsha", "+eval"]
        server.command("ACL", "SETUSER", "worker", "on", f">{PASSWORD}", *rights)
        ledger = RedisLedger(server.url.replace(":" + PASSWORD, "worker:" + PASSWORD), retention=LONG)
        assert await ledger.check() is None  # nor TIME
        assert await ledger.swap("job-1", expected=None, new=entry()) is True
        await ledger.close()
