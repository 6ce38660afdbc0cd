"""On RabbitMQ 3 silent consumers are replaced, for it may have forgotten them: no job notices."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.amqp_side import Peer, RememberingHandler, running, until
from tests.support.broker import own_prefix
from tests.versions.nodes import MACHINES_OWN, node_of
from worker.amqp.connection import Timing
from worker.amqp.consumer import Consumer, ConsumerOptions
from worker.amqp.publisher import BrokerPublisher, PublisherOptions
from worker.amqp.settlement import Settlement
from worker.amqp.topology import Topology
from worker.domain.messages import Lane

pytestmark = pytest.mark.timeout(240)
JOBS = 300
KEYS = ("send", "send.urgent", "status", "account")
# A look every now and then is every five seconds in earnest.
RESTLESS = Timing(probe_every=0.02)


@pytest.fixture(scope="module")
def old_node() -> Iterator[PrivateBroker]:
    """Provide the oldest version."""
    with node_of(MACHINES_OWN) as node:
        yield node


class TestRenewal:
    """Hundreds of replacements while jobs trickle in."""

    async def test_each_job_is_handled_once_and_acknowledged(self, old_node: PrivateBroker) -> None:
        """None is lost with a channel that is closed, none comes twice."""
        with own_prefix(old_node.url) as prefix:
            topology, handler, peer = Topology(prefix, (1,)), RememberingHandler(), Peer(old_node.url)
            publisher = BrokerPublisher(old_node.url, topology, PublisherOptions(timing=RESTLESS))
            consumer = Consumer(
                old_node.url,
                topology,
                prefetch=dict.fromkeys(Lane, 10),
                handle=handler,
                settlement=Settlement(publisher),
                options=ConsumerOptions(timing=RESTLESS),
            )
            async with running(publisher, consumer):
                await until(lambda: consumer.state.up)
                await trickle(peer, topology)
                await until(lambda: len(handler.seen) >= JOBS)
                assert consumer.state.up
                await consumer.drain(5)
            assert {1} == set(Counter(delivery.body for delivery in handler.seen).values())
            assert dict.fromkeys(KEYS, 0) == {key: peer.count(f"{prefix}.{key}") for key in KEYS}


async def trickle(peer: Peer, topology: Topology) -> None:
    """Publish jobs at odd moments."""
    chance = Random(7)  # noqa: S311 - moments, not secrets
    for number in range(JOBS):
        await asyncio.to_thread(peer.publish, topology.jobs, chance.choice(KEYS), str(number).encode())
        await asyncio.sleep(chance.random() * 0.02)
