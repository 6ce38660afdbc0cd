"""The socket below the AMQP library: message properties pass it as raw bytes, and it can be cut at once."""

import asyncio
import struct
from typing import Protocol, cast

from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import commands
from pamqp.constants import FRAME_END_CHAR, FRAME_HEADER
from pamqp.header import ContentHeader
from yarl import URL

from worker.amqp.wire import MalformedPropertiesError, Properties

# Names the one header under which the library hands on what came over the wire.
RAW = "raw"
# A header of ours on every copy of a message; it tells returned copies apart that have no message id.
COPY_ID = "x-iton-id"
_FRAME_START = struct.Struct(">BHI")
_CONTENT_START = 12


class _Reader(Protocol):
    """What the library asks of a stream."""

    async def readexactly(self, n: int) -> bytes: ...

    async def read(self, n: int = -1) -> bytes: ...

    def at_eof(self) -> bool: ...


class RawPropertiesReader:
    """A stream reader that wraps the properties of every message, so that the library need not read them.

    The library sees one header, `RAW`, that holds all of them as bytes, and a ``message_id`` that names
    the copy, by which it matches a returned message with its publish.
    """

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._frame = b""
        self._offset = 0

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        return self._offset >= len(self._frame) and self._reader.at_eof()

    async def read(self, n: int = -1) -> bytes:
        """Pass on what is there, as it is."""
        return await self._reader.read(n)

    async def readexactly(self, n: int) -> bytes:
        """The next *n* bytes; the library asks for a frame in pieces, never for more than one."""
        if self._offset >= len(self._frame):
            self._frame, self._offset = await self._next_frame(), 0
        piece = self._frame[self._offset : self._offset + n]
        self._offset += n
        return piece

    async def _next_frame(self) -> bytes:
        start = await self._reader.readexactly(_FRAME_START.size)
        if start.startswith(b"AMQP"):
            # The broker refuses our protocol version: not a frame, the library knows what to say.
            return start
        kind, channel, size = _FRAME_START.unpack(start)
        rest = await self._reader.readexactly(size + 1)
        if kind != FRAME_HEADER:
            return start + rest
        return wrap_content_header(channel, rest[:-1])


def wrap_content_header(channel: int, payload: bytes) -> bytes:
    """A whole frame in place of one with *payload*: the same body size, the properties wrapped."""
    raw = payload[_CONTENT_START:]
    properties = commands.Basic.Properties(headers={RAW: bytearray(raw)}, message_id=_copy_key(raw))
    header = ContentHeader(body_size=struct.unpack_from(">Q", payload, 4)[0], properties=properties)
    wrapped = header.marshal()
    return _FRAME_START.pack(FRAME_HEADER, channel, len(wrapped)) + wrapped + FRAME_END_CHAR


def unwrap(header: ContentHeader) -> Properties:
    """The properties that `RawPropertiesReader` wrapped; empty ones if they are beyond reading."""
    raw = (header.properties.headers or {}).get(RAW)
    try:
        return Properties.parse(bytes(cast("bytearray", raw)))
    except (MalformedPropertiesError, TypeError):
        return Properties({})


def _copy_key(raw: bytes) -> str | None:
    try:
        properties = Properties.parse(raw)
    except MalformedPropertiesError:
        return None
    return publish_key(properties)


def publish_key(properties: Properties) -> str | None:
    """What tells one publish under way from another, if anything does."""
    copy_id = properties.header(COPY_ID)
    return copy_id if isinstance(copy_id, str) else properties.text("message_id")


class RawTransportFactory(TransportFactory):
    """Opens the socket, TLS where the URL says so, and remembers it.

    Args:
        raw: whether the properties of messages are wrapped.
    """

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self._writer = await factory.create(url, **kwargs)
        if not self._raw:
            return reader, self._writer
        # The library uses no more of a StreamReader than what the wrapper has.
        return cast("asyncio.StreamReader", RawPropertiesReader(reader)), self._writer

    def abort(self) -> None:
        """Cut the connection without a word, where a polite close would hang."""
        if self._writer is not None:
            self._writer.transport.abort()
