"""A channel that messages of one lane come on, and are settled on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from worker.amqp.connection.library import UnderlayChannel
from worker.amqp.consume.reading import decode_delivery
from worker.amqp.consume.received import Received
from worker.amqp.consume.room import Room
from worker.amqp.wire import frames
from worker.amqp.wire.socket import FrameSocket
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane


@dataclass(slots=True)
class Destination:
    """Where deliveries of a lane go.

    Attributes:
        take: gets each; returns soon and does not raise.
        room: for what is in memory.
        in_hand: returns the tags of the consumers that deliveries of a lane came to that are not over.
        arrivals: how many there were.
    """

    take: Callable[[Received], None]
    room: Room
    in_hand: Callable[[Lane], Collection[str]] = lambda _: ()
    arrivals: int = 0


class DeliveryChannel:
    """Hands over each delivery as it comes from the wire, and writes what becomes of it.

    Args:
        lane: whose deliveries these are.
        channel: opened by the library, which keeps its life cycle and its questions.
        socket: of the channel's connection.
        destination: of each delivery.
    """

    methods: frozenset[int] = frozenset({frames.DELIVER})

    def __init__(
        self, lane: Lane, channel: UnderlayChannel, socket: FrameSocket, destination: Destination
    ) -> None:
        self._lane = lane
        self._channel = channel
        self._number = int(channel.number)
        self._socket = socket
        self._destination, self._room = destination, destination.room
        self._length = self._arriving = 0
        self._lost = False
        socket.serve(self._number, self)

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
        """Say that the message may be forgotten.

        Raises:
            BrokerUnavailableError: the channel is gone, or the connection: the broker has it again.
        """
        if self._lost or self._channel.is_closed:
            raise BrokerUnavailableError("connection_lost", "its channel was closed")
        self._socket.write(frames.ack(self._number, tag))

    def give_back(self, tag: int) -> None:
        """Put it into its queue again; errors as `ack`."""
        if self._lost or self._channel.is_closed:
            raise BrokerUnavailableError("connection_lost", "its channel was closed")
        self._socket.write(frames.give_back(self._number, tag))

    def forget(self) -> None:
        """Hand over nothing more: the channel is closed."""
        self._socket.forget(self._number, self)

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
        delivery = decode_delivery(self._lane, deliver, raw_properties, body or b"", self.is_closed)
        received = Received(delivery, raw_properties, self, deliver.tag, deliver.consumer_tag)
        received.length, received.size, self._arriving = self._length, self._arriving, 0
        received.unread = body is None
        self._destination.arrivals += 1
        self._destination.take(received)
