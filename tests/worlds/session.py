"""One client's connection to the broker: AMQP 0-9-1, frame by frame, as far as the worker speaks it."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import lru_cache
from typing import Any

from pamqp import frame, heartbeat
from pamqp.commands import Basic, Channel, Connection
from pamqp.constants import FRAME_METHOD

from tests.worlds import queues
from tests.worlds.channel import FRAME_MAX, ON_CHANNEL, AmqpChannel
from tests.worlds.loop import Host
from tests.worlds.net import End
from tests.worlds.queues import Broker, Message

_HEARTBEAT = 10.0
_PROPERTIES: dict[str, Any] = {
    "product": "RabbitMQ",
    "version": "4.1.0",
    "capabilities": {
        "publisher_confirms": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "authentication_failure_close": True,
        "connection.blocked": True,
        "per_consumer_qos": True,
    },
}


class Session(asyncio.Protocol):
    """Serves one connection."""

    def __init__(self, server: "Server", end: End, host: Host | None) -> None:
        self.server = server
        self.broker = server.broker
        self.host = host
        self.host_name = host.name if host else "client"
        self.channels: dict[int, AmqpChannel] = {}
        self.publishes = False
        self._end = end
        self._buffer = b""
        self._greeted = False
        self._heard = server.loop.time()
        self._open = True
        self._held_back: deque[bytes] = deque()
        # Not of the host that connects: the broker misses the heartbeats of one that stands still.
        self._beat = server.loop.call_later(_HEARTBEAT / 2, self._heartbeat, context=Context())

    def draw(self) -> int:
        """Return a number that no other consumer has."""
        return self.server.draw()

    def delivered(self, queue: queues.Queue, message: Message) -> None:
        """Note that a message is handed out."""
        self.server.on_delivery(self.host_name, queue, message)

    def data_received(self, data: bytes) -> None:
        """Take what the client wrote."""
        self._heard = self.server.loop.time()
        if self.broker.blocked and self.publishes:
            self._held_back.append(data)
            return
        self._buffer += data
        if not self._greeted:
            if len(self._buffer) < len(b"AMQP0091"):
                return
            self._greeted = True
            self._buffer = self._buffer[8:]
            self.send(0, Connection.Start(0, 9, _PROPERTIES, "PLAIN", "en_US"))
        while self._open and len(self._buffer) > 7:
            length = int.from_bytes(self._buffer[3:7], "big") + 8
            if len(self._buffer) < length:
                return
            raw, self._buffer = self._buffer[:length], self._buffer[length:]
            self._take(*_read(raw))

    def unblocked(self) -> None:
        """Read what waited for the end of an alarm."""
        if self.publishes and self._open:
            self.send(0, Connection.Unblocked())
        while self._held_back and self._open:
            self.data_received(self._held_back.popleft())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give back what it held."""
        self._over()

    def send(self, channel: int, *frames: Any) -> None:  # noqa: ANN401 - as above
        """Write frames."""
        if self._open:
            self._end.write(b"".join(frame.marshal(each, channel) for each in frames))

    def confirm(self, channel: int, answer: Basic.Ack | Basic.Nack) -> None:
        """Confirm, when the replicas have it."""
        wait = self.server.confirm_delay()
        if wait > 0:
            self.server.loop.call_later(wait, self.send, channel, answer)
        else:
            self.send(channel, answer)

    def _over(self) -> None:
        if self._open:
            self._open = False
            self._beat.cancel()
            self.server.sessions.pop(self, None)
            for channel in self.channels.values():
                channel.end()
            self.channels.clear()

    def _heartbeat(self) -> None:
        if self.server.loop.time() - self._heard > 2 * _HEARTBEAT:
            self._over()
            self._end.abort()
            return
        self.send(0, heartbeat.Heartbeat())
        self._beat = self.server.loop.call_later(_HEARTBEAT / 2, self._heartbeat)

    def _take(self, number: int, got: Any) -> None:  # noqa: ANN401 - as above
        if number == 0:
            self._on_connection(got)
            return
        if isinstance(got, Channel.Open):
            self.channels[number] = AmqpChannel(self, number)
            self.send(number, Channel.OpenOk())
            return
        channel = self.channels.get(number)
        if channel is None or isinstance(got, Channel.CloseOk):
            return  # it was closed, and the client did not know yet
        handler = ON_CHANNEL.get(type(got))
        if handler is None:
            raise AssertionError(f"the broker of the worlds does not know {type(got)}")
        handler(channel, got)

    def _on_connection(self, got: Any) -> None:  # noqa: ANN401 - as above
        if isinstance(got, Connection.StartOk):
            self.send(0, Connection.Tune(2047, FRAME_MAX, int(_HEARTBEAT)))
        elif isinstance(got, Connection.Open):
            self.send(0, Connection.OpenOk())
        elif isinstance(got, Connection.Close):
            self.send(0, Connection.CloseOk())
            self._over()
            self._end.close()


def _read(raw: bytes) -> tuple[int, Any]:
    """Return the channel and what a frame says on it."""
    if raw[0] == FRAME_METHOD:
        return _read_method(raw)
    _, number, got = frame.unmarshal(raw)
    return number, got


@lru_cache(maxsize=4_096)
def _read_method(raw: bytes) -> tuple[int, Any]:
    """The same of a method: workers ask the same again and again, how full a queue is, say."""
    _, number, got = frame.unmarshal(raw)
    return number, got


class Server:
    """Accepts connections to a broker.

    Attributes:
        confirm_delay: seconds until a publish is confirmed.
        on_delivery: told of each message that is handed out.
    """

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self.broker = broker
        self.loop = loop
        self.sessions: dict[Session, End] = {}
        self.confirm_delay: Callable[[], float] = lambda: 0.002
        self.on_delivery: Callable[[str, queues.Queue, Message], None] = lambda *_: None
        self._drawn = 0

    def accept(self, end: End, host: Host | None) -> Session:
        """Serve a new connection."""
        session = Session(self, end, host)
        self.sessions[session] = end
        return session

    def draw(self) -> int:
        """Return a number that was not drawn before."""
        self._drawn += 1
        return self._drawn

    def block(self) -> None:
        """Raise an alarm: publishers are not read any more."""
        self.broker.blocked = True
        for session in list(self.sessions):
            if session.publishes:
                session.send(0, Connection.Blocked("low on memory"))

    def unblock(self) -> None:
        """End the alarm."""
        self.broker.blocked = False
        for session in list(self.sessions):
            session.unblocked()
