"""A pooler in front of the ledger's server, which gives each transaction any session."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.contract.ledger_backends import LONG, entry
from tests.support.deadline import DEADLINE
from tests.support.pgbouncer import Pgbouncer
from tests.support.postgresql_server import PASSWORD, PostgresqlServer
from worker.domain.errors import LedgerUnavailableError
from worker.ledger.postgresql.schema import script
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ports import Swap


def opened(url: str, timeout: float = 2.0) -> PostgresqlLedger:
    """A ledger with a prefix of its own, which gives up after so many seconds."""
    return PostgresqlLedger(url, retention=LONG, prefix=f"test-{uuid.uuid4().hex}", timeout=timeout)


class TestTransactionMode:
    """What differs from a server: nothing lasts from one transaction to the next."""

    async def test_more_workers_than_sessions(self, pgbouncer: Pgbouncer) -> None:
        """Six workers, with three connections each, on two sessions."""
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(600)]

        async def written(ledger: PostgresqlLedger) -> Sequence[bool | Exception]:
            # On a busy machine one may wait for a session for longer than a call may take, and asks again.
            while True:
                answers = await ledger.swap_many(swaps)
                if not any(isinstance(one, LedgerUnavailableError) for one in answers):
                    return answers

        async with AsyncExitStack() as stack:
            ledgers = [opened(pgbouncer.url) for _ in range(6)]
            for ledger in ledgers:
                stack.push_async_callback(ledger.close)
            answers = await asyncio.gather(*(written(ledger) for ledger in ledgers for _ in range(3)))
            assert [[True] * 600] * 18 == answers

    async def test_no_setting_of_ours_is_left_in_a_session(
        self, pgbouncer: Pgbouncer, postgresql_server: PostgresqlServer
    ) -> None:
        """The next one to get it, perhaps another program, finds the server's own."""
        ledger = opened(pgbouncer.url, DEADLINE)
        await ledger.swap("job-1", expected=None, new=entry())
        names = ("lock_timeout", "statement_timeout", "synchronous_commit")
        own = [postgresql_server.command(f"SHOW {name}") for name in names]
        assert own == [await asyncio.to_thread(pgbouncer.ask, f"SHOW {name}") for name in names]
        await ledger.close()

    async def test_a_commit_waits_for_the_standby(self) -> None:
        """Whatever the session has, which nobody could set for long."""
        with PostgresqlServer(settings={"synchronous_commit": "off"}) as server:
            server.command(script())
            with Pgbouncer(server) as pooler:
                ledger = opened(pooler.url)
                await ledger.check()
                server.set("synchronous_standby_names", "nobody")
                names = "SELECT current_setting('synchronous_standby_names')"
                async with asyncio.timeout(DEADLINE):
                    while await asyncio.to_thread(pooler.ask, names) != "nobody":  # noqa: ASYNC110 -- as elsewhere
                        await asyncio.sleep(0.01)
                with pytest.raises(LedgerUnavailableError, match="ledger_timed_out"):
                    await ledger.swap("job-1", expected=None, new=entry())
                await ledger.close()

    async def test_a_server_that_dies_behind_it_is_waited_for(self) -> None:
        """The pooler stays; callers are told, and what they try after that works again."""
        with PostgresqlServer() as server, Pgbouncer(server) as pooler:
            ledger = opened(pooler.url)
            await ledger.check()
            server.kill()
            new = entry()
            with pytest.raises(LedgerUnavailableError, match=r"ledger_(timed_out|unreachable)"):
                await ledger.swap("job-1", expected=None, new=new)
            server.start()
            async with asyncio.timeout(DEADLINE):
                while True:
                    try:
                        assert await ledger.swap("job-1", expected=None, new=new) is True
                        break
                    except LedgerUnavailableError:
                        await asyncio.sleep(0.1)
            assert new == await ledger.load("job-1")
            await ledger.close()

    async def test_a_wrong_password_is_told_without_it(self, pgbouncer: Pgbouncer) -> None:
        """In the pooler's words, which are not PostgreSQL's."""
        ledger = opened(pgbouncer.url.replace(PASSWORD, "other-" + PASSWORD))
        with pytest.raises(LedgerUnavailableError, match="ledger_credentials_refused") as caught:
            await ledger.check()
        assert PASSWORD not in str(caught.value)
        await ledger.close()
