"""Parts of large jobs: what one worker planned, any worker may send."""

from dataclasses import dataclass, replace

from worker.domain.errors import DeliveryLostError
from worker.domain.messages import Delivery
from worker.handlers.entries import Version
from worker.handlers.handled import Handled, forgotten
from worker.handlers.send.completion import Completion, Ended, Planned
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.head import read_part
from worker.ports import Clock, Locks


@dataclass(frozen=True, slots=True)
class PartSender:
    """Sends a part, whoever planned it, and publishes its result."""

    completion: Completion
    entries: EntryStore
    clock: Clock
    locks: Locks

    async def send(self, part: Planned, delivery: Delivery, *, known: bool) -> Ended:
        """Send one.

        Args:
            part: with the entry as it begins.
            delivery: of the part, or of the whole job.
            known: somebody may have been at it. If not, no entry is looked for first: the first write finds
                out.

        Raises:
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        key, replay = part.version.key, delivery.replay
        async with self.locks.holding(key):
            if delivery.is_lost():
                raise DeliveryLostError
            # What it lacks may be no more than its result, which must not wait for the gateway.
            found = await self.entries.load(key) if known else None
            if replay and not part.shares_round:
                if found is None and replay.needs_entry(self.clock.now()):
                    return Ended(forgotten(part.head.job_id), None)
                found = await self.entries.replayed(found or part.version, replay)
            version = found or part.version
            part = replace(part, version=version, unwritten=version.token is None)
            return await self.completion.ended(part, delivery)


@dataclass(frozen=True, slots=True)
class PartHandler:
    """Carries out the parts that workers handed out."""

    sender: PartSender

    async def handle(self, delivery: Delivery) -> Handled:
        """Carry the part out.

        Raises:
            JobRejectedError: it is not a part that a worker made.
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        order, entry = read_part(delivery.body)
        part = Planned(order.head, Version(order.key, None, entry), order.number, order.parts)
        known = delivery.redelivered or delivery.replay is not None
        return (await self.sender.send(part, delivery, known=known)).whole
