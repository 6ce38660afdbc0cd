"""An egress proxy: CONNECT for TLS, absolute-form for plain HTTP, a login where it wants one."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.tcp_server import tcp_server


@dataclass
class Proxy:
    """What it lets through and what reached it.

    Attributes:
        login: ``USER:PASSWORD``; None: everybody may.
        refusal: status line with which everything is refused; empty: the connection is closed instead.
        heads: of all requests that it read itself.
        port: it listens on, at 127.0.0.1.
    """

    login: str | None = None
    refusal: str | None = None
    heads: list[bytes] = field(default_factory=list)
    port: int = 0

    def answer(self, head: bytes) -> str | None:
        """Return the status line of a refusal; None where the request may pass."""
        if self.refusal is not None:
            return self.refusal
        wanted = b"Proxy-Authorization: Basic " + b64encode((self.login or "").encode())
        return "407 Proxy Authentication Required" if self.login and wanted not in head else None


@contextlib.asynccontextmanager
async def proxy_server(login: str | None = None, refusal: str | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy on a free port of 127.0.0.1."""
    proxy = Proxy(login, refusal)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _served(proxy, reader, writer)

    async with tcp_server(serve) as proxy.port:
        yield proxy


async def _served(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        proxy.heads.append(head)
        refusal = proxy.answer(head)
        if refusal is not None:
            if refusal:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            return
        method, target, _ = head.split(b" ", 2)
        address = urlsplit(f"//{target.decode()}" if method == b"CONNECT" else target.decode())
        far_reader, far_writer = await asyncio.open_connection(address.hostname, address.port)
        with contextlib.closing(far_writer):
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(head)
            await _relayed((reader, far_writer), (far_reader, writer))


async def _relayed(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Copy both ways until one of them ends."""
    copies = [asyncio.create_task(_copied(*way)) for way in ways]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
