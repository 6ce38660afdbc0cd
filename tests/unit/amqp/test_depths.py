"""How many messages wait where."""

import math
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Queue

from worker.amqp.connection import RawConnection
from worker.amqp.depths import QueueDepths
from worker.amqp.topology import Topology


class Broker:
    """Counts what is in its queues; a question for one that is not there closes the channel.

    Attributes:
        asked: the queues that it was asked for.
        channels: how many were opened.
    """

    def __init__(self, queues: dict[str, int]) -> None:
        self.queues = queues
        self.asked: list[str] = []
        self.channels = 0
        self.connection = cast("RawConnection", SimpleNamespace(library=self))

    async def channel(self, *, publisher_confirms: bool) -> "Channel":
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
    return QueueDepths(TOPOLOGY, limit=1.0)


class TestQueueDepths:
    """Every queue of the topology is looked at, all delay queues as one."""

    async def test_each_queue_is_counted(self, broker: Broker, depths: QueueDepths) -> None:
        """On one channel."""
        await depths.probed(broker.connection)
        assert {queue.name for queue in TOPOLOGY.queues} == set(broker.asked)
        assert broker.queues["p.send"] == depths.of("send")
        assert broker.queues["p.delay.5s"] + broker.queues["p.delay.30s"] == depths.of("delay")
        assert broker.queues["p.dead"] == depths.of("dead")
        assert broker.queues["p.results.unrouted"] == depths.of("results.unrouted")
        assert 1 == broker.channels

    async def test_only_some_probes_look(self, broker: Broker, depths: QueueDepths) -> None:
        """The first, then every third."""
        looks = []
        for _ in range(4):
            await depths.probed(broker.connection)
            looks.append(broker.asked.count("p.send"))
        assert [1, 1, 1, 2] == looks

    async def test_a_queue_that_is_gone_leaves_the_others_known(
        self, broker: Broker, depths: QueueDepths
    ) -> None:
        """It closes the channel; the next is asked on a new one."""
        del broker.queues["p.delay.5s"]
        await depths.probed(broker.connection)
        assert math.isnan(depths.of("delay"))
        assert broker.queues["p.dead"] == depths.of("dead")
        assert 2 == broker.channels

    async def test_nothing_is_known_before_and_after_a_connection(
        self, broker: Broker, depths: QueueDepths
    ) -> None:
        """And a new one is looked at right away."""
        assert all(math.isnan(depths.of(name)) for name in depths.names)
        await depths.probed(broker.connection)
        depths.forget()
        assert all(math.isnan(depths.of(name)) for name in depths.names)
        await depths.probed(broker.connection)
        assert 2 == broker.asked.count("p.dead")
