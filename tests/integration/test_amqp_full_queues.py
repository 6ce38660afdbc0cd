"""A queue that takes nothing more, bound beside others that do."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import accumulate

import pytest
from structlog.testing import capture_logs

from tests.support.amqp_side import QUICK, Peer, RememberingHandler, eventually, pika_channel, running, until
from tests.support.deadline import DEADLINE
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.observer import Unobserved
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import DeadLetter, Lane, ResultExchange, ResultMessage

FULL = {"x-max-length": 1, "x-overflow": "reject-publish", "x-expires": 120_000}
PAUSES = (0.5, 3.0, 6.0, 10.0, 15.0, 25.0, 40.0)  # seconds between two publishes of the same
WATCHED = 12.0  # seconds; that is four publishes


def result(number: int, exchange: ResultExchange = "send") -> ResultMessage:
    """A result."""
    return ResultMessage(exchange, f"{exchange}.x", b"{}", f"job-{number}/1", "corr")


def fill(url: str, exchange: str) -> str:
    """Bind a full queue to *exchange*; return its name."""
    name = f"{exchange}.full"
    with pika_channel(url) as channel:
        channel.queue_declare(name, durable=True, arguments=FULL)
        channel.basic_publish("", name, b"the last one")
        channel.queue_bind(name, exchange, "#")
    return name


@pytest.fixture
def topology(amqp_prefix: str) -> Topology:
    """Provide a topology of the test's own."""
    return Topology(amqp_prefix, (1, 2), (1,))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """Provide an independent client."""
    return Peer(amqp_url)


@pytest.fixture
def refused() -> Counter[tuple[str, str]]:
    """Provide what is counted of refusals."""
    return Counter()


@pytest.fixture
async def publisher(
    amqp_url: str, topology: Topology, refused: Counter[tuple[str, str]]
) -> AsyncIterator[BrokerPublisher]:
    """Provide one that is connected."""

    class Counting(Unobserved):
        """Counts what is refused."""

        def refused(self, kind: str, how: str) -> None:
            """Count it."""
            refused[kind, how] += 1

    publisher = BrokerPublisher(amqp_url, topology, PublisherOptions(timing=QUICK, observer=Counting()))
    async with running(publisher):
        await publisher.wait_up()
        yield publisher


def copies(url: str, queue: str) -> Counter[bytes | str | None]:
    """Empty *queue* and count its messages by their ids, or bodies where they have none."""
    seen = Counter[bytes | str | None]()
    with pika_channel(url) as channel:
        while (got := channel.basic_get(queue, auto_ack=True))[0]:
            seen[got[1].message_id or got[2]] += 1
    return seen


def publishes(seconds: float) -> int:
    """How often the same may have been published in so many seconds."""
    return 1 + sum(each <= seconds for each in accumulate(PAUSES))


class TestResults:
    """A queue of results."""

    async def test_the_others_get_few_copies(
        self,
        publisher: BrokerPublisher,
        topology: Topology,
        peer: Peer,
        amqp_url: str,
        refused: Counter[tuple[str, str]],
    ) -> None:
        """Two hundred results wait, told in one line; another exchange's results go on meanwhile."""
        healthy = peer.bound_queue(topology.result_exchange("send"))
        full = fill(amqp_url, topology.result_exchange("send"))
        began = time.monotonic()
        with capture_logs() as lines:
            waiting = [asyncio.create_task(publisher.publish_result(result(n))) for n in range(200)]
            await asyncio.sleep(WATCHED / 3)
            # Behind the others it would go out in their next turn, more than five seconds later.
            async with asyncio.timeout(5):
                await publisher.publish_result(result(1, "account"))
            await asyncio.sleep(WATCHED * 2 / 3)
            assert not any(task.done() for task in waiting)
            seen = await asyncio.to_thread(copies, amqp_url, healthy)
            most = publishes(time.monotonic() - began)
            peer.delete_queue(full)
            async with asyncio.timeout(DEADLINE):
                await asyncio.gather(*waiting)
        assert 200 == len(seen)
        assert max(seen.values()) <= most
        events = [line["event"] for line in lines if line["event"].startswith("publish.")]
        assert ["publish.refused", "publish.taken"] == events
        assert refused["send", "failed"] >= 200


class TestDeadLetters:
    """A queue beside the one that keeps dead letters."""

    async def test_few_dead_letters_of_each_job(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer, amqp_url: str
    ) -> None:
        """Ten bad jobs wait, each in hand once; other lanes go on, and in the end all ten are settled."""
        handler = RememberingHandler(DeadLetter("bad", "words"))
        consumer = Consumer(
            amqp_url,
            topology,
            prefetch=dict.fromkeys(Lane, 20),
            handle=handler,
            settlement=Settlement(publisher),
            options=ConsumerOptions(timing=QUICK),
        )
        async with running(consumer):
            await until(lambda: consumer.state.up)
            full = fill(amqp_url, topology.dead)
            began = time.monotonic()
            for number in range(10):
                peer.publish(topology.jobs, "send", str(number).encode())
            await asyncio.sleep(WATCHED)
            assert 10 == len(handler.seen)
            seen = await asyncio.to_thread(copies, amqp_url, topology.dead)
            assert 10 == len(seen)
            assert max(seen.values()) <= publishes(time.monotonic() - began)
            peer.delete_queue(full)
            await until(lambda: consumer.in_flight == 0)
            await eventually(lambda: peer.count(topology.dead) == 10, "each is a dead letter")
            await consumer.drain(DEADLINE)
