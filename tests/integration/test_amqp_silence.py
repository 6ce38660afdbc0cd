"""A RabbitMQ before 4 may forget a consumer without a word: silent ones are replaced, and no job notices."""

import asyncio
from collections import Counter
from random import Random

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.amqp_side import Peer, RememberingHandler, pika_channel, running, until
from tests.support.deadline import DEADLINE
from worker.amqp.connection.opening import Timing
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane

JOBS = 100
KEYS = ("send", "send.urgent", "status", "account", "cancel")
# In earnest there is a look every five seconds.
RESTLESS = Timing(probe_every=0.01)


class Pair:
    """A consumer of every lane and the publisher that it needs, on a broker of the test's own."""

    def __init__(self, broker: PrivateBroker, prefix: str, timing: Timing) -> None:
        self.url = broker.url
        self.topology = Topology(prefix, (1,), (1,))
        self.handler = RememberingHandler()
        self.peer = Peer(broker.url)
        self.publisher = BrokerPublisher(self.url, self.topology, PublisherOptions(timing=timing))
        self.consumer = Consumer(
            self.url,
            self.topology,
            prefetch=dict.fromkeys(Lane, 10),
            handle=self.handler,
            settlement=Settlement(self.publisher),
            options=ConsumerOptions(timing=timing),
        )

    def recreate(self, lane: Lane) -> None:
        """Delete a queue and declare it again, both before anybody else is told of anything."""
        name = self.topology.work_queue(lane)
        queue = next(queue for queue in self.topology.queues if queue.name == name)
        with pika_channel(self.url) as channel:
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, arguments=dict(queue.arguments))
            channel.queue_bind(name, self.topology.jobs, lane.value)


class TestRenewal:
    """Hundreds of replacements while jobs trickle in."""

    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    async def test_each_job_is_handled_once_and_acknowledged(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """None is lost with a channel that is closed, none comes twice; it is ready all the time."""
        pair = Pair(own_broker, own_broker_prefix, RESTLESS)
        unready: list[str] = []
        async with running(pair.publisher, pair.consumer):
            await until(lambda: pair.consumer.state.up)
            watching = asyncio.create_task(watch(pair.consumer, unready))
            await trickle(pair.peer, pair.topology)
            await until(lambda: len(pair.handler.seen) >= JOBS)
            watching.cancel()
            await pair.consumer.drain(DEADLINE)
        assert {1} == set(Counter(delivery.body for delivery in pair.handler.seen).values())
        left = {key: pair.peer.count(f"{own_broker_prefix}.{key}") for key in KEYS}
        assert (dict.fromkeys(KEYS, 0), []) == (left, unready)

    async def test_a_consumer_of_a_queue_that_was_made_anew_gets_its_jobs(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """Whether the broker tells of the end of the old queue or forgets the consumer, time after time."""
        pair = Pair(own_broker, own_broker_prefix, Timing(probe_every=0.3))
        async with running(pair.publisher, pair.consumer):
            for turn in range(5):
                await until(lambda: pair.consumer.state.up)
                await asyncio.to_thread(pair.recreate, Lane.ACCOUNT)
                await asyncio.to_thread(pair.peer.publish, pair.topology.jobs, "account", b"%d" % turn)
                await until(lambda turn=turn: len(pair.handler.seen) > turn)  # type: ignore[misc] # a default
        assert [b"%d" % turn for turn in range(5)] == [delivery.body for delivery in pair.handler.seen]


async def watch(consumer: Consumer, unready: list[str]) -> None:
    """Note every moment at which it says that it is not ready."""
    while True:
        if not consumer.state.up:
            unready.append(consumer.state.reason)
        await asyncio.sleep(0)


async def trickle(peer: Peer, topology: Topology) -> None:
    """Publish jobs at odd moments."""
    chance = Random(7)  # noqa: S311 - moments, not secrets
    for number in range(JOBS):
        await asyncio.to_thread(peer.publish, topology.jobs, chance.choice(KEYS), str(number).encode())
        await asyncio.sleep(chance.random() * 0.05)
