"""Takes deliveries from every lane, has them handled, and settles them. Survives the loss of the broker."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiormq.exceptions import AMQPError

from worker.amqp.calls import describe, where
from worker.amqp.connection import RawConnection, Timing
from worker.amqp.declare import prepare
from worker.amqp.deliveries import Destination
from worker.amqp.intake import LaneIntake
from worker.amqp.link import Link, LinkState
from worker.amqp.received import Received
from worker.amqp.room import Room
from worker.amqp.settlement import Settlement
from worker.amqp.topology import Topology
from worker.domain.errors import UnavailableError, WorkerError
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, Lane, Requeue
from worker.resilience.weights import Weights
from worker.stopping import stop

log = structlog.get_logger(__name__)

# Looks, five seconds apart: a consumer that may be forgotten is replaced well within half a minute.
_MOST_SILENT = 4
# Bytes. A job for 100,000 has 1.6 MB and takes three times as much while it is worked on: few at once.
_HEAVY = 65_536
_MOST_HEAVY = 8_388_608

_LAST_ANSWER = 2.0  # seconds; a broker that has not answered by then does not hold up a stop

Handle = Callable[[Delivery], Awaitable[Disposition]]


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How the consumer behaves.

    Attributes:
        name: of the connection, for the broker's operator.
        declare: whether the topology is declared, or only checked.
        crash_attempts: rounds that a job gets which makes the handler crash, before it is a dead letter.
        timing: limits of the connection.
        on_workers: told how many workers take bulk jobs, this one included: before it takes its first
            one on a new connection, and whenever they are counted.
        on_crash: told of each job that makes the handler crash.
        on_disposed: told what is to become of a delivery that is not simply done.
    """

    name: str = "iton-worker consuming"
    declare: bool = True
    crash_attempts: int = 5
    timing: Timing = field(default_factory=Timing)
    on_workers: Callable[[int], None] = lambda _: None
    on_crash: Callable[[], None] = lambda: None
    on_disposed: Callable[[Disposition], None] = lambda _: None


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
        self._handle = handle
        self._settlement = settlement
        self._options = options or ConsumerOptions()
        self._paused: dict[Lane, str] = {}
        self._stopping = False
        self._in_hand: dict[Received, asyncio.Task[None]] = {}
        self._orphans: dict[Received, asyncio.Task[None]] = {}
        self._room = Room()
        self._unread: list[Received] = []
        self._heavy = {lane: Weights(_MOST_HEAVY) for lane in prefetch}
        self._link = Link(
            url,
            name=self._options.name,
            set_up=self._set_up,
            probe=self._probe,
            on_down=self._lose,
            timing=self._options.timing,
        )
        self._intakes = {lane: self._intake(lane, count) for lane, count in prefetch.items()}

    def _intake(self, lane: Lane, prefetch: int) -> LaneIntake:
        return LaneIntake(
            lane=lane,
            queue=self._topology.work_queue(lane),
            prefetch=prefetch,
            destination=Destination(self._take, self._room, self._consumers_of),
            on_lost=self._link.fail,
            limit=self._options.timing.call,
        )

    @property
    def state(self) -> LinkState:
        """Up only while the broker really has the consumer of every lane that is not paused."""
        if self._stopping:
            return LinkState(up=False, reason="stopping")
        if not self._link.state.up:
            return self._link.state
        missing = [lane.value for lane in self._intakes if not self._served(lane)]
        if missing:
            return LinkState(up=False, reason=f"no consumer for {', '.join(missing)}")
        return LinkState(up=True, reason="")

    def consumes(self, lane: Lane) -> bool:
        """Whether the broker has our consumer of *lane*, or we want none for the time being."""
        return self._link.state.up and self._served(lane)

    def _served(self, lane: Lane) -> bool:
        return lane in self._paused or self._intakes[lane].registered

    def prefetch(self, lane: Lane) -> int:
        """How many jobs of *lane* may be in hand."""
        return self._intakes[lane].prefetch

    @property
    def in_flight(self) -> int:
        """Deliveries of the present connection that are being handled or wait for their turn."""
        return len(self._in_hand)

    @property
    def in_flight_by_lane(self) -> Mapping[Lane, int]:
        """The same, for each lane that has any."""
        return Counter(received.delivery.lane for received in self._in_hand)

    def held(self) -> tuple[Delivery, ...]:
        """What is being worked on, also where the broker has it again."""
        return tuple(received.delivery for received in (*self._in_hand, *self._orphans))

    @property
    def oldest(self) -> float:
        """Seconds since the oldest delivery in flight arrived; 0 while there is none."""
        first = next(iter(self._in_hand), None)
        return time.monotonic() - first.taken if first else 0.0

    async def run(self) -> None:
        """Keep the connection up and the lanes consumed, until cancelled."""
        await self._link.run()

    async def count_workers(self) -> None:
        """Count who takes bulk jobs, and tell; without a connection nothing is told."""
        bulk = self._intakes[Lane.SEND]
        with suppress(WorkerError, AMQPError):
            await bulk.look()
            self._options.on_workers(max(1, bulk.consumers))

    async def pause(self, reason: str, *lanes: Lane) -> None:
        """Take no more from *lanes* (none given: from all); jobs stay in their queues, in their order.

        What is in hand is not touched. It lasts until `resume`, whatever becomes of the connection, and a
        second time changes nothing but the *reason*.
        """
        self._paused.update(dict.fromkeys(lanes or self._intakes, reason))
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
        self._stopping = True
        not_begun = {received: task for received, task in self._in_hand.items() if not received.started}
        await asyncio.gather(self._adjust(), self._abandon(not_begun, _LAST_ANSWER))

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
        working = {**self._orphans, **self._in_hand}
        if working:
            await asyncio.wait(set(working.values()), timeout=seconds)
        returned = len(self._in_hand)
        await self._abandon({**self._orphans, **self._in_hand}, last)
        await asyncio.wait({stopping}, timeout=min(_LAST_ANSWER, last))
        stopping.cancel()
        return returned

    async def _abandon(self, working: Mapping[Received, asyncio.Task[None]], within: float) -> None:
        if working:
            await stop({task: received.delivery.progress for received, task in working.items()}, within)
        for received, task in working.items():
            received.give_back()
            # A task that was cancelled before its first step could not do that itself, nor end in order.
            if task.done():
                self._ended(received)

    async def _adjust(self) -> None:
        self._drop_unread()
        for lane, intake in self._intakes.items():
            intake.wanted = not self._stopping and lane not in self._paused
        await asyncio.gather(*map(self._adjust_one, self._intakes.values()))

    async def _adjust_one(self, intake: LaneIntake) -> None:
        try:
            await intake.adjust()
        except (WorkerError, AMQPError) as error:
            self._link.fail(describe(error))

    async def _set_up(self, connection: RawConnection) -> None:
        await prepare(connection.library, self._topology, may_declare=self._options.declare)
        await asyncio.gather(*(intake.open(connection) for intake in self._intakes.values()))
        if bulk := self._intakes.get(Lane.SEND):
            await bulk.look()
            self._options.on_workers(bulk.consumers + 1)
        # All channels are there before the first job is: behind full queues the broker's answers would come
        # late. Urgent lanes first.
        urgent_first = sorted(self._intakes, key=lambda lane: "urgent" not in lane.value)
        await asyncio.gather(*(self._intakes[lane].adjust() for lane in urgent_first))

    async def _probe(self, connection: RawConnection) -> None:
        busy = {received.delivery.lane for received in (*self._in_hand, *self._unread)}
        looks = (intake.probe(idle=lane not in busy) for lane, intake in self._intakes.items())
        await asyncio.gather(*looks)
        if connection.forgets_consumers:
            silent = (intake for intake in self._intakes.values() if intake.silence >= _MOST_SILENT)
            await asyncio.gather(*(intake.renew(connection) for intake in silent))

    def _lose(self) -> None:
        for intake in self._intakes.values():
            intake.lost()
        lost = {received: task for received, task in self._in_hand.items() if received.orphaned}
        if lost:
            # What is left of them takes no other's place.
            self._heavy = {lane: Weights(_MOST_HEAVY) for lane in self._heavy}
        for received, task in lost.items():
            if received.started:
                self._orphans[received] = self._in_hand.pop(received)
            else:
                task.cancel()
                self._ended(received)
        self._unread.clear()

    def _consumers_of(self, lane: Lane) -> set[str]:
        """Return the tags of the consumers that deliveries in hand came to."""
        return {received.consumer for received in self._in_hand if received.delivery.lane is lane}

    def _take(self, received: Received) -> None:
        """Start a task of our own: the library cancels those of a channel that closes."""
        if self._stopping or received.delivery.lane in self._paused:
            self._back(received)
        elif received.unread:
            self._unread.append(received)
        else:
            work = self._process(received) if received.length <= _HEAVY else self._process_heavy(received)
            self._in_hand[received] = asyncio.create_task(work)

    async def _process_heavy(self, received: Received) -> None:
        """Process it when there is room among the heavy ones."""
        try:
            async with self._heavy[received.delivery.lane].holding(received.length):
                await self._process(received)
        except asyncio.CancelledError:
            received.give_back()
            raise
        finally:
            self._ended(received)

    async def _process(self, received: Received) -> None:
        delivery = received.delivery
        try:
            received.started = True
            try:
                disposition = await self._handle(delivery)
            except UnavailableError as error:
                disposition = Requeue(error.code)
            except Exception as error:  # noqa: BLE001 - no job may stop the consumer
                disposition = self._after_crash(delivery, error)
            if isinstance(disposition, Done):
                received.ack()
            else:
                self._options.on_disposed(disposition)
                await self._settlement.settle(received, disposition)
        except asyncio.CancelledError:
            received.give_back()
            raise
        finally:
            self._ended(received)

    def _ended(self, received: Received) -> None:
        """Count it as over, once."""
        if not (self._in_hand.pop(received, None) or self._orphans.pop(received, None)):
            return
        self._room.give(received.delivery.lane, received.size)
        if self._unread:
            self._call_back()

    def _back(self, received: Received) -> None:
        """Give back what no task has."""
        received.give_back()
        self._room.give(received.delivery.lane, received.size)

    def _call_back(self) -> None:
        """Have the broker send again what there was no room for, as much as there is room for now.

        It goes to the front of its queue, and comes from there at once, here or to a worker with more room.
        """
        spare = {lane: self._room.spare(lane) for lane in Lane}
        unread, self._unread = self._unread, []
        for received in unread:
            lane = received.delivery.lane
            if spare[lane] > 0:
                spare[lane] -= received.length
                self._back(received)
            else:
                self._unread.append(received)

    def _drop_unread(self) -> None:
        """Give back what there was no room for, of the lanes from which nothing is taken."""
        unread, self._unread = self._unread, []
        for received in unread:
            if self._stopping or received.delivery.lane in self._paused:
                self._back(received)
            else:
                self._unread.append(received)

    def _after_crash(self, delivery: Delivery, error: Exception) -> Disposition:
        # A traceback would print values: texts and numbers.
        log.error("handler.crashed", error=where(error), lane=delivery.lane.value, attempts=delivery.attempts)
        self._options.on_crash()
        if delivery.attempts + 1 >= self._options.crash_attempts:
            return DeadLetter("internal_error", f"the worker failed on it: {type(error).__name__}")
        delays = self._topology.delays
        return Delay(delays[min(delivery.attempts, len(delays) - 1)], "internal_error")
