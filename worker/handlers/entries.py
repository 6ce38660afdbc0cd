"""The ledger as the handlers use it: entries instead of bytes, lost races instead of False."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.errors import EntryUnusableError, UnavailableError
from worker.domain.value import value
from worker.ports import Ledger, Stored, Swap

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class LostRaceError(Exception):
    """Somebody else changed the entry first; read it again and go on from there."""


class EntryUnreadableError(EntryUnusableError):
    """An entry is a newer release's, or damaged. That stops its job, not the others.

    Attributes:
        token: of the stored version.
        is_newer: a newer release wrote it, which can read it.
    """

    def __init__(self, error: UnreadableEntryError, token: str) -> None:
        super().__init__("ledger_unreadable", str(error))
        self.token = token
        self.is_newer = error.is_newer


@value
class Version(Generic[E_co]):
    """An entry as this worker last wrote or read it.

    Attributes:
        token: of the stored version; None while nothing is stored under the key.
    """

    key: str
    token: str | None
    entry: E_co


@dataclass(frozen=True, slots=True)
class Store(Generic[E]):
    """Reads and writes entries of one kind.

    Attributes:
        draw_token: returns a fresh unique token for each write.
        encode: writes an entry.
        decode: reads it, or raises UnreadableEntryError.
    """

    ledger: Ledger
    draw_token: Callable[[], str]
    encode: Callable[[E], bytes]
    decode: Callable[[bytes], E]

    async def load(self, key: str) -> Version[E] | None:
        """Return the entry, or None.

        Raises:
            LedgerUnavailableError: the store is away.
            EntryUnreadableError: the entry is a newer release's, or damaged.
        """
        stored = await self.ledger.load(key)
        if stored is None:
            return None
        try:
            return Version(key, stored.token, self.decode(stored.state))
        except UnreadableEntryError as error:
            raise EntryUnreadableError(error, stored.token) from None

    async def reload(self, key: str) -> Version[E]:
        """Return an entry that was there a moment ago."""
        version = await self.load(key)
        if version is None:
            raise UnavailableError("ledger_entry_lost", "an entry in use is gone from the ledger")
        return version

    async def renew(self, keys: Sequence[str]) -> Sequence[bool]:
        """Have entries live for a whole retention from now on; tell which were due for it."""
        return await self.ledger.renew(keys) if keys else ()

    async def write(self, version: Version[object], entry: E, *, token: str | None = None) -> Version[E]:
        """Replace what *version* names by *entry*.

        Args:
            version: what is stored, as far as is known.
            entry: to be stored.
            token: that was drawn before, where the same may be written twice; else one is drawn.

        Raises:
            LostRaceError: it is no longer what is stored.
        """
        new = Stored(token or self.draw_token(), self.encode(entry))
        if not await self.ledger.swap(version.key, expected=version.token, new=new):
            raise LostRaceError
        return Version(version.key, new.token, entry)

    async def write_many(self, changes: Sequence[tuple[Version[E], E]]) -> list[Version[E] | Exception]:
        """Do what `write` does, for the price of few; return of each what that would return or raise."""
        swaps = [
            Swap(version.key, version.token, Stored(self.draw_token(), self.encode(entry)))
            for version, entry in changes
        ]
        answers = await self.ledger.swap_many(swaps)
        return [
            Version(swap.key, swap.new.token, entry) if answer is True else _why(answer)
            for swap, (_, entry), answer in zip(swaps, changes, answers, strict=True)
        ]


def _why(answer: bool | Exception) -> Exception:  # noqa: FBT001 - as the ledger answers
    return answer if isinstance(answer, Exception) else LostRaceError()
