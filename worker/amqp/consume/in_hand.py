"""Deliveries in hand: each handled by a task of its own, and settled; what there is no room for waits."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from worker.amqp.connection.calls import where
from worker.amqp.consume.deliveries import Received
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.consume.weights import Weights
from worker.domain.errors import UnavailableError
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, Lane, Requeue
from worker.stopping import stop

log = structlog.get_logger(__name__)

# Bytes. A job for 100,000 has 1.6 MB and takes three times as much while it is worked on: few at once.
_HEAVY = 65_536
_MOST_HEAVY = 8_388_608

ALL: Final = 67_108_864  # bytes, of all lanes
_LANE: Final = 16_777_216  # of one lane: ten jobs for 100,000, of which five are worked on
_LIGHT: Final = 65_536
_LIGHT_LANE: Final = 1_048_576  # of a lane; so much of light messages is taken however much others have

Handle = Callable[[Delivery], Awaitable[Disposition]]


class Room:
    """Bounds the bytes of messages in hand.

    A prefetch counts messages, and RabbitMQ cannot be told of bytes: fifty messages of 20 MiB are a gibibyte
    before anybody has looked at the first. So room is asked for when a message's length is known, before
    its body is read. While there is any, it is taken: the bound is `ALL`, a little for light messages, and
    one message of the largest kind.

    Attributes:
        held: bytes in hand, by lane.
    """

    def __init__(self) -> None:
        self.held: Counter[Lane] = Counter()

    def take(self, lane: Lane, size: int) -> bool:
        """Hold *size* bytes for a message of *lane*, if there is room."""
        light = size <= _LIGHT and self.held[lane] < _LIGHT_LANE
        if not light and self.spare(lane) <= 0:
            return False
        self.held[lane] += size
        return True

    def give(self, lane: Lane, size: int) -> None:
        """Hold them no more."""
        self.held[lane] -= size

    def spare(self, lane: Lane) -> int:
        """Return how many bytes there is room for; none or fewer: no message is taken."""
        return min(_LANE - self.held[lane], ALL - self.held.total())


class InHand:
    """Has deliveries handled.

    Args:
        handle: decides what becomes of a delivery.
        settlement: does it.
        delays: seconds; of the rounds of a job that makes the handler crash.
        options: of the consumer.

    Attributes:
        working: what is handled or waits for its turn, of the present connection, with its task.
        unwanted: lanes of which nothing is taken at the moment.
        orphans: what a handler is at of a connection that was lost: it ends without being settled.
        room: for what is in memory.
    """

    def __init__(
        self,
        handle: Handle,
        settlement: Settlement,
        delays: Sequence[int],
        options: ConsumerOptions,
    ) -> None:
        self._handle = handle
        self._settlement = settlement
        self._delays = delays
        self._options = options
        self.working: dict[Received, asyncio.Task[None]] = {}
        self.orphans: dict[Received, asyncio.Task[None]] = {}
        self.room = Room()
        self.unwanted: Collection[Lane] = ()
        self._unread: list[Received] = []
        self._heavy = _heavy_lanes()

    @property
    def by_lane(self) -> Mapping[Lane, int]:
        """How many, for each lane that has any."""
        return Counter(received.delivery.lane for received in self.working)

    @property
    def busy(self) -> set[Lane]:
        """Lanes of which anything is here."""
        return {received.delivery.lane for received in (*self.working, *self._unread)}

    @property
    def oldest(self) -> float:
        """Seconds since the oldest delivery arrived; 0 while there is none."""
        first = next(iter(self.working), None)
        return time.monotonic() - first.taken if first else 0.0

    def deliveries(self) -> tuple[Delivery, ...]:
        """What is being worked on, also where the broker has it again."""
        return tuple(received.delivery for received in (*self.working, *self.orphans))

    def consumers_of(self, lane: Lane) -> set[str]:
        """Return the tags of the consumers that deliveries of *lane* came to."""
        return {received.consumer for received in self.working if received.delivery.lane is lane}

    def take(self, received: Received) -> None:
        """Start a task of our own: the library cancels those of a channel that closes."""
        if received.delivery.lane in self.unwanted:
            self._back(received)
        elif received.unread:
            self._unread.append(received)
        else:
            work = self._process(received) if received.length <= _HEAVY else self._process_heavy(received)
            self.working[received] = asyncio.create_task(work)

    def lose(self) -> None:
        """The connection is gone: nothing that is not settled is ours any more."""
        self._unread.clear()
        lost = {received: task for received, task in self.working.items() if received.orphaned}
        if lost:
            # What is left of them takes no other's place.
            self._heavy = _heavy_lanes()
        for received, task in lost.items():
            if received.started:
                self.orphans[received] = self.working.pop(received)
            else:
                task.cancel()
                self._ended(received)

    async def abandon_what_waits(self, within: float) -> None:
        """Give back what no handler has begun."""
        waiting = {received: task for received, task in self.working.items() if not received.started}
        await self.abandon(waiting, within)

    async def abandon(self, working: Mapping[Received, asyncio.Task[None]], within: float) -> None:
        """Cancel *working*, wait for their ends, *within* seconds, and give back what they were at."""
        if working:
            await stop({task: received.delivery.progress for received, task in working.items()}, within)
        for received, task in working.items():
            received.give_back()
            # A task that was cancelled before its first step could not do that itself, nor end in order.
            if task.done():
                self._ended(received)

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
                return
            self._options.on_disposed(disposition)
            if isinstance(disposition, Requeue) and delivery.lane in self.unwanted:
                received.give_back()
                return
            await self._settlement.settle(received, disposition)
        except asyncio.CancelledError:
            received.give_back()
            raise
        finally:
            self._ended(received)

    def _ended(self, received: Received) -> None:
        """Count it as over, once."""
        if not (self.working.pop(received, None) or self.orphans.pop(received, None)):
            return
        self.room.give(received.delivery.lane, received.size)
        if self._unread:
            self._call_back()

    def _back(self, received: Received) -> None:
        """Give back what no task has."""
        received.give_back()
        self.room.give(received.delivery.lane, received.size)

    def _call_back(self) -> None:
        """Have the broker send again what there was no room for, as much as there is room for now.

        It goes to the front of its queue, and comes from there at once, here or to a worker with more room.
        """
        spare = {lane: self.room.spare(lane) for lane in Lane}
        unread, self._unread = self._unread, []
        for received in unread:
            lane = received.delivery.lane
            if spare[lane] > 0:
                spare[lane] -= received.length
                self._back(received)
            else:
                self._unread.append(received)

    def let_go(self) -> None:
        """Give back what only waits here, of the lanes from which nothing is taken."""
        for received, task in tuple(self.working.items()):
            if received.returning and received.delivery.lane in self.unwanted:
                received.give_back()
                task.cancel()
        unread, self._unread = self._unread, []
        for received in unread:
            if received.delivery.lane in self.unwanted:
                self._back(received)
            else:
                self._unread.append(received)

    def _after_crash(self, delivery: Delivery, error: Exception) -> Disposition:
        # A traceback would print values: texts and numbers.
        log.error("handler.crashed", error=where(error), lane=delivery.lane.value, attempts=delivery.attempts)
        self._options.on_crash()
        if delivery.attempts + 1 >= self._options.crash_attempts:
            return DeadLetter("internal_error", f"the worker failed on it: {type(error).__name__}")
        return Delay(self._delays[min(delivery.attempts, len(self._delays) - 1)], "internal_error")


def _heavy_lanes() -> dict[Lane, Weights]:
    return {lane: Weights(_MOST_HEAVY) for lane in Lane}
