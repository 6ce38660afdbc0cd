"""The topology on a real broker."""

import pika
import pytest

from tests.support.amqp_side import Peer, pika_channel
from worker.amqp.connection.opening import connected
from worker.amqp.topology.declare import TopologyError, declare, prepare, verify
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane


@pytest.fixture
def topology(amqp_prefix: str) -> Topology:
    """Short delays, for tests that wait for them."""
    return Topology(amqp_prefix, (1, 2), (1,))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """An independent client."""
    return Peer(amqp_url)


class TestDeclaring:
    """What `declare` leaves on the broker."""

    async def test_a_second_declaration_changes_nothing(self, amqp_url: str, topology: Topology) -> None:
        """Every start of every worker declares; nothing is missing afterwards."""
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
            await declare(connection, topology)
            assert await verify(connection, topology) == ()

    async def test_the_printed_arguments_are_those_on_the_broker(
        self, amqp_url: str, topology: Topology
    ) -> None:
        """Somebody who declares what `topology --json` prints gets no PRECONDITION_FAILED."""
        printed = topology.to_json()
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
        with pika_channel(amqp_url) as channel:
            for x in printed["exchanges"]:
                channel.exchange_declare(x["name"], x["type"], durable=x["durable"], arguments=x["arguments"])
            for queue in printed["queues"]:
                channel.queue_declare(queue["name"], durable=True, arguments=queue["arguments"])
            for binding in printed["bindings"]:
                channel.queue_bind(binding["queue"], binding["exchange"], binding["routing_key"])

    async def test_other_arguments_are_named_with_the_remedy(self, amqp_url: str, topology: Topology) -> None:
        """A queue that somebody declared as a classic one is an error that says what to do."""
        queue = topology.work_queue(Lane.SEND)
        with pika_channel(amqp_url) as channel:
            channel.queue_declare(queue, durable=True)
        async with connected(amqp_url, name="test") as connection:
            with pytest.raises(TopologyError) as caught:
                await declare(connection, topology)
        assert caught.value.code == "topology_mismatch"
        assert f"queue {queue} exists with" in caught.value.detail
        assert "delete it (empty it first)" in caught.value.detail

    async def test_only_checking_names_what_is_missing(self, amqp_url: str, topology: Topology) -> None:
        """With AMQP_DECLARE=false nothing is made, and the error lists the missing names."""
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
            with pika_channel(amqp_url) as channel:
                channel.queue_delete(topology.dead)
                channel.exchange_delete(topology.delay)
            assert await verify(connection, topology) == (
                f"exchange {topology.delay}",
                f"queue {topology.dead}",
            )
            with pytest.raises(TopologyError, match=topology.delay):
                await prepare(connection, topology, may_declare=False)


class TestRouting:
    """Where messages end that nobody moved by hand."""

    @pytest.mark.parametrize("lane", list(Lane))
    async def test_one_delay_queue_brings_every_lane_back_to_its_own_queue(
        self, amqp_url: str, topology: Topology, peer: Peer, lane: Lane
    ) -> None:
        """After the delay the message is in the work queue of its lane, whatever dots the name has."""
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
        peer.publish(topology.delay, topology.delay_key(1, lane), b"later")
        _, _, body = await peer.wait_for_one(topology.work_queue(lane))
        assert body == b"later"

    async def test_a_job_that_expires_in_its_queue_is_a_dead_letter(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """A producer's expiration moves the job to the dead letters; nothing is dropped."""
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
        peer.publish(topology.jobs, "send", b"late", pika.BasicProperties(expiration="1"))
        method, _, body = await peer.wait_for_one(topology.dead)
        assert body == b"late"
        assert method.routing_key == "send"

    async def test_a_result_without_a_queue_is_kept(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """The alternate exchange leads it to the unrouted queue, with its own routing key."""
        async with connected(amqp_url, name="test") as connection:
            await declare(connection, topology)
        peer.publish(topology.result_exchange("send"), "send.accepted", b"{}")
        method, _, _ = await peer.wait_for_one(topology.unrouted)
        assert method.routing_key == "send.accepted"
