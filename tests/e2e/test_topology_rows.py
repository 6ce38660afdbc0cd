"""Every row of the topology (contract, section 2), as an independent client finds it."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from scripts.find_broker import FoundBroker
from tests.support.broker import own_prefix
from tests.support.forked import run_program
from tests.support.line import Line
from tests.support.results_side import Collector, Producer, new_job_id, open_channel, wait_message
from tests.support.worker_process import Workshop, wait_until

EXCHANGES = {
    "jobs": "topic",
    "results.send": "topic",
    "results.delivery": "topic",
    "results.account": "topic",
    "results.cancel": "topic",
    "dead": "topic",
    "results.unrouted": "fanout",
}
WORK = {
    "send": "send",
    "send.urgent": "send.urgent",
    "status": "status",
    "account": "account",
    "cancel": "cancel",
}
KEPT = ("results.unrouted", "dead")
ONE = "919876543210"


def topology(shop: Workshop, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``iton-worker topology``."""
    return run_program("topology", *options, env=shop.environment(), cwd=shop.folder)


@pytest.fixture
def amqp_prefix(broker: FoundBroker) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` of which nothing is there."""
    with own_prefix(broker.url) as prefix:
        yield prefix


@pytest.fixture(scope="module")
def printed(shared_line: Line) -> dict[str, Any]:
    """What ``iton-worker topology --json`` says about the shared worker's prefix."""
    shown: dict[str, Any] = json.loads(topology(shared_line.workshop, "--json").stdout)
    return shown


class TestExchanges:
    """Types and durability."""

    @pytest.mark.parametrize("name", EXCHANGES)
    def test_each_is_there_durable_and_of_its_type(
        self, line: Line, printed: dict[str, Any], name: str
    ) -> None:
        """Declaring it with the printed arguments is accepted, with another durability refused."""
        (shown,) = (x for x in printed["exchanges"] if x["name"] == f"{line.producer.prefix}.{name}")
        assert (EXCHANGES[name], True) == (shown["type"], shown["durable"])
        asked = {"exchange_type": EXCHANGES[name], "arguments": shown["arguments"]}
        with open_channel(line.workshop.amqp_url) as channel:
            channel.exchange_declare(shown["name"], passive=True)
            channel.exchange_declare(shown["name"], durable=True, **asked)
            with pytest.raises(ChannelClosedByBroker):
                channel.exchange_declare(shown["name"], durable=False, **asked)


class TestQueues:
    """Types, durability, bindings."""

    @pytest.mark.parametrize("name", [*WORK, *KEPT])
    def test_each_is_a_durable_quorum_queue(self, line: Line, printed: dict[str, Any], name: str) -> None:
        """With the printed arguments; a classic one of the name is refused."""
        (shown,) = (q for q in printed["queues"] if q["name"] == f"{line.producer.prefix}.{name}")
        assert ("quorum", True) == (shown["arguments"]["x-queue-type"], shown["durable"])
        with open_channel(line.workshop.amqp_url) as channel:
            channel.queue_declare(shown["name"], durable=True, arguments=shown["arguments"])
            with pytest.raises(ChannelClosedByBroker):
                channel.queue_declare(shown["name"], durable=True, arguments={"x-queue-type": "classic"})

    def test_everything_printed_is_there_and_starts_with_the_prefix(
        self, line: Line, printed: dict[str, Any]
    ) -> None:
        """Also the queues that the worker needs for itself."""
        with open_channel(line.workshop.amqp_url) as channel:
            for kind, declare in (("exchanges", channel.exchange_declare), ("queues", channel.queue_declare)):
                for shown in printed[kind]:
                    assert shown["name"].startswith(f"{line.producer.prefix}.")
                    declare(shown["name"], passive=True)
            for shown in printed["queues"]:
                channel.queue_declare(shown["name"], durable=True, arguments=shown["arguments"])
            for bound in printed["bindings"]:
                channel.queue_bind(bound["queue"], bound["exchange"], bound["routing_key"])

    @pytest.mark.parametrize("key", ["anything", "send", "send.urgent.or.not"])
    def test_the_dead_queue_takes_every_key(self, line: Line, key: str) -> None:
        """Bound by ``#``."""
        mark = new_job_id().encode()
        with open_channel(line.workshop.amqp_url) as channel:
            channel.basic_publish(f"{line.producer.prefix}.dead", key, mark, mandatory=True)
        found = line.queues.wait_dead(lambda _properties, body: body == mark)
        assert key == found[0]


class TestWithoutAWorker:
    """What the broker itself holds, seen where nobody consumes."""

    def test_jobs_wait_in_the_queue_of_their_key(self, workshop: Workshop) -> None:
        """``topology --declare`` makes everything without running."""
        assert 0 == topology(workshop, "--declare").returncode
        producer = Producer(workshop.amqp_url, workshop.prefix)
        for key in WORK:
            producer.publish(key.encode(), key)
        with open_channel(workshop.amqp_url) as channel:
            for key, queue in WORK.items():
                method, _properties, body = channel.basic_get(f"{workshop.prefix}.{queue}", auto_ack=True)
                assert (key, key.encode()) == (method.routing_key, body)
            with pytest.raises(pika.exceptions.UnroutableError):
                producer.publish(b"x", "no.such.kind")
        producer.close()

    def test_a_result_without_a_consumer_is_kept(self, workshop: Workshop) -> None:
        """The alternate exchange of every result exchange leads to the unrouted queue."""
        topology(workshop, "--declare")
        with open_channel(workshop.amqp_url) as channel:
            for kind in ("send", "delivery", "account", "cancel"):
                channel.basic_publish(
                    f"{workshop.prefix}.results.{kind}", f"{kind}.any", b"kept", mandatory=True
                )
                key, _properties, body = wait_message(channel, f"{workshop.prefix}.results.unrouted")
                assert (f"{kind}.any", b"kept") == (key, body)

    def test_declaring_twice_changes_nothing(self, workshop: Workshop) -> None:
        """Idempotent."""
        assert [0, 0] == [topology(workshop, "--declare").returncode for _ in range(2)]

    def test_it_prints_for_people_too(self, workshop: Workshop) -> None:
        """Names of queues, without touching the broker."""
        shown = topology(workshop).stdout
        assert all(f"{workshop.prefix}.{queue}" in shown for queue in WORK)


class TestUnrouted:
    """Results that nobody listens to."""

    def test_they_wait_in_the_unrouted_queue(self, workshop: Workshop) -> None:
        """With their routing key."""
        workshop.ready()
        producer = Producer(workshop.amqp_url, workshop.prefix)
        job = producer.send([ONE], "nobody listens")
        key, properties, body = wait_message(producer.channel, f"{workshop.prefix}.results.unrouted")
        assert ("send.accepted", f"{job}/1") == (key, properties.message_id)
        assert "accepted" == json.loads(body)["status"]
        producer.close()


class TestAmqpDeclareFalse:
    """``AMQP_DECLARE=false``: the worker only checks."""

    def test_it_waits_says_what_is_missing_and_goes_on(self, workshop: Workshop) -> None:
        """Not ready, not dead, and nothing declared by it; it starts by itself once the topology is there."""
        worker = workshop.start(AMQP_DECLARE="false")
        body = worker.wait_not_ready()
        wait_until(lambda: f"{workshop.prefix}.send" in worker.get("/readyz")[1], f"names it: {body}")
        with open_channel(workshop.amqp_url) as channel, pytest.raises(ChannelClosedByBroker):
            channel.queue_declare(f"{workshop.prefix}.send", passive=True)
        assert 200 == worker.get("/livez")[0]
        assert 0 == topology(workshop, "--declare").returncode
        worker.wait_ready()
        producer = Producer(workshop.amqp_url, workshop.prefix)
        with Collector(workshop.amqp_url, workshop.prefix) as collector:
            assert "send.accepted" == collector.one(producer.send([ONE], "declared by hand")).key
        producer.close()
