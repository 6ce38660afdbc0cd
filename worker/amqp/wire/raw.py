"""Properties that pass the library as bytes: what it cannot decode would end the connection."""

from typing import cast

from pamqp import commands
from pamqp.header import ContentHeader

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Frame
from worker.amqp.wire.properties import Properties, readable

# Names the one header under which the library hands on what came over the wire.
RAW = "raw"


def wrapped(header: Frame) -> bytes:
    """A whole content header in place of *header*: the same body size, the properties as bytes.

    The library sees one header, `RAW`, that holds all of them. What it cannot decode would end the
    connection, and the broker would hand the message to the next worker, for ever.
    """
    size, raw = frames.read_content_header(header.payload)
    properties = commands.Basic.Properties(headers={RAW: bytearray(raw)})
    payload = ContentHeader(body_size=size, properties=properties).marshal()
    return frames.whole(Frame(frames.HEADER, header.channel, payload))


def unwrap(header: ContentHeader) -> Properties:
    """The properties that `wrapped` hid; empty ones if they are beyond reading."""
    raw = (header.properties.headers or {}).get(RAW)
    return readable(bytes(cast("bytearray", raw))) if isinstance(raw, bytearray | bytes) else Properties({})
