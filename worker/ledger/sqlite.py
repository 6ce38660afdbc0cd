"""The default ledger: one SQLite file, for all processes of one machine."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from worker.domain.errors import LedgerUnavailableError
from worker.ledger.failures import again
from worker.ledger.sqlite_file import LedgerFile
from worker.ledger.sqlite_thread import LedgerThread
from worker.ledger.sqlite_users import is_open_elsewhere
from worker.ports import Clock, Stored, Swap


class SqliteLedger:
    """Entries in a file that outlives ``kill -9`` and power cuts (WAL, ``synchronous = FULL``).

    Several processes of one machine may share the file; a network file system will not do. The file is
    opened at the first use and made if need be, its directory too, readable by its owner alone. Concurrent
    swaps are committed together. After any failure the file is opened anew by the next call.

    Args:
        path: of the file; its ``-wal`` and ``-shm`` stand beside it.
        retention: seconds that an entry lives after it was last written.
        clock: its elapsed time decides on expiry, its wall time hardly: see `worker.ledger.sqlite_time`.
        busy_timeout: seconds to wait for another process that holds the file.
        sweep_every: seconds between looks for expired entries while nothing else is to do.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        retention: float,
        clock: Clock,
        busy_timeout: float = 5.0,
        sweep_every: float = 10.0,
    ) -> None:
        self._path = Path(path).absolute()
        self._thread = LedgerThread(
            self._path, retention=retention, clock=clock, busy_timeout=busy_timeout, sweep_every=sweep_every
        )

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self._path)!r})"

    @property
    def is_there(self) -> bool:
        """Whether there is such a file; true also where nobody can tell: its use says why."""
        try:
            return self._path.exists()
        except OSError:
            return True

    def load(self, key: str) -> Awaitable[Stored | None]:
        """Return the entry, or None."""
        return self._thread.read(lambda file, now: file.load(key, now))

    def swap(self, key: str, *, expected: str | None, new: Stored) -> Awaitable[bool]:
        """Write *new* if the entry's token is *expected*; tell if it stands.

        The write is done also when the caller is cancelled while it waits.
        """
        return self._thread.swap_one(Swap(key, expected, new))

    async def swap_many(self, swaps: Sequence[Swap]) -> Sequence[bool | Exception]:
        """Do each, all in one transaction; return what `swap` would return or raise.

        The writes are done also when the caller is cancelled while it waits.
        """
        if not swaps:
            return []
        try:
            return cast("list[bool]", await self._thread.ask(LedgerFile.swap, swaps))
        except LedgerUnavailableError as error:
            return [again(error) for _ in swaps]
        except Exception:  # noqa: BLE001 -- one of them cannot be stored as it is: the others must not suffer for it
            return await asyncio.gather(*map(self._swapped, swaps))

    async def _swapped(self, one: Swap) -> bool | Exception:
        try:
            return await self.swap(one.key, expected=one.expected, new=one.new)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is the answer
            return error

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew, of all in one transaction; tell of which."""
        return await self._thread.renew(keys) if keys else []

    async def entries(self) -> int | None:
        """Return about how many entries there are: never too few."""
        return cast("int", await self._thread.read(lambda file, _now: file.extent()))

    async def size(self) -> int | None:
        """Return the bytes of the file and of what stands beside it."""
        return cast("int", await self._thread.read(lambda file, _now: file.size()))

    async def pages(self) -> AsyncGenerator[list[tuple[str, Stored]]]:
        """Yield all entries that live, some at a time, in the order of their keys."""
        after = ""
        while page := await self._thread.read(partial(LedgerFile.page, after=after)):
            yield page
            after = page[-1][0]

    async def used_elsewhere(self) -> bool:
        """Tell whether another process has the file open. Before the first use of this ledger."""
        return is_open_elsewhere(self._path)

    async def check(self) -> None:
        """Prove that the file can take a batch of entries."""
        await self._thread.probe()

    async def close(self) -> None:
        """Finish what was asked for, then give the file back."""
        await self._thread.stop()
