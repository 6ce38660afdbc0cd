"""The ledger's database as one connection sees it. Blocking: for a thread of its own."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar, cast

from worker.ledger.failures import FRESH
from worker.ledger.sqlite_failures import file_lost, primary_code
from worker.ledger.sqlite_schema import connect
from worker.ledger.sqlite_swaps import swap_all
from worker.ports import Stored, Swap

_LOAD = "SELECT token, state FROM entries WHERE key = ? AND expires_at > ?"
_PAGE = "SELECT key, token, state FROM entries WHERE key > ? AND expires_at > ? ORDER BY key LIMIT 100"
_EXPIRED = "SELECT id FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
_EXTENT = (
    "SELECT ifnull((SELECT id FROM entries ORDER BY id DESC LIMIT 1)"
    " - (SELECT id FROM entries ORDER BY id LIMIT 1) + 1, 0)"
)
_RENEW = "UPDATE entries SET expires_at = ? WHERE key = ? AND expires_at > ? AND expires_at < ?"
_NOTED = "SELECT at, seen, boot FROM ledger_time"
_NOTE = (
    "INSERT INTO ledger_time (id, at, seen, boot) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET at = excluded.at, seen = excluded.seen, boot = excluded.boot WHERE excluded.at > ledger_time.at"
)
_FRESH = round(FRESH * 1000)
# As much as a batch of entries takes, so that a disk with room for a page or two does not pass.
_PROBE_BYTES = 65536

# SQLite's own waiting sleeps up to 100 ms between two tries, while other processes pass; cut short and
# repeated it tries every 2 ms.
_SHORT_WAIT = "PRAGMA busy_timeout = 5"

T = TypeVar("T")
Time = tuple[int, int, str]
"""The ledger's time, when it was noted by the clock of the machine, and in which boot of it."""
Work = Callable[["LedgerFile", int], Any]


class LedgerFile:
    """An open database file. Raises sqlite3.Error, OSError and LedgerUnavailableError as they come.

    All times are whole milliseconds of the ledger's own time, see `worker.ledger.sqlite_time`.
    """

    def __init__(self, path: Path, *, retention: float, busy_timeout: float) -> None:
        self._path = path
        self._retention = max(1, round(retention * 1000))
        self._names = (str(path), f"{path}-wal", f"{path}-shm")
        self._busy_timeout = busy_timeout
        self._padding = _PROBE_BYTES
        self._connection = connect(path, busy_timeout=busy_timeout)
        self._connection.execute(_SHORT_WAIT)
        self._identity = self._look()

    def load(self, key: str, now: int) -> Stored | None:
        """Return the entry, or None."""
        row = self._connection.execute(_LOAD, (key, now)).fetchone()
        return Stored(*row) if row else None

    def page(self, now: int, *, after: str) -> list[tuple[str, Stored]]:
        """Return some entries, those with the first keys behind *after*."""
        rows = self._connection.execute(_PAGE, (after, now))
        return [(key, Stored(token, state)) for key, token, state in rows]

    def read(self, works: Sequence[Work], now: int) -> list[Any]:
        """Do *works*, none of which writes, and make sure that they saw the file which is in use."""
        answers = self._patiently(lambda: [work(self, now) for work in works])
        self._verify()
        return answers

    def swap(self, groups: Sequence[Sequence[Swap]], now: int) -> list[list[bool]]:
        """Do all swaps of all groups in one transaction that is on the disk when this returns.

        Returns which ones stand, group by group.
        """
        with self._transaction():
            stand = iter(
                swap_all(self._connection, list(chain.from_iterable(groups)), now, now + self._retention)
            )
        # After the commit: what was deleted before it must not be acknowledged.
        self._verify()
        return [list(islice(stand, len(group))) for group in groups]

    def renew(self, groups: Sequence[Sequence[str]], now: int) -> list[list[bool]]:
        """Have entries expire a whole retention from now, unless they were written a moment ago.

        Returns which ones were renewed, group by group.
        """
        until = now + self._retention
        with self._transaction():
            done = [[self._renew(key, now, until) for key in group] for group in groups]
        self._verify()
        return done

    def _renew(self, key: str, now: int, until: int) -> bool:
        return self._connection.execute(_RENEW, (until, key, now, until - _FRESH)).rowcount > 0

    def probe(self, time: Time) -> None:
        """Note the *time*, on the disk afterwards.

        The first time write and delete as much as a batch of entries takes; later a page shows as well
        whether the file can be written.
        """
        padding, self._padding = self._padding, 1
        with self._transaction():
            self._connection.execute("INSERT INTO probes (padding) VALUES (zeroblob(?))", (padding,))
            self._connection.execute("DELETE FROM probes")
            self._connection.execute(_NOTE, time)
        self._verify()

    def noted(self) -> Time | None:
        """Return the time that was noted last, by whatever process."""
        return cast("Time | None", self._connection.execute(_NOTED).fetchone())

    def last_write(self) -> int | None:
        """Return when an entry was written last, as far as its expiry tells."""
        (latest,) = self._connection.execute("SELECT max(expires_at) FROM entries").fetchone()
        return None if latest is None else int(latest) - self._retention

    def note(self, time: Time) -> None:
        """Note the *time*, unless a later one is there."""
        with self._transaction():
            self._connection.execute(_NOTE, time)

    def extent(self) -> int:
        """Return how many entries there are: never too few, and too many where old ones were kept alive."""
        (count,) = self._connection.execute(_EXTENT).fetchone()
        return int(count)

    def size(self) -> int:
        """Return the bytes of the file and of those beside it."""
        return sum(os.stat(name).st_size for name in self._names)  # noqa: PTH116 -- as below

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
