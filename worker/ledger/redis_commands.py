"""Commands of many callers in few round trips."""

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import ReadOnlyError

_MOST_TOGETHER = 256
_TRIPS_TO_CONNECT = 3

Command = tuple[str | bytes | int, ...]


class Script:
    """A Lua script, which the server runs as one step.

    Attributes:
        text: the source.
        sha: the name by which a server that has seen it knows it.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()


@dataclass(slots=True, eq=False)
class _Ask:
    command: Command
    reply: asyncio.Future[Any]


class RedisCommands:
    """Sends commands that were asked for at the same time as one pipeline.

    A pipeline costs one write and one read however long it is, which is what most of a command's price
    is. Up to *lanes* pipelines are under way at once, each on a connection of its own.

    Args:
        pool: of at least *lanes* connections; closed by ``close``.
        timeout: seconds for one pipeline. Where it needs a new connection, that may take three times as
            long: the password and the database are questions of their own.
    """

    def __init__(self, pool: ConnectionPool, *, lanes: int, timeout: float) -> None:
        self._pool = pool
        self._client = Redis(connection_pool=pool)
        self._idle_lanes = lanes
        self._timeout = timeout
        self._waiting: deque[_Ask] = deque()
        self._starting = False
        self._running: set[asyncio.Task[None]] = set()

    def send(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        """Queue *command*; the future gets the reply, or the exception as a value: it never raises one.

        The command goes out also when the future is cancelled meanwhile.
        """
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Ask(command, reply))
        if self._idle_lanes and not self._starting:
            # The task starts in the next round of the loop, so all that is asked in this one is in its batch.
            self._starting = True
            self._idle_lanes -= 1
            lane = asyncio.create_task(self._work())
            self._running.add(lane)
            lane.add_done_callback(self._end)
        return reply

    async def close(self) -> None:
        """Wait for the replies that are due, then disconnect."""
        while self._running:
            await asyncio.wait(self._running)
        await self._pool.disconnect()

    async def _work(self) -> None:
        self._starting = False
        while self._waiting:
            asks = [self._waiting.popleft() for _ in range(min(_MOST_TOGETHER, len(self._waiting)))]
            replies = await self._exchange([ask.command for ask in asks])
            for ask, reply in zip(asks, replies, strict=True):
                if not ask.reply.done():
                    ask.reply.set_result(reply)

    def _end(self, lane: asyncio.Task[None]) -> None:
        self._running.discard(lane)
        self._idle_lanes += 1

    async def _exchange(self, commands: list[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            async with asyncio.timeout(_TRIPS_TO_CONNECT * self._timeout):
                pipeline.connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            async with asyncio.timeout(self._timeout):
                replies: list[Any] = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the callers are told
            return [error] * len(commands)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # The primary has become a replica; its name may lead to the new one already.
            await self._pool.disconnect(inuse_connections=False)
        return replies
