"""A TCP proxy in front of a server, that can stop passing bytes on without closing anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class TcpGate:
    """Listens on a port of its own and passes everything on, until told to hang or to cut.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._mark: bytes | None = None
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["TcpGate"]:
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

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
        await self._open.wait()
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there_writer}
        for source, target in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65_536):
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
