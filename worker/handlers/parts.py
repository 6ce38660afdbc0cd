"""Parts of large jobs: what one worker planned, any worker may send."""

from dataclasses import dataclass

from worker.domain.entry import Entry
from worker.domain.messages import Delivery
from worker.handlers.brief import read_part
from worker.handlers.completion import Completion, Planned
from worker.handlers.handled import Handled
from worker.handlers.ledger_book import Held
from worker.ports import Locks


@dataclass(frozen=True, slots=True)
class PartHandler:
    """Sends one part and publishes its result."""

    completion: Completion
    locks: Locks

    async def handle(self, delivery: Delivery) -> Handled:
        """Carry the part out.

        Raises:
            JobRejectedError: it is not a part that a worker made.
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        order, part = read_part(delivery.body)
        key = f"{order.brief.job_id}/{order.number}"
        # No entry is looked for first: nearly every part is new, and the first write finds out.
        held = Held(key, None, Entry(order.brief.fingerprint, part))
        planned = Planned(order.brief, held, order.number, order.parts)
        async with self.locks.holding(key):
            return await self.completion.complete(planned, delivery)
