"""Which calls the ledger knows to be under way, read past the worker."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

import psycopg
from redis import Redis

from worker.domain.api_entry import api_key
from worker.domain.api_entry import decode as decode_api
from worker.domain.entry import CallState, Part
from worker.domain.entry_codec import UnreadableEntryError, decode


def calls_under_way(ledger_url: str, prefix: str) -> set[str]:
    """Return ``JOB``, ``JOB/PART`` or ``api/JOB`` for each entry that has a call in the state `calling`."""
    if ledger_url.startswith("postgresql"):
        entries = _of_postgresql(ledger_url, prefix)
    elif ledger_url.startswith("redis"):
        entries = _of_redis(ledger_url, prefix)
    else:
        entries = _of_sqlite(ledger_url)
    # The key of a part's entry names the cut behind the part.
    return {"/".join(key.split("/")[:2]) for key, state in entries if _is_calling(key, state)}


def _of_sqlite(url: str) -> Iterator[tuple[str, bytes]]:
    path = Path(url.removeprefix("sqlite:///"))
    if path.exists():
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            yield from connection.execute("SELECT key, state FROM entries")


def _of_postgresql(url: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(url, target_session_attrs="read-write") as connection:
        yield from connection.execute(
            "SELECT key, state FROM iton_worker.entries WHERE prefix = %s", [prefix]
        )


def _of_redis(url: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    client = Redis.from_url(url)
    start = f"{prefix}:ledger:".encode()
    with closing(client), suppress(ConnectionError):
        for key in client.scan_iter(start + b"*", count=1000):
            # Redis-py types its replies for both of its clients at once.
            length, _, rest = cast("bytes", client.get(key) or b"0:").partition(b":")
            yield key.removeprefix(start).decode(), rest[int(length) :]


def _is_calling(key: str, state: bytes) -> bool:
    with suppress(UnreadableEntryError):  # of a followed message, say
        if key.startswith(api_key("")):
            return decode_api(bytes(state)).state is CallState.CALLING
        plan = decode(bytes(state)).plan if state else None
        return isinstance(plan, Part) and any(call.state is CallState.CALLING for call in plan.calls)
    return False
