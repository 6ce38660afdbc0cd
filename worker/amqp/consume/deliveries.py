"""Messages of one lane as they come on a channel: read, and settled on the same channel."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple, Protocol

import structlog

from worker.amqp.connection.library import UnderlayChannel
from worker.amqp.consume.reading import KEY_LIMIT, NOTHING_SAID, OURS, read_headers
from worker.amqp.wire import frames
from worker.amqp.wire.properties import MalformedPropertiesError, Properties, moment_of, readable, utf8
from worker.amqp.wire.socket import FrameSocket
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Delivery, Lane, never

log = structlog.get_logger(__name__)

_SURELY_SHORT: Final = 63  # characters of a key, of four bytes at the most


class Known(NamedTuple):
    """The properties that say what a message is, as on the wire; empty: absent.

    Attributes:
        table: of the headers, without its length in front.
        timestamp: 8 bytes.
    """

    table: bytes = b""
    correlation_id: bytes = b""
    reply_to: bytes = b""
    message_id: bytes = b""
    timestamp: bytes = b""


NOTHING = Known()


def read_known(raw: bytes) -> Known:  # noqa: C901 - a property a branch, in the order of their flags
    """Read flags and values in one pass; what is not of use stays bytes (AMQP 0-9-1, 4.2.6.1).

    Raises:
        MalformedPropertiesError: *raw* ends too early; a broker never sends such.
    """
    table = correlation_id = reply_to = message_id = timestamp = b""
    try:
        flags, at = raw[0] << 8 | raw[1], 2
        if flags & 0x8000:  # content type
            at += 1 + raw[at]
        if flags & 0x4000:  # content encoding
            at += 1 + raw[at]
        if flags & 0x2000:
            start = at + 4
            at = start + int.from_bytes(raw[at:start], "big")
            table = raw[start:at]
        # Delivery mode and priority are a byte each.
        at += (flags >> 12 & 1) + (flags >> 11 & 1)
        if flags & 0x0400:
            start, at = at + 1, at + 1 + raw[at]
            correlation_id = raw[start:at]
        if flags & 0x0200:
            start, at = at + 1, at + 1 + raw[at]
            reply_to = raw[start:at]
        if flags & 0x0100:  # expiration
            at += 1 + raw[at]
        if flags & 0x0080:
            start, at = at + 1, at + 1 + raw[at]
            message_id = raw[start:at]
        if flags & 0x0040:
            start, at = at, at + 8
            timestamp = raw[start:at]
    except IndexError:
        at = len(raw) + 1
    if at > len(raw):
        raise MalformedPropertiesError(f"{len(raw)} bytes end too early")
    return Known(table, correlation_id, reply_to, message_id, timestamp)


def decode_delivery(
    lane: Lane,
    deliver: frames.Deliver,
    raw_properties: bytes,
    body: bytes,
    is_lost: Callable[[], bool] = never,
) -> Delivery:
    """Read what the worker knows; whatever is odd counts as absent, nothing raises."""
    try:
        known = read_known(raw_properties)
    except MalformedPropertiesError:
        known = Known()
    texts = (known.message_id, known.correlation_id, known.reply_to)
    try:
        message_id, correlation_id, reply_to = map(bytes.decode, texts)
    except UnicodeDecodeError:
        message_id, correlation_id, reply_to = (utf8(text) or "" for text in texts)
    # A table is looked into where it has a header that the worker reads.
    has_ours = known.table and any(name in known.table for name in OURS)
    said = read_headers(readable(raw_properties)) if has_ours else NOTHING_SAID
    key = deliver.routing_key
    return Delivery(
        lane,
        body,
        said.routing_key or (key if len(key) <= _SURELY_SHORT else _short(key)),
        message_id or None,
        correlation_id or None,
        reply_to or None,
        said.traceparent,
        said.attempts,
        said.first_seen,
        moment_of(known.timestamp) if known.timestamp else None,
        deliver.redelivered,
        said.replay,
        is_lost,
        waited=said.waited,
    )


def _short(key: str) -> str:
    """What fits a key of bytes that were no UTF-8: each such byte has become a character of three."""
    return key.encode()[:KEY_LIMIT].decode(errors="ignore")


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
        has_room: takes so many bytes of memory for a message of a lane, if there are any left.
        give_room: gives them back.
        in_hand: returns the tags of the consumers that deliveries of a lane came to that are not over.
        arrivals: how many there were.
    """

    take: Callable[[Received], None]
    has_room: Callable[[Lane, int], bool]
    give_room: Callable[[Lane, int], None]
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
        self._destination = destination
        self._length = self._arriving = 0
        self._lost = False
        socket.serve(self.number, self)

    def is_closed(self) -> bool:
        """Whether the channel is gone, and with it all that was not settled."""
        return self._lost or bool(self._channel.is_closed)

    def lose(self) -> None:
        """Count as gone from now on: the connection is given up, whatever the library knows of it."""
        self._lost = True
        self._destination.give_room(self._lane, self._arriving)
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
        wanted = self._destination.has_room(self._lane, size)
        self._length, self._arriving = size, size if wanted else 0
        return wanted

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:
        """Take a delivery. Never raises for what a producer wrote: the connection would end over it."""
        length, held = self._length, self._arriving
        self._length = self._arriving = 0
        if body is not None and not held:
            # It came in one piece: nobody has asked yet.
            length = len(raw_properties) + len(body)
            if self._destination.has_room(self._lane, length):
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
