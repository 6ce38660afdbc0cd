"""Every version harms the worker in its own way; it recovers by itself within 30 s."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from scripts.local_broker import PrivateBroker
from tests.support.results_side import open_channel
from tests.support.worker_process import WorkerProcess, wait_until
from tests.versions.stage import PLAIN, RECOVERY, Stage
from worker.amqp.topology.values import Topology


@contextmanager
def erlang_settings(node: PrivateBroker, **changed: int) -> Iterator[None]:
    """Set variables of the running node, and put them back."""
    command = "application:set_env(rabbit, {}, {})."
    terms = [f"{{{name}, application:get_env(rabbit, {name}, undefined)}}" for name in changed]
    before = node.rabbitmqctl("eval", f"[{', '.join(terms)}].")
    node.rabbitmqctl("eval", " ".join(command.format(n, v) for n, v in changed.items()).replace(". a", ", a"))
    try:
        yield
    finally:
        node.rabbitmqctl(
            "eval", f"[application:set_env(rabbit, Name, Value) || {{Name, Value}} <- {before.strip()}]."
        )


class TestWorkerKilled:
    """SIGKILL while the gateway has the call."""

    def test_the_next_worker_says_that_it_cannot_know(self, stage: Stage) -> None:
        """It waits for the call's time limit, does not send again, and goes on."""
        worker = stage.ready(ITON_TIMEOUT=3)
        job = stage.job_in_call(seconds=2)
        worker.kill()
        stage.ready(ITON_TIMEOUT=3)
        result = stage.wait_result(job)
        assert ("send.uncertain", {PLAIN: "uncertain"}) == (result.key, result.outcomes)
        assert 1 == len(stage.gateway.sends(job))
        assert "send.accepted" == stage.wait_result(stage.send()).key


class TestBrokerGone:
    """While the gateway has the call: the result cannot be published, the ack is void."""

    def test_killed_and_started(self, stage: Stage, node: PrivateBroker) -> None:
        """What was confirmed is there again, the call is not made again, the result comes."""
        worker = stage.ready()
        job = stage.job_in_call()
        node.kill()
        assert "broker" in worker.wait_not_ready()
        node.start()
        recovers(worker)
        stage.check_whole(job)

    def test_connections_closed_by_the_operator(self, stage: Stage, node: PrivateBroker) -> None:
        """The job comes again while its call is under way, and waits for that."""
        worker = stage.ready()
        job = stage.job_in_call(seconds=4)
        node.rabbitmqctl("close_all_connections", "maintenance")
        wait_until(lambda: lost(worker).count("maintenance") == 2, "both connections are lost", RECOVERY)
        recovers(worker)
        stage.check_whole(job)


class TestBrokerTakesAway:
    """The broker is there, and takes something from the worker."""

    def test_a_queue_deleted(self, stage: Stage) -> None:
        """The consumer is cancelled; the worker declares the queue again and consumes it."""
        worker = stage.ready()
        with open_channel(stage.url) as channel:
            channel.queue_delete(f"{stage.prefix}.send")
        wait_until(lambda: "cancelled the consumer" in lost(worker), "the worker notices", RECOVERY)
        recovers(worker)
        assert "send.accepted" == stage.wait_result(stage.send()).key

    def test_a_queue_deleted_and_declared_by_the_operator(self, stage: Stage) -> None:
        """At once, so that the queue is there all the time, as it seems; the worker consumes the new one."""
        worker = stage.ready()
        with open_channel(stage.url) as channel:
            name = f"{stage.prefix}.send"
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, arguments=arguments_of(name, stage.prefix))
            channel.queue_bind(name, f"{stage.prefix}.jobs", "send")
        began = monotonic()
        assert "send.accepted" == stage.wait_result(stage.send()).key
        print(f"consumes again after {monotonic() - began:.1f} s")  # noqa: T201 - a figure of the suite
        recovers(worker)

    def test_a_result_queue_deleted(self, stage: Stage) -> None:
        """A result that was returned is published again after its queue was declared again."""
        stage.ready()
        job = stage.job_in_call(seconds=1)
        with open_channel(stage.url) as channel:
            channel.queue_delete(f"{stage.prefix}.results.unrouted")
        stage.check_whole(job)

    def test_the_consumer_timeout(self, stage: Stage, node: PrivateBroker, version: str) -> None:
        """A delivery that is held for too long costs the channel, since 4.3 the consumer; not the job."""
        with erlang_settings(node, consumer_timeout=1000, channel_tick_interval=500):
            worker = stage.ready()
            job = stage.job_in_call(seconds=5)
            wait_until(lambda: lost(worker), "the broker loses patience", RECOVERY)
            stage.check_whole(job)
        recovers(worker)
        expected = "cancelled the consumer" if version == "4.3" else "was closed: PRECONDITION_FAILED"
        assert expected in lost(worker)

    def test_a_memory_alarm(self, stage: Stage, node: PrivateBroker) -> None:
        """Publishers are held back: the worker says so, and its results come when the alarm is over."""
        worker = stage.ready()
        job = stage.job_in_call(seconds=6)
        node.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            assert "alarm" in worker.wait_not_ready(RECOVERY)
        finally:
            node.rabbitmqctl("set_vm_memory_high_watermark", "0.6")
        recovers(worker)
        stage.check_whole(job)


def lost(worker: WorkerProcess) -> str:
    """What the worker said about connections that it lost."""
    return "\n".join(line["reason"] for line in worker.log_lines("broker.unavailable"))


def recovers(worker: WorkerProcess) -> None:
    """It is ready again in time, without anybody's doing."""
    began = monotonic()
    worker.wait_ready(RECOVERY)
    print(f"ready again after {monotonic() - began:.1f} s")  # noqa: T201 - a figure of the suite


def arguments_of(queue: str, prefix: str) -> dict[str, Any]:
    """What an operator finds in ``iton-worker topology --json``."""
    return next(dict(one.arguments) for one in Topology(prefix).queues if one.name == queue)
