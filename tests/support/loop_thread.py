"""An event loop in a thread of its own, for servers of tests that do not run on one."""

import asyncio
import socket
import threading
from asyncio import Server
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from tests.support.deadline import DEADLINE

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """Closes what was accepted while its server ended; before Python 3.13 asyncio leaves that open."""

    async def _accept_connection2(
        self,
        factory: object,
        accepted: socket.socket,
        extra: object,
        tls: object,
        server: Server,
        *more: object,
    ) -> None:
        if server.sockets:
            accepting = super()._accept_connection2  # type: ignore[misc]  # mypy knows public names alone
            await accepting(factory, accepted, extra, tls, server, *more)
        else:
            accepted.close()


class LoopThread:
    """Everything that is asked of it is done on its loop; nothing is left there when it ends."""

    def __init__(self, name: str) -> None:
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name=name)
        self._thread.start()

    def close(self) -> None:
        """End what still runs and the loop."""
        self.await_(self._end_what_is_left)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    def await_(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await on the loop what *work* makes there."""

        async def awaited() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(DEADLINE)

    def ask(self, question: Callable[[], T]) -> T:
        """Call *question* on the loop."""

        async def asked() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(DEADLINE)

    @contextmanager
    def within(self, block: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Be within an asynchronous block of the loop."""
        entered = self.await_(block.__aenter__)
        try:
            yield entered
        finally:
            self.await_(lambda: block.__aexit__(None, None, None))

    async def _end_what_is_left(self) -> None:
        await asyncio.sleep(0)  # A connection that was just accepted is nobody's until its task has begun.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # A server that ends while somebody connects has closed what it knew before.
        for transport in list(self._loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()
        await asyncio.sleep(0)  # in which they tell their protocols
