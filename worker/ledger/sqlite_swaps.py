"""Compare-and-swaps as SQL: many in one statement, since each one waits for the interpreter's lock."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from worker.ports import Swap

# SQLite joins an update to a list of values since 3.33; an older one gets a statement for each swap.
_MOST = 64 if sqlite3.sqlite_version_info >= (3, 33) else 1
_STANDS = "SELECT 1 FROM entries WHERE key = ? AND token = ? AND expires_at > ?"


def swap_all(connection: sqlite3.Connection, swaps: Sequence[Swap], now: int, expires_at: int) -> list[bool]:
    """Do *swaps*, in order, inside a transaction; tell which ones stand.

    Args:
        connection: to the ledger's file.
        swaps: each stands or falls by itself.
        now: milliseconds since 1970; entries that expired by then count as absent.
        expires_at: the same, of what is written.
    """
    if len({swap.key for swap in swaps}) < len(swaps):
        # The second of a key goes on from what the first made of it.
        return [stands for swap in swaps for stands in _swap_some(connection, [swap], now, expires_at)]
    return _swap_some(connection, swaps, now, expires_at)


def _swap_some(
    connection: sqlite3.Connection, swaps: Sequence[Swap], now: int, expires_at: int
) -> list[bool]:
    creating = [swap for swap in swaps if swap.expected is None]
    # A token names one version: where it is its own successor, the write was done before, if it ever was.
    replacing = [swap for swap in swaps if swap.expected not in (None, swap.new.token)]
    written = 0
    for some in _portions(creating) if len(creating) > 1 else (creating,) if creating else ():
        written += _create(connection, some, now, expires_at)
    for some in _portions(replacing) if len(replacing) > 1 else (replacing,) if replacing else ():
        written += _replace(connection, some, now, expires_at)
    if written == len(swaps):
        return [True] * written
    return [_stands(connection, swap, now) for swap in swaps]


def _create(connection: sqlite3.Connection, swaps: Sequence[Swap], now: int, expires_at: int) -> int:
    values: list[Any] = []
    for swap in swaps:
        values += (swap.key, swap.new.token, swap.new.state, expires_at)
    return connection.execute(_creation(len(swaps)), [*values, now]).rowcount


def _replace(connection: sqlite3.Connection, swaps: Sequence[Swap], now: int, expires_at: int) -> int:
    values: list[Any] = [expires_at]
    for swap in swaps:
        values += (swap.key, swap.expected, swap.new.token, swap.new.state)
    return connection.execute(_replacement(len(swaps)), [*values, now]).rowcount


def _stands(connection: sqlite3.Connection, swap: Swap, now: int) -> bool:
    found = connection.execute(_STANDS, (swap.key, swap.new.token, now)).fetchone()
    return found is not None


def _portions(swaps: Sequence[Swap]) -> list[Sequence[Swap]]:
    """Cut into powers of two, so that few different statements are ever prepared."""
    portions: list[Sequence[Swap]] = []
    while swaps:
        size = min(1 << (len(swaps).bit_length() - 1), _MOST)
        portions.append(swaps[:size])
        swaps = swaps[size:]
    return portions


@cache
def _creation(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?)"] * count)
    return (
        f"INSERT INTO entries (key, token, state, expires_at) VALUES {rows}"  # noqa: S608 -- question marks only
        " ON CONFLICT (key) DO UPDATE"
        " SET token = excluded.token, state = excluded.state, expires_at = excluded.expires_at"
        " WHERE entries.expires_at <= ?"
    )


@cache
def _replacement(count: int) -> str:
    if count == 1:
        return (
            "UPDATE entries SET expires_at = ?1, token = ?4, state = ?5"
            " WHERE key = ?2 AND token = ?3 AND expires_at > ?6"
        )
    rows = ", ".join(["(?, ?, ?, ?)"] * count)
    return (
        "UPDATE entries SET expires_at = ?, token = new.column3, state = new.column4"  # noqa: S608 -- as above
        f" FROM (VALUES {rows}) AS new"
        " WHERE entries.key = new.column1 AND entries.token = new.column2 AND entries.expires_at > ?"
    )
