"""What is asked of the server, each for many callers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice

from worker.ledger.failures import FRESH
from worker.ledger.postgresql.connection import Connection
from worker.ports import Stored, Swap

# A key is there once, so the rows of a key that was asked for twice are one.
_LOAD = (
    "SELECT key, token, state FROM iton_worker.entries"
    " WHERE prefix = %(prefix)s AND key = ANY (%(keys)s::text[]) AND expires_at > clock_timestamp()"
)
_SWAP = (
    "SELECT iton_worker.swap(%(prefix)s, %(keys)s::text[], %(expected)s::text[], %(tokens)s::text[],"
    " %(states)s::bytea[], %(retention)s)"
)
_RENEW = "SELECT iton_worker.renew(%(prefix)s, %(keys)s::text[], %(retention)s, %(fresh)s)"
_TAKE = "SELECT taken, wait FROM iton_worker.take(%(prefix)s, %(rate)s, %(most)s, %(asked)s)"
_SWEEP = "SELECT iton_worker.sweep(%(most)s::integer)"
_PROBE = "SELECT iton_worker.probe(%(prefix)s), extract(epoch FROM clock_timestamp())::double precision"
# A small table is counted; of a large one the server knows about how many rows it has since it last looked.
_ENTRIES = """
SELECT CASE WHEN c.reltuples >= 100000 THEN c.reltuples::bigint
    ELSE (SELECT count(*) FROM (SELECT FROM iton_worker.entries LIMIT 200000) AS counted) END
FROM pg_class AS c WHERE c.oid = 'iton_worker.entries'::regclass
"""
_BYTES = "SELECT pg_total_relation_size('iton_worker.entries')"
_PAGE = (
    "SELECT key, token, state FROM iton_worker.entries"
    " WHERE prefix = %(prefix)s AND key > %(after)s AND expires_at > clock_timestamp() ORDER BY key LIMIT 100"
)
# Of a role that may not look at the others' sessions, only its own have a name.
_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %(name)s"
)
_VERSION = "SELECT version, usable_by FROM iton_worker.version"
_LONGEST_NAME = 63
_LOOK = (
    "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit')"
)


def application_name(prefix: str) -> str:
    """Return what a session of the deployment is called; PostgreSQL keeps 63 bytes of ASCII."""
    return f"iton-worker {prefix}"[:_LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides whether the server forgets.

    Attributes:
        fsync: ``on`` or ``off``, so is *full_page_writes*.
        synchronous_commit: of the session, before we raise it.
    """

    fsync: str
    full_page_writes: str
    synchronous_commit: str


@dataclass(frozen=True, slots=True)
class Statements:
    """Of one deployment.

    Attributes:
        prefix: of all its entries.
        retention: how long an entry lives after it was last written.
        fresh: how long ago that must be for a renewal.
    """

    prefix: str
    retention: timedelta
    fresh: timedelta = timedelta(seconds=FRESH)

    async def load(self, connection: Connection, keys: Sequence[str]) -> list[Stored | None]:
        """Return the entry of each key, or None."""
        rows = await connection.rows(_LOAD, {"prefix": self.prefix, "keys": list(set(keys))})
        held = {key: Stored(token, bytes(state)) for key, token, state in rows}
        return [held.get(key) for key in keys]

    async def swap(self, connection: Connection, groups: Sequence[Sequence[Swap]]) -> list[list[bool]]:
        """Do all swaps of all groups in one transaction; return which ones stand, group by group."""
        swaps = list(chain.from_iterable(groups))
        parameters = {
            "prefix": self.prefix,
            "keys": [swap.key for swap in swaps],
            "expected": [swap.expected for swap in swaps],
            "tokens": [swap.new.token for swap in swaps],
            "states": [swap.new.state for swap in swaps],
            "retention": self.retention,
        }
        ((places,),) = await connection.rows(_SWAP, parameters)
        return _grouped(groups, len(swaps), places)

    async def renew(self, connection: Connection, groups: Sequence[Sequence[str]]) -> list[list[bool]]:
        """Have entries live a whole retention from now on; return which ones were due, group by group."""
        keys = list(chain.from_iterable(groups))
        parameters = {
            "prefix": self.prefix,
            "keys": keys,
            "retention": self.retention,
            "fresh": self.fresh,
        }
        ((places,),) = await connection.rows(_RENEW, parameters)
        return _grouped(groups, len(keys), places)

    async def take(self, connection: Connection, buckets: Sequence[tuple[float, float]]) -> list[float]:
        """Take a token for each caller, of the one bucket of the deployment: 0, else the seconds to wait."""
        rate, most = buckets[-1]
        parameters = {"prefix": self.prefix, "rate": rate, "most": most, "asked": len(buckets)}
        ((taken, wait),) = await connection.rows(_TAKE, parameters)
        return [0.0] * taken + [float(wait)] * (len(buckets) - taken)

    async def probe(self, connection: Connection, asked: Sequence[None]) -> list[float]:
        """Write; return the server's time, seconds since the epoch."""
        ((_, moment),) = await connection.rows(_PROBE, {"prefix": self.prefix})
        return [float(moment)] * len(asked)

    async def sweep(self, connection: Connection, most: Sequence[int]) -> list[int]:
        """Delete at most so many expired entries; return how many it was."""
        return [(await connection.rows(_SWEEP, {"most": each}))[0][0] for each in most]

    async def entries(self, connection: Connection, asked: Sequence[None]) -> list[int]:
        """Return how many entries there are, about, of all deployments."""
        ((count,),) = await connection.rows(_ENTRIES, {})
        return [int(count)] * len(asked)

    async def size(self, connection: Connection, asked: Sequence[None]) -> list[int]:
        """Return the bytes that they take, indexes too."""
        ((count,),) = await connection.rows(_BYTES, {})
        return [int(count)] * len(asked)

    async def page(self, connection: Connection, after: Sequence[str]) -> list[list[tuple[str, Stored]]]:
        """Return some entries, those with the first keys behind *after*."""
        return [await self._page(connection, each) for each in after]

    async def _page(self, connection: Connection, after: str) -> list[tuple[str, Stored]]:
        rows = await connection.rows(_PAGE, {"prefix": self.prefix, "after": after})
        return [(key, Stored(token, bytes(state))) for key, token, state in rows]

    async def sessions(self, connection: Connection, asked: Sequence[None]) -> list[int]:
        """Return how many sessions of the deployment there are, this one too."""
        ((count,),) = await connection.rows(_SESSIONS, {"name": application_name(self.prefix)})
        return [int(count)] * len(asked)

    async def version(self, connection: Connection, asked: Sequence[None]) -> list[tuple[int, int]]:
        """Return the version of the schema, and of the oldest program that can work with it."""
        rows = await connection.rows(_VERSION, {})
        version, usable_by = rows[0] if rows else (0, 0)
        return [(version, usable_by)] * len(asked)

    async def look(self, connection: Connection, asked: Sequence[None]) -> list[Settings]:
        """Return the server's settings."""
        (row,) = await connection.rows(_LOOK, {})
        return [Settings(*row)] * len(asked)

    async def create(self, connection: Connection, scripts: Sequence[str]) -> list[None]:
        """Make the schema."""
        await connection.run(scripts[0])
        return [None] * len(scripts)


def _grouped(groups: Sequence[Sequence[object]], count: int, places: Sequence[int]) -> list[list[bool]]:
    """Turn the positions, from 1 on, of those that stand into answers, group by group."""
    stand = [False] * count
    for place in places:
        stand[place - 1] = True
    answers = iter(stand)
    return [list(islice(answers, len(group))) for group in groups]
