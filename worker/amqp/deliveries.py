"""A channel that messages of one lane come on, and are settled on."""

from collections.abc import Callable
from dataclasses import dataclass

from aiormq.abc import AbstractChannel as UnderlayChannel

from worker.amqp import frames
from worker.amqp.codec import decode_delivery
from worker.amqp.received import Received
from worker.amqp.room import Room
from worker.amqp.transport import Wire, readable
from worker.domain.messages import Lane


@dataclass(frozen=True, slots=True)
class Destination:
    """Where deliveries go.

    Attributes:
        take: gets each; returns soon and does not raise.
        room: for what is in memory.
    """

    take: Callable[[Received], None]
    room: Room


class DeliveryChannel:
    """Hands over each delivery as it comes from the wire, and writes what becomes of it.

    Args:
        lane: whose deliveries these are.
        channel: opened by the library, which keeps its life cycle and its questions.
        wire: of the channel's connection.
        destination: of each delivery.
    """

    methods: frozenset[int] = frozenset({frames.DELIVER})

    def __init__(self, lane: Lane, channel: UnderlayChannel, wire: Wire, destination: Destination) -> None:
        self._lane = lane
        self._channel = channel
        self._number = int(channel.number)
        self._wire = wire
        self._take, self._room = destination.take, destination.room
        self._length = self._arriving = 0
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
        self._room.give(self._lane, self._arriving)
        self._arriving = 0
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

    def wants(self, size: int) -> bool:
        """Whether there is room for it."""
        wanted = self._room.take(self._lane, size)
        self._length, self._arriving = size, size if wanted else 0
        return wanted

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:
        """Take a delivery. Never raises for what a producer wrote: the connection would end over it."""
        deliver = frames.read_deliver(method)
        properties = readable(raw_properties)
        delivery = decode_delivery(
            self._lane,
            routing_key=deliver.routing_key,
            redelivered=deliver.redelivered,
            body=body or b"",
            properties=properties,
            is_lost=self._is_closed,
        )
        received = Received(delivery, properties, self, deliver.tag, deliver.consumer_tag)
        received.length, received.size, self._arriving = self._length, self._arriving, 0
        received.unread = body is None
        self._take(received)
