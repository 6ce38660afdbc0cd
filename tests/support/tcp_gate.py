"""A TCP proxy in front of a server, that can stop passing bytes on without closing anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.tcp_server import tcp_server

_Chunk = tuple[float, bytes]  # when it arrives; empty: the end
_ON_THE_WAY = 64  # chunks; a sender that is faster than the receiver waits


class TcpGate:
    """Listens on a port of its own and passes everything on, until told to hang or to cut.

    Attributes:
        port: where it listens, on 127.0.0.1.
        delay: seconds that each byte is on its way, in either direction.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._mark: bytes | None = None
        self.port = 0
        self.delay = 0.0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["TcpGate"]:
        """Listen while the block lasts."""
        try:
            async with tcp_server(self._serve) as self.port:
                yield self
        finally:
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def lead_to(self, port: int) -> None:
        """Pass new connections on to another server of this machine, and cut those there are."""
        self._target = ("127.0.0.1", port)
        self.cut()

    def hang(self) -> None:
        """Pass nothing on from now, and say nothing about it."""
        self._open.clear()

    def heal(self) -> None:
        """Pass on again; connections that were hanging are cut first, as a firewall that forgot them does."""
        self.cut()
        self._open.set()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def cut_within(self, mark: bytes) -> None:
        """Reset all connections in the middle of the next *mark* that passes, either way."""
        self._mark = mark

    @property
    def has_cut_within(self) -> bool:
        """Whether the mark has come by."""
        return self._mark is None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._open.wait()
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(there_writer)
        for source, target in ((reader, there_writer), (there_reader, writer)):
            way: asyncio.Queue[_Chunk] = asyncio.Queue()
            for work in (self._enter(source, way), self._pump(way, target)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _enter(self, source: asyncio.StreamReader, way: "asyncio.Queue[_Chunk]") -> None:
        chunk = b"first"
        while chunk:
            try:
                chunk = await source.read(65_536)
            except ConnectionError:
                chunk = b""
            while way.qsize() > _ON_THE_WAY:  # noqa: ASYNC110 - a bounded queue would hold up the delay
                await asyncio.sleep(0.001)
            await way.put((asyncio.get_running_loop().time() + self.delay, chunk))

    async def _pump(self, way: "asyncio.Queue[_Chunk]", target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                due, chunk = await way.get()
                await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))
                if not chunk:
                    break
                await self._open.wait()
                if self._mark and self._mark in chunk:
                    target.write(chunk[: chunk.index(self._mark) + len(self._mark) // 2])
                    await self._cut_behind(target)
                    return
                target.write(chunk)
                await target.drain()
        target.close()

    async def _cut_behind(self, target: asyncio.StreamWriter) -> None:
        """Reset all connections once what was written last is on its way."""
        self._mark = None
        while target.transport.get_write_buffer_size():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        self.cut()
