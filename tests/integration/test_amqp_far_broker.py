"""A broker that is far away: half a second passes between a question and its answer."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aio_pika.abc import AbstractConnection
from yarl import URL

from tests.support.amqp_side import Peer, RememberingHandler, running, until
from tests.support.deadline import DEADLINE
from tests.support.tcp_gate import TcpGate
from worker.amqp.connection.calls import bounded, open_channel
from worker.amqp.connection.opening import Timing, open_connection
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.declare import prepare
from worker.amqp.topology.values import Topology
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane, ResultMessage
from worker.resilience.single_flight import SingleFlight

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
        preparing = SingleFlight()
        self.publisher = BrokerPublisher(
            url, topology, PublisherOptions(timing=TIMING, declare=declare, preparing=preparing)
        )
        self.consumer = Consumer(
            url,
            topology,
            prefetch=dict.fromkeys(Lane, 10),
            handle=self.handler,
            settlement=Settlement(self.publisher, requeue_pause=0.05),
            options=ConsumerOptions(timing=TIMING, declare=declare, preparing=preparing),
        )

    @property
    def up(self) -> bool:
        """Whether both work."""
        return self.consumer.state.up and self.publisher.state.up


class TestTopology:
    """There are two connections, and one topology."""

    async def test_one_connection_declares_it_for_both(
        self, amqp_url: str, amqp_prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When both begin at the same time; lost and found again, each has to see for itself."""
        asked: list[Topology] = []

        async def noted(connection: AbstractConnection, topology: Topology, *, may_declare: bool) -> None:
            asked.append(topology)
            await prepare(connection, topology, may_declare=may_declare)

        for module in ("consume.consumer", "publish.publisher"):
            monkeypatch.setattr(f"worker.amqp.{module}.prepare", noted)
        topology = Topology(amqp_prefix, (1, 2), (1,))
        pair = Pair(amqp_url, topology, declare=True)
        async with running(pair.consumer, pair.publisher):
            await until(lambda: pair.up)
            assert [topology] == asked
            pair.publisher._supervisor.fail("to begin anew")
            await until(lambda: pair.up)
            assert [topology] * 2 == asked


class TestGoodbye:
    """A connection is given up while something is asked on it."""

    @pytest.mark.parametrize("reason", [None, asyncio.CancelledError, ConnectionResetError("reset")])
    async def test_what_is_asked_meanwhile_ends_as_with_any_lost_connection(
        self, reason: BaseException | None, gate: TcpGate, amqp_url: str, amqp_prefix: str
    ) -> None:
        """As the library does when its reader ends well, for no reason at all: with an error of no kind."""
        topology = Topology(amqp_prefix, (1, 2), (1,))
        connection = await open_connection(str(URL(amqp_url).with_port(gate.port)), name="test")
        channel = await open_channel(connection.library, DEADLINE)
        gate.delay = ROUND_TRIP / 2
        declaring = channel.declare_exchange(topology.jobs, "topic", durable=True)
        asking = asyncio.create_task(bounded(declaring, DEADLINE))
        await asyncio.sleep(0)
        transport = connection.library.transport
        assert transport is not None
        await transport.connection.close(reason)
        with pytest.raises(BrokerUnavailableError) as caught:
            await asking
        assert "connection_lost" == caught.value.code
        await connection.close(DEADLINE)


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
            await until(lambda: bool(pair.handler.seen))
            assert [b"1"] == [delivery.body for delivery in pair.handler.seen]
            await until(lambda: pair.publisher.depths.of("results.unrouted") == 1)
            await pair.consumer.drain(DEADLINE)
        assert 0 == peer.count(topology.work_queue(Lane.SEND))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """Provide an independent client, near the broker."""
    return Peer(amqp_url)
