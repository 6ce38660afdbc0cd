"""A message that came from a work queue and is not settled yet."""

from time import monotonic
from typing import Protocol

import structlog

from worker.amqp.wire.properties import Properties, readable
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Delivery

log = structlog.get_logger(__name__)


class Settles(Protocol):
    """The channel that a message came on: what is said of it elsewhere means another message."""

    def is_closed(self) -> bool:
        """Whether the channel is gone, and with it all that was not settled."""
        ...

    def ack(self, tag: int) -> None:
        """Say that the message may be forgotten; BrokerUnavailableError when the channel is gone."""
        ...

    def give_back(self, tag: int) -> None:
        """Put it into its queue again; BrokerUnavailableError when the channel is gone."""
        ...


class Received:
    """One delivery and the channel that it must be settled on.

    Attributes:
        delivery: what the handlers see.
        raw_properties: all that came with it, unchanged.
        consumer: the tag of the consumer that it was handed to.
        taken: when it arrived, by the monotonic clock.
        started: a handler works on it.
        returning: it goes back to its queue, after a pause.
        settled: an ack or a nack was tried; there is no second one.
        length: bytes of its body and properties.
        size: of these, what is in memory.
        unread: there was no room for its body; all that can be done with it is to give it back.
    """

    __slots__ = (
        "_channel",
        "_tag",
        "consumer",
        "delivery",
        "length",
        "raw_properties",
        "returning",
        "settled",
        "size",
        "started",
        "taken",
        "unread",
    )

    def __init__(
        self, delivery: Delivery, raw_properties: bytes, channel: Settles, tag: int, consumer: str = ""
    ) -> None:
        self.consumer = consumer
        self.delivery = delivery
        self.raw_properties = raw_properties
        self.taken = monotonic()
        self.started = self.returning = self.settled = self.unread = False
        self.length = self.size = 0
        self._channel = channel
        self._tag = tag

    @property
    def properties(self) -> Properties:
        """The properties, for a copy."""
        return readable(self.raw_properties)

    def bare(self) -> "Received":
        """The same message with nothing of what its producer wrote but the body."""
        delivery = Delivery(self.delivery.lane, self.delivery.body, routing_key=self.delivery.lane.value)
        return Received(delivery, b"\x00\x00", self._channel, self._tag, self.consumer)

    @property
    def orphaned(self) -> bool:
        """Its channel is gone: the broker has given it to somebody else, or will."""
        return self._channel.is_closed()

    def ack(self) -> None:
        """Tell the broker that it may forget the message; without effect on a dead channel."""
        if not self.settled:
            self.settled = True
            try:
                self._channel.ack(self._tag)
            except BrokerUnavailableError as error:
                self._dropped("ack", error)

    def give_back(self) -> None:
        """Put it back into its queue; without effect on a dead channel."""
        if not self.settled:
            self.settled = True
            try:
                self._channel.give_back(self._tag)
            except BrokerUnavailableError as error:
                self._dropped("nack", error)

    def _dropped(self, how: str, error: BrokerUnavailableError) -> None:
        # RabbitMQ: delivery tags belong to their channel. It has requeued what was not acknowledged.
        log.debug("settlement.dropped", how=how, lane=self.delivery.lane.value, reason=error.detail)
