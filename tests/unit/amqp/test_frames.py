"""Frames as bytes, held against the client library's codec."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Frame, MalformedFrameError, Message, Splitter

CHANNELS = st.integers(0, 65_535)
TAGS = st.integers(0, 2**63 - 1)  # the library's are signed
KEYS = st.text(max_size=60).filter(lambda key: len(key.encode()) < 256)
NAMES = st.from_regex(r"[a-zA-Z0-9_.:-]{0,60}", fullmatch=True)  # the library refuses some that brokers take
PROPERTIES = Basic.Properties(message_id="job-1/1", delivery_mode=2, content_type="application/json")


def header_and_bodies(channel: int, body: bytes, most: int) -> bytes:
    """The library's content frames for *body*."""
    start = frame.marshal(ContentHeader(body_size=len(body), properties=PROPERTIES), channel)
    room = most - 8
    pieces = [body[at : at + room] for at in range(0, len(body), room)]
    return start + b"".join(frame.marshal(ContentBody(piece), channel) for piece in pieces)


class TestWriting:
    """What goes out is what the library would write."""

    @given(CHANNELS, NAMES, KEYS, st.binary(max_size=300), st.integers(16, 400))
    def test_a_publish(self, channel: int, exchange: str, key: str, body: bytes, most: int) -> None:
        """Method, header and as many body frames as it takes."""
        method = Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
        expected = frame.marshal(method, channel) + header_and_bodies(channel, body, most)
        assert expected == frames.publish(channel, exchange, key, PROPERTIES.marshal(), body, most)

    @given(CHANNELS, TAGS)
    def test_settlements(self, channel: int, tag: int) -> None:
        """One delivery, never those before it."""
        assert frame.marshal(Basic.Ack(tag), channel) == frames.ack(channel, tag)
        assert frame.marshal(Basic.Nack(tag, requeue=True), channel) == frames.give_back(channel, tag)

    def test_a_heartbeat(self) -> None:
        """The sign of life that the library is shown."""
        assert frame.marshal(Heartbeat(), 0) == frames.HEARTBEAT


class TestReading:
    """What comes in is what a library wrote."""

    @given(NAMES, TAGS, st.booleans(), NAMES, KEYS)
    def test_a_delivery(self, consumer: str, tag: int, redelivered: bool, exchange: str, key: str) -> None:  # noqa: FBT001 - drawn
        """The exchange is not asked for, the key may be any text."""
        method = Basic.Deliver(consumer, tag, redelivered, exchange, key)
        read = frames.read_deliver(method_payload(method))
        assert (tag, redelivered, key) == read[1:]
        assert frames.DELIVER == frames.method_of(method_payload(method))

    @given(TAGS, st.booleans())
    def test_confirms(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - drawn
        """Of one message or of all up to it."""
        acked, nacked = method_payload(Basic.Ack(tag, multiple)), method_payload(Basic.Nack(tag, multiple))
        assert [(tag, multiple)] * 2 == [frames.read_confirm(acked), frames.read_confirm(nacked)]
        assert [frames.ACK, frames.NACK] == [frames.method_of(acked), frames.method_of(nacked)]

    def test_a_content_header(self) -> None:
        """The body's size, and the properties untouched."""
        (whole,) = Splitter().feed(frame.marshal(ContentHeader(body_size=7, properties=PROPERTIES), 3))
        assert (7, PROPERTIES.marshal()) == frames.read_content_header(whole.payload)


class TestSplitter:
    """A stream comes in pieces that have nothing to do with frames."""

    @given(st.lists(st.binary(max_size=40), max_size=8), st.data())
    def test_pieces_of_any_size_give_the_same_frames(
        self, payloads: list[bytes], data: st.DataObject
    ) -> None:
        """Nothing is lost between two reads, nothing comes twice."""
        sent = [Frame(frames.BODY, number, payload) for number, payload in enumerate(payloads)]
        stream = b"".join(map(frames.whole, sent))
        splitter, got = Splitter(), []
        while stream:
            cut = data.draw(st.integers(1, len(stream)))
            got += list(splitter.feed(stream[:cut]))
            stream = stream[cut:]
        assert sent == got
        assert not splitter._rest

    @given(CHANNELS, st.lists(st.tuples(st.binary(max_size=60), st.integers(9, 80)), max_size=5), st.data())
    def test_messages_are_the_same_however_they_are_cut(
        self, channel: int, bodies: list[tuple[bytes, int]], data: st.DataObject
    ) -> None:
        """In one piece or frame by frame: of one body frame, of several, of none."""
        deliver = frame.marshal(
            Basic.Deliver("tag", 1, redelivered=False, exchange="x", routing_key="send"), channel
        )
        stream = b"".join(
            deliver + header_and_bodies(channel, body, most) + frame.marshal(Heartbeat(), 0)
            for body, most in bodies
        )
        whole, pieces = Splitter(), Splitter()
        together = [each for one in whole.feed(stream) for each in frames_of(one)]
        got, rest = [], stream
        while rest:
            cut = data.draw(st.integers(1, len(rest)))
            got += [each for one in pieces.feed(rest[:cut]) for each in frames_of(one)]
            rest = rest[cut:]
        assert together == got
        assert stream == b"".join(map(frames.whole, together))

    def test_a_message_in_one_piece_is_one(self) -> None:
        """Its properties and its body as they are; what only looks like one is told frame by frame."""
        deliver = frame.marshal(
            Basic.Deliver("tag", 1, redelivered=False, exchange="x", routing_key="send"), 3
        )
        content = header_and_bodies(3, b"body", 100)
        (one,) = Splitter().feed(deliver + content)
        assert (3, frames.DELIVER, PROPERTIES.marshal(), b"body") == (one.channel, *one[1:2], *one[3:])
        assert [Frame, Frame, Frame] == [type(each) for each in Splitter().feed(deliver + deliver + deliver)]
        other = header_and_bodies(4, b"body", 100)
        assert [Frame] * 3 == [type(each) for each in Splitter().feed(deliver + other)]

    def test_a_frame_without_its_end_is_an_error(self) -> None:
        """What follows cannot be trusted."""
        broken = struct.pack(">BHI", 3, 1, 2) + b"ab" + b"x"
        with pytest.raises(MalformedFrameError):
            list(Splitter().feed(broken + b"more"))


def frames_of(one: Frame | Message) -> list[Frame]:
    """Frame by frame."""
    return [one] if isinstance(one, Frame) else list(one.frames())


def method_payload(method: Basic.Deliver | Basic.Ack | Basic.Nack) -> bytes:
    """The method as the library writes it, without the frame around it."""
    (whole,) = Splitter().feed(frame.marshal(method, 1))
    return whole.payload
