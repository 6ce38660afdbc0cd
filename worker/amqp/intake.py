"""One lane's consumer: its channel, its prefetch, and whether the broker really has it."""

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from worker.amqp.calls import bounded, describe
from worker.amqp.connection import RawConnection
from worker.amqp.received import Received
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane

Take = Callable[[Received], Awaitable[None]]


class LaneIntake:
    """Consumes one queue while it is wanted.

    Args:
        lane: whose deliveries these are.
        queue: the queue's name.
        prefetch: unacknowledged messages that the broker hands out at once.
        take: gets each delivery; must return soon.
        on_lost: told why, when the consumer is gone without our doing.
        limit: seconds for one question to the broker.

    Attributes:
        wanted: whether it shall consume.
        arrivals: deliveries so far.
        consumers: of the queue, all workers' together, when it was last looked at.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        queue: str,
        prefetch: int,
        take: Take,
        on_lost: Callable[[str], None],
        limit: float,
    ) -> None:
        self.lane = lane
        self.wanted = True
        self.arrivals = 0
        self.consumers = 0
        self._queue = queue
        self._prefetch = prefetch
        self._take = take
        self._on_lost = on_lost
        self._limit = limit
        self._channel: AbstractChannel | None = None
        self._tag: str | None = None
        self._retired: list[AbstractChannel] = []
        self._changing = asyncio.Lock()

    @property
    def registered(self) -> bool:
        """Whether the broker has this consumer, as far as anybody told us."""
        return self._tag is not None and self._channel is not None and not self._channel.is_closed

    async def open(self, connection: RawConnection) -> None:
        """Open a channel on a new connection; `adjust` begins to consume on it."""
        # No confirms: this channel never publishes.
        channel = await bounded(connection.library.channel(publisher_confirms=False), self._limit)
        await bounded(channel.set_qos(prefetch_count=self._prefetch), self._limit)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        underlay.closing.add_done_callback(lambda closing: self._on_close(channel, closing))
        self._channel = channel

    def lost(self) -> None:
        """The connection is gone."""
        self._channel = self._tag = None

    async def adjust(self) -> None:
        """Start or stop the consumer as `wanted` says; without a channel, nothing.

        Raises:
            BrokerUnavailableError, AMQPError: the broker did not answer, or refused.
        """
        async with self._changing:
            channel = self._channel
            if channel is None or self.wanted is (self._tag is not None):
                return
            underlay = await channel.get_underlay_channel()
            if self.wanted:
                self._tag = await self._consume(underlay)
            elif self._tag is not None:
                # From here on deliveries are given back; the broker may send some until it answers.
                tag, self._tag = self._tag, None
                await bounded(underlay.basic_cancel(tag), self._limit)

    async def probe(self) -> None:
        """Ask for the queue on the consumer's own channel: it answers only if all of that is alive."""
        channel = self._channel
        if channel is None:
            raise BrokerUnavailableError("connection_lost", f"no channel for queue {self._queue}")
        underlay = await channel.get_underlay_channel()
        answer = await bounded(underlay.queue_declare(self._queue, passive=True), self._limit)
        self.consumers = int(answer.consumer_count or 0)

    async def _new_channel(self, connection: RawConnection) -> AbstractChannel:
        # No confirms: this channel never publishes.
        channel = await bounded(connection.library.channel(publisher_confirms=False), self._limit)
        await bounded(channel.set_qos(prefetch_count=self._prefetch), self._limit)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        underlay.closing.add_done_callback(lambda closing: self._on_close(channel, closing))
        return channel

    async def _close_retired(self) -> None:
        while self._retired:
            await bounded(self._retired.pop().close(), self._limit)

    async def _consume(self, underlay: UnderlayChannel) -> str | None:
        async def on_message(message: DeliveredMessage) -> None:
            self.arrivals += 1
            await self._take(Received.of(self.lane, message, underlay))

        answer = await bounded(underlay.basic_consume(self._queue, on_message), self._limit)
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
