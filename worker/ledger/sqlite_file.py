"""The ledger's database as one connection sees it. Blocking: for a thread of its own."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from worker.ledger.sqlite_failures import file_lost, primary_code
from worker.ledger.sqlite_schema import connect
from worker.ports import Stored, Swap

_LOAD = "SELECT token, state FROM entries WHERE key = ? AND expires_at > ?"
_CREATE = (
    "INSERT INTO entries (key, token, state, expires_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE"
    " SET token = excluded.token, state = excluded.state, expires_at = excluded.expires_at"
    " WHERE entries.expires_at <= ?"
)
_REPLACE = (
    "UPDATE entries SET token = ?, state = ?, expires_at = ? WHERE key = ? AND token = ? AND expires_at > ?"
)
_STANDS = "SELECT 1 FROM entries WHERE key = ? AND token = ? AND expires_at > ?"
_EXPIRED = "SELECT id FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
_EXTENT = (
    "SELECT ifnull((SELECT id FROM entries ORDER BY id DESC LIMIT 1)"
    " - (SELECT id FROM entries ORDER BY id LIMIT 1) + 1, 0)"
)
# As much as a batch of entries takes, so that a disk with room for a page or two does not pass.
_PROBE_BYTES = 65536

# SQLite's own waiting sleeps up to 100 ms between two tries, while other processes pass; cut short and
# repeated it tries every 2 ms.
_SHORT_WAIT = "PRAGMA busy_timeout = 5"

T = TypeVar("T")
Work = Callable[["LedgerFile", int], Any]


class LedgerFile:
    """An open database file. Raises sqlite3.Error, OSError and LedgerUnavailableError as they come.

    All times are whole milliseconds since 1970, UTC.
    """

    def __init__(self, path: Path, *, retention: float, busy_timeout: float) -> None:
        self._path = path
        self._retention = max(1, round(retention * 1000))
        self._names = (str(path), f"{path}-wal", f"{path}-shm")
        self._busy_timeout = busy_timeout
        self._connection = connect(path, busy_timeout=busy_timeout)
        self._connection.execute(_SHORT_WAIT)
        self._identity = self._look()

    def load(self, key: str, now: int) -> Stored | None:
        """Return the entry, or None."""
        row = self._connection.execute(_LOAD, (key, now)).fetchone()
        return Stored(*row) if row else None

    def swap(self, key: str, expected: str | None, new: Stored, now: int) -> bool:
        """Write *new* if the entry's token is *expected*; tell if it stands. Part of a transaction."""
        return self._write(key, expected, new, now) or self._stands(key, new.token, now)

    def swap_many(self, swaps: Sequence[Swap], now: int) -> list[bool]:
        """Do each; tell which ones stand. Part of a transaction."""
        return [self.swap(one.key, one.expected, one.new, now) for one in swaps]

    def read(self, works: Sequence[Work], now: int) -> list[Any]:
        """Do *works*, none of which writes, and make sure that they saw the file which is in use."""
        answers = self._patiently(lambda: [work(self, now) for work in works])
        self._verify()
        return answers

    def write(self, works: Sequence[Work], now: int) -> list[Any]:
        """Do *works* in one transaction that is on the disk when this returns."""
        with self._transaction():
            answers = [work(self, now) for work in works]
        # After the commit: what was deleted before it must not be acknowledged.
        self._verify()
        return answers

    def probe(self) -> None:
        """Write and delete as much as a batch of entries takes. Part of a transaction."""
        self._connection.execute("INSERT INTO probes (padding) VALUES (zeroblob(?))", (_PROBE_BYTES,))
        self._connection.execute("DELETE FROM probes")

    def extent(self) -> int:
        """Return how many entries there are: never too few, and too many where old ones were kept alive."""
        (count,) = self._connection.execute(_EXTENT).fetchone()
        return int(count)

    def delete_expired(self, now: int, limit: int) -> int:
        """Delete up to *limit* expired entries and return how many; takes no lock where there are none."""
        if not self._connection.execute(_EXPIRED, (now, 1)).fetchone():
            return 0
        with self._transaction():
            deleted = self._connection.execute(f"DELETE FROM entries WHERE id IN ({_EXPIRED})", (now, limit))  # noqa: S608 -- both are constants
        return deleted.rowcount

    def close(self) -> None:
        """Give the file back; a transaction that is not committed is undone."""
        self._connection.close()

    def _write(self, key: str, expected: str | None, new: Stored, now: int) -> bool:
        expires_at = now + self._retention
        if expected is None:
            written = self._connection.execute(_CREATE, (key, new.token, new.state, expires_at, now))
        elif expected != new.token:
            written = self._connection.execute(
                _REPLACE, (new.token, new.state, expires_at, key, expected, now)
            )
        else:
            # A token names one version: this write was done before, if it ever was.
            return False
        return bool(written.rowcount)

    def _stands(self, key: str, token: str, now: int) -> bool:
        return self._connection.execute(_STANDS, (key, token, now)).fetchone() is not None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"))
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # The first error tells what is wrong; closing undoes what cannot be rolled back.
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise

    def _patiently(self, do: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                return do()
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise

    def _look(self) -> tuple[tuple[int, int], ...]:
        found = [os.stat(name) for name in self._names]  # noqa: PTH116 -- three a batch: Path costs more than the call
        return tuple((stat.st_dev, stat.st_ino) for stat in found)

    def _verify(self) -> None:
        try:
            seen: tuple[tuple[int, int], ...] | None = self._look()
        except FileNotFoundError:
            seen = None
        if seen != self._identity:
            raise file_lost(self._path)
