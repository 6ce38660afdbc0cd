"""The other side of the broker: an independent client, and what tests of the AMQP layer share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.deadline import DEADLINE
from worker.amqp.connection.opening import Timing
from worker.domain.messages import Delivery, Disposition, Done

# Quick enough for tests: a loss that shows is noticed within a second. A busy machine must not make a loss of
# what works: no probe is given up before its test is.
QUICK = Timing(connect=30, call=30, probe_every=0.3, probe_limit=DEADLINE, backoff=0.5)

Got = tuple[pika.spec.Basic.GetOk, pika.BasicProperties, bytes]


class _Runs(Protocol):
    async def run(self) -> None: ...


async def eventually(condition: Callable[[], bool], what: str, within: float = DEADLINE) -> None:
    """Wait until *condition* holds; fail with *what* after *within* seconds.

    It is asked in a thread: it may take as long as the broker's own tools do.
    """
    deadline = time.monotonic() + within
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def until(condition: Callable[[], bool], within: float = DEADLINE) -> None:
    """The same for a condition that costs nothing and belongs to the event loop."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*services: _Runs) -> AsyncIterator[None]:
    """Run services while the block lasts, then cancel them."""
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class RememberingHandler:
    """Handles deliveries as told, and remembers them.

    Attributes:
        seen: deliveries in the order of arrival.
        answer: the disposition of the next ones; or an error to raise.
        gate: while it is closed, handling does not end.
    """

    def __init__(self, answer: Disposition | Exception | None = None) -> None:
        self.seen: list[Delivery] = []
        self.answer: Disposition | Exception = answer or Done()
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    async def __call__(self, delivery: Delivery) -> Disposition:
        """Remember *delivery* and answer."""
        self.seen.append(delivery)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@contextmanager
def pika_channel(url: str) -> Iterator[BlockingChannel]:
    """A channel of an independent client, on which a publish returns when it is confirmed.

    What is not confirmed may still be lost when the channel closes, in a fresh quorum queue above all.
    """
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


class Peer:
    """Publishes and reads through an independent client; each call is a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def publish(
        self, exchange: str, key: str, body: bytes, properties: pika.BasicProperties | None = None
    ) -> None:
        """Publish, confirmed."""
        with pika_channel(self.url) as channel:
            channel.basic_publish(exchange, key, body, properties, mandatory=True)

    def take(self, queue: str) -> Got | None:
        """Remove one message from *queue*, if there is any."""
        with pika_channel(self.url) as channel:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
        return (method, properties, body) if method else None

    async def wait_for_one(self, queue: str) -> Got:
        """Remove the next message of *queue*, waiting for it."""
        async with asyncio.timeout(DEADLINE):
            while (got := await asyncio.to_thread(self.take, queue)) is None:  # noqa: ASYNC110 - a broker is asked
                await asyncio.sleep(0.05)
        return got

    def count(self, queue: str) -> int:
        """Ready messages."""
        with pika_channel(self.url) as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def bound_queue(self, exchange: str, key: str = "#") -> str:
        """A queue of a results consumer, by the name of the exchange; deleted with the prefix's objects."""
        queue = f"{exchange}.seen"
        with pika_channel(self.url) as channel:
            channel.queue_declare(queue, durable=True, arguments={"x-expires": 60_000})
            channel.queue_bind(queue, exchange, key)
        return queue

    def delete_queue(self, queue: str) -> None:
        """Delete it with all it holds."""
        with pika_channel(self.url) as channel:
            channel.queue_delete(queue)
