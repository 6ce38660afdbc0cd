"""The TCP proxy for tests that do not run on an event loop."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from tests.support.loop_thread import LoopThread
from tests.support.tcp_gate import TcpGate


class FaultGate:
    """A way to a server that hangs, cuts and heals when told, from any thread.

    Args:
        url: of the server.
        gate: the way, which listens on *loop*.
    """

    def __init__(self, url: str, gate: TcpGate, loop: LoopThread) -> None:
        self._url = urlsplit(url)
        self._gate = gate
        self._loop = loop

    @property
    def url(self) -> str:
        """The URL of the server by this way."""
        user = f"{self._url.username}:{self._url.password}@" if self._url.username else ""
        return self._url._replace(netloc=f"{user}127.0.0.1:{self._gate.port}").geturl()

    def lead_to(self, port: int) -> None:
        """Pass new connections on to another server of this machine, and cut those there are."""
        self._loop.ask(lambda: self._gate.lead_to(port))

    def hang(self) -> None:
        """Pass nothing on, and say nothing about it."""
        self._loop.ask(self._gate.hang)

    def cut(self) -> None:
        """Reset all connections."""
        self._loop.ask(self._gate.cut)

    def heal(self) -> None:
        """Pass on again; what hung is cut."""
        self._loop.ask(self._gate.heal)

    def cut_within(self, mark: bytes) -> None:
        """Reset all connections in the middle of the next *mark* that passes."""
        self._loop.ask(lambda: self._gate.cut_within(mark))

    @property
    def has_cut_within(self) -> bool:
        """Whether the mark has come by."""
        return self._gate.has_cut_within


@contextmanager
def fault_gate(url: str, *, delay: float = 0.0, gate: TcpGate | None = None) -> Iterator[FaultGate]:
    """Provide a way to the server of *url*, or of *gate*, on which each byte takes *delay* seconds."""
    parts = urlsplit(url)
    gate = gate or TcpGate(parts.hostname or "127.0.0.1", parts.port or 5672)
    gate.delay = delay
    with closing(LoopThread("fault gate")) as loop, loop.within(gate.serving()):
        yield FaultGate(url, gate, loop)
