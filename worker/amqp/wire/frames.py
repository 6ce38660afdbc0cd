"""The frames that carry every job and every result: as bytes, and cut out of a stream of bytes. Pure.

Only what is on the hot path (AMQP 0-9-1, 2.3.5 and 1.8.3): deliveries, publishes, acknowledgements, confirms,
returns. Everything else is the client library's, whose codec the tests hold this one against, byte for byte.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
END: Final = b"\xce"

# Class 10, connection, and class 60, basic; class and method as one number.
CLOSE: Final = 10 << 16 | 50
PUBLISH: Final = 60 << 16 | 40
RETURN: Final = 60 << 16 | 50
DELIVER: Final = 60 << 16 | 60
ACK: Final = 60 << 16 | 80
NACK: Final = 60 << 16 | 120

WITH_CONTENT: Final = frozenset({DELIVER, RETURN})

HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"

START = struct.Struct(">BHI")
FRAME_START: Final = START.size
OVERHEAD: Final = START.size + len(END)
_METHOD_ID = struct.Struct(">I")
CONTENT = struct.Struct(">HHQ")
HEADER_OVERHEAD: Final = OVERHEAD + CONTENT.size  # bytes of a header's frame that are no properties
_SETTLE = struct.Struct(">BHIIQBB")
_TAG = struct.Struct(">QB")
_REPLY = struct.Struct(">HB")
_MANDATORY: Final = b"\x01"
_REQUEUE: Final = 2
_END: Final = END[0]
_MOST: Final = 0xFFFF_FFFF  # bytes of a frame
_STARTS_CONTENT: Final = frozenset(method.to_bytes(4, "big") for method in WITH_CONTENT)


class MalformedFrameError(ConnectionError):
    """The bytes are no AMQP frames: the connection is of no use any more."""


class Frame(NamedTuple):
    """One frame without its start and end."""

    kind: int
    channel: int
    payload: bytes


class Deliver(NamedTuple):
    """The method in front of a message from a queue."""

    consumer_tag: str
    tag: int
    redelivered: bool
    routing_key: str


class Message(NamedTuple):
    """A method with content whose frames came together: nearly every one.

    Attributes:
        payload: of the method's frame.
        raw_properties: flags and values.
    """

    channel: int
    method: int
    payload: bytes
    raw_properties: bytes
    body: bytes

    def frames(self) -> Iterator[Frame]:
        """Return it frame by frame, as it was on the wire."""
        yield Frame(METHOD, self.channel, self.payload)
        head = CONTENT.pack(self.method >> 16, 0, len(self.body))
        yield Frame(HEADER, self.channel, head + self.raw_properties)
        if self.body:
            yield Frame(BODY, self.channel, self.body)


def whole(frame: Frame) -> bytes:
    """Return *frame* as it was on the wire."""
    return START.pack(frame.kind, frame.channel, len(frame.payload)) + frame.payload + END


def method_of(payload: bytes) -> int:
    """Return which method a method frame holds, as DELIVER and the like."""
    return int.from_bytes(payload[:4], "big")


def read_deliver(payload: bytes) -> Deliver:
    """Read a basic.deliver; a key that is no UTF-8 loses what is not."""
    end = 5 + payload[4]
    tag, redelivered = _TAG.unpack_from(payload, end)
    at = end + _TAG.size
    at += 1 + payload[at]  # the exchange
    key = payload[at + 1 : at + 1 + payload[at]]
    consumer = payload[5:end].decode("ascii", "replace")
    return Deliver(consumer, tag, redelivered & 1 == 1, key.decode("utf-8", "replace"))


def key_at(payload: bytes) -> int:
    """Return where the key of a basic.deliver begins, with its length; it is the last of it."""
    at = 5 + payload[4] + _TAG.size
    return at + 1 + payload[at]


def read_confirm(payload: bytes) -> tuple[int, bool]:
    """Read a basic.ack or basic.nack: the tag, and whether all before it are meant as well."""
    tag, bits = _TAG.unpack_from(payload, 4)
    return tag, bool(bits & 1)


def read_close(payload: bytes) -> tuple[int, str]:
    """Read a connection.close: the reply code and its text."""
    code, length = _REPLY.unpack_from(payload, 4)
    return code, payload[4 + _REPLY.size :][:length].decode("utf-8", "replace")


def read_content_header(payload: bytes) -> tuple[int, bytes]:
    """Return the size of the body, and the properties as they are on the wire."""
    _, _, size = CONTENT.unpack_from(payload)
    return size, payload[CONTENT.size :]


@lru_cache(maxsize=256)
def _publish_method(channel: int, exchange: str, routing_key: str) -> bytes:
    target, key = exchange.encode(), routing_key.encode()
    payload = b"".join(
        (
            _METHOD_ID.pack(PUBLISH),
            b"\x00\x00",
            bytes([len(target)]), target,
            bytes([len(key)]), key,
            _MANDATORY,
        )
    )  # fmt: skip
    return whole(Frame(METHOD, channel, payload))


def publish(
    channel: int, exchange: str, routing_key: str, raw_properties: bytes, body: bytes, most: int
) -> bytes:
    """Return the frames of a mandatory publish.

    Args:
        channel: its number.
        exchange: at most 255 bytes of UTF-8, as the key.
        routing_key: of the message.
        raw_properties: flags and values.
        body: of any length.
        most: bytes of a frame, as agreed with the broker.
    """
    header_size = CONTENT.size + len(raw_properties)
    head = (
        _publish_method(channel, exchange, routing_key),
        START.pack(HEADER, channel, header_size),
        CONTENT.pack(PUBLISH >> 16, 0, len(body)),
        raw_properties,
        END,
    )
    room = most - OVERHEAD
    if 0 < len(body) <= room:
        return b"".join((*head, START.pack(BODY, channel, len(body)), body, END))
    pieces = (Frame(BODY, channel, body[at : at + room]) for at in range(0, len(body), room))
    return b"".join((*head, *map(whole, pieces)))


def ack(channel: int, tag: int) -> bytes:
    """Return a basic.ack of one delivery."""
    return _SETTLE.pack(METHOD, channel, 13, ACK, tag, 0, _END)


def give_back(channel: int, tag: int) -> bytes:
    """Return a basic.nack of one delivery that puts it into its queue again."""
    return _SETTLE.pack(METHOD, channel, 13, NACK, tag, _REQUEUE, _END)


@dataclass(slots=True)
class Splitter:
    """Cuts a stream of bytes into messages, as far as they came in one piece, and frames."""

    _rest: bytes = b""

    def feed(self, data: bytes) -> Iterator[Frame | Message]:
        """Return what is complete by now.

        Raises:
            MalformedFrameError: a frame does not end where it should.
        """
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        try:
            while size - at >= OVERHEAD:
                kind, channel, length = START.unpack_from(data, at)
                start, end = at + FRAME_START, at + FRAME_START + length
                if end >= size:
                    break
                if data[end] != _END:
                    raise MalformedFrameError("a frame does not end with its end byte")
                at = end + 1
                if kind == METHOD and data[start : start + 4] in _STARTS_CONTENT:
                    content = _content_at(data, at, channel)
                    if content is not None:
                        raw_properties, body, at = content
                        method = int.from_bytes(data[start : start + 4], "big")
                        yield Message(channel, method, data[start:end], raw_properties, body)
                        continue
                yield Frame(kind, channel, data[start:end])
        finally:
            self._rest = data[at:]


def _content_at(data: bytes, at: int, channel: int) -> tuple[bytes, bytes, int] | None:
    """Read a header's frame, and that of a body if there is one, which *data* has next, and where they end.

    None where they are not all there, or are more frames, or none of these: what it is shows frame by frame.
    """
    size = len(data)
    if size - at < OVERHEAD + CONTENT.size:
        return None
    kind, owner, length = START.unpack_from(data, at)
    start, end = at + FRAME_START, at + FRAME_START + length
    if kind != HEADER or owner != channel or length < CONTENT.size or end >= size or data[end] != _END:
        return None
    _, _, wanted = CONTENT.unpack_from(data, start)
    raw_properties, at = data[start + CONTENT.size : end], end + 1
    if not wanted:
        return raw_properties, b"", at
    start, end = at + FRAME_START, at + FRAME_START + wanted
    if end >= size or data[end] != _END or data[at:start] != START.pack(BODY, channel, wanted & _MOST):
        return None
    return raw_properties, data[start:end], end + 1
