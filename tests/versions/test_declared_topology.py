"""Exchanges and queues on every version: accepted, accepted again, and they do what they are for."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from scripts.local_broker import PrivateBroker
from tests.support.results_side import open_channel, wait_message
from tests.support.worker_process import PROGRAM, Workshop, wait_until
from tests.versions.stage import RECOVERY, Stage

LANES = (
    "send",
    "send.urgent",
    "send.parts",
    "send.urgent.parts",
    "status",
    "status.track",
    "account",
    "cancel",
)
# RabbitMQ 4 drops a message after 20 deliveries, unless the queue says otherwise.
MORE_THAN_THE_DEFAULT = 25


def topology(shop: Workshop, option: str) -> str:
    """Run ``iton-worker topology`` and return what it printed."""
    env = shop.environment(WORKER_RETRY_DELAYS="1")
    done = subprocess.run(
        [str(PROGRAM), "topology", option],
        env=env, cwd=shop.folder, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def channel(node: PrivateBroker, workshop: Workshop) -> Iterator[BlockingChannel]:
    """Provide a channel to a broker with the topology; no worker runs."""
    topology(workshop, "--declare")
    with open_channel(node.url) as channel:
        yield channel


@pytest.fixture
def printed(workshop: Workshop) -> dict[str, Any]:
    """What those get who declare it beforehand."""
    shown: dict[str, Any] = json.loads(topology(workshop, "--json"))
    return shown


class TestDeclared:
    """By whom, and how often."""

    @pytest.mark.usefixtures("channel")
    def test_again_by_the_worker(self, workshop: Workshop, stage: Stage) -> None:
        """The command twice, a worker that declares, and one that only checks."""
        topology(workshop, "--declare")
        stage.ready()
        stage.ready(AMQP_DECLARE="false")

    def test_beforehand_by_another_client(
        self, node: PrivateBroker, prefix: str, printed: dict[str, Any], stage: Stage
    ) -> None:
        """With the printed arguments; the worker has nothing against it and works."""
        assert prefix == printed["prefix"]
        with open_channel(node.url) as channel:
            declare(channel, printed)
        stage.ready()
        with open_channel(node.url) as channel:
            declare(channel, printed)
        assert "send.accepted" == stage.wait_result(stage.send()).key

    def test_otherwise(self, node: PrivateBroker, prefix: str, workshop: Workshop, stage: Stage) -> None:
        """A queue of another type: the worker is not ready, names it, and goes on once it is gone."""
        with open_channel(node.url) as channel:
            channel.queue_declare(f"{prefix}.send", durable=True, arguments={"x-queue-type": "classic"})
            worker = workshop.start(WORKER_RETRY_DELAYS="1")
            words = f"queue {prefix}.send exists with another"
            wait_until(lambda: words in worker.get("/readyz")[1], "the worker names the queue", RECOVERY)
            channel.queue_delete(f"{prefix}.send")
        worker.wait_ready()
        assert "send.accepted" == stage.wait_result(stage.send()).key


class TestQueues:
    """What a queue does without a worker."""

    def test_the_delivery_limit_is_ours(self, channel: BlockingChannel, prefix: str) -> None:
        """A message that is given back more often than the broker's default allows is still there."""
        channel.basic_publish(f"{prefix}.jobs", "status", b"again and again", mandatory=True)
        for _ in range(MORE_THAN_THE_DEFAULT):
            take_and_die(channel, f"{prefix}.status")
        assert b"again and again" == wait_message(channel, f"{prefix}.status")[2]

    def test_a_delayed_job_returns_to_its_own_lane(self, channel: BlockingChannel, prefix: str) -> None:
        """From the one delay queue to each of the six, body and properties as they were."""
        for lane in LANES:
            properties = pika.BasicProperties(delivery_mode=2, message_id=lane, headers={"mine": lane})
            channel.basic_publish(f"{prefix}.delay", f"1s.{lane}", lane.encode(), properties, mandatory=True)
        for lane in LANES:
            _key, properties, body = wait_message(channel, f"{prefix}.{lane}")
            assert (lane, lane, lane.encode()) == (properties.message_id, properties.headers["mine"], body)


def take_and_die(beside: BlockingChannel, queue: str) -> None:
    """Take the message on a channel that closes without a word: what every version counts."""
    channel = beside.connection.channel()
    taken: list[bytes] = []

    def look() -> bool:
        method, _properties, body = channel.basic_get(queue)
        taken.extend([body] if method is not None else [])
        return bool(taken)

    wait_until(look, "the message is back in its queue")
    channel.close()


def declare(channel: BlockingChannel, printed: dict[str, Any]) -> None:
    """Declare everything as it was printed."""
    for one in printed["exchanges"]:
        channel.exchange_declare(one["name"], one["type"], durable=True, arguments=one["arguments"])
    for one in printed["queues"]:
        channel.queue_declare(one["name"], durable=True, arguments=one["arguments"])
    for one in printed["bindings"]:
        channel.queue_bind(one["queue"], one["exchange"], one["routing_key"])
