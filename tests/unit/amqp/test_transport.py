"""Frames on their way to the client library."""

import asyncio
import struct

from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from worker.amqp.transport import RawPropertiesReader, unwrap
from worker.amqp.wire import Properties

DELIVER = Basic.Deliver("tag", 1, redelivered=False, exchange="x", routing_key="send")


def content_frame(raw: bytes, body_size: int = 5) -> bytes:
    """A content header frame on channel 3 with these bytes as properties."""
    payload = struct.pack(">HHQ", 60, 0, body_size) + raw
    return struct.pack(">BHI", 2, 3, len(payload)) + payload + b"\xce"


async def passed_on(*frames: bytes) -> list[object]:
    """What the library makes of *frames* behind the reader, asked for as the library asks."""
    stream = asyncio.StreamReader()
    stream.feed_data(b"".join(frames))
    stream.feed_eof()
    reader = RawPropertiesReader(stream)
    seen: list[object] = []
    while not reader.at_eof():
        start = await reader.readexactly(1) + await reader.readexactly(6)
        size = struct.unpack(">I", start[3:])[0]
        seen.append(frame.unmarshal(start + await reader.readexactly(size + 1))[2])
    return seen


class TestReader:
    """`RawPropertiesReader`."""

    async def test_other_frames_pass_unchanged(self) -> None:
        """Methods, bodies and heartbeats are none of its business."""
        given = [
            frame.marshal(DELIVER, 3),
            frame.marshal(ContentBody(b"hello"), 3),
            frame.marshal(Heartbeat(), 0),
        ]
        deliver, body, heartbeat = await passed_on(*given)
        assert isinstance(deliver, Basic.Deliver)
        assert deliver.routing_key == "send"
        assert isinstance(body, ContentBody)
        assert body.value == b"hello"
        assert isinstance(heartbeat, Heartbeat)

    async def test_poison_reaches_us_whole(self) -> None:
        """A time in nanoseconds, on which the library would end the connection."""
        raw = struct.pack(">HQ", 64, 10**18)
        (header,) = await passed_on(content_frame(raw, 77))
        assert isinstance(header, ContentHeader)
        assert header.body_size == 77
        assert unwrap(header).marshal() == raw

    async def test_a_returned_message_is_known_by_its_message_id(self) -> None:
        """The library matches a return with its publish by that property."""
        (header,) = await passed_on(content_frame(Properties.of(message_id="m").marshal()))
        assert isinstance(header, ContentHeader)
        assert header.properties.message_id == "m"

    async def test_a_returned_copy_is_known_by_our_header(self) -> None:
        """A copy of a job without a message id has none either."""
        copy = Properties.of(message_id="m", headers={"x-iton-id": "copy"})
        (header,) = await passed_on(content_frame(copy.marshal()))
        assert isinstance(header, ContentHeader)
        assert header.properties.message_id == "copy"

    async def test_unreadable_properties_are_empty_ones(self) -> None:
        """No broker sends such; a body still comes through."""
        (header,) = await passed_on(content_frame(b"\x80\x00"))
        assert isinstance(header, ContentHeader)
        assert unwrap(header) == Properties({})
