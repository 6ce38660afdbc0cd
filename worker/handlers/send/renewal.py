"""Entries of jobs that leave this worker unfinished live on: what is still alive must not be forgotten."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from schemas import JobRejectedError
from worker.domain.api_entry import api_key
from worker.domain.entry import Split
from worker.domain.errors import UnavailableError
from worker.domain.messages import Delivery, Lane
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.send.acceptance import Acceptance
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.head import JobHead, part_key, read_part


@dataclass(frozen=True, slots=True)
class Renewal:
    """Has the entries of a send or api job live for a whole retention again.

    To be awaited with each delay and each return, however often a job comes and goes: an outage may last
    longer than the ledger remembers.
    """

    acceptance: Acceptance
    entries: EntryStore
    api: ApiAcceptance | None = None

    async def __call__(self, delivery: Delivery) -> None:
        """Renew what the ledger has of the job of *delivery*. Without a ledger, nothing can be renewed."""
        with suppress(UnavailableError, JobRejectedError):
            if delivery.lane is Lane.API and self.api is not None:
                await self.entries.renew([api_key(self.api.api_job(delivery).job_id)])
            elif delivery.lane.holds_parts:
                order, _ = read_part(delivery.body)
                await self._renewed(order.head, (order.key,))
            else:
                _, head = self.acceptance.send_job(delivery)
                await self._renewed(head, ())

    async def _renewed(self, head: JobHead, keys: Sequence[str]) -> None:
        *_, job_is_due = await self.entries.renew((*keys, head.job_id))
        # A large job's own entry is renewed for all of its parts, once a minute at the most: those that are
        # done must be known for as long as one of them is not.
        if job_is_due:
            await self.entries.renew(await self._parts(head))

    async def _parts(self, head: JobHead) -> Sequence[str]:
        found = await self.entries.load(head.job_id)
        if found is None or not isinstance(found.entry.plan, Split):
            return ()
        parts = enumerate(found.entry.plan.parts, start=1)
        return [part_key(head, found.entry.generation, number, part) for number, part in parts]
