"""What passes the tap to the library, and what does not."""

import asyncio
import struct

import pytest
from pamqp import frame
from pamqp.base import Frame as Method
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from tests.support.deadline import DEADLINE
from worker.amqp.wire import frames
from worker.amqp.wire.properties import Properties
from worker.amqp.wire.raw import unwrap, wrapped
from worker.amqp.wire.reader import FrameReader

DELIVER = Basic.Deliver("tag", 1, redelivered=False, exchange="x", routing_key="send")


class Hoard:
    """Keeps what it takes."""

    def __init__(self, *methods: int) -> None:
        self.methods = frozenset(methods)
        self.contents: list[tuple[bytes, bytes | None]] = []
        self.most = 1_000_000
        self.asked: list[int] = []
        self.confirms: list[tuple[int, bool]] = []

    def on_method(self, method: int, payload: bytes) -> None:
        """Keep a confirm."""
        assert method in self.methods
        self.confirms.append(frames.read_confirm(payload))

    def wants(self, size: int) -> bool:
        """No large ones."""
        self.asked.append(size)
        return size <= self.most

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:
        """Keep a message."""
        assert frames.method_of(method) in self.methods
        self.contents.append((raw_properties, body))


class Scene:
    """A tap, its clock, and a library that asks as the real one does."""

    def __init__(self, **sinks: Hoard) -> None:
        self.now = 0.0
        self.stream = asyncio.StreamReader()
        replaced = asyncio.StreamReaderProtocol(self.stream)
        self.tap = FrameReader(replaced, self.stream, rewrite=wrapped, now=lambda: self.now)
        for channel, sink in sinks.items():
            self.tap.serve(int(channel.removeprefix("on")), sink)

    def feed(self, *sent: bytes) -> None:
        """The broker writes."""
        self.tap.data_received(b"".join(sent))

    async def passed_on(self) -> list[object]:
        """All that the library gets until the broker closes."""
        self.tap.eof_received()
        seen: list[object] = []
        try:
            while not self.stream.at_eof():
                seen.append(await self.next())
        except asyncio.IncompleteReadError:
            pass
        return seen

    async def next(self) -> object:
        """The next frame that the library gets."""
        start = await self.stream.readexactly(1) + await self.stream.readexactly(6)
        size = struct.unpack(">I", start[3:])[0]
        return frame.unmarshal(start + await self.stream.readexactly(size + 1))[2]


def message(channel: int, *bodies: bytes, raw: bytes = b"\x00\x00", method: Method = DELIVER) -> bytes:
    """A delivery, or what else has content."""
    payload = struct.pack(">HHQ", 60, 0, sum(map(len, bodies))) + raw
    header = struct.pack(">BHI", 2, channel, len(payload)) + payload + b"\xce"
    pieces = b"".join(frame.marshal(ContentBody(body), channel) for body in bodies)
    return frame.marshal(method, channel) + header + pieces


class TestTaken:
    """What a sink takes never reaches the library."""

    async def test_a_message_comes_whole(self) -> None:
        """However many frames its body takes; one without a body, too."""
        hoard = Hoard(frames.DELIVER)
        scene = Scene(on3=hoard)
        scene.feed(message(3, b"he", b"llo", raw=b"\x08\x00\x02id"), message(3))
        assert [] == await scene.passed_on()
        assert [(b"\x08\x00\x02id", b"hello"), (b"\x00\x00", b"")] == hoard.contents

    async def test_a_body_that_is_not_wanted_is_not_kept(self) -> None:
        """It is asked once, when the length is known, and not of a message that came in one piece."""
        hoard = Hoard(frames.DELIVER)
        hoard.most = 5
        scene = Scene(on3=hoard)
        scene.feed(message(3, b"he", b"llo"), message(3, b"hey"))
        assert [] == await scene.passed_on()
        assert [7] == hoard.asked
        assert [(b"\x00\x00", None), (b"\x00\x00", b"hey")] == hoard.contents

    async def test_messages_of_two_channels_may_be_interleaved(self) -> None:
        """Frames of one channel are in order, those of others come in between."""
        one, two = Hoard(frames.DELIVER), Hoard(frames.DELIVER)
        scene = Scene(on1=one, on2=two)
        first, second = message(1, b"one"), message(2, b"two")
        cut = len(frame.marshal(DELIVER, 1))
        scene.feed(first[:cut], second[:cut], first[cut:], second[cut:])
        assert [] == await scene.passed_on()
        assert ([(b"\x00\x00", b"one")], [(b"\x00\x00", b"two")]) == (one.contents, two.contents)

    async def test_confirms(self) -> None:
        """They have no content."""
        hoard = Hoard(frames.ACK, frames.NACK, frames.RETURN)
        scene = Scene(on1=hoard)
        scene.feed(
            frame.marshal(Basic.Ack(4, multiple=True), 1),
            message(1, b"back", method=Basic.Return(312, "NO_ROUTE", "x", "k")),
            frame.marshal(Basic.Nack(5), 1),
        )
        assert [] == await scene.passed_on()
        assert [(4, True), (5, False)] == hoard.confirms
        assert [(b"\x00\x00", b"back")] == hoard.contents

    async def test_an_interrupted_message_ends_the_connection(self) -> None:
        """AMQP forbids it: what follows cannot be trusted."""
        for interrupting in (frame.marshal(DELIVER, 1), message(1, b"whole")):
            scene = Scene(on1=Hoard(frames.DELIVER))
            scene.feed(frame.marshal(DELIVER, 1), interrupting)
            with pytest.raises(frames.MalformedFrameError):
                await scene.next()


class TestPassedOn:
    """Everything else is the library's."""

    async def test_what_no_sink_takes(self) -> None:
        """Other methods of its channel, other channels, heartbeats."""
        scene = Scene(on3=Hoard(frames.DELIVER))
        scene.feed(
            frame.marshal(Basic.CancelOk("tag"), 3), frame.marshal(Heartbeat(), 0), message(4, b"hello")
        )
        cancelled, heartbeat, deliver, header, body = await scene.passed_on()
        assert isinstance(cancelled, Basic.CancelOk)
        assert isinstance(heartbeat, Heartbeat)
        assert isinstance(deliver, Basic.Deliver)
        assert isinstance(header, ContentHeader)
        assert isinstance(body, ContentBody)
        assert b"hello" == body.value

    async def test_what_a_sink_took_before_it_was_forgotten(self) -> None:
        """The number of a closed channel is used again: its next owner keeps its own."""
        before, after = Hoard(frames.DELIVER), Hoard(frames.DELIVER)
        scene = Scene(on3=before)
        scene.tap.serve(3, after)
        scene.tap.forget(3, before)
        scene.feed(message(3, b"new"))
        assert [] == await scene.passed_on()
        assert ([], [(b"\x00\x00", b"new")]) == (before.contents, after.contents)
        scene.tap.forget(3, after)
        assert 3 not in scene.tap._sinks

    async def test_poison_reaches_us_whole(self) -> None:
        """A time in nanoseconds, on which the library would end the connection."""
        raw = struct.pack(">HQ", 64, 10**18)
        scene = Scene()
        scene.feed(message(3, b"x" * 77, raw=raw))
        _, header, _ = await scene.passed_on()
        assert isinstance(header, ContentHeader)
        assert 77 == header.body_size
        assert raw == unwrap(header).marshal()

    @pytest.mark.parametrize(
        ("key", "legible"),
        [(b"send", "send"), (b"a\xff\xfe", "a\ufffd\ufffd"), (b"\xff" * 255, "\ufffd" * 85), (b"", "")],
    )
    async def test_a_key_that_is_no_text_is_made_one(self, key: bytes, legible: str) -> None:
        """On it, too, the library would end the connection: nobody could look at dead letters any more."""
        bare = frame.marshal(Basic.Deliver("tag", 1, exchange="x", routing_key=""), 3)[7:-2]
        payload = bare + bytes([len(key)]) + key
        scene = Scene()
        scene.feed(struct.pack(">BHI", 1, 3, len(payload)) + payload + b"\xce")
        deliver, *_ = await scene.passed_on()
        assert isinstance(deliver, Basic.Deliver)
        assert legible == deliver.routing_key

    async def test_a_body_that_looks_like_a_delivery_stays_as_it_is(self) -> None:
        """Its frame is no method's."""
        body = struct.pack(">HH", 60, 60) + b"\xff" * 20
        scene = Scene()
        scene.feed(message(3, body, body))
        *_, one, other = await scene.passed_on()
        assert isinstance(one, ContentBody)
        assert isinstance(other, ContentBody)
        assert [body, body] == [one.value, other.value]

    async def test_unreadable_properties_are_empty_ones(self) -> None:
        """No broker sends such; a body still comes through."""
        scene = Scene()
        scene.feed(message(3, raw=b"\x80\x00"))
        _, header = await scene.passed_on()
        assert isinstance(header, ContentHeader)
        assert Properties({}) == unwrap(header)

    async def test_a_refused_protocol_version(self) -> None:
        """The broker's answer is no frame; the library knows what to say."""
        scene = Scene()
        scene.feed(b"AMQP\x00\x00\x09\x01")
        assert b"AMQP\x00\x00\x09" == await scene.stream.readexactly(1) + await scene.stream.readexactly(6)


class TestLife:
    """The library gives up a connection on which it sees nothing for three heartbeats."""

    async def test_under_load_it_is_shown_a_heartbeat_a_second(self) -> None:
        """A broker that delivers all the time sends no heartbeats."""
        scene = Scene(on3=Hoard(frames.DELIVER))
        scene.feed(frame.marshal(Heartbeat(), 0))
        assert isinstance(await scene.next(), Heartbeat)
        scene.now = 1.5
        scene.feed(message(3, b"busy"))
        assert isinstance(await scene.next(), Heartbeat)

    async def test_half_a_frame_is_no_end(self) -> None:
        """A connection that is cut in the middle of a frame is a lost one."""
        scene = Scene()
        scene.feed(frame.marshal(DELIVER, 1)[:9])
        assert b"\x01" == await asyncio.wait_for(scene_start(scene), DEADLINE)


async def scene_start(scene: Scene) -> bytes:
    """The first byte of a frame that is complete."""
    scene.feed(frame.marshal(DELIVER, 1)[9:])
    return await scene.stream.readexactly(1)
