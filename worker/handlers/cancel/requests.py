"""Cancel jobs in the ledger: the same one again gets the same answer."""

from dataclasses import dataclass, replace

from schemas import CancelStatus
from worker.domain.cancel_request import CancelRequest, cancel_key
from worker.handlers.entries import LostRaceError, Store, Version


@dataclass(frozen=True, slots=True)
class Requests:
    """Opens and answers them."""

    store: Store[CancelRequest]

    async def opened(self, job_id: str, request: CancelRequest) -> Version[CancelRequest]:
        """Return what is known under *job_id*; nothing yet: *request*, whose id it is from now on.

        Raises:
            LedgerUnavailableError: the store is away.
            EntryUnreadableError: what is there is a newer release's, or damaged.
        """
        nothing = Version(cancel_key(job_id), None, request)
        while True:
            try:
                return await self.store.write(nothing, request)
            except LostRaceError:
                if (found := await self.store.load(nothing.key)) is not None:
                    return found

    async def answered(self, opened: Version[CancelRequest], answer: CancelStatus) -> CancelStatus:
        """Record *answer*; where another delivery of the same job was first, its answer is returned."""
        before, done = opened, replace(opened.entry, answer=answer)
        while True:
            try:
                await self.store.write(before, done)
            except LostRaceError:
                # Answered meanwhile, or forgotten: then it is written anew.
                before = await self.store.load(opened.key) or replace(opened, token=None)
                if before.entry.answer is not None:
                    return before.entry.answer
            else:
                return answer

    async def exists(self, key: str) -> bool:
        """Tell whether anything is stored under *key*."""
        return await self.store.ledger.load(key) is not None
