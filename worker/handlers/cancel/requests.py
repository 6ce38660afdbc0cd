"""Cancel jobs in the ledger: the same one again gets the same answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from schemas import CancelStatus
from worker.domain.cancel_request import CancelRequest, cancel_key, decode_request
from worker.domain.entry_codec import UnreadableEntryError
from worker.handlers.send.entries import EntryUnreadableError
from worker.ports import Ledger, Stored


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request and the token of its stored version."""

    token: str
    request: CancelRequest


@dataclass(frozen=True, slots=True)
class Requests:
    """Reads and writes them.

    Attributes:
        draw_token: returns a fresh unique token for each write.
    """

    ledger: Ledger
    draw_token: Callable[[], str]

    async def opened(self, job_id: str, request: CancelRequest) -> OpenRequest:
        """Return what is known under *job_id*; nothing yet: *request*, whose id it is from now on.

        Raises:
            LedgerUnavailableError: the store is away.
            EntryUnreadableError: what is there is a newer release's, or damaged.
        """
        key, new = cancel_key(job_id), Stored(self.draw_token(), request.encode())
        while not await self.ledger.swap(key, expected=None, new=new):
            if (found := await self.ledger.load(key)) is not None:
                return self._read(found)
        return OpenRequest(new.token, request)

    async def answered(self, job_id: str, opened: OpenRequest, answer: CancelStatus) -> CancelStatus:
        """Record *answer*; where another delivery of the same job was first, its answer is returned."""
        key, done = cancel_key(job_id), replace(opened.request, answer=answer)
        token: str | None = opened.token
        while True:
            if await self.ledger.swap(key, expected=token, new=Stored(self.draw_token(), done.encode())):
                return answer
            # Answered meanwhile, or forgotten: then it is written anew.
            found = await self.ledger.load(key)
            before = self._read(found) if found else None
            if before and before.request.answer is not None:
                return before.request.answer
            token = before.token if before else None

    async def exists(self, key: str) -> bool:
        """Tell whether anything is stored under *key*."""
        return await self.ledger.load(key) is not None

    def _read(self, stored: Stored) -> OpenRequest:
        try:
            return OpenRequest(stored.token, decode_request(stored.state))
        except UnreadableEntryError as error:
            raise EntryUnreadableError(error, stored.token) from None
