"""The entries of send jobs and their parts."""

from collections.abc import Callable
from dataclasses import replace

from worker.domain.entry import Entry
from worker.domain.entry_codec import decode, encode
from worker.domain.replay import Replay, reopened
from worker.handlers.entries import LostRaceError, Store, Version
from worker.ports import Ledger


class EntryStore(Store[Entry]):
    """Reads and writes them."""

    __slots__ = ()

    def __init__(self, ledger: Ledger, draw_token: Callable[[], str]) -> None:
        super().__init__(ledger, draw_token, encode, decode)

    async def replayed(self, version: Version[Entry], replay: Replay) -> Version[Entry]:
        """Make ready again what *replay* asks for, whoever else is at the entry."""
        # The key of a part's entry has a slash; no job id has one.
        while (entry := reopened(version.entry, replay, of_part="/" in version.key)) != version.entry:
            if version.token is None or version.entry.plan is None:
                # It is stored with the plan: nobody who is planning at this moment must lose a race over it.
                return replace(version, entry=entry)
            try:
                return await self.write(version, entry)
            except LostRaceError:
                version = await self.reload(version.key)
        return version
