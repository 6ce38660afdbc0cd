"""The ledger as tracking uses it: units instead of bytes."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.tracking import Unit, decode_unit, encode_unit
from worker.handlers.send.entries import EntryUnreadableError, LostRaceError
from worker.ports import Ledger, Stored


@dataclass(frozen=True, slots=True)
class Kept:
    """A unit as this worker last wrote or read it; without a token while nothing is stored under the key."""

    key: str
    token: str | None
    unit: Unit | None


@dataclass(frozen=True, slots=True)
class UnitStore:
    """Reads and writes units.

    Attributes:
        draw_token: returns a fresh unique token for each write.
    """

    ledger: Ledger
    draw_token: Callable[[], str]

    async def load(self, key: str) -> Kept:
        """Return what there is.

        Raises:
            LedgerUnavailableError: the store is away.
            EntryUnreadableError: a newer release's, or damaged.
            EntryUnusableError: another program's.
        """
        stored = await self.ledger.load(key)
        if stored is None:
            return Kept(key, None, None)
        try:
            return Kept(key, stored.token, decode_unit(stored.state))
        except UnreadableEntryError as error:
            raise EntryUnreadableError(error, stored.token) from None

    async def write(self, kept: Kept, unit: Unit) -> Kept:
        """Replace what *kept* names by *unit*.

        Raises:
            LostRaceError: it is no longer what is stored.
        """
        new = Stored(self.draw_token(), encode_unit(unit))
        if not await self.ledger.swap(kept.key, expected=kept.token, new=new):
            raise LostRaceError
        return Kept(kept.key, new.token, unit)

    async def renew(self, key: str) -> None:
        """Have it live for a whole retention from now on."""
        await self.ledger.renew([key])
