"""The socket below the AMQP library: messages pass beside it, their properties as raw bytes."""

import asyncio
from typing import cast

from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import commands
from pamqp.header import ContentHeader
from yarl import URL

from worker.amqp import frames
from worker.amqp.frames import Frame
from worker.amqp.outgoing import readable
from worker.amqp.refusals import Farewell
from worker.amqp.tap import Sink, WireTap
from worker.amqp.wire import Properties
from worker.domain.errors import BrokerUnavailableError

# Names the one header under which the library hands on what came over the wire.
RAW = "raw"
_MANY_BYTES = 1_048_576  # written and not taken by the socket yet; who writes more waits


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


class Wire:
    """The socket of one connection, for frames of ours beside the library's.

    Every write holds whole frames, and a message's frames are one write: the library's come between two of
    ours, never into one. What is written within one round of the event loop goes out together at its end: a
    call into the system for each frame would cost more than all the rest of it.
    """

    def __init__(self, tap: WireTap, writer: asyncio.StreamWriter) -> None:
        self._tap = tap
        self._writer = writer
        self._transport = writer.transport
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._unsent_size = 0

    def serve(self, channel: int, sink: Sink) -> None:
        """Give *sink* what it takes of *channel*."""
        self._tap.serve(channel, sink)

    def forget(self, channel: int, sink: Sink) -> None:
        """Give it nothing more."""
        self._tap.forget(channel, sink)

    def write(self, data: bytes) -> None:
        """Send whole frames.

        Raises:
            BrokerUnavailableError: the connection is closed, or closes.
        """
        if self._transport.is_closing():
            raise BrokerUnavailableError("connection_lost", "the connection was closed")
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(data)
        self._unsent_size += len(data)

    def flush(self) -> None:
        """Hand over to the socket what was written; nothing where the connection is gone."""
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        if unsent and not self._transport.is_closing():
            self._writer.write(b"".join(unsent))

    @property
    def congested(self) -> bool:
        """Whether much of what was written is still here."""
        if self._transport.is_closing():
            return False
        return self._unsent_size + self._transport.get_write_buffer_size() > _MANY_BYTES

    async def drain(self) -> None:
        """Wait until the socket has taken most of it.

        Raises:
            BrokerUnavailableError: the connection was lost meanwhile.
        """
        self.flush()
        try:
            await self._writer.drain()
        except (ConnectionError, OSError):
            raise BrokerUnavailableError("connection_lost", "the connection was closed") from None


class RawTransportFactory(TransportFactory):
    """Opens the socket, TLS where the URL says so, and remembers it.

    Args:
        raw: whether the properties of messages are wrapped.
    """

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._writer: asyncio.StreamWriter | None = None
        self._wire: Wire | None = None
        self._tap: WireTap | None = None

    async def create(self, url: URL, **kwargs: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self._writer = await factory.create(url, **kwargs)
        rewrite = wrapped if self._raw else frames.whole
        self._tap = WireTap(reader, rewrite=rewrite, now=asyncio.get_running_loop().time)
        self._wire = Wire(self._tap, self._writer)
        # The library uses no more of a StreamReader than what the tap has.
        return cast("asyncio.StreamReader", self._tap), self._writer

    @property
    def farewell(self) -> Farewell | None:
        """With which words the broker has closed the connection, if it has."""
        said = self._tap.farewell if self._tap is not None else None
        return Farewell(*said) if said else None

    @property
    def wire(self) -> Wire:
        """The socket, of a connection that was made."""
        if self._wire is None:
            raise BrokerUnavailableError("connection_lost", "not connected")
        return self._wire

    def flush(self) -> None:
        """Send what waits for the end of the event loop's round."""
        if self._wire is not None:
            self._wire.flush()

    def abort(self) -> None:
        """Cut the connection without a word, where a polite close would hang."""
        if self._writer is not None:
            self._writer.transport.abort()
