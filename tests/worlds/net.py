"""Connections inside the world: bytes that take their time, arrive in order, and stop when a host dies."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.worlds.loop import Host, VirtualLoop

Address = tuple[str, int]


class Accepts(Protocol):
    """Who listens."""

    def accept(self, end: "End", host: "Host | None") -> asyncio.BaseProtocol:
        """Return what takes the bytes of a new connection from *host*."""
        ...


class End(asyncio.Transport):
    """One end of a connection. What is written here arrives at the other end after the network's delay."""

    def __init__(self, network: "Network", host: "Host | None") -> None:
        super().__init__({"peername": ("world", 0), "sockname": ("world", 0)})
        self._network = network
        self._loop = network.loop
        self.host = host
        self._context = host.context if host else Context()
        self._protocol: asyncio.BaseProtocol | None = None
        self._under_way: deque[bytes | None] = deque()  # to this end; None: no more
        self._arrival = 0.0  # of the last of them
        self._closing = False
        self._lost = False
        self.peer: End | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives to *protocol*."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets what arrives."""
        assert self._protocol is not None
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*; nothing of a dead host goes out."""
        if self._closing or not data or (self.host and not self.host.alive) or self.peer is None:
            return
        self.peer.send_here(bytes(data))

    def send_here(self, data: bytes | None) -> None:
        """Have *data* arrive here, after all that is under way."""
        self._arrival = max(self._arrival, self._network.arrival())
        self._under_way.append(data)
        self._loop.call_at(self._arrival, self._deliver, context=self._context)

    def _deliver(self) -> None:
        data = self._under_way.popleft()
        if self._lost or self._protocol is None:
            return
        if data is None:
            self._lose(ConnectionResetError("the other side closed the connection"))
        elif isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._end(None)

    def abort(self) -> None:
        """Close at once."""
        self._end(None)

    def drop(self) -> None:
        """Close as the system does for a process that died: the other side alone hears of it."""
        self._closing = self._lost = True
        if self.peer is not None and not self.peer._lost:
            self.peer.send_here(None)

    def cut(self) -> None:
        """Reset the connection under both sides."""
        if self.peer is not None:
            for end in (self, self.peer):
                if not end._lost:
                    end.send_here(None)

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        if self.peer is not None and not self.peer._lost:
            self.peer.send_here(None)
        self._loop.call_soon(self._lose, error, context=self._context)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._closing = self._lost = True
        self._network.forget(self)
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def is_closing(self) -> bool:
        """Whether it is closed, or closes."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether what arrives is handed on."""
        return not self._closing

    def pause_reading(self) -> None:
        """Go on all the same: nobody here runs out of memory."""

    def resume_reading(self) -> None:
        """Go on."""

    def get_write_buffer_size(self) -> int:
        """Nothing is kept back."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There are none."""

    def can_write_eof(self) -> bool:
        """Half-closed connections are not known here."""
        return False


class Network:
    """All connections.

    Attributes:
        delay: seconds, one way.
        silent_until: nothing arrives before.
        refusing: nobody gets a new connection.
    """

    def __init__(self, loop: "VirtualLoop") -> None:
        self.loop = loop
        self.delay: Callable[[], float] = lambda: 0.0005
        self.silent_until = 0.0
        self.refusing = False
        self._listeners: dict[Address, Accepts] = {}
        self.ends: dict[End, None] = {}

    def listen(self, address: Address, listener: Accepts) -> None:
        """Have *listener* accept connections."""
        self._listeners[address] = listener

    def arrival(self) -> float:
        """When what is sent now arrives."""
        return max(self.loop.time(), self.silent_until) + self.delay()

    async def connect(
        self, host: "Host | None", address: Address, factory: Callable[[], asyncio.BaseProtocol]
    ) -> tuple[asyncio.Transport, Any]:
        """Connect *host* to *address*."""
        await asyncio.sleep(self.arrival() - self.loop.time() + self.delay())
        listener = self._listeners.get(address)
        if listener is None or self.refusing:
            raise ConnectionRefusedError(111, "Connection refused")
        here, there = End(self, host), End(self, None)
        here.peer, there.peer = there, here
        self.ends[here] = self.ends[there] = None
        there.set_protocol(listener.accept(there, host))
        protocol = factory()
        here.set_protocol(protocol)
        protocol.connection_made(here)
        return here, protocol

    def forget(self, end: End) -> None:
        """Nothing goes over it any more."""
        self.ends.pop(end, None)

    def of(self, host: "Host") -> list[End]:
        """Return the open ends of *host*."""
        return [end for end in self.ends if end.host is host]

    def drop(self, host: "Host") -> None:
        """Close what a dead host had open."""
        for end in self.of(host):
            end.drop()
            self.forget(end)
