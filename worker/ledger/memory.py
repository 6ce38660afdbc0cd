"""A ledger that lives and dies with the process: for trials and tests."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from worker.ledger.failures import FRESH, closed
from worker.ports import Clock, Stored, Swap

_EXPIRED_PER_WRITE = 8


@dataclass(frozen=True, slots=True)
class _Entry:
    stored: Stored
    expires_at: float


class MemoryLedger:
    """Entries in a dictionary: nothing survives the process, and no other process sees them.

    Each swap that writes also drops up to eight expired entries, so the dictionary does not outgrow
    twice what is alive and no single call pays for all.

    Args:
        retention: seconds that an entry lives after it was last written.
        clock: its ``elapsed`` decides on expiry.
    """

    def __init__(self, *, retention: float, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock
        # Ordered by expiry, since every write moves its entry to the end and the retention is one for all.
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._closed = False

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        self._refuse_if_closed()
        return self._alive(key, self._clock.elapsed())

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write *new* if the entry's token is *expected*; tell if it stands."""
        self._refuse_if_closed()
        return self._swap(key, expected, new)

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        """Do each; return what `swap` would return or raise."""
        if self._closed:
            return [closed() for _ in swaps]
        return [self._swap(one.key, one.expected, one.new) for one in swaps]

    def _swap(self, key: str, expected: str | None, new: Stored) -> bool:
        now = self._clock.elapsed()
        held = self._alive(key, now)
        token = held.token if held else None
        if token == new.token:
            return True
        if token != expected:
            return False
        self._drop_expired(now)
        self._entries[key] = _Entry(new, now + self._retention)
        self._entries.move_to_end(key)
        return True

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew; tell of which."""
        self._refuse_if_closed()
        return [self._renew(key, self._clock.elapsed()) for key in keys]

    def _renew(self, key: str, now: float) -> bool:
        held = self._alive(key, now)
        if held is None or self._entries[key].expires_at > now + self._retention - FRESH:
            return False
        self._entries[key] = _Entry(held, now + self._retention)
        self._entries.move_to_end(key)
        return True

    async def entries(self) -> int | None:
        """Return how many entries are held, some of which may have expired."""
        return len(self._entries)

    async def size(self) -> int | None:
        """Return None: it is a part of the process's memory."""
        return None

    async def check(self) -> None:
        """Raise LedgerUnavailableError after ``close``; memory can always be written."""
        self._refuse_if_closed()

    async def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._entries.clear()

    def _alive(self, key: str, now: float) -> Stored | None:
        entry = self._entries.get(key)
        return entry.stored if entry and entry.expires_at > now else None

    def _drop_expired(self, now: float) -> None:
        for _ in range(_EXPIRED_PER_WRITE):
            oldest = next(iter(self._entries), None)
            if oldest is None or self._entries[oldest].expires_at > now:
                return
            del self._entries[oldest]

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise closed()
