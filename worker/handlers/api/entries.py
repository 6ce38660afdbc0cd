"""The ledger as api jobs use it: entries instead of bytes, lost races instead of False."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.domain.api_entry import ApiEntry, decode, encode
from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.errors import UnavailableError
from worker.handlers.send.entries import EntryUnreadableError, LostRaceError
from worker.ports import Ledger, Stored


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """An entry as this worker last wrote or read it.

    Attributes:
        token: of the stored version; None while nothing is stored under the key.
    """

    key: str
    token: str | None
    entry: ApiEntry


@dataclass(frozen=True, slots=True)
class ApiEntries:
    """Reads and writes entries.

    Attributes:
        draw_token: returns a fresh unique token for each write.
    """

    ledger: Ledger
    draw_token: Callable[[], str]

    async def load(self, key: str) -> ApiVersion | None:
        """Return the entry, or None.

        Raises:
            LedgerUnavailableError: the store is away.
            EntryUnreadableError: the entry is a newer release's, or damaged.
        """
        stored = await self.ledger.load(key)
        if stored is None:
            return None
        try:
            return ApiVersion(key, stored.token, decode(stored.state))
        except UnreadableEntryError as error:
            raise EntryUnreadableError(error, stored.token) from None

    async def reload(self, key: str) -> ApiVersion:
        """Return an entry that was there a moment ago."""
        version = await self.load(key)
        if version is None:
            raise UnavailableError("ledger_entry_lost", "an entry in use is gone from the ledger")
        return version

    def new(self, version: ApiVersion, entry: ApiEntry) -> ApiVersion:
        """Return what *version* is to become; its token is drawn once, so it may be written twice."""
        return ApiVersion(version.key, self.draw_token(), entry)

    async def write(self, version: ApiVersion, new: ApiVersion) -> ApiVersion:
        """Replace *version* by *new*, and return that.

        Raises:
            LostRaceError: *version* is no longer what is stored.
        """
        stored = Stored(new.token or "", encode(new.entry))
        if not await self.ledger.swap(version.key, expected=version.token, new=stored):
            raise LostRaceError
        return new
