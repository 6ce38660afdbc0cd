"""What comes back in a world, when it comes, and how a worker waits for it."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol, TypeVar

import httpx

from tests.worlds.loop import Host, VirtualLoop

R = TypeVar("R")


class Request(Protocol):
    """What is noted of a request, whatever it asked for.

    Attributes:
        ended: when the worker stopped waiting.
        cut: without a reply, as it was cancelled.
    """

    ended: float | None
    cut: bool


class Answers:
    """Whoever answers, at times of the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def _later(self, seconds: float, answer: "asyncio.Future[R]", reply: R) -> None:
        """Have *answer* hear *reply*, if anybody still waits for it."""

        def come() -> None:
            if not answer.done():
                answer.set_result(reply)

        self._at(seconds, come)

    def _at(self, seconds: float, do: Callable[[], None]) -> None:
        self._loop.call_later(seconds, do, context=Context())


class Way(httpx.AsyncBaseTransport):
    """One worker's connections to somebody.

    Attributes:
        under_way: requests that wait for a reply.
    """

    def __init__(self, host: Host, loop: VirtualLoop) -> None:
        self._host = host
        self._loop = loop
        self.under_way = 0

    async def _answered(self, request: Request, answer: "asyncio.Future[R | Exception]") -> R:
        """Wait for the reply; raise it where it is an error."""
        self.under_way += 1
        try:
            reply = await answer
        except asyncio.CancelledError:
            request.cut = True
            raise
        finally:
            self.under_way -= 1
            request.ended = self._loop.time()
        if isinstance(reply, Exception):
            raise reply
        return reply
