"""The benchmark's own end of a paced load, as cheap as it can be: what it takes, the measured ones lack.

aio-pika spent a third of a core on a thousand jobs a second and their results, on a machine with two.
Log-in and subscription go through a blocking socket; then frames pass as bytes, read and written by the
worker's own codec.
"""

import asyncio
import socket
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from pamqp import base, commands, frame
from pamqp.header import ProtocolHeader

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Splitter

CHANNEL = 1
TIMEOUT = 10.0  # seconds for one answer
PERSISTENT = commands.Basic.Properties(delivery_mode=2, content_type="application/json").marshal()

TakeResult = Callable[[bytes], None]


class Line(asyncio.Protocol):
    """One channel of a connection without heartbeats: publishes without confirms, consumes without acks.

    Args:
        take: gets each piece of a message's body; results are short, so nearly always the whole of it.
    """

    def __init__(self, take: TakeResult, frame_max: int) -> None:
        self._take = take
        self._frame_max = frame_max
        self._splitter = Splitter()
        self._transport: asyncio.WriteTransport | None = None
        self.lost = False

    @classmethod
    async def open(cls, url: str, queue: str, take: TakeResult) -> "Line":
        """Log in and consume *queue*.

        Raises:
            OSError, ConnectionError: the broker is not there, or refuses.
        """
        connection, frame_max = await asyncio.to_thread(_logged_in, url)
        line = cls(take, frame_max)
        await asyncio.get_running_loop().create_connection(lambda: line, sock=connection)
        line._write(frame.marshal(commands.Basic.Consume(queue=queue, no_ack=True), CHANNEL))
        return line

    def message(self, exchange: str, key: str, body: bytes) -> bytes:
        """Return the frames of a persistent message."""
        return frames.publish(CHANNEL, exchange, key, PERSISTENT, body, self._frame_max)

    def publish(self, message: bytes) -> None:
        """Send what `message` returned."""
        self._write(message)

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the way out."""
        self._transport = transport  # type: ignore[assignment]  # a stream socket's is one

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        """Note that nothing comes any more."""
        self.lost = True

    def data_received(self, data: bytes) -> None:
        """Hand on the bodies of messages; there is nothing else that matters."""
        for one in self._splitter.feed(data):
            if isinstance(one, frames.Message):
                self._take(one.body)
            elif one.kind == frames.BODY:
                self._take(one.payload)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.lost:
            raise ConnectionError("the broker has closed the benchmark's connection")
        self._transport.write(data)


def _logged_in(url: str) -> tuple[socket.socket, int]:
    """Return a connection with an open channel, and the longest frame that it takes."""
    where = urlsplit(url)
    connection = socket.create_connection((where.hostname, where.port or 5672), timeout=TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    credentials = f"\0{unquote(where.username or 'guest')}\0{unquote(where.password or 'guest')}"
    connection.sendall(ProtocolHeader().marshal())
    _answer(connection, commands.Connection.Start)
    _say(connection, commands.Connection.StartOk(mechanism="PLAIN", response=credentials))
    tune = _answer(connection, commands.Connection.Tune)
    _say(connection, commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
    _say(connection, commands.Connection.Open(unquote(where.path[1:]) or "/"))
    _answer(connection, commands.Connection.OpenOk)
    _say(connection, commands.Channel.Open(), CHANNEL)
    _answer(connection, commands.Channel.OpenOk)
    connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return connection, int(tune.frame_max)


def _say(connection: socket.socket, method: base.Frame, channel: int = 0) -> None:
    connection.sendall(frame.marshal(method, channel))


def _answer(connection: socket.socket, expected: type[base.Frame]) -> base.Frame:
    """Read one method and no byte more."""
    head = _exactly(connection, frames.FRAME_START)
    length = int.from_bytes(head[3:], "big")
    _, _, found = frame.unmarshal(head + _exactly(connection, length + 1))
    if not isinstance(found, expected):
        raise ConnectionError(f"the broker answered {found.name}, not {expected.name}")
    return found


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the broker has closed the benchmark's connection")
        data += piece
    return data
