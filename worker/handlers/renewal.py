"""Entries of jobs that leave this worker unfinished live on: what is still alive must not be forgotten."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from schemas import JobRejectedError
from worker.domain.entry import Split
from worker.domain.errors import UnavailableError
from worker.domain.messages import Delivery, Lane
from worker.handlers.acceptance import Acceptance
from worker.handlers.brief import Brief, part_key, read_part
from worker.handlers.ledger_book import LedgerBook

_PARTS = frozenset({Lane.SEND_PARTS, Lane.SEND_URGENT_PARTS})


@dataclass(frozen=True, slots=True)
class Renewal:
    """Has the entries of a send job live for a whole retention again.

    To be awaited with each delay and each return, however often a job comes and goes: an outage may last
    longer than the ledger remembers.
    """

    acceptance: Acceptance
    book: LedgerBook

    async def __call__(self, delivery: Delivery) -> None:
        """Renew what the ledger has of the job of *delivery*. Without a ledger, nothing can be renewed."""
        with suppress(UnavailableError, JobRejectedError):
            if delivery.lane in _PARTS:
                order, _ = read_part(delivery.body)
                await self._renewed(order.brief, (order.key,))
            else:
                _, brief = self.acceptance.send_job(delivery)
                await self._renewed(brief, ())

    async def _renewed(self, brief: Brief, keys: Sequence[str]) -> None:
        *_, job_is_due = await self.book.renew((*keys, brief.job_id))
        # A large job's own entry is renewed for all of its parts, once a minute at the most: those that are
        # done must be known for as long as one of them is not.
        if job_is_due:
            await self.book.renew(await self._parts(brief))

    async def _parts(self, brief: Brief) -> Sequence[str]:
        held = await self.book.load(brief.job_id)
        if held is None or not isinstance(held.entry.plan, Split):
            return ()
        parts = enumerate(held.entry.plan.parts, start=1)
        return [part_key(brief, held.entry.generation, number, part) for number, part in parts]
