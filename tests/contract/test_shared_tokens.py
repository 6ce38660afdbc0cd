"""The rate limit of a fleet, in a store that its workers share."""

import asyncio
import time
import uuid

import pytest

from tests.contract.ledger_backends import SteppedClock
from tests.support.deadline import DEADLINE
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer
from worker.admission.rate_limiter import RateLimiter
from worker.clock import SystemClock
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger

RATE = 40.0
SLOW = 10.0
"""A rate at which a hundred tokens last for nine seconds, so that no machine is too slow to use them up."""
Server = RedisServer | PostgresqlServer
Store = RedisLedger | PostgresqlLedger


@pytest.fixture(params=["redis_server", "postgresql_server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each kind of server in turn."""
    started: Server = request.getfixturevalue(request.param)
    return started


def stores(server: Server, count: int) -> list[Store]:
    """So many workers' views of one new bucket."""
    prefix = f"test-{uuid.uuid4().hex}"
    kind = RedisLedger if isinstance(server, RedisServer) else PostgresqlLedger
    return [kind(server.url, retention=60, prefix=prefix) for _ in range(count)]


async def taken(limiter: RateLimiter, count: int = 1) -> None:
    """Wait for so many tokens, as those in line do."""
    for _ in range(count):
        while not limiter.take():
            there_is_one = asyncio.Event()
            limiter.when_there_is_one(there_is_one.set)
            await there_is_one.wait()


class TestSharedTokens:
    """One bucket for all workers."""

    async def test_two_workers_share_one_burst(self, server: Server) -> None:
        """Together they get one second's worth at once, and then no more than the rate."""
        ledgers = stores(server, 2)
        buckets = [ledger.bucket(SLOW) for ledger in ledgers]
        started = time.monotonic()
        waits = [await tokens.take() for _ in range(50) for tokens in buckets]
        passed = time.monotonic() - started
        assert 10 <= waits.count(0.0) <= 11 + SLOW * passed
        assert 0 < max(waits) <= 1 / SLOW
        for ledger in ledgers:
            await ledger.close()

    async def test_who_asks_at_the_same_time_gets_no_more(self, server: Server) -> None:
        """A hundred at once, of two workers: those beyond the burst are told how long to wait."""
        ledgers = stores(server, 2)
        started = time.monotonic()
        buckets = [ledger.bucket(SLOW) for ledger in ledgers]
        waits = await asyncio.gather(*(tokens.take() for _ in range(50) for tokens in buckets))
        passed = time.monotonic() - started
        assert 10 <= waits.count(0.0) <= 11 + SLOW * passed
        assert 0 < max(waits) <= 1 / SLOW
        for ledger in ledgers:
            await ledger.close()

    async def test_the_fleet_keeps_to_the_rate(self, server: Server) -> None:
        """Two limiters that are asked for more than there is."""
        ledgers = stores(server, 2)
        limiters = [RateLimiter(RATE, SystemClock(), shared=ledger.bucket(RATE)) for ledger in ledgers]
        started = time.monotonic()
        await asyncio.gather(*(taken(limiter, 40) for limiter in limiters))
        passed = time.monotonic() - started
        # 80 leaves: 40 at once, the rest at 40 a second.
        assert passed >= 0.95
        for ledger in ledgers:
            await ledger.close()

    async def test_a_store_that_is_away_is_waited_for(self, server: Server) -> None:
        """Nobody gets leave meanwhile; after that everything goes on."""
        clock = SteppedClock()
        (ledger,) = stores(server, 1)
        limiter = RateLimiter(RATE, clock, shared=ledger.bucket(RATE))
        server.kill()
        waiting = asyncio.ensure_future(taken(limiter))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        server.start()
        await asyncio.wait_for(waiting, DEADLINE)
        await ledger.close()
