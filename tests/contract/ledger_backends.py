"""The ledger's backends as the conformance suite sees them: how to open one, and what it promises."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.deadline import DEADLINE
from worker.clock import SystemClock
from worker.ledger import MemoryLedger, SqliteLedger
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger
from worker.ports import LedgerStore, Stored

LONG = 3600.0
REAL = 2.0
"""Seconds of a retention that really passes. Tests look at half of it; a busy machine is late."""


class SteppedClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self._now = datetime(2025, 1, 1, tzinfo=UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Wall-clock time."""
        return self._now

    def elapsed(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of store, ready for a test.

    Attributes:
        open: returns a ledger on the same store every time, with the given retention in seconds.
        shared: whether two ledgers that were opened so see each other's entries; such a store keeps
            them when all are closed, too.
        pass_time: lets seconds pass for the store.
        short: a retention that a test can wait for.
    """

    open: Callable[[float], LedgerStore]
    shared: bool
    pass_time: Callable[[float], Awaitable[None]]
    short: float


def memory_backend() -> Backend:
    """A dictionary, new for every ledger."""
    clock = SteppedClock()
    return Backend(
        open=lambda retention: MemoryLedger(retention=retention, clock=clock),
        shared=False,
        pass_time=clock.sleep,
        short=60.0,
    )


def sqlite_backend(directory: Path) -> Backend:
    """A file in *directory*."""
    clock = SteppedClock()
    return Backend(
        open=lambda retention: SqliteLedger(directory / "ledger.db", retention=retention, clock=clock),
        shared=True,
        pass_time=clock.sleep,
        short=60.0,
    )


def redis_backend(url: str) -> Backend:
    """A prefix of its own on the server at *url*; time is the server's and really passes."""
    prefix = f"test-{uuid.uuid4().hex}"
    return Backend(
        open=lambda retention: RedisLedger(url, retention=retention, prefix=prefix),
        shared=True,
        pass_time=asyncio.sleep,
        short=REAL,
    )


def postgresql_backend(url: str) -> Backend:
    """A prefix of its own in the database at *url*; time is the server's and really passes."""
    prefix = f"test-{uuid.uuid4().hex}"
    return Backend(
        open=lambda retention: PostgresqlLedger(url, retention=retention, prefix=prefix),
        shared=True,
        pass_time=asyncio.sleep,
        short=REAL,
    )


def entry(state: bytes = b"claimed") -> Stored:
    """A version of an entry with a token that was never used."""
    return Stored(uuid.uuid4().hex, state)


async def ledger_with_an_entry(path: Path) -> None:
    """Make a ledger's file as a worker does."""
    ledger = SqliteLedger(path, retention=LONG, clock=SystemClock())
    assert await ledger.swap("job", expected=None, new=entry())
    await ledger.close()


async def until(condition: Callable[[], bool], limit: float = DEADLINE) -> None:
    """Wait until *condition* holds; fail after *limit* seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


def rows(path: Path) -> int:
    """Count the entries in the file, expired ones too."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
    finally:
        connection.close()
