"""The servers of the tests themselves: what one leaves open fails another test, much later."""

import gc
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress

import pytest

from tests.support.chaos_gateway import gateway_loop
from tests.support.deadline import DEADLINE
from tests.support.faults_gate import fault_gate
from tests.support.loop_thread import LoopThread
from tests.support.proxy_server import proxy_server
from tests.support.raw_server import FrameSocket, raw_server

ROUNDS = 3
ENOUGH = 40
"""Connections in a round, of which the last ones come while the server ends."""


@contextmanager
def gateway() -> Iterator[int]:
    """Provide the port of a stand-in for the gateway."""
    with gateway_loop() as loop, loop.gateway() as running:
        yield running.port


@contextmanager
def gate() -> Iterator[int]:
    """Provide the port of a way to a server that answers nothing."""
    with (
        socket.create_server(("127.0.0.1", 0)) as there,
        fault_gate(f"amqp://127.0.0.1:{there.getsockname()[1]}/") as way,
    ):
        yield int(way.url.rsplit(":", 1)[1].rstrip("/"))


@contextmanager
def proxy() -> Iterator[int]:
    """Provide the port of an egress proxy."""
    with closing(LoopThread("proxy")) as loop, loop.within(proxy_server()) as running:
        yield running.port


@contextmanager
def raw() -> Iterator[int]:
    """Provide the port of a server that waits for requests."""

    async def script(wire: FrameSocket) -> None:
        await wire.request()

    with closing(LoopThread("raw")) as loop, loop.within(raw_server(script)) as heard:
        yield heard.port


@contextmanager
def crowd(port: int) -> Iterator[threading.Event]:
    """Connect again and again while the block lasts, and tell when there are enough for its work."""
    over, enough = threading.Event(), threading.Event()

    def connect() -> None:
        held = []
        while not over.is_set():
            with suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
            if len(held) == ENOUGH:
                enough.set()
                held.pop(0).close()
        for each in held:
            each.close()

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield enough
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("server", [gateway, gate, proxy, raw], ids=lambda server: server.__name__)
def test_nothing_is_left_of_a_server_that_ends_while_somebody_connects(
    server: Callable[[], AbstractContextManager[int]],
) -> None:
    """Warnings are raised where nobody can see them, so they are recorded here."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(ROUNDS):
            with ExitStack() as running, crowd(running.enter_context(server())) as enough:
                assert enough.wait(DEADLINE)
                running.close()
        gc.collect()
    assert [] == [str(one.message) for one in warned]
