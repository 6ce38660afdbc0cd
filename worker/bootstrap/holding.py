"""How many jobs of the bulk queues are in hand: as many as suit the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.admission.admission import Admission
from worker.amqp.consumer import Consumer
from worker.domain.messages import Lane
from worker.ports import Clock
from worker.resilience.prefetch_limit import PrefetchLimit

_EVERY = 0.1  # seconds; a second after a burst has come there is enough in hand for it
_PLENTY = 4  # times what one wants: at the end of a backlog nobody has a quarter more to do than others


@dataclass(frozen=True, slots=True)
class Holding:
    """Has each lane's prefetch follow its limit."""

    consumer: Consumer
    gate: Admission
    limits: Mapping[Lane, PrefetchLimit]
    clock: Clock

    async def begin(self) -> None:
        """Begin with few, before the first job is taken."""
        for lane, limit in self.limits.items():
            await self.consumer.hold(lane, limit.value)

    async def run(self) -> None:
        """Look, and follow, until cancelled."""
        while True:
            await self.clock.sleep(_EVERY)
            held, has_room = self.consumer.in_flight_by_lane, self.gate.has_room(urgent=False)
            for lane, limit in self.limits.items():
                wanted = limit.look(
                    held.get(lane, 0),
                    self.consumer.done_by_lane.get(lane, 0),
                    length=self.consumer.bytes_by_lane.get(lane, 0),
                    calls=self.gate.calls,
                    has_room=has_room,
                )
                if wanted > limit.value and not await self._is_there_for_all(lane, wanted):
                    continue
                if wanted != limit.value:
                    limit.follow(wanted)
                    await self.consumer.hold(lane, wanted)

    async def _is_there_for_all(self, lane: Lane, wanted: int) -> bool:
        """Whether there is plenty for every worker: the first to have more must not take what is for all."""
        waiting, workers = await self.consumer.look(lane)
        return workers == 1 or waiting >= _PLENTY * workers * wanted
