"""Consuming from a real broker, through everything that a broker does to its consumers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from scripts.local_broker import PrivateBroker
from tests.support.amqp_side import (
    QUICK,
    Peer,
    RememberingHandler,
    eventually,
    pika_channel,
    running,
    until,
)
from tests.support.deadline import DEADLINE
from tests.support.tcp_gate import TcpGate
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.errors import LedgerUnavailableError
from worker.domain.messages import DeadLetter, Delay, Lane, Requeue

KEYS = {
    Lane.SEND: "send",
    Lane.SEND_URGENT: "send.urgent",
    Lane.STATUS: "status",
    Lane.ACCOUNT: "account",
    Lane.CANCEL: "cancel",
}


@pytest.fixture
def topology(amqp_prefix: str) -> Topology:
    """Short delays, for tests that wait for them."""
    return Topology(amqp_prefix, (1, 2), (1,))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """An independent client."""
    return Peer(amqp_url)


@asynccontextmanager
async def consuming(
    url: str,
    topology: Topology,
    handler: RememberingHandler,
    *,
    prefetch: int = 10,
    declare: bool = True,
    on_workers: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Consumer]:
    """A consumer of every lane, and the publisher that its settlement needs."""
    publisher = BrokerPublisher(url, topology, PublisherOptions(timing=QUICK, declare=declare))
    consumer = Consumer(
        url,
        topology,
        prefetch=dict.fromkeys(Lane, prefetch),
        handle=handler,
        settlement=Settlement(publisher, requeue_pause=0.05),
        options=ConsumerOptions(timing=QUICK, declare=declare, crash_attempts=2, on_workers=on_workers),
    )
    async with running(publisher, consumer):
        yield consumer


def publish(url: str, topology: Topology, numbers: range) -> None:
    """Publish a job for each of *numbers*, over one connection."""
    with pika_channel(url) as channel:
        for number in numbers:
            channel.basic_publish(topology.jobs, "send", str(number).encode())


async def handled(handler: RememberingHandler, count: int) -> None:
    """Wait until that many deliveries were seen."""
    await until(lambda: len(handler.seen) >= count)


class TestPrefetch:
    """How many jobs are in hand."""

    async def test_the_rest_stays_in_its_queue(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """However many there are; each is handed out once."""
        handler = RememberingHandler()
        handler.gate.clear()
        async with consuming(amqp_url, topology, handler, prefetch=20) as consumer:
            await until(lambda: consumer.state.up)
            publish(amqp_url, topology, range(60))
            await until(lambda: consumer.in_flight == 20)
            await eventually(lambda: peer.count(topology.work_queue(Lane.SEND)) == 40, "40 wait")
            handler.gate.set()
            await handled(handler, 60)
            await until(lambda: consumer.in_flight == 0)
            await consumer.drain(DEADLINE)
        assert 60 == len({delivery.body for delivery in handler.seen}) == len(handler.seen)
        assert 0 == peer.count(topology.work_queue(Lane.SEND))

    async def test_a_pause_costs_no_job(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """Paused and resumed while jobs flow: none is lost, and the queue has one consumer of ours."""
        handler, workers = RememberingHandler(), list[int]()
        async with consuming(amqp_url, topology, handler, prefetch=20, on_workers=workers.append) as consumer:
            await until(lambda: consumer.state.up)
            for number in range(10):
                publish(amqp_url, topology, range(number * 20, number * 20 + 20))
                await consumer.pause("a moment", Lane.SEND)
                await consumer.resume(Lane.SEND)
            await until(lambda: len({delivery.body for delivery in handler.seen}) == 200)
            await until(lambda: consumer.in_flight == 0)
            await consumer.count_workers()
            await consumer.drain(DEADLINE)
        assert 1 == workers[-1]
        assert 0 == peer.count(topology.work_queue(Lane.SEND))


class TestDispositions:
    """What becomes of a delivery."""

    async def test_every_lane_is_consumed(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """Deliveries of each queue arrive with their lane, and are gone once done."""
        handler = RememberingHandler()
        async with consuming(amqp_url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            for lane, key in KEYS.items():
                peer.publish(topology.jobs, key, lane.value.encode())
            for lane in set(Lane) - set(KEYS):
                peer.publish("", topology.work_queue(lane), lane.value.encode())
            await handled(handler, len(Lane))
            assert {lane: lane.value.encode() for lane in Lane} == {d.lane: d.body for d in handler.seen}
            await until(lambda: consumer.in_flight == 0)
            await consumer.drain(DEADLINE)
        for lane in Lane:
            assert peer.count(topology.work_queue(lane)) == 0

    async def test_a_delayed_job_returns_with_its_attempts_counted(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """It comes back to its own lane, with the key it first came with, dated by the first round."""
        handler = RememberingHandler(Delay(1, "gateway_down"))
        async with consuming(amqp_url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send.urgent", b"job")
            await handled(handler, 3)
        assert [delivery.attempts for delivery in handler.seen[:3]] == [0, 1, 2]
        assert {(Lane.SEND_URGENT, "send.urgent", b"job")} == {
            (d.lane, d.routing_key, d.body) for d in handler.seen
        }
        first, second, third = (delivery.first_seen for delivery in handler.seen[:3])
        assert first is None
        assert second == third is not None

    async def test_a_dead_letter_says_why(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """The original body under its own key, and headers with reason, detail, attempts, queue and time."""
        handler = RememberingHandler(DeadLetter("bad_job", "not JSON"))
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler)
            method, properties, body = await peer.wait_for_one(topology.dead)
        assert (method.routing_key, body) == ("send", b"job")
        said = {
            name: properties.headers[f"x-iton-{name}"] for name in ("reason", "detail", "attempts", "queue")
        }
        assert said == {
            "reason": "bad_job",
            "detail": "not JSON",
            "attempts": 0,
            "queue": topology.work_queue(Lane.SEND),
        }
        assert properties.headers["x-iton-time"].endswith("Z")

    async def test_a_requeued_job_comes_again(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """Nothing was decided: it is delivered again, unchanged."""
        handler = RememberingHandler(Requeue("ledger away"))
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler, 2)
        assert handler.seen[1].redelivered

    async def test_an_unavailable_store_requeues(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """An error of that kind that a handler lets pass costs the job no attempt."""
        handler = RememberingHandler(LedgerUnavailableError("ledger", "away"))
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler, 2)
        assert [delivery.attempts for delivery in handler.seen[:2]] == [0, 0]

    async def test_a_job_that_crashes_the_handler_is_delayed_then_dead(
        self, amqp_url: str, topology: Topology, peer: Peer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It neither loops hot nor is lost; the log has no word of it."""
        handler = RememberingHandler(ValueError("919876543210"))
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler, 2)
            _, properties, body = await peer.wait_for_one(topology.dead)
        assert body == b"job"
        assert properties.headers["x-iton-reason"] == "internal_error"
        assert properties.headers["x-iton-attempts"] == 1
        assert "919876543210" not in capsys.readouterr().out


async def handled_after(
    consumer: Consumer, peer: Peer, topology: Topology, handler: RememberingHandler, count: int = 1
) -> None:
    """Publish one send job to a consumer that is up, and wait until it was handled so many times."""
    await until(lambda: consumer.state.up)
    peer.publish(topology.jobs, "send", b"job")
    await handled(handler, count)


async def seen_lost(consumer: Consumer, broker: PrivateBroker) -> None:
    """Close all connections; the loss is looked for meanwhile: it may be over before the command is."""
    closing = asyncio.to_thread(broker.rabbitmqctl, "close_all_connections", "test")
    await asyncio.gather(until(lambda: not consumer.state.up), closing)


class TestLosses:
    """The broker takes the consumer away."""

    async def test_it_consumes_again_after_its_connections_were_closed(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """An operator closes all connections; a job of afterwards is handled."""
        topology, peer, handler = (
            Topology(own_broker_prefix, (1,), (1,)),
            Peer(own_broker.url),
            RememberingHandler(),
        )
        async with consuming(own_broker.url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            await seen_lost(consumer, own_broker)
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)

    async def test_it_consumes_again_after_the_broker_was_killed(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """Jobs that were confirmed before the kill are handled after the restart."""
        topology, peer, handler = (
            Topology(own_broker_prefix, (1,), (1,)),
            Peer(own_broker.url),
            RememberingHandler(),
        )
        handler.gate.clear()
        async with consuming(own_broker.url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)
            await asyncio.to_thread(own_broker.kill)
            await until(lambda: not consumer.state.up)
            await asyncio.to_thread(own_broker.start)
            handler.gate.set()
            await handled(handler, 2)
            await until(lambda: consumer.in_flight == 0)
            await consumer.drain(DEADLINE)
        assert peer.count(topology.work_queue(Lane.SEND)) == 0

    async def test_an_acknowledgement_for_a_dead_channel_is_dropped(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """A handler that ends after the loss disturbs nobody; the job is delivered and done again."""
        topology, peer, handler = (
            Topology(own_broker_prefix, (1,), (1,)),
            Peer(own_broker.url),
            RememberingHandler(),
        )
        handler.gate.clear()
        async with consuming(own_broker.url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)
            await asyncio.to_thread(own_broker.rabbitmqctl, "close_all_connections", "test")
            await handled(handler, 2)
            assert handler.cancelled == 0
            handler.gate.set()
            await until(lambda: consumer.in_flight == 0)
            await until(lambda: consumer.state.up)
            await consumer.drain(DEADLINE)
        assert peer.count(topology.work_queue(Lane.SEND)) == 0

    async def test_a_deleted_queue_is_declared_and_consumed_again(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """The broker cancels the consumer; it is back before long."""
        handler = RememberingHandler()
        async with consuming(amqp_url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            peer.delete_queue(topology.work_queue(Lane.SEND))
            await until(lambda: not consumer.state.up)
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)

    async def test_a_hanging_connection_is_replaced(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """No byte passes and nobody closes anything: it is not ready, then it is again."""
        url, handler = URL(amqp_url), RememberingHandler()
        async with (
            TcpGate(url.host or "", url.port or 5672).serving() as gate,
            consuming(str(url.with_port(gate.port)), topology, handler) as consumer,
        ):
            await until(lambda: consumer.state.up)
            gate.hang()
            await until(lambda: not consumer.state.up)
            gate.heal()
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)

    async def test_without_permission_to_declare_it_waits_and_says_what_is_missing(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """It is not ready, names the missing queues, and starts by itself once they are there."""
        handler = RememberingHandler()
        async with consuming(amqp_url, topology, handler, declare=False) as consumer:
            await until(lambda: topology.work_queue(Lane.SEND) in consumer.state.reason)
            assert not consumer.state.up
            printed = topology.to_json()
            with pika_channel(amqp_url) as channel:
                for x in printed["exchanges"]:
                    channel.exchange_declare(x["name"], x["type"], durable=True, arguments=x["arguments"])
                for queue in printed["queues"]:
                    channel.queue_declare(queue["name"], durable=True, arguments=queue["arguments"])
                for binding in printed["bindings"]:
                    channel.queue_bind(binding["queue"], binding["exchange"], binding["routing_key"])
            await until(lambda: consumer.state.up)
            peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 1)


class TestStopping:
    """Pausing, and the way out."""

    async def test_paused_lanes_keep_their_jobs(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """Others go on; afterwards the jobs come in order."""
        handler = RememberingHandler()
        async with consuming(amqp_url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            await consumer.pause("account refused", Lane.SEND)
            assert consumer.state.up
            assert {Lane.SEND: "account refused"} == consumer.paused
            for body in (b"1", b"2", b"3"):
                peer.publish(topology.jobs, "send", body)
            peer.publish(topology.jobs, "account", b"other")
            await handled(handler, 1)
            assert [delivery.body for delivery in handler.seen] == [b"other"]
            await consumer.resume(Lane.SEND)
            assert consumer.state.up
            await handled(handler, 4)
            assert [delivery.body for delivery in handler.seen[1:]] == [b"1", b"2", b"3"]

    async def test_a_pause_outlives_a_loss(self, own_broker: PrivateBroker, own_broker_prefix: str) -> None:
        """After the reconnection nothing is consumed until somebody resumes."""
        topology, peer, handler = (
            Topology(own_broker_prefix, (1,), (1,)),
            Peer(own_broker.url),
            RememberingHandler(),
        )
        async with consuming(own_broker.url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            await consumer.pause("no credits")
            peer.publish(topology.jobs, "send", b"job")
            await seen_lost(consumer, own_broker)
            await until(lambda: consumer.state.up)
            assert handler.seen == []
            await consumer.resume()
            await handled(handler, 1)

    async def test_a_drain_waits_for_what_is_in_flight(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """A job that ends in time is acknowledged and nothing is given back."""
        handler = RememberingHandler()
        handler.gate.clear()
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler)
            draining = asyncio.create_task(consumer.drain(DEADLINE))
            await until(lambda: consumer.state.reason == "stopping")
            peer.publish(topology.jobs, "send", b"too late")
            handler.gate.set()
            assert await draining == 0
        assert [delivery.body for delivery in handler.seen] == [b"job"]
        await eventually(lambda: peer.count(topology.work_queue(Lane.SEND)) == 1, "the late one is kept")

    async def test_a_drain_gives_back_what_does_not_end(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """After the deadline handlers are cancelled and their jobs are in the queue again."""
        handler = RememberingHandler()
        handler.gate.clear()
        async with consuming(amqp_url, topology, handler) as consumer:
            await handled_after(consumer, peer, topology, handler)
            assert await consumer.drain(0.1) == 1
            assert handler.cancelled == 1
            await eventually(lambda: peer.count(topology.work_queue(Lane.SEND)) == 1, "given back")

    async def test_what_no_handler_started_on_is_given_back_at_once(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """Deliveries that wait for their turn, behind a large one, do not delay the end."""
        handler = RememberingHandler()
        handler.gate.clear()
        async with consuming(amqp_url, topology, handler) as consumer:
            await until(lambda: consumer.state.up)
            for _ in range(2):
                peer.publish(topology.jobs, "send", b"x" * 6_000_000)
            await until(lambda: consumer.in_flight == 2)
            await handled(handler, 1)
            await consumer.stop_intake()
            assert consumer.in_flight == 1
            await eventually(lambda: peer.count(topology.work_queue(Lane.SEND)) == 1, "given back")
            handler.gate.set()


class TestFleet:
    """Several consumers know of each other."""

    async def test_one_counts_the_others_before_its_first_job(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """The newcomer before anything, the one that was there when it counts; also when one has left."""
        told, newcomer_told = list[int](), list[tuple[int, int]]()
        handler, newcomer = RememberingHandler(), RememberingHandler()
        async with consuming(amqp_url, topology, handler, on_workers=told.append) as old:
            await until(lambda: old.state.up)
            handler.gate.clear()
            for _ in range(20):
                peer.publish(topology.jobs, "send", b"job")
            await handled(handler, 10)

            def counted(workers: int) -> None:
                newcomer_told.append((workers, len(newcomer.seen)))

            async with consuming(amqp_url, topology, newcomer, on_workers=counted):
                await handled(newcomer, 10)
                await old.count_workers()
                assert [1, 2] == told
            handler.gate.set()
            async with asyncio.timeout(DEADLINE):
                while told[-1] == 2:
                    await old.count_workers()
        assert [(2, 0)] == newcomer_told
