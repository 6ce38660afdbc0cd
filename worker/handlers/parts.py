"""Parts of large jobs: what one worker planned, any worker may send."""

from dataclasses import dataclass

from worker.domain.errors import DeliveryLostError
from worker.domain.messages import Delivery
from worker.handlers.brief import read_part
from worker.handlers.completion import Completion, Planned
from worker.handlers.handled import Handled, forgotten
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
        order, entry = read_part(delivery.body)
        async with self.locks.holding(order.key):
            if delivery.is_lost():
                raise DeliveryLostError
            # No entry is looked for first: nearly every part is new, and the first write finds out.
            held = Held(order.key, None, entry)
            book = self.completion.tools.book
            if delivery.replay:
                known = await book.load(order.key)
                if known is None and delivery.replay.needs_entry(self.completion.tools.clock.now()):
                    return forgotten(order.brief.job_id)
                held = await book.replayed(known or held, delivery.replay)
            elif delivery.redelivered:
                # What it lacks may be no more than its result, which must not wait for the gateway.
                held = await book.load(order.key) or held
            unwritten = held.token is None
            planned = Planned(order.brief, held, order.number, order.parts, unwritten=unwritten)
            return await self.completion.complete(planned, delivery)
