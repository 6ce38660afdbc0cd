"""A message that came from a work queue and is not settled yet."""

import structlog
from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.amqp.calls import bounded
from worker.amqp.codec import decode_delivery
from worker.amqp.transport import unwrap
from worker.amqp.wire import Properties
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Delivery, Lane

log = structlog.get_logger(__name__)

_WRITE_LIMIT = 10.0


class Received:
    """One delivery and the channel that it must be settled on.

    Attributes:
        delivery: what the handlers see.
        properties: all that came with it, unchanged.
        started: a handler works on it.
        settled: an ack or a nack was tried; there is no second one.
    """

    def __init__(
        self, delivery: Delivery, properties: Properties, channel: AbstractChannel, tag: int
    ) -> None:
        self.delivery = delivery
        self.properties = properties
        self.started = False
        self.settled = False
        self._channel = channel
        self._tag = tag

    @classmethod
    def of(cls, lane: Lane, message: DeliveredMessage, channel: AbstractChannel) -> "Received":
        """Wrap what the library handed over. Never raises for what a producer wrote."""
        properties = unwrap(message.header)
        delivery = decode_delivery(
            lane,
            routing_key=message.routing_key or "",
            redelivered=bool(message.redelivered),
            body=message.body,
            properties=properties,
        )
        return cls(delivery, properties, channel, message.delivery_tag or 0)

    @property
    def orphaned(self) -> bool:
        """Its channel is gone: the broker has given it to somebody else, or will."""
        return self._channel.is_closed

    async def ack(self) -> None:
        """Tell the broker that it may forget the message; without effect on a dead channel."""
        if self._claim("ack"):
            await self._write("ack")

    async def give_back(self) -> None:
        """Put it back into its queue; without effect on a dead channel."""
        if self._claim("nack"):
            await self._write("nack")

    def _claim(self, how: str) -> bool:
        if self.settled:
            return False
        self.settled = True
        if self.orphaned:
            # RabbitMQ: delivery tags belong to their channel. It has requeued what was not acknowledged.
            log.debug("settlement.dropped", how=how, lane=self.delivery.lane.value)
            return False
        return True

    async def _write(self, how: str) -> None:
        try:
            if how == "ack":
                await bounded(self._channel.basic_ack(self._tag), _WRITE_LIMIT)
            else:
                await bounded(self._channel.basic_nack(self._tag, requeue=True), _WRITE_LIMIT)
        except BrokerUnavailableError as error:
            log.debug("settlement.dropped", how=how, lane=self.delivery.lane.value, reason=error.detail)
