"""What an entry of the ledger takes, in a real Redis, a real PostgreSQL and a real SQLite file."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer
from worker.clock import SystemClock
from worker.domain.entry import Call, CallState, Entry, Part, Split
from worker.domain.entry_codec import encode
from worker.ledger import open_ledger
from worker.ledger.postgresql.schema import script
from worker.ports import Stored

RETENTION = 259_200.0
_TOGETHER = 500
_ROOM = "SELECT pg_total_relation_size('iton_worker.entries')"
FINGERPRINT = "5f" * 32
PART_KEY = "0123456789abcdef"


@dataclass(frozen=True)
class Kind:
    """A kind of entry, and how many of it are written."""

    name: str
    count: int
    entry: Callable[[int], Entry]
    key: Callable[[int], str]


@dataclass(frozen=True)
class Size:
    """What one entry takes in a store, everything around it included."""

    store: str
    kind: str
    bytes: float

    def cells(self) -> tuple[str, ...]:
        """As the table has them."""
        mib = self.bytes * 1_000_000 / 1024 / 1024
        million = f"{mib:,.0f} MiB" if mib < 10_000 else f"{mib / 1024:,.0f} GiB"
        return (self.store, self.kind, f"{self.bytes:,.0f}", million)


def _names(seed: int, count: int) -> list[str]:
    """Numbers in no order, so that they compress no better than real ones."""
    dice = Random(seed)  # noqa: S311 - chance, no secret
    return [f"9198{number:08d}" for number in dice.sample(range(100_000_000), count)]


def _done(names: list[str]) -> Call:
    """A call as it is recorded after its reply; the ids have nothing in common."""
    ids = (sha256(name.encode()).hexdigest()[:24] for name in names)
    return Call(tuple(names), CallState.DONE, 1, 1_760_000_000.123456, tuple(ids))


def _part(index: int, count: int) -> Entry:
    names = _names(index, count)
    return Entry(FINGERPRINT, Part(tuple(names), (), (_done(names),)))


def _plan(index: int) -> Entry:
    names = _names(index, 100_000)
    cuts = [tuple(names[start : start + 100]) for start in range(0, len(names), 100)]
    return Entry(FINGERPRINT, Split(tuple(Part(cut, (), (Call(cut),)) for cut in cuts)))


def kinds() -> tuple[Kind, ...]:
    """Return what is measured: keys as long as a UUID."""

    def key(index: int) -> str:
        return f"018f7e5a-0000-7000-8000-{index:012d}"

    return (
        Kind("a job of one recipient, done", 20_000, lambda i: _part(i, 1), key),
        Kind(
            "a part of 100 recipients, done",
            4_000,
            lambda i: _part(i, 100),
            lambda i: f"{key(i)}/1/{PART_KEY}",
        ),
        Kind("the plan of a job for 100,000", 10, _plan, key),
    )


def redis_sizes(folder: Path) -> Iterator[Size]:
    """Measure by the growth of ``used_memory``: keys, values, expiry and the allocator's rounding."""
    for kind in kinds():
        with RedisServer(folder / f"redis-{kind.count}", durable=False) as server:
            before = _used_memory(server)
            asyncio.run(_write(server.url, kind))
            yield Size("Redis", kind.name, (_used_memory(server) - before) / kind.count)


def postgresql_sizes() -> Iterator[Size]:
    """Measure by the growth of the table and its indexes, with the room that updates of a page are left."""
    for kind in kinds():
        with PostgresqlServer() as server:
            server.command(script())
            before = int(server.command(_ROOM))
            asyncio.run(_write(server.url, kind))
            server.command("VACUUM iton_worker.entries")
            yield Size("PostgreSQL", kind.name, (int(server.command(_ROOM)) - before) / kind.count)


def _used_memory(server: RedisServer) -> int:
    return int(server.command("INFO", "memory")["used_memory"])


def sqlite_sizes(folder: Path) -> Iterator[Size]:
    """Measure by the size of the file once its write-ahead log is merged."""
    for kind in kinds():
        path = folder / f"ledger-{kind.count}.db"
        asyncio.run(_write(f"sqlite:///{path}", kind))
        yield Size("SQLite file", kind.name, path.stat().st_size / kind.count)


async def _write(url: str, kind: Kind) -> None:
    """Write each entry as its life has it: opened, claimed, done."""
    ledger = open_ledger(url, retention=RETENTION, clock=SystemClock())
    try:
        for start in range(0, kind.count, _TOGETHER):
            few = range(start, min(start + _TOGETHER, kind.count))
            await asyncio.gather(*(_live(ledger.swap, kind, index) for index in few))
    finally:
        await ledger.close()


async def _live(swap: Callable[..., object], kind: Kind, index: int) -> None:
    key, done = kind.key(index), encode(kind.entry(index))
    states = [encode(Entry(FINGERPRINT)), done, done]
    token: str | None = None
    for step, state in enumerate(states):
        new = Stored(f"a1b2c3d4e5f60718{index:x}{step}", state)
        await swap(key, expected=token, new=new)  # type: ignore[misc]  # every ledger's swap is awaited
        token = new.token
