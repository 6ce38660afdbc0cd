"""Takes deliveries from every lane, has them handled, and settles them. Survives the loss of the broker."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from worker.amqp.connection.calls import describe
from worker.amqp.connection.library import AMQPError
from worker.amqp.connection.opening import RawConnection
from worker.amqp.connection.supervisor import SideState, Supervisor
from worker.amqp.consume.deliveries import Destination
from worker.amqp.consume.in_hand import Handle, InHand
from worker.amqp.consume.lane_consumer import LaneConsumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.topology.declare import prepare, together
from worker.amqp.topology.values import Topology
from worker.domain.errors import WorkerError
from worker.domain.messages import Delivery, Lane

log = structlog.get_logger(__name__)

# Looks, five seconds apart: a consumer that may be forgotten is replaced well within half a minute.
_MOST_SILENT = 4
_LAST_ANSWER = 2.0  # seconds; a broker that has not answered by then does not hold up a stop


class Consumer:
    """Consumes every lane on one connection, one channel a lane.

    Each delivery is handled by a task of its own; the broker hands out at most *prefetch* of a lane that
    are not settled. When the connection is lost it delivers them again: one that no handler has begun is
    dropped, one that a handler is at ends without being settled, and neither counts as in flight or takes
    the place of another.

    Args:
        url: of the broker; never logged.
        topology: names of the queues, and what is declared on each new connection.
        prefetch: by lane; lanes that are missing are not consumed.
        handle: decides what becomes of a delivery.
        settlement: does it.
        options: the rest.
    """

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        prefetch: Mapping[Lane, int],
        handle: Handle,
        settlement: Settlement,
        options: ConsumerOptions | None = None,
    ) -> None:
        self._topology = topology
        self._options = options or ConsumerOptions()
        self._paused: dict[Lane, str] = {}
        self._stopping = False
        self._in_hand = InHand(handle, settlement, topology.delays, self._options)
        self._supervisor = Supervisor(
            url,
            name=self._options.name,
            set_up=self._set_up,
            probe=self._probe,
            on_down=self._lose,
            timing=self._options.timing,
        )
        self._consumers = {lane: self._lane_consumer(lane, count) for lane, count in prefetch.items()}

    def _lane_consumer(self, lane: Lane, prefetch: int) -> LaneConsumer:
        in_hand = self._in_hand
        return LaneConsumer(
            lane=lane,
            queue=self._topology.work_queue(lane),
            prefetch=prefetch,
            destination=Destination(in_hand.take, in_hand.room.take, in_hand.room.give, in_hand.consumers_of),
            on_lost=self._supervisor.fail,
            limit=self._options.timing.call,
        )

    @property
    def state(self) -> SideState:
        """Up only while the broker really has the consumer of every lane that is not paused."""
        if self._stopping:
            return SideState(up=False, reason="stopping")
        if not self._supervisor.state.up:
            return self._supervisor.state
        missing = [lane.value for lane in self._consumers if not self._served(lane)]
        if missing:
            return SideState(up=False, reason=f"no consumer for {', '.join(missing)}")
        return SideState(up=True, reason="")

    def consumes(self, lane: Lane) -> bool:
        """Whether the broker has our consumer of *lane*, or we want none for the time being."""
        return self._supervisor.state.up and self._served(lane)

    def _served(self, lane: Lane) -> bool:
        return lane in self._paused or self._consumers[lane].registered

    def prefetch(self, lane: Lane) -> int:
        """How many jobs of *lane* may be in hand."""
        return self._consumers[lane].prefetch

    @property
    def in_flight(self) -> int:
        """Deliveries of the present connection that are being handled or wait for their turn."""
        return len(self._in_hand.working)

    @property
    def in_flight_by_lane(self) -> Mapping[Lane, int]:
        """The same, for each lane that has any."""
        return self._in_hand.by_lane

    def held(self) -> tuple[Delivery, ...]:
        """What is being worked on, also where the broker has it again."""
        return self._in_hand.deliveries()

    @property
    def oldest(self) -> float:
        """Seconds since the oldest delivery in flight arrived; 0 while there is none."""
        return self._in_hand.oldest

    async def run(self) -> None:
        """Keep the connection up and the lanes consumed, until cancelled."""
        await self._supervisor.run()

    async def count_workers(self) -> None:
        """Count who takes bulk jobs, and tell; without a connection nothing is told."""
        bulk = self._consumers[Lane.SEND]
        with suppress(WorkerError, AMQPError):
            await bulk.look()
            self._options.on_workers(max(1, bulk.consumers))

    async def pause(self, reason: str, *lanes: Lane) -> None:
        """Take no more from *lanes* (none given: from all); jobs stay in their queues, in their order.

        What is in hand is not touched. It lasts until `resume`, whatever becomes of the connection, and a
        second time changes nothing but the *reason*.
        """
        self._paused.update(dict.fromkeys(lanes or self._consumers, reason))
        await self._adjust()

    @property
    def paused(self) -> Mapping[Lane, str]:
        """Which lanes are, and why."""
        return self._paused

    async def resume(self, *lanes: Lane) -> None:
        """Take from *lanes* again (none given: from all)."""
        for lane in lanes or tuple(self._paused):
            self._paused.pop(lane, None)
        await self._adjust()

    async def stop_intake(self) -> None:
        """Take nothing more, for good; deliveries that no handler has started on go back."""
        self._stopping, self._in_hand.unwanted = True, frozenset(self._consumers)
        await asyncio.gather(self._adjust(), self._in_hand.abandon_what_waits(_LAST_ANSWER))

    async def drain(self, seconds: float, *, last: float = _LAST_ANSWER) -> int:
        """Stop the intake, wait for what is in flight, cancel what is left and give it back.

        Args:
            seconds: for what is in flight; a broker that does not answer takes none of them.
            last: seconds for whoever is cancelled.

        Returns:
            How many deliveries were given back unfinished.
        """
        stopping = asyncio.create_task(self.stop_intake())
        await asyncio.sleep(0)
        in_hand = self._in_hand
        working = {**in_hand.orphans, **in_hand.working}
        if working:
            await asyncio.wait(set(working.values()), timeout=seconds)
        returned = len(in_hand.working)
        await in_hand.abandon({**in_hand.orphans, **in_hand.working}, last)
        await asyncio.wait({stopping}, timeout=min(_LAST_ANSWER, last))
        stopping.cancel()
        return returned

    async def _adjust(self) -> None:
        unwanted = frozenset(self._consumers if self._stopping else self._paused)
        self._in_hand.unwanted = unwanted
        self._in_hand.let_go()
        for lane, consumer in self._consumers.items():
            consumer.wanted = lane not in unwanted
        await asyncio.gather(*map(self._adjust_one, self._consumers.values()))

    async def _adjust_one(self, consumer: LaneConsumer) -> None:
        try:
            await consumer.adjust()
        except (WorkerError, AMQPError) as error:
            self._supervisor.fail(describe(error))

    async def _set_up(self, connection: RawConnection) -> None:
        await self._options.preparing.do(lambda: self._prepare(connection))
        await asyncio.gather(*(consumer.open(connection) for consumer in self._consumers.values()))
        if bulk := self._consumers.get(Lane.SEND):
            await bulk.look()
            self._options.on_workers(bulk.consumers + 1)
        # All channels are there before the first job is: behind full queues the broker's answers would come
        # late. Urgent lanes first.
        urgent_first = sorted(self._consumers, key=lambda lane: not lane.is_urgent)
        await together([self._consumers[lane].adjust() for lane in urgent_first])

    async def _prepare(self, connection: RawConnection) -> None:
        await prepare(connection.library, self._topology, may_declare=self._options.declare)

    async def _probe(self, connection: RawConnection) -> None:
        busy = self._in_hand.busy
        looks = (consumer.probe(idle=lane not in busy) for lane, consumer in self._consumers.items())
        await asyncio.gather(*looks)
        if connection.forgets_consumers:
            silent = (consumer for consumer in self._consumers.values() if consumer.silence >= _MOST_SILENT)
            await asyncio.gather(*(consumer.renew(connection) for consumer in silent))

    def _lose(self) -> None:
        for consumer in self._consumers.values():
            consumer.lost()
        self._in_hand.lose()
