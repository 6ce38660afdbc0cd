"""A channel that messages of one lane come on, and are settled on."""

from collections.abc import Callable

from aiormq.abc import AbstractChannel as UnderlayChannel

from worker.amqp import frames
from worker.amqp.codec import decode_delivery
from worker.amqp.received import Received
from worker.amqp.transport import Wire, readable
from worker.domain.messages import Lane

Take = Callable[[Received], None]


class DeliveryChannel:
    """Hands over each delivery as it comes from the wire, and writes what becomes of it.

    Args:
        lane: whose deliveries these are.
        channel: opened by the library, which keeps its life cycle and its questions.
        wire: of the channel's connection.
        take: gets each delivery; returns soon and does not raise.
    """

    methods: frozenset[int] = frozenset({frames.DELIVER})

    def __init__(self, lane: Lane, channel: UnderlayChannel, wire: Wire, take: Take) -> None:
        self._lane = lane
        self._channel = channel
        self._number = int(channel.number)
        self._wire = wire
        self._take = take
        self._lost = False
        self._is_closed = lambda: self.is_closed
        wire.serve(self._number, self)

    @property
    def is_closed(self) -> bool:
        """Whether the channel is gone, and with it all that was not settled."""
        return self._lost or bool(self._channel.is_closed)

    def lose(self) -> None:
        """Count as gone from now on: the connection is given up, whatever the library knows of it."""
        self._lost = True
        self.forget()

    def ack(self, tag: int) -> None:
        """Say that the message may be forgotten; BrokerUnavailableError when the connection is gone."""
        self._wire.write(frames.ack(self._number, tag))

    def give_back(self, tag: int) -> None:
        """Put it into its queue again; BrokerUnavailableError when the connection is gone."""
        self._wire.write(frames.give_back(self._number, tag))

    def forget(self) -> None:
        """Hand over nothing more: the channel is closed."""
        self._wire.forget(self._number, self)

    def on_method(self, method: int, payload: bytes) -> None:
        """Nothing comes here: a delivery has content."""

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes) -> None:
        """Take a delivery. Never raises for what a producer wrote: the connection would end over it."""
        deliver = frames.read_deliver(method)
        properties = readable(raw_properties)
        delivery = decode_delivery(
            self._lane,
            routing_key=deliver.routing_key,
            redelivered=deliver.redelivered,
            body=body,
            properties=properties,
            is_lost=self._is_closed,
        )
        self._take(Received(delivery, properties, self, deliver.tag, deliver.consumer_tag))
