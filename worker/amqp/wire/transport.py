"""How the library opens its socket: with our reader between it and the library's stream."""

import asyncio
from typing import NamedTuple, cast

from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from worker.amqp.wire import frames
from worker.amqp.wire.raw import wrapped
from worker.amqp.wire.reader import FrameReader
from worker.amqp.wire.socket import FrameSocket
from worker.domain.errors import BrokerUnavailableError


class CloseReason(NamedTuple):
    """The broker's own reason for closing a connection.

    Attributes:
        code: AMQP's reply code.
        words: the reply text.
    """

    code: int
    words: str


class RawTransportFactory(TransportFactory):
    """Opens the socket, TLS where the URL says so, and remembers it.

    Args:
        raw: whether the properties of messages are wrapped.
    """

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._writer: asyncio.StreamWriter | None = None
        self._socket: FrameSocket | None = None
        self._reader: FrameReader | None = None

    async def create(self, url: URL, **kwargs: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        stream, self._writer = await factory.create(url, **kwargs)
        rewrite = wrapped if self._raw else frames.whole
        transport, now = self._writer.transport, asyncio.get_running_loop().time
        replaced = cast("asyncio.Protocol", transport.get_protocol())
        self._reader = FrameReader(replaced, stream, rewrite=rewrite, now=now)
        # Before anything has come: the broker speaks when it is spoken to.
        transport.set_protocol(self._reader)
        self._socket = FrameSocket(self._reader, self._writer)
        return stream, self._writer

    @property
    def close_reason(self) -> CloseReason | None:
        """With which words the broker has closed the connection, if it has."""
        said = self._reader.close_reason if self._reader is not None else None
        return CloseReason(*said) if said else None

    @property
    def socket(self) -> FrameSocket:
        """The socket, of a connection that was made."""
        if self._socket is None:
            raise BrokerUnavailableError("connection_lost", "not connected")
        return self._socket

    def flush(self) -> None:
        """Send what waits for the end of the event loop's round."""
        if self._socket is not None:
            self._socket.flush()

    def abort(self) -> None:
        """Cut the connection without a word, where a polite close would hang."""
        if self._writer is not None:
            self._writer.transport.abort()
