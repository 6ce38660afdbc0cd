"""The socket of a connection, for frames of ours beside the library's."""

import asyncio

from worker.amqp.wire.reader import FrameReader, Sink
from worker.domain.errors import BrokerUnavailableError

_MANY_BYTES = 1_048_576  # written and not taken by the socket yet; who writes more waits


class FrameSocket:
    """The socket of one connection, for frames of ours beside the library's.

    Every write holds whole frames, and a message's frames are one write: the library's come between two of
    ours, never into one. What is written within one round of the event loop goes out together at its end: a
    call into the system for each frame would cost more than all the rest of it.

    Attributes:
        congested: whether much of what was written is still here, as of the last write or `drain`.
    """

    def __init__(self, reader: FrameReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._transport = writer.transport
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._unsent_size = 0
        self.congested = False

    def serve(self, channel: int, sink: Sink) -> None:
        """Give *sink* what it takes of *channel*."""
        self._reader.serve(channel, sink)

    def forget(self, channel: int, sink: Sink) -> None:
        """Give it nothing more."""
        self._reader.forget(channel, sink)

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
        if self._unsent_size > _MANY_BYTES:
            self.congested = True

    def flush(self) -> None:
        """Hand over to the socket what was written; nothing where the connection is gone."""
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        if unsent and not self._transport.is_closing():
            self._writer.write(b"".join(unsent))
            self.congested = self._transport.get_write_buffer_size() > _MANY_BYTES

    async def drain(self) -> None:
        """Wait until the socket has taken most of it.

        Raises:
            BrokerUnavailableError: the connection was lost meanwhile.
        """
        self.flush()
        try:
            await self._writer.drain()
            self.congested = False
        except (ConnectionError, OSError):
            raise BrokerUnavailableError("connection_lost", "the connection was closed") from None
