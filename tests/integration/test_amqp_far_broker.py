"""A broker that is far away: half a second passes between a question and its answer."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from tests.support.amqp_side import Peer, RememberingHandler, running, until
from tests.support.tcp_gate import TcpGate
from worker.amqp.connection.opening import Timing
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane, ResultMessage

# The limits that a worker has, but more looks: nothing may be the worse for them.
TIMING = Timing(probe_every=1.0)
ROUND_TRIP = 0.5  # seconds
RESULT = ResultMessage("send", "send.accepted", b"{}", "far/1", "far")


@pytest.fixture
async def gate(amqp_url: str) -> AsyncIterator[TcpGate]:
    """Provide the way to the broker."""
    url = URL(amqp_url)
    async with TcpGate(url.host or "", url.port or 5672).serving() as gate:
        yield gate


class Pair:
    """A consumer and a publisher on one way, and how often each came up or went down."""

    def __init__(self, url: str, topology: Topology, *, declare: bool) -> None:
        self.handler = RememberingHandler()
        self.publisher = BrokerPublisher(url, topology, PublisherOptions(timing=TIMING, declare=declare))
        self.consumer = Consumer(
            url,
            topology,
            prefetch=dict.fromkeys(Lane, 10),
            handle=self.handler,
            settlement=Settlement(self.publisher, requeue_pause=0.05),
            options=ConsumerOptions(timing=TIMING, declare=declare),
        )

    @property
    def up(self) -> bool:
        """Whether both work."""
        return self.consumer.state.up and self.publisher.state.up


class TestFarBroker:
    """Everything is asked as if the broker were near, and the answers come."""

    @pytest.mark.parametrize("declare", [True, False])
    async def test_it_gets_up_and_stays_up(
        self, *, declare: bool, gate: TcpGate, amqp_url: str, amqp_prefix: str, peer: Peer
    ) -> None:
        """Jobs are taken, results are confirmed, queues are counted; no look ends the connection."""
        topology = Topology(amqp_prefix, (1, 2), (1,))
        if not declare:
            near = Pair(amqp_url, topology, declare=True)
            async with running(near.consumer, near.publisher):
                await until(lambda: near.up)
        gate.delay = ROUND_TRIP / 2
        pair = Pair(str(URL(amqp_url).with_port(gate.port)), topology, declare=declare)
        async with running(pair.consumer, pair.publisher):
            started = time.monotonic()
            await until(lambda: pair.up)
            # A set-up of forty questions one after the other takes 20 s at the least.
            assert time.monotonic() - started < 40 * ROUND_TRIP
            downs = 0
            until_then = time.monotonic() + 6
            peer.publish(topology.jobs, "send", b"1")
            await pair.publisher.publish_result(RESULT)
            while time.monotonic() < until_then:
                downs += not pair.up
                await asyncio.sleep(0.02)
            assert 0 == downs
            assert [b"1"] == [delivery.body for delivery in pair.handler.seen]
            await until(lambda: pair.publisher.depths.of("results.unrouted") == 1)
            await pair.consumer.drain(5)
        assert 0 == peer.count(topology.work_queue(Lane.SEND))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """Provide an independent client, near the broker."""
    return Peer(amqp_url)
