"""How many messages wait where."""

import asyncio
import math
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Queue

from tests.support.deadline import DEADLINE
from worker.amqp.connection.opening import RawConnection
from worker.amqp.topology.depths import QueueDepths
from worker.amqp.topology.values import Topology


class Broker:
    """Counts what is in its queues; a question for one that is not there closes the channel.

    Attributes:
        asked: the queues that it was asked for.
        channels: how many were opened.
        silent: the queue for which it has no answer.
    """

    def __init__(self, queues: dict[str, int]) -> None:
        self.queues = queues
        self.asked: list[str] = []
        self.channels = 0
        self.silent = ""
        self.connection = cast("RawConnection", SimpleNamespace(library=self, blocked=self._blocked))

    async def _blocked(self) -> bool:
        """Read on."""
        return False

    async def channel(self, _number: int | None, *, publisher_confirms: bool) -> "Channel":
        """Open one."""
        assert not publisher_confirms
        self.channels += 1
        return Channel(self)


class Channel:
    """A channel of the broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.is_closed = False

    async def get_underlay_channel(self) -> "Channel":
        """Return what answers."""
        return self

    async def queue_declare(self, name: str, *, passive: bool) -> Queue.DeclareOk:
        """Count."""
        assert passive
        self.broker.asked.append(name)
        if name == self.broker.silent:
            await asyncio.Event().wait()
        if name not in self.broker.queues:
            self.is_closed = True
            raise ChannelNotFoundEntity(f"no queue '{name}'")
        return Queue.DeclareOk(queue=name, message_count=self.broker.queues[name], consumer_count=1)


TOPOLOGY = Topology("p", (5, 30))


@pytest.fixture
def broker() -> Broker:
    """Provide a broker with all queues, the n-th of which holds n messages."""
    return Broker({queue.name: number for number, queue in enumerate(TOPOLOGY.queues)})


@pytest.fixture
def depths() -> QueueDepths:
    """Provide depths nobody has looked at."""
    return QueueDepths(TOPOLOGY, limit=DEADLINE, every=0.01)


class TestQueueDepths:
    """Every queue of the topology is looked at, all delay queues as one."""

    async def test_each_queue_is_counted(self, broker: Broker, depths: QueueDepths) -> None:
        """On one channel."""
        await depths.look(broker.connection)
        assert {queue.name for queue in TOPOLOGY.queues} == set(broker.asked)
        assert broker.queues["p.send"] == depths.of("send")
        assert broker.queues["p.delay.5s"] + broker.queues["p.delay.30s"] == depths.of("delay")
        assert broker.queues["p.dead"] == depths.of("dead")
        assert broker.queues["p.results.unrouted"] == depths.of("results.unrouted")
        assert 1 == broker.channels

    async def test_a_queue_that_is_gone_leaves_the_others_known(
        self, broker: Broker, depths: QueueDepths
    ) -> None:
        """It closes the channel; the next is asked on a new one."""
        del broker.queues["p.delay.5s"]
        await depths.look(broker.connection)
        assert math.isnan(depths.of("delay"))
        assert broker.queues["p.dead"] == depths.of("dead")
        assert 2 == broker.channels

    async def test_no_answer_is_nobodys_trouble(self, broker: Broker) -> None:
        """Nothing is raised, the other queues are asked for on another channel."""
        broker.silent = "p.status"
        depths = QueueDepths(TOPOLOGY, limit=1.0, every=0.01)
        await depths.look(broker.connection)
        assert math.isnan(depths.of("status"))
        assert broker.queues["p.dead"] == depths.of("dead")

    async def test_it_looks_again_and_again_until_it_is_told_to_forget(
        self, broker: Broker, depths: QueueDepths
    ) -> None:
        """Nothing is known before and after a connection."""
        assert all(math.isnan(depths.of(name)) for name in depths.names)
        depths.watch(broker.connection)
        async with asyncio.timeout(DEADLINE):
            while broker.asked.count("p.dead") < 3:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.001)
        assert broker.queues["p.send"] == depths.of("send")
        depths.forget()
        seen = len(broker.asked)
        assert all(math.isnan(depths.of(name)) for name in depths.names)
        await asyncio.sleep(0.03)
        assert seen == len(broker.asked)
