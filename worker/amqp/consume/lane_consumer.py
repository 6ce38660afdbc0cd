"""One lane's consumer: its channel, its prefetch, and whether the broker really has it."""

import asyncio
from collections.abc import Callable

from aio_pika.abc import AbstractChannel

from worker.amqp.connection.calls import bounded, describe, open_channel, underlay_of
from worker.amqp.connection.library import Basic, ChannelAccessRefused, DeliveredMessage, UnderlayChannel
from worker.amqp.connection.opening import RawConnection
from worker.amqp.consume.deliveries import DeliveryChannel, Destination
from worker.amqp.topology.declare import TopologyError
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane

# Looks, a few seconds apart, at which a queue may have jobs that an idle consumer is not given.
_MOST_PASSED_OVER = 2
# The library counts channels up until the broker refuses. Below this one it may.
_FIRST_NUMBER = 10


class LaneConsumer:
    """Consumes one queue while it is wanted.

    Args:
        lane: whose deliveries these are.
        queue: the queue's name.
        prefetch: unacknowledged messages that the broker hands out at once.
        destination: of each delivery.
        on_lost: told why, when the consumer is gone without our doing.
        limit: seconds for one question to the broker.

    Attributes:
        wanted: whether it shall consume.
        prefetch: messages that it may have in hand.
        consumers: of the queue, one a worker, when it was last looked at.
        silence: looks in a row at which it was idle and had been given nothing since the look before.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        queue: str,
        prefetch: int,
        destination: Destination,
        on_lost: Callable[[str], None],
        limit: float,
    ) -> None:
        self.lane = lane
        self.wanted = True
        self.prefetch = prefetch
        self.consumers = 0
        self.silence = 0
        self._arrivals_seen = 0
        self._passed_over = 0
        self._queue = queue
        self._destination = destination
        self._on_lost = on_lost
        self._limit = limit
        self._channel: AbstractChannel | None = None
        self._open: set[DeliveryChannel] = set()
        self._tag: str | None = None
        first = _FIRST_NUMBER + 2 * list(Lane).index(lane)
        self._numbers = (first, first + 1)
        self._changing = asyncio.Lock()

    @property
    def registered(self) -> bool:
        """Whether the broker has this consumer, as far as anybody told us."""
        return self._tag is not None and self._channel is not None and not self._channel.is_closed

    async def open(self, connection: RawConnection) -> None:
        """Open a channel on a new connection; `adjust` begins to consume on it."""
        self._channel, self._tag = await self._new_channel(connection), None

    async def renew(self, connection: RawConnection) -> None:
        """Consume on a new channel; the end of the old one gives back what the broker kept on it.

        For a lane of which nothing is in flight. If something arrives meanwhile, the old channel is alive,
        and needed for the acknowledgement: it stays.

        Raises:
            BrokerUnavailableError, AMQPError: as `adjust`.
        """
        async with self._changing:
            old, tag = self._channel, self._tag
            if old is None or tag is None:
                return
            new = await self._new_channel(connection)
            # Once this is answered nothing more arrives. The tag stays: to others it consumes all the time.
            await bounded((await underlay_of(old)).basic_cancel(tag), self._limit)
            if self._destination.arrivals != self._arrivals_seen:
                old, new = new, old
            self._channel, self.silence = new, 0
            self._tag = await self._consume(await underlay_of(new))
            await bounded(old.close(), self._limit)

    def lost(self) -> None:
        """The connection is gone, and with it the deliveries that came on it."""
        self._channel = self._tag = None
        for deliveries in tuple(self._open):
            deliveries.lose()
        self._open.clear()

    async def adjust(self) -> None:
        """Start or stop the consumer as `wanted` says; without a channel, nothing.

        Raises:
            TopologyError: our user may not read the queue.
            BrokerUnavailableError, AMQPError: the broker did not answer, or refused.
        """
        async with self._changing:
            channel = self._channel
            if channel is None or self.wanted is (self._tag is not None):
                return
            underlay = await underlay_of(channel)
            if self.wanted:
                self._tag = await self._consume(underlay)
            elif self._tag is not None:
                # From here on deliveries are given back; the broker may send some until it answers.
                tag, self._tag = self._tag, None
                await bounded(underlay.basic_cancel(tag), self._limit)

    async def probe(self, *, idle: bool) -> None:
        """Ask for the queue on the consumer's own channel: it answers only if all of that is alive.

        A broker may also lose a consumer without a word. One that is *idle* while its queue has jobs, look
        after look, is given up.
        """
        waiting = await self.look()
        silent = idle and self.registered and not self._has_arrivals()
        self.silence = self.silence + 1 if silent else 0
        passed_over = silent and bool(waiting)
        self._passed_over = self._passed_over + 1 if passed_over else 0
        if self._passed_over >= _MOST_PASSED_OVER:
            self._passed_over = 0
            self._on_lost(f"the broker keeps the jobs of queue {self._queue} to itself")

    async def look(self) -> int:
        """Count the queue's consumers; return how many jobs wait in it.

        Raises:
            BrokerUnavailableError, AMQPError: as `adjust`.
        """
        channel = self._channel
        if channel is None:
            raise BrokerUnavailableError("connection_lost", f"no channel for queue {self._queue}")
        underlay = await underlay_of(channel)
        answer = await bounded(underlay.queue_declare(self._queue, passive=True), self._limit)
        # A quorum queue counts one that was cancelled until all that it was handed is settled.
        former = sum(tag != self._tag for tag in self._destination.in_hand(self.lane))
        self.consumers = max(int(answer.consumer_count or 0) - former, 0)
        return int(answer.message_count or 0)

    def _has_arrivals(self) -> bool:
        """Tell whether anything came since the last look."""
        before, self._arrivals_seen = self._arrivals_seen, self._destination.arrivals
        return self._arrivals_seen > before

    async def _new_channel(self, connection: RawConnection) -> AbstractChannel:
        taken = self._channel.number if self._channel else None
        number = next(number for number in self._numbers if number != taken)
        # No confirms: this channel never publishes.
        channel = await open_channel(connection.library, self._limit, number)
        await bounded(channel.set_qos(prefetch_count=self.prefetch), self._limit)
        underlay = await underlay_of(channel)
        underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        deliveries = DeliveryChannel(self.lane, underlay, connection.socket, self._destination)
        self._open.add(deliveries)

        def closed(closing: asyncio.Future[object]) -> None:
            deliveries.lose()
            self._open.discard(deliveries)
            self._on_close(channel, closing)

        underlay.closing.add_done_callback(closed)
        return channel

    async def _consume(self, underlay: UnderlayChannel) -> str | None:
        try:
            answer = await bounded(underlay.basic_consume(self._queue, _nobody), self._limit)
        except ChannelAccessRefused:
            words = f"the broker's user may not consume queue {self._queue}: grant it the right to read it"
            raise TopologyError("consume_refused", words) from None
        return answer.consumer_tag

    def _on_cancel(self, frame: Basic.Cancel) -> None:
        if frame.consumer_tag == self._tag:
            self._tag = None
            self._on_lost(f"the broker cancelled the consumer of queue {self._queue}")

    def _on_close(self, channel: AbstractChannel, closing: asyncio.Future[object]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if channel is self._channel:
            self.lost()
            why = describe(error) if error else "no reason given"
            self._on_lost(f"the channel of queue {self._queue} was closed: {why}")


async def _nobody(_: DeliveredMessage) -> None:
    """Take what the library never sees: deliveries are taken from the wire."""
