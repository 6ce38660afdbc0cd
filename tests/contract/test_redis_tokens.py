"""The rate limit of a fleet, in a Redis that its workers share."""

import asyncio
import time

from tests.contract.ledger_backends import SteppedClock
from tests.support.redis_server import RedisServer
from worker.admission.rate_limiter import RateLimiter
from worker.clock import SystemClock
from worker.ledger.redis import RedisLedger
from worker.ledger.redis_tokens import RedisTokens

RATE = 40.0


def bucket(server: RedisServer, prefix: str) -> tuple[RedisLedger, RedisTokens]:
    """One worker's view of the bucket."""
    ledger = RedisLedger(server.url, retention=60)
    return ledger, RedisTokens(ledger, RATE, prefix=prefix)


async def taken(limiter: RateLimiter, count: int = 1) -> None:
    """Wait for so many tokens, as those in line do."""
    for _ in range(count):
        while not limiter.take():
            there_is_one = asyncio.Event()
            limiter.when_there_is_one(there_is_one.set)
            await there_is_one.wait()


class TestRedisTokens:
    """One bucket for all workers."""

    async def test_two_workers_share_one_burst(self, redis_server: RedisServer) -> None:
        """Together they get one second's worth at once, and then no more than the rate."""
        ledgers, buckets = zip(*(bucket(redis_server, "burst") for _ in range(2)), strict=True)
        started = time.monotonic()
        waits = [await tokens.take() for _ in range(50) for tokens in buckets]
        passed = time.monotonic() - started
        assert 40 <= waits.count(0.0) <= 41 + RATE * passed
        assert 0 < max(waits) <= 1 / RATE
        for ledger in ledgers:
            await ledger.close()

    async def test_the_fleet_keeps_to_the_rate(self, redis_server: RedisServer) -> None:
        """Two limiters that are asked for more than there is."""
        ledgers, buckets = zip(*(bucket(redis_server, "fleet") for _ in range(2)), strict=True)
        limiters = [RateLimiter(RATE, SystemClock(), shared=tokens) for tokens in buckets]
        started = time.monotonic()
        await asyncio.gather(*(taken(limiter, 40) for limiter in limiters))
        passed = time.monotonic() - started
        # 80 leaves: 40 at once, the rest at 40 a second.
        assert passed >= 0.95
        for ledger in ledgers:
            await ledger.close()

    async def test_a_store_that_is_away_is_waited_for(self, redis_server: RedisServer) -> None:
        """Nobody gets leave meanwhile; after that everything goes on."""
        clock = SteppedClock()
        ledger, tokens = bucket(redis_server, "away")
        limiter = RateLimiter(RATE, clock, shared=tokens)
        redis_server.kill()
        waiting = asyncio.ensure_future(taken(limiter))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        redis_server.start()
        await asyncio.wait_for(waiting, 20)
        await ledger.close()
