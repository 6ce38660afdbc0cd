"""The world's entries in a real SQLite file, in the world's time.

The product's thread lives in real time, so its work is done here at once: the statements, the transactions
and the expiry are the product's.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.worlds.clock import WorldClock
from worker.ledger.sqlite_file import LedgerFile
from worker.ledger.sqlite_time import LedgerTime
from worker.ports import Stored, Swap

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a world's disk is never pulled out


class FileEntries:
    """Entries in a file of their own; it goes when nobody holds this any more."""

    def __init__(self, *, retention: float, clock: WorldClock) -> None:
        self._retention = retention
        self._folder = TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None)
        self._time = LedgerTime(clock)
        self._time.begin(None, last_write=None)
        self._files = 0
        self._file = self._new()

    def _new(self) -> LedgerFile:
        self._files += 1
        path = Path(self._folder.name) / f"ledger-{self._files}.db"
        return LedgerFile(path, retention=self._retention, busy_timeout=1.0)

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        found: list[Stored | None] = self._file.read(
            [lambda file, now: file.load(key, now)], self._time.now()
        )
        return found[0]

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write *new* if the entry's token is *expected*; tell if it stands."""
        ((stands,),) = self._file.swap([[Swap(key, expected, new)]], self._time.now())
        return stands

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew; tell of which."""
        (renewed,) = self._file.renew([keys], self._time.now())
        return renewed

    def forget(self) -> None:
        """Lose everything, as where the file is moved away."""
        self._file.close()
        self._file = self._new()

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
        self._folder.cleanup()
