"""Deliveries as they come on a channel: what of them is kept in memory, and how they are settled."""

import asyncio
from types import SimpleNamespace
from typing import cast

from aiormq.abc import AbstractChannel
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from tests.support.settled_frames import puts_back, tag_of
from worker.amqp.consume.deliveries import DeliveryChannel, Destination, Received
from worker.amqp.consume.in_hand import Room
from worker.amqp.wire.raw import wrapped
from worker.amqp.wire.reader import FrameReader, Sink
from worker.amqp.wire.socket import FrameSocket
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane

NUMBER = 3
MIB = 1_048_576


class Scene:
    """A channel between a stream and those who take deliveries."""

    def __init__(self) -> None:
        stream = asyncio.StreamReader()
        replaced = asyncio.StreamReaderProtocol(stream)
        self.tap = FrameReader(replaced, stream, rewrite=wrapped, now=lambda: 0.0)
        self.received: list[Received] = []
        self.room = Room()
        self.written: list[bytes] = []
        self.library = SimpleNamespace(number=NUMBER, is_closed=False)
        self.connected = True
        self.channel = DeliveryChannel(
            Lane.SEND,
            cast("AbstractChannel", self.library),
            cast("FrameSocket", self),
            Destination(self.received.append, self.room.take, self.room.give),
        )

    def serve(self, channel: int, sink: Sink) -> None:
        """What the connection's socket does."""
        self.tap.serve(channel, sink)

    def forget(self, channel: int, sink: Sink) -> None:
        """The same."""
        self.tap.forget(channel, sink)

    def write(self, data: bytes) -> None:
        """The same."""
        if not self.connected:
            raise BrokerUnavailableError("connection_lost", "closed")
        self.written.append(data)

    def deliver(self, *pieces: bytes, size: int | None = None, tag: int = 7) -> None:
        """Hand over a message of *pieces*; *size*: what its header says, where not all of them come."""
        header = ContentHeader(body_size=sum(map(len, pieces)) if size is None else size)
        method = Basic.Deliver("consumer", tag, redelivered=False, exchange="", routing_key="send")
        head = frame.marshal(method, NUMBER) + frame.marshal(header, NUMBER)
        self.tap.data_received(head + b"".join(frame.marshal(ContentBody(each), NUMBER) for each in pieces))

    @property
    def held(self) -> int:
        """Bytes in memory of the lane."""
        return self.room.held[Lane.SEND]

    def fill(self) -> None:
        """Leave no room."""
        assert self.room.take(Lane.SEND, 64 * MIB)


class TestRoomForADelivery:
    """Taken before it is handed over, however it came."""

    async def test_it_is_as_much_as_the_delivery_is_long(self) -> None:
        """Properties and body; in one piece or in several."""
        for pieces in ([b"abc"], [b"a", b"bc"], [b""]):
            scene = Scene()
            scene.deliver(*pieces)
            (received,) = scene.received
            body = b"".join(pieces)
            assert (body, False) == (received.delivery.body, received.unread)
            assert len(body) + len(received.raw_properties) == received.length == received.size == scene.held

    async def test_without_room_its_body_is_not_kept(self) -> None:
        """Its length is known all the same; it can only go back."""
        for pieces in ([b"abc"], [b"a", b"bc"]):
            scene = Scene()
            scene.fill()
            scene.deliver(*pieces)
            (received,) = scene.received
            assert (b"", True, 0) == (received.delivery.body, received.unread, received.size)
            assert 3 + len(received.raw_properties) == received.length
            assert 64 * MIB == scene.held

    async def test_one_after_another_has_its_own(self) -> None:
        """What the first one came in says nothing of the next."""
        scene = Scene()
        scene.deliver(b"a", b"bc", tag=1)
        scene.deliver(b"abcd", tag=2)
        scene.deliver(b"a", b"b", tag=3)
        bodies = [received.delivery.body for received in scene.received]
        assert [b"abc", b"abcd", b"ab"] == bodies
        assert sum(received.length for received in scene.received) == scene.held

    async def test_what_never_comes_whole_takes_none(self) -> None:
        """Its channel is lost in the middle of it."""
        scene = Scene()
        scene.deliver(b"a", size=1_000)
        assert scene.held > 1_000
        scene.channel.lose()
        assert ([], 0) == (scene.received, scene.held)


class TestSettling:
    """On the channel that it came on, and once."""

    async def test_it_is_acknowledged_once(self) -> None:
        """Whatever is said afterwards."""
        scene = Scene()
        scene.deliver(b"a", tag=9)
        (received,) = scene.received
        received.ack()
        received.ack()
        received.give_back()
        assert [9] == [tag_of(data) for data in scene.written]

    async def test_it_goes_back_to_its_queue(self) -> None:
        """To be delivered again."""
        scene = Scene()
        scene.deliver(b"a", tag=9)
        scene.received[0].give_back()
        assert [(9, True)] == [(tag_of(data), puts_back(data)) for data in scene.written]

    async def test_nothing_is_said_where_channel_or_connection_is_gone(self) -> None:
        """The broker has the message again, and the tag may be another's by then."""
        for gone in ("closed", "lost", "disconnected"):
            scene = Scene()
            scene.deliver(b"a")
            match gone:
                case "closed":
                    scene.library.is_closed = True
                case "lost":
                    scene.channel.lose()
                case _:
                    scene.connected = False
            (received,) = scene.received
            received.ack()
            assert ([], True) == (scene.written, received.settled)
            assert (gone != "disconnected") is received.orphaned
