"""``.venv/bin/python -m bench.entries``: a PostgreSQL ledger with a million entries, and with none.

Measured on a private server that commits to its disk: how long a worker takes to begin, swaps a second and
how long one takes, and how long a sweep of half the entries takes and disturbs.
"""

import argparse
import asyncio
import sys
import time
import uuid
from dataclasses import dataclass

from tests.support.postgresql_server import PostgresqlServer
from worker.ledger.postgresql.schema import script
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ports import Stored

_STATE = 900  # bytes, of an entry of a few recipients
_SECONDS = 8.0
_FILL = """
INSERT INTO iton_worker.entries
SELECT 'iton', 'job-' || n, md5(n::text), decode(repeat(md5(n::text), {repeats}), 'hex'), moment, hour
FROM (
    SELECT n, now() + make_interval(hours => CASE WHEN n % 2 = 0 THEN -5 ELSE 72 END) AS moment,
        floor(extract(epoch FROM now()) / 3600)::int + CASE WHEN n % 2 = 0 THEN -5 ELSE 72 END AS hour
    FROM generate_series(1, {count}) AS n
) AS made
"""


@dataclass(frozen=True, slots=True)
class Swaps:
    """What swaps took.

    Attributes:
        rate: swaps a second.
        median: milliseconds of one; *most*: of the slowest of a hundred.
    """

    rate: float
    median: float
    most: float

    def words(self) -> str:
        """Return it in a line."""
        return f"{self.rate:,.0f} swaps a second, p50 {self.median:.1f} ms, p99 {self.most:.1f} ms"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.entries", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    count = parser.parse_args().count
    with PostgresqlServer(durable=True, settings={"shared_buffers": "256MB"}) as server:
        server.command(script())
        for entries in (0, count):
            if entries:
                server.command(_FILL.format(count=entries, repeats=_STATE // 16))
                server.command("VACUUM ANALYZE iton_worker.entries")
            asyncio.run(_measure(server.url, entries))
    return 0


async def _measure(url: str, entries: int) -> None:
    _say(f"{entries:,} entries, half of them expired" if entries else "no entries")
    ledger = PostgresqlLedger(url, retention=259_200, sweep_every=3600)
    began = time.perf_counter()
    await ledger.check()
    _say(f"  ready after {(time.perf_counter() - began) * 1000:.0f} ms, {await ledger.size() or 0:,} bytes")
    for callers in (1, 20, 200):
        _say(f"  {callers} callers: {(await _swaps(ledger, callers)).words()}")
    if entries:
        sweeping = asyncio.create_task(_swept(ledger))
        meanwhile = await _swaps(ledger, 20)
        _say(f"  {await sweeping}; 20 callers meanwhile: {meanwhile.words()}")
    await ledger.close()


async def _swept(ledger: PostgresqlLedger) -> str:
    began = time.perf_counter()
    swept = await ledger.sweep()
    return f"swept {swept:,} in {time.perf_counter() - began:.0f} s"


async def _swaps(ledger: PostgresqlLedger, callers: int) -> Swaps:
    """Have *callers* create and replace entries, as jobs do, one step after the other."""
    took: list[float] = []
    ends = time.perf_counter() + _SECONDS

    async def caller() -> None:
        while time.perf_counter() < ends:
            key, token = uuid.uuid4().hex, None
            for _ in range(3):
                new = Stored(uuid.uuid4().hex, bytes(_STATE))
                began = time.perf_counter()
                if not await ledger.swap(key, expected=token, new=new):
                    raise RuntimeError("a swap of a key of one's own was refused")
                took.append(time.perf_counter() - began)
                token = new.token

    await asyncio.gather(*(caller() for _ in range(callers)))
    took.sort()
    return Swaps(len(took) / _SECONDS, took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
