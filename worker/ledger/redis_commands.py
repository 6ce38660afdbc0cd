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
_WRITING = frozenset({"EVAL", "EVALSHA", "SET"})

Command = tuple[str | bytes | int, ...]


class UnreplicatedError(Exception):
    """Too few replicas have what was written."""


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
        replicas: that must have what a pipeline wrote before it counts; 0: that is not asked.
        timeout: seconds for one pipeline. Where it needs a new connection, that may take three times as
            long: the password and the database are questions of their own.
    """

    def __init__(self, pool: ConnectionPool, *, lanes: int, timeout: float, replicas: int = 0) -> None:
        self._pool = pool
        self._client = Redis(connection_pool=pool)
        self._idle_lanes = lanes
        self._timeout = timeout
        self._replicas = replicas
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
        waits = self._replicas and any(command[0] in _WRITING for command in commands)
        if waits:
            pipeline.execute_command("WAIT", self._replicas, round(self._timeout * 500))
        try:
            async with asyncio.timeout(_TRIPS_TO_CONNECT * self._timeout):
                pipeline.connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            async with asyncio.timeout(self._timeout):
                replies: list[Any] = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the callers are told
            return [error] * len(commands)
        if waits:
            replies = self._replicated(commands, replies)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # The primary has become a replica; its name may lead to the new one already.
            await self._pool.disconnect(inuse_connections=False)
        return replies

    def _replicated(self, commands: list[Command], replies: list[Any]) -> list[Any]:
        """Take back the answers to what too few replicas have; what was refused or only read stands."""
        *given, count = replies
        if isinstance(count, Exception):
            failure: Exception = count
        elif count < self._replicas:
            failure = UnreplicatedError()
        else:
            return given
        return [
            failure if command[0] in _WRITING and not isinstance(reply, Exception) else reply
            for command, reply in zip(commands, given, strict=True)
        ]
