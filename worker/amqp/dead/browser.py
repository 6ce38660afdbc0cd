"""Reads the dead-letter queue, for people at a command line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractConnection

from worker.amqp.connection.calls import bounded, describe, open_channel, underlay_of
from worker.amqp.connection.library import AMQPError, ChannelNotFoundEntity, DeliveredMessage, UnderlayChannel
from worker.amqp.connection.opening import Timing, connected
from worker.amqp.dead.records import DeadLetterRecord, read_record
from worker.amqp.topology.declare import TopologyError
from worker.amqp.topology.values import Topology
from worker.domain.errors import BrokerUnavailableError

_CALL_LIMIT = 10.0
# A get is a question to the broker each (4 ms on a quorum queue); a consumer is sent letters in a stream.
_WINDOW = 200
_PATIENCE = 1.0  # seconds without a letter after which the broker is asked whether there is any
_QUIET_ROUNDS = 10  # of that patience, while there are said to be letters
_RETURN_LIMIT = 2.0  # seconds to wait until what was looked at is back

_Arrival = tuple[UnderlayChannel, DeliveredMessage]


class DeadLetterBrowser:
    """Gives dead letters one by one without removing any; all go back, in their order, at the end.

    The broker hands out no more than a consumer may hold: one that is full of letters that nobody has dropped
    is followed by another, on a channel of its own. One at a time consumes: each holds a run of letters, so
    that they can go back in their order.
    """

    def __init__(self, connection: AbstractConnection, queue: str, window: int = _WINDOW) -> None:
        self._connection = connection
        self._queue = queue
        self._window = window
        self._windows: list[UnderlayChannel] = []
        self._consumer = ""  # of the last window
        self._room = 0  # letters that it may still be given
        self._arrivals: asyncio.Queue[_Arrival] = asyncio.Queue()
        self._held: dict[int, tuple[UnderlayChannel, int]] = {}
        self._tags = 0

    async def count(self) -> int:
        """Dead letters that nobody holds at the moment.

        Raises:
            TopologyError: there is no such queue.
        """
        channel = await _channel(self._connection)
        try:
            answer = await bounded(channel.queue_declare(self._queue, passive=True), _CALL_LIMIT)
        except ChannelNotFoundEntity:
            raise TopologyError(
                "topology_missing",
                f"not on the broker: queue {self._queue}; see whether AMQP_PREFIX and the virtual host are "
                "those of the worker",
            ) from None
        await bounded(channel.close(), _CALL_LIMIT)
        return int(answer.message_count or 0)

    async def records(self, limit: int) -> AsyncIterator[DeadLetterRecord]:
        """At most *limit*, oldest first. One iteration at a time.

        Raises:
            BrokerUnavailableError: the connection was lost, or the broker hands out nothing any more.
        """
        for _ in range(limit):
            arrival = await self._next()
            if arrival is None:
                return
            channel, message = arrival
            self._tags += 1
            self._held[self._tags] = (channel, message.delivery_tag or 0)
            yield read_record(message, self._tags)

    async def drop(self, record: DeadLetterRecord) -> None:
        """Remove one that `records` of this browser gave."""
        channel, tag = self._held.pop(record.tag)
        await bounded(channel.basic_ack(tag), _CALL_LIMIT)
        if channel is self._windows[-1]:
            self._room += 1

    async def close(self) -> None:
        """Give everything back that was not dropped, and wait until it is there for the next reader."""
        await self._stop()
        for channel in self._windows:
            await bounded(channel.close(), _CALL_LIMIT)
        self._windows.clear()
        returned = len(self._held)
        async with asyncio.timeout(_RETURN_LIMIT):
            while await self.count() < returned:  # noqa: ASYNC110 - the broker is asked
                await asyncio.sleep(0.05)

    async def _next(self) -> _Arrival | None:
        for _ in range(_QUIET_ROUNDS):
            if self._arrivals.empty() and self._room <= 0:
                await self._open_window()
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await self._arrivals.get()
            except TimeoutError:
                if not await self.count():
                    return None
        raise BrokerUnavailableError("timeout", f"the broker hands out nothing of queue {self._queue}")

    async def _open_window(self) -> None:
        await self._stop()
        channel = await _channel(self._connection)

        async def arrived(message: DeliveredMessage) -> None:
            if channel is self._windows[-1]:
                self._room -= 1
            await self._arrivals.put((channel, message))

        await bounded(channel.basic_qos(prefetch_count=self._window), _CALL_LIMIT)
        self._windows.append(channel)
        self._room = self._window
        answer = await bounded(channel.basic_consume(self._queue, arrived), _CALL_LIMIT)
        self._consumer = answer.consumer_tag or ""

    async def _stop(self) -> None:
        """Take no more in the last window; it keeps what it holds."""
        if self._windows:
            await bounded(self._windows[-1].basic_cancel(self._consumer), _CALL_LIMIT)


@asynccontextmanager
async def browse(
    url: str, topology: Topology, *, timing: Timing | None = None
) -> AsyncIterator[DeadLetterBrowser]:
    """Open the dead-letter queue; on leaving, everything that was not dropped is back in it.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
    """
    async with (
        connected(url, name="iton-worker dead letters", timing=timing, raw=True) as connection,
        browsing(connection, topology) as browser,
    ):
        yield browser


@asynccontextmanager
async def browsing(connection: AbstractConnection, topology: Topology) -> AsyncIterator[DeadLetterBrowser]:
    """Do the same on a connection with raw properties."""
    async with browsing_queue(connection, topology.dead) as browser:
        yield browser


@asynccontextmanager
async def browsing_queue(
    connection: AbstractConnection, queue: str, *, window: int = _WINDOW
) -> AsyncIterator[DeadLetterBrowser]:
    """Do it with any *queue* whose messages are kept; at most *window* are held by one channel."""
    browser = DeadLetterBrowser(connection, queue, window)
    try:
        yield browser
    except AMQPError as error:
        raise BrokerUnavailableError("refused", describe(error)) from None
    await _closed(browser)


async def _closed(browser: DeadLetterBrowser) -> None:
    """Close in an orderly way; where that fails, the end of the connection gives everything back."""
    try:
        await browser.close()
    except (AMQPError, BrokerUnavailableError, TimeoutError, TopologyError):
        return


async def read_dead_letters(
    url: str, topology: Topology, *, limit: int = 100, timing: Timing | None = None
) -> list[DeadLetterRecord]:
    """Up to *limit* dead letters, oldest first; none is removed.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there is no dead-letter queue.
    """
    async with browse(url, topology, timing=timing) as browser:
        count = await browser.count()
        return [record async for record in browser.records(min(limit, count))]


async def _channel(connection: AbstractConnection) -> UnderlayChannel:
    return await underlay_of(await open_channel(connection, _CALL_LIMIT))
