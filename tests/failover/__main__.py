"""``python -m tests.failover``: a ledger's primary killed again and again under load, and what that costs."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.support.failover_load import Counted, claim_amid_failovers
from tests.support.failover_pairs import PostgresqlPair, RedisPair
from worker.ledger import AnyLedger
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger

_RETENTION = 3600.0


def main() -> int:
    """Fail over, print the figures; return 0 if PostgreSQL lost nothing. Redis is counted, and may."""
    options = _options()
    kept = True
    for kind in ("postgresql", "redis") if options.ledger == "both" else (options.ledger,):
        with tempfile.TemporaryDirectory(prefix="failover-") as folder:
            counted = asyncio.run(_count(kind, options, Path(folder)))
        print(f"{kind}: {options.times} failovers, {counted.words()}", flush=True)  # noqa: T201 - for a person
        kept = kept and (kind == "redis" or (counted.lost, counted.doubled) == (0, 0))
    return 0 if kept else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    parser.add_argument("--ledger", choices=("postgresql", "redis", "both"), default="both")
    parser.add_argument("--times", type=int, default=10, help="failovers of each (default 10)")
    parser.add_argument("--lag", type=float, default=0.01, help="seconds between the two servers, each way")
    parser.add_argument(
        "--stall", type=float, default=0.0, help="seconds for which nothing passes between them before a kill"
    )
    return parser.parse_args()


async def _count(kind: str, options: argparse.Namespace, folder: Path) -> Counted:
    ledgers: list[AnyLedger]
    with RedisPair(folder, lag=options.lag) if kind == "redis" else PostgresqlPair(lag=options.lag) as pair:
        if kind == "redis":
            ledgers = [RedisLedger(pair.url, retention=_RETENTION, timeout=2.0) for _ in range(2)]
        else:
            ledgers = [PostgresqlLedger(pair.url, retention=_RETENTION, timeout=2.0) for _ in range(2)]
        counted = await claim_amid_failovers(
            pair, ledgers, times=options.times, every=1.0, stall=options.stall
        )
        for ledger in ledgers:
            await ledger.close()
    return counted


if __name__ == "__main__":
    sys.exit(main())
