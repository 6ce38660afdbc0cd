"""Deliveries whose connection is lost while they are in hand."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from tests.support.amqp_side import QUICK, Peer, RememberingHandler, eventually, running, until
from tests.support.deadline import DEADLINE
from tests.support.tcp_gate import TcpGate
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import DeadLetter, Delay, Disposition, Lane

LOSSES = 8


class Scene:
    """A worker behind a gate that cuts its connections."""

    def __init__(self, gate: TcpGate, amqp_url: str, prefix: str) -> None:
        url = str(URL(amqp_url).with_port(gate.port))
        self.gate, self.peer = gate, Peer(amqp_url)
        self.topology = Topology(prefix, (1, 600), (1,))
        self.handler = RememberingHandler()
        self.publisher = BrokerPublisher(url, self.topology, PublisherOptions(timing=QUICK))
        self.consumer = Consumer(
            url,
            self.topology,
            prefetch={Lane.SEND: 2},
            handle=self.handler,
            settlement=Settlement(self.publisher, requeue_pause=0.05),
            options=ConsumerOptions(timing=QUICK),
        )

    async def lose(self, handled: int) -> None:
        """Cut all connections, and wait until the handler has seen so many."""
        self.gate.cut()
        await until(lambda: len(self.handler.seen) == handled)
        await until(lambda: self.consumer.state.up and self.publisher.state.up)


@pytest.fixture
async def scene(amqp_url: str, amqp_prefix: str) -> AsyncIterator[Scene]:
    """Provide one that works; the handler ends nothing until it is told to."""
    url = URL(amqp_url)
    async with TcpGate(url.host or "", url.port or 5672).serving() as gate:
        scene = Scene(gate, amqp_url, amqp_prefix)
        async with running(scene.publisher, scene.consumer):
            await until(lambda: scene.consumer.state.up and scene.publisher.state.up)
            scene.handler.gate.clear()
            yield scene


class TestOrphans:
    """The broker hands out again what was in hand."""

    @pytest.mark.parametrize("answer", [DeadLetter("bad", "words"), Delay(600, "away")])
    async def test_one_copy_after_many_losses(self, scene: Scene, answer: Disposition) -> None:
        """All that were begun end, and only the one that is still the broker's becomes a copy."""
        scene.handler.answer = answer
        scene.peer.publish(scene.topology.jobs, "send", b"job")
        await until(lambda: len(scene.handler.seen) == 1)
        for losses in range(1, LOSSES + 1):
            await scene.lose(losses + 1)
        assert 1 == scene.consumer.in_flight
        assert {Lane.SEND: 1} == scene.consumer.in_flight_by_lane
        assert LOSSES == sum(delivery.is_lost() for delivery in scene.handler.seen)
        scene.handler.gate.set()
        await until(lambda: scene.consumer.in_flight == 0)
        queues = (scene.topology.dead, scene.topology.delay_queue(600))
        await eventually(lambda: sum(map(scene.peer.count, queues)) == 1, "one copy")
        await scene.consumer.drain(DEADLINE)
        assert 1 == sum(map(scene.peer.count, queues))
        assert 0 == scene.peer.count(scene.topology.work_queue(Lane.SEND))

    async def test_they_take_no_place(self, scene: Scene) -> None:
        """Two orphans that never end leave two places for those that follow."""
        for body in (b"1", b"2"):
            scene.peer.publish(scene.topology.jobs, "send", body)
        await until(lambda: len(scene.handler.seen) == 2)
        await scene.lose(4)
        assert 2 == scene.consumer.in_flight
        assert [b"1", b"1", b"2", b"2"] == sorted(delivery.body for delivery in scene.handler.seen)
        # A drain ends them as well.
        assert 2 == await scene.consumer.drain(0.1)
        assert 4 == scene.handler.cancelled

    async def test_one_that_waits_for_its_turn_is_dropped_at_once(self, scene: Scene) -> None:
        """Of two large ones the second waits for the first; after a loss it is worked on once."""
        large = b"x" * 6_000_000
        for body in (large, large):
            scene.peer.publish(scene.topology.jobs, "send", body)
        await until(lambda: scene.consumer.in_flight == 2)
        await scene.lose(2)
        await until(lambda: scene.consumer.in_flight == 2)
        scene.handler.gate.set()
        await until(lambda: len(scene.handler.seen) == 3)
        await until(lambda: scene.consumer.in_flight == 0)
        await asyncio.sleep(0.1)
        assert 3 == len(scene.handler.seen)
