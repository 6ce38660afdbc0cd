"""Results, parts and replies on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs
from yarl import URL

from scripts.local_broker import PrivateBroker
from tests.support.amqp_side import QUICK, Peer, eventually, pika_channel, running, until
from tests.support.deadline import DEADLINE
from tests.support.tcp_gate import TcpGate
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane, PartMessage, ResultMessage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def options(confirm_within: float = DEADLINE) -> PublisherOptions:
    """Quick ones, at a fixed time."""
    return PublisherOptions(timing=QUICK, now=lambda: NOW, confirm_within=confirm_within)


def result(number: int = 1, *, reply_to: str | None = None, traceparent: str | None = None) -> ResultMessage:
    """A result of a send job."""
    return ResultMessage(
        exchange="send",
        routing_key="send.accepted",
        body=b'{"a": 1}',
        message_id=f"job-{number}/1",
        correlation_id="corr",
        reply_to=reply_to,
        traceparent=traceparent,
    )


def taken(url: str, queue: str) -> set[str]:
    """Empty a queue and return the message ids."""
    peer = Peer(url)
    seen = set()
    while got := peer.take(queue):
        seen.add(got[1].message_id)
    return seen


@pytest.fixture
def topology(amqp_prefix: str) -> Topology:
    """Short delays, for tests that wait for them."""
    return Topology(amqp_prefix, (1, 2), (1,))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """An independent client."""
    return Peer(amqp_url)


@pytest.fixture
async def publisher(amqp_url: str, topology: Topology) -> AsyncIterator[BrokerPublisher]:
    """One that is connected."""
    publisher = BrokerPublisher(amqp_url, topology, options())
    async with running(publisher):
        await publisher.wait_up()
        yield publisher


@asynccontextmanager
async def alarm(broker: PrivateBroker) -> AsyncIterator[None]:
    """Have the broker's memory be too small while the block lasts.

    Not on the event loop: a command takes seconds, in which no heartbeat would be answered.
    """
    await asyncio.to_thread(broker.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        await asyncio.to_thread(end_of_alarm, broker)


def end_of_alarm(broker: PrivateBroker) -> None:
    """Let it have its memory again."""
    broker.rabbitmqctl("set_vm_memory_high_watermark", "0.4")


class TestResults:
    """What a consumer of results gets."""

    async def test_it_carries_the_properties_of_the_contract(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """Persistent JSON with message id, correlation id, type, time, application and trace."""
        queue = peer.bound_queue(topology.result_exchange("send"))
        await publisher.publish_result(result(traceparent=TRACE))
        method, properties, body = await peer.wait_for_one(queue)
        assert body == b'{"a": 1}'
        assert method.routing_key == "send.accepted"
        assert vars(properties) | {"cluster_id": None} == {
            "content_type": "application/json",
            "content_encoding": None,
            "headers": {"traceparent": TRACE},
            "delivery_mode": 2,
            "priority": None,
            "correlation_id": "corr",
            "reply_to": None,
            "expiration": None,
            "message_id": "job-1/1",
            "timestamp": int(NOW.timestamp()),
            "type": "send.result.v1",
            "user_id": None,
            "app_id": "iton-worker",
            "cluster_id": None,
        }

    async def test_without_a_queue_it_is_kept_as_unrouted(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """Nobody bound a queue, and still nothing is lost and nothing is an error."""
        await publisher.publish_result(result())
        _, properties, _ = await peer.wait_for_one(topology.unrouted)
        assert properties.message_id == "job-1/1"

    async def test_a_copy_goes_to_the_queue_that_the_job_named(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """The same result, through the default exchange."""
        replies = peer.bound_queue(topology.result_exchange("account"), "nothing")
        await publisher.publish_result(result(reply_to=replies))
        _, properties, body = await peer.wait_for_one(replies)
        assert (properties.message_id, body) == ("job-1/1", b'{"a": 1}')
        assert await peer.wait_for_one(topology.unrouted)

    async def test_a_reply_queue_that_is_not_there_is_no_error(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """The result stands although its copy came back."""
        await publisher.publish_result(result(reply_to="nobody.is.here"))
        assert await peer.wait_for_one(topology.unrouted)

    async def test_what_the_broker_refuses_is_published_when_it_takes_it(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """A queue that is full answers with a nack; a result waits for room."""
        queue = f"{topology.result_exchange('send')}.full"
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish", "x-expires": 60_000}
        with pika_channel(peer.url) as channel:
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, topology.result_exchange("send"), "#")
        await publisher.publish_result(result(1))
        waiting = asyncio.create_task(publisher.publish_result(result(2)))
        await eventually(lambda: peer.count(queue) == 1, "the queue is full")
        assert not waiting.done()
        await asyncio.to_thread(peer.take, queue)
        await asyncio.wait_for(waiting, DEADLINE)
        assert peer.count(queue) == 1

    async def test_many_are_confirmed_together(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """Hundreds are under way at once, repeats of the same message id among them."""
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(publisher.publish_result(result(number % 100)))
        await eventually(lambda: peer.count(topology.unrouted) == 300, "all 300 are there")


class TestParts:
    """Parts of large jobs."""

    @pytest.mark.parametrize("lane", [Lane.SEND_PARTS, Lane.SEND_URGENT_PARTS])
    async def test_a_part_is_on_the_queue_of_its_lane(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer, lane: Lane
    ) -> None:
        """With the key of the whole job in a header, and all that replies need."""
        part = PartMessage(lane, b"part", "job/7", "corr", "send", reply_to="r", traceparent=TRACE)
        await publisher.publish_part(part)
        _, properties, body = await peer.wait_for_one(topology.work_queue(lane))
        assert body == b"part"
        assert (properties.message_id, properties.correlation_id, properties.reply_to) == (
            "job/7",
            "corr",
            "r",
        )
        # A quorum queue counts the delivery in a header of its own.
        assert properties.headers == {
            "x-iton-routing-key": "send",
            "traceparent": TRACE,
            "x-delivery-count": 0,
        }


class TestTrouble:
    """Queues that vanish, brokers that restart, sockets that hang."""

    async def test_a_message_that_no_queue_takes_is_an_error_in_the_end(
        self, publisher: BrokerPublisher, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """Where it may not declare the queue that is missing; it is kept for a while, then given back."""
        checked = PublisherOptions(timing=QUICK, declare=False, hold=0.0)
        other = BrokerPublisher(amqp_url, topology, checked)
        async with running(other):
            await other.wait_up()
            peer.delete_queue(topology.work_queue(Lane.SEND_PARTS))
            with pytest.raises(BrokerUnavailableError) as caught:
                await other.publish_part(PartMessage(Lane.SEND_PARTS, b"part", "job/7", None, "send"))
        assert caught.value.code == "unroutable"
        await publisher.publish_result(result())

    async def test_a_deleted_queue_is_declared_again(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer
    ) -> None:
        """A part that comes back mends the topology and is published again."""
        queue = topology.work_queue(Lane.SEND_PARTS)
        peer.delete_queue(queue)
        await publisher.publish_part(PartMessage(Lane.SEND_PARTS, b"part", "job/7", None, "send"))
        assert await peer.wait_for_one(queue)

    async def test_a_deleted_exchange_is_declared_again(
        self, publisher: BrokerPublisher, topology: Topology, peer: Peer, amqp_url: str
    ) -> None:
        """The broker closes the channel over it; the result gets through all the same."""
        with pika_channel(amqp_url) as channel:
            channel.exchange_delete(topology.result_exchange("send"))
        await publisher.publish_result(result())
        assert await peer.wait_for_one(topology.unrouted)

    async def test_a_channel_that_refuses_makes_room_for_another(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """A channel can refuse for good, after a node died; none is left over."""

        def channels() -> set[str]:
            # By process: the number of a channel is given away again.
            listed = own_broker.rabbitmqctl("list_channels", "--silent", "pid", "confirm")
            return {line for line in listed.splitlines() if line.endswith("\ttrue")}

        topology = Topology(own_broker_prefix, (1, 2), (1,))
        exchange = topology.result_exchange("send")
        publisher = BrokerPublisher(own_broker.url, topology, options())
        async with running(publisher):
            await publisher.wait_up()
            before = await asyncio.to_thread(channels)
            with pika_channel(own_broker.url) as channel:
                channel.queue_declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
                channel.queue_bind("full", exchange, "#")
            waiting = [asyncio.create_task(publisher.publish_result(result(n))) for n in range(20)]
            # On a busy machine one look takes seconds: what it looks for stays true once it is.
            await eventually(lambda: bool(before - channels()), "the one that refuses is closed", 90)
            assert not any(task.done() for task in waiting)
            Peer(own_broker.url).delete_queue("full")
            await asyncio.wait_for(asyncio.gather(*waiting), DEADLINE)
            await eventually(lambda: len(channels()) == len(before), "the refusing ones are closed")
        assert {f"job-{n}/1" for n in range(20)} == taken(own_broker.url, topology.unrouted)

    async def test_without_a_broker_it_says_so_in_time(self, topology: Topology) -> None:
        """After the time limit it is BrokerUnavailableError, without user or password."""
        publisher = BrokerPublisher(
            "amqp://someone:s3cret@127.0.0.1:1/", topology, options(confirm_within=0.5)
        )
        async with running(publisher):
            with pytest.raises(BrokerUnavailableError) as caught:
                await publisher.publish_result(result())
            assert caught.value.code == "not_confirmed"
            assert "s3cret" not in f"{caught.value!r} {publisher.state}"
            assert not publisher.state.up

    async def test_a_publish_outlives_a_restart_of_the_broker(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """Results published while the broker restarts are there afterwards."""
        topology = Topology(own_broker_prefix, (1, 2), (1,))
        publisher = BrokerPublisher(own_broker.url, topology, options())
        async with running(publisher):
            await publisher.wait_up()
            first = [asyncio.create_task(publisher.publish_result(result(n))) for n in range(50)]
            await asyncio.to_thread(own_broker.kill)
            second = [asyncio.create_task(publisher.publish_result(result(n))) for n in range(50, 100)]
            await asyncio.to_thread(own_broker.start)
            await asyncio.gather(*first, *second)
        assert {f"job-{n}/1" for n in range(100)} == taken(own_broker.url, topology.unrouted)

    async def test_a_hanging_connection_is_replaced(self, amqp_url: str, topology: Topology) -> None:
        """No byte passes and nobody closes anything: the probe notices, and publishing goes on."""
        url = URL(amqp_url)
        async with TcpGate(url.host or "", url.port or 5672).serving() as gate:
            publisher = BrokerPublisher(str(url.with_port(gate.port)), topology, options())
            async with running(publisher):
                await publisher.wait_up()
                gate.hang()
                await until(lambda: not publisher.state.up)
                gate.heal()
                await publisher.publish_result(result())

    async def test_a_lost_connection_costs_no_reply_and_is_no_refusal(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """The copy for the queue that the job named goes out on the next connection, as the result does."""
        url = URL(amqp_url)
        async with TcpGate(url.host or "", url.port or 5672).serving() as gate:
            publisher = BrokerPublisher(str(url.with_port(gate.port)), topology, options())
            async with running(publisher):
                await publisher.wait_up()
                replies = peer.bound_queue(topology.result_exchange("account"), "nothing")
                gate.hang()
                with capture_logs() as lines:
                    tasks = [
                        asyncio.create_task(publisher.publish_result(result(n, reply_to=replies)))
                        for n in range(5)
                    ]
                    await asyncio.sleep(0.1)
                    gate.heal()
                    await asyncio.gather(*tasks)
        await eventually(lambda: peer.count(replies) == 5, "each has its reply")
        assert "publish.refused" not in {line["event"] for line in lines}

    async def test_a_blocked_connection_is_told_apart_from_a_dead_one(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """During a memory alarm it says why it does not publish, and goes on when the alarm is over."""
        topology = Topology(own_broker_prefix, (1, 2), (1,))
        publisher = BrokerPublisher(own_broker.url, topology, options())
        async with running(publisher):
            await publisher.wait_up()
            async with alarm(own_broker):
                publishing = asyncio.create_task(publisher.publish_result(result()))
                await until(lambda: "alarm" in publisher.state.reason)
            await publishing
            await until(lambda: publisher.state.up)

    async def test_a_connection_that_begins_during_an_alarm_waits_for_its_end(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """It says why it does not publish, and is not made anew again and again."""
        topology = Topology(own_broker_prefix, (1, 2), (1,))
        publisher = BrokerPublisher(own_broker.url, topology, options())
        async with alarm(own_broker):
            with capture_logs() as lines:
                async with running(publisher):
                    await until(lambda: "alarm" in publisher.state.reason)
                    publishing = asyncio.create_task(publisher.publish_result(result()))
                    await asyncio.to_thread(end_of_alarm, own_broker)
                    await publishing
                    await until(lambda: publisher.state.up)
        assert ["broker.connected"] == [line["event"] for line in lines]
