"""The TCP proxy for tests that do not run on an event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.support.tcp_gate import TcpGate


class FaultGate:
    """A way to a server that hangs, cuts and heals when told, from any thread."""

    def __init__(self, url: str, *, delay: float = 0.0) -> None:
        parts = urlsplit(url)
        self._url = parts
        self._gate = TcpGate(parts.hostname or "127.0.0.1", parts.port or 5672)
        self._gate.delay = delay
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._serving = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="fault gate")

    @property
    def url(self) -> str:
        """The URL of the server by this way."""
        user = f"{self._url.username}:{self._url.password}@" if self._url.username else ""
        return self._url._replace(netloc=f"{user}127.0.0.1:{self._gate.port}").geturl()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._serving.wait(10)

    def stop(self) -> None:
        """Cut everything and listen no more."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def lead_to(self, port: int) -> None:
        """Pass new connections on to another server of this machine, and cut those there are."""
        self._do(lambda: self._gate.lead_to(port))

    def hang(self) -> None:
        """Pass nothing on, and say nothing about it."""
        self._do(self._gate.hang)

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self._gate.cut)

    def heal(self) -> None:
        """Pass on again; what hung is cut."""
        self._do(self._gate.heal)

    def cut_within(self, mark: bytes) -> None:
        """Reset all connections in the middle of the next *mark* that passes."""
        self._do(lambda: self._gate.cut_within(mark))

    @property
    def has_cut_within(self) -> bool:
        """Whether the mark has come by."""
        return self._gate.has_cut_within

    def _do(self, action: Callable[[], None]) -> None:
        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self._loop).result(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with self._gate.serving():
            self._serving.set()
            await self._end.wait()


@contextmanager
def fault_gate(url: str, *, delay: float = 0.0) -> Iterator[FaultGate]:
    """Provide a way to the server of *url*, on which each byte takes *delay* seconds."""
    gate = FaultGate(url, delay=delay)
    gate.start()
    try:
        yield gate
    finally:
        gate.stop()
