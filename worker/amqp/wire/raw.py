"""Properties that pass the library as bytes: what it cannot decode would end the connection."""

from typing import cast

from pamqp import commands
from pamqp.header import ContentHeader

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Frame
from worker.amqp.wire.properties import Properties, readable

# Names the one header under which the library hands on what came over the wire.
RAW = "raw"
_SHORT = 255  # bytes of a key (AMQP: a short string); each one that is no text becomes three


def wrapped(frame: Frame) -> bytes:
    """A whole frame in place of *frame*, a method or a content header: one that the library can decode.

    What it cannot would end the connection, and the broker would hand the message to the next one, for ever.
    """
    return _wrapped_header(frame) if frame.kind == frames.HEADER else _legible(frame)


def _wrapped_header(header: Frame) -> bytes:
    """The same body size, and the properties as bytes, in the one header `RAW`."""
    size, raw = frames.read_content_header(header.payload)
    properties = commands.Basic.Properties(headers={RAW: bytearray(raw)})
    payload = ContentHeader(body_size=size, properties=properties).marshal()
    return frames.whole(Frame(frames.HEADER, header.channel, payload))


def _legible(method: Frame) -> bytes:
    """The same, with what is no UTF-8 in the key of a delivery replaced."""
    payload = method.payload
    if frames.method_of(payload) == frames.DELIVER:
        at = frames.key_at(payload)
        text = payload[at + 1 :].decode(errors="replace").encode()
        key = text[:_SHORT].decode(errors="ignore").encode()
        payload = payload[:at] + bytes((len(key),)) + key
    return frames.whole(method._replace(payload=payload))


def unwrap(header: ContentHeader) -> Properties:
    """The properties that `wrapped` hid; empty ones if they are beyond reading."""
    raw = (header.properties.headers or {}).get(RAW)
    return readable(bytes(cast("bytearray", raw))) if isinstance(raw, bytearray | bytes) else Properties({})
