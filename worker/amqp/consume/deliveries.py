"""Messages of one lane as they come on a channel: bounded in memory, and settled on the same channel."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

import structlog

from worker.amqp.connection.library import UnderlayChannel
from worker.amqp.consume.reading import decode_delivery
from worker.amqp.wire import frames
from worker.amqp.wire.properties import Properties, readable
from worker.amqp.wire.socket import FrameSocket
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Delivery, Lane

log = structlog.get_logger(__name__)

ALL: Final = 67_108_864  # bytes, of all lanes
_LANE: Final = 16_777_216  # of one lane: ten jobs for 100,000, of which five are worked on
_LIGHT: Final = 65_536
_LIGHT_LANE: Final = 1_048_576  # of a lane; so much of light messages is taken however much others have


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


class Settles(Protocol):
    """The channel that a message came on: what is said of it elsewhere means another message."""

    @property
    def number(self) -> int:
        """Its number, which every frame on it names."""
        ...

    def is_closed(self) -> bool:
        """Whether the channel is gone, and with it all that was not settled."""
        ...

    def write(self, frame: bytes, how: str) -> None:
        """Send *frame*, an ack or a nack; nothing where the channel is gone."""
        ...


@dataclass(slots=True, eq=False)
class Received:
    """One delivery from a work queue and the channel that it must be settled on.

    Attributes:
        delivery: what the handlers see.
        raw_properties: all that came with it, unchanged.
        channel: that it came on.
        tag: which delivery of the channel's it is.
        consumer: the tag of the consumer that it was handed to.
        length: bytes of its body and properties.
        size: of these, what is in memory.
        unread: there was no room for its body; all that can be done with it is to give it back.
        started: a handler works on it.
        returning: it goes back to its queue, after a pause.
        settled: an ack or a nack was tried; there is no second one.
        taken: when it arrived, by the monotonic clock.
    """

    delivery: Delivery
    raw_properties: bytes
    channel: Settles
    tag: int
    consumer: str = ""
    length: int = 0
    size: int = 0
    unread: bool = False
    started: bool = False
    returning: bool = False
    settled: bool = False
    taken: float = field(default_factory=monotonic)

    @property
    def properties(self) -> Properties:
        """The properties, for a copy."""
        return readable(self.raw_properties)

    def bare(self) -> "Received":
        """The same message with nothing of what its producer wrote but the body."""
        delivery = Delivery(self.delivery.lane, self.delivery.body, routing_key=self.delivery.lane.value)
        return Received(delivery, b"\x00\x00", self.channel, self.tag, self.consumer)

    @property
    def orphaned(self) -> bool:
        """Its channel is gone: the broker has given it to somebody else, or will."""
        return self.channel.is_closed()

    def ack(self) -> None:
        """Tell the broker that it may forget the message; without effect on a dead channel."""
        if not self.settled:
            self.settled = True
            self.channel.write(frames.ack(self.channel.number, self.tag), "ack")

    def give_back(self) -> None:
        """Put it back into its queue; without effect on a dead channel."""
        if not self.settled:
            self.settled = True
            self.channel.write(frames.give_back(self.channel.number, self.tag), "nack")


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

    Attributes:
        number: the channel's.
    """

    methods: frozenset[int] = frozenset({frames.DELIVER})

    def __init__(
        self, lane: Lane, channel: UnderlayChannel, socket: FrameSocket, destination: Destination
    ) -> None:
        self._lane = lane
        self._channel = channel
        self.number = int(channel.number)
        self._socket = socket
        self._destination, self._room = destination, destination.room
        self._length = self._arriving = 0
        self._lost = False
        socket.serve(self.number, self)

    def is_closed(self) -> bool:
        """Whether the channel is gone, and with it all that was not settled."""
        return self._lost or bool(self._channel.is_closed)

    def lose(self) -> None:
        """Count as gone from now on: the connection is given up, whatever the library knows of it."""
        self._lost = True
        self._room.give(self._lane, self._arriving)
        self._arriving = 0
        self.forget()

    def write(self, frame: bytes, how: str) -> None:
        """Send *frame*, an ack or a nack; nothing where the channel or its connection is gone.

        RabbitMQ: delivery tags belong to their channel. It has requeued what was not acknowledged.
        """
        reason = "its channel was closed"
        if not (self._lost or self._channel.is_closed):
            try:
                self._socket.write(frame)
            except BrokerUnavailableError as error:
                reason = error.detail
            else:
                return
        log.debug("settlement.dropped", how=how, lane=self._lane.value, reason=reason)

    def forget(self) -> None:
        """Hand over nothing more: the channel is closed."""
        self._socket.forget(self.number, self)

    def on_method(self, method: int, payload: bytes) -> None:
        """Nothing comes here: a delivery has content."""

    def wants(self, size: int) -> bool:
        """Whether there is room for a message that comes in pieces."""
        wanted = self._room.take(self._lane, size)
        self._length, self._arriving = size, size if wanted else 0
        return wanted

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:
        """Take a delivery. Never raises for what a producer wrote: the connection would end over it."""
        length, held = self._length, self._arriving
        self._length = self._arriving = 0
        if body is not None and not held:
            # It came in one piece: nobody has asked yet.
            length = len(raw_properties) + len(body)
            if self._room.take(self._lane, length):
                held = length
            else:
                body = None
        deliver = frames.read_deliver(method)
        delivery = decode_delivery(self._lane, deliver, raw_properties, body or b"", self.is_closed)
        self._destination.arrivals += 1
        self._destination.take(
            Received(
                delivery, raw_properties, self, deliver.tag, deliver.consumer_tag, length, held, body is None
            )
        )
