"""A TCP server that speaks HTTP badly on purpose and remembers what reached it."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.deadline import DEADLINE
from tests.support.tcp_server import tcp_server


@dataclass
class Heard:
    """What reached the server.

    Attributes:
        requests: whole requests, head and body, in order of their arrival.
        connections: accepted so far.
        port: it listens on, at 127.0.0.1.
    """

    scheme: str = "http"
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the API, as a setting would name it."""
        return f"{self.scheme}://127.0.0.1:{self.port}/api/"


class FrameSocket:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Heard) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = heard
        self.number = heard.connections

    async def request(self) -> bytes:
        """Read one whole request; IncompleteReadError when the client hung up instead."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        request = head + await self._reader.readexactly(length)
        self._heard.requests.append(request)
        return request

    async def first_byte(self) -> None:
        """Wait until a request begins, and read no more of it."""
        self._heard.requests.append(await self._reader.readexactly(1))

    async def write(self, content: bytes) -> None:
        """Send raw bytes."""
        self._writer.write(content)
        await self._writer.drain()

    async def reply(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        """Send a complete reply and keep the connection."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.write(head.encode() + body)

    async def closed(self) -> None:
        """Wait until the client hangs up."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass

    def reset(self) -> None:
        """End the connection with RST."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[FrameSocket], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Heard]:
    """Run *script* for each connection to a free port of 127.0.0.1, and close the connection then."""
    heard = Heard("https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        with contextlib.closing(writer):
            await script(FrameSocket(reader, writer, heard))

    async with tcp_server(serve, tls) as heard.port:
        yield heard


async def wait_until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait until *condition* holds; TimeoutError after *seconds*."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition may be asked for, not only an event of ours
            await asyncio.sleep(0.005)
