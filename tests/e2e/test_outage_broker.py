"""The broker is away, hangs, or takes something from the worker: it recovers by itself within 30 s."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.faults_gate import FaultGate, fault_gate
from tests.support.results_side import open_channel
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

ACCEPTED = {PLAIN: "accepted"}
RECOVERY = 30.0
LONG = 20.0  # seconds of a call; rabbitmqctl takes its time on a busy machine


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    """Provide a gateway of the test's own."""
    with gateway_loop() as loop, loop.gateway() as gateway:
        yield gateway


@pytest.fixture
def scene(
    own_broker: PrivateBroker, own_broker_prefix: str, gateway: LocalGateway, tmp_path: Path
) -> Iterator[Scene]:
    """Provide a scene on a broker that may be harmed."""
    with open_scene(own_broker.url, own_broker_prefix, gateway, tmp_path) as scene:
        yield scene


@pytest.fixture
def gate(own_broker: PrivateBroker) -> Iterator[FaultGate]:
    """Provide a way to the broker that can be blocked."""
    with fault_gate(own_broker.url) as gate:
        yield gate


@contextmanager
def alarm(broker: PrivateBroker) -> Iterator[None]:
    """Let the broker believe that its memory is used up: it reads nothing more from who publishes."""
    broker.rabbitmqctl("set_vm_memory_high_watermark", "0.00001")
    try:
        yield
    finally:
        broker.rabbitmqctl("set_vm_memory_high_watermark", "0.4")


def job_in_call(scene: Scene, seconds: float = 2.0) -> str:
    """Publish a job and return it while the gateway has its call and keeps the reply back."""
    scene.gateway.fault(command="sendSMS", latency=seconds, when="after", times=1)
    job = scene.send()
    wait_until(lambda: scene.gateway.ids(job), "the call is carried out")
    return job


def check_whole(scene: Scene, job: str, within: float = RECOVERY) -> None:
    """The job under way and one more are accepted, once; the ids are the gateway's."""
    result = scene.wait_result(job, within=within)
    assert scene.gateway.ids(job) == {PLAIN: [result.ids[PLAIN]]}
    assert {1} == {one.revision for one in scene.results(job)}
    assert ACCEPTED == scene.wait_result(scene.send(), within=within).outcomes
    assert (0, []) == (scene.repeats(), scene.dead())


class TestBrokerGone:
    """In the middle of a call, so that the result cannot be published and the ack is void."""

    @pytest.mark.row(
        "broker/killed", "SIGKILL and a new start", "not ready, connects by itself, the result comes"
    )
    def test_killed_and_started(self, scene: Scene, own_broker: PrivateBroker) -> None:
        """The call is not made again; its result comes when the broker is back."""
        worker = scene.ready()
        job = job_in_call(scene)
        own_broker.kill()
        assert "broker" in worker.wait_not_ready()
        own_broker.start()
        worker.wait_ready(RECOVERY)
        check_whole(scene, job)

    @pytest.mark.row("broker/stopped", "clean stop and start", "the same")
    def test_stopped_and_started(self, scene: Scene, own_broker: PrivateBroker) -> None:
        """The same for a clean stop."""
        worker = scene.ready()
        job = job_in_call(scene)
        own_broker.stop()
        own_broker.start()
        worker.wait_ready(RECOVERY)
        check_whole(scene, job)

    @pytest.mark.row("broker/closed", "`rabbitmqctl close_all_connections`", "the same")
    def test_connections_closed_by_the_operator(self, scene: Scene, own_broker: PrivateBroker) -> None:
        """The job comes again while its call is under way, and waits for that."""
        worker = scene.ready()
        job = job_in_call(scene)
        own_broker.rabbitmqctl("close_all_connections", "maintenance")
        check_whole(scene, job)
        worker.wait_ready(RECOVERY)

    @pytest.mark.row(
        "broker/other-worker",
        "the same with a second worker",
        "the other one waits for the call; accepted, revision 1",
    )
    def test_redelivered_to_another_worker(self, scene: Scene, gate: FaultGate) -> None:
        """The worker with the call is cut off: the other one that gets the job waits for the call's end."""
        cut_off = scene.ready(AMQP_URL=gate.url, ITON_TIMEOUT=30)
        job = job_in_call(scene, seconds=12)  # longer than the other one needs to start
        other = scene.ready(ITON_TIMEOUT=30)
        gate.hang()
        gate.cut()
        wait_until(lambda: "redelivered" in other.steps, "the other one has the job")
        check_whole(scene, job)
        assert "result" in other.steps
        gate.heal()
        cut_off.wait_ready(RECOVERY)


class TestConnection:
    """Between worker and broker stands a proxy."""

    @pytest.mark.row("broker/cut", "TCP reset", "the same")
    def test_cut(self, scene: Scene, gate: FaultGate) -> None:
        """A reset in the middle."""
        worker = scene.ready(AMQP_URL=gate.url)
        job = job_in_call(scene)
        gate.cut()
        check_whole(scene, job)
        worker.wait_ready(RECOVERY)

    @pytest.mark.row(
        "broker/mid-frame",
        "TCP reset in the middle of a delivery, or of a result",
        "the same; half a frame counts for nothing on either side",
    )
    @pytest.mark.parametrize("mark", [b"recipients", b"send.accepted"], ids=["delivery", "result"])
    def test_cut_in_the_middle_of_a_frame(self, scene: Scene, gate: FaultGate, mark: bytes) -> None:
        """Half a delivery is none: it comes again. Half a result neither: it is published again."""
        worker = scene.ready(AMQP_URL=gate.url)
        gate.cut_within(mark)
        job = scene.send()
        wait_until(lambda: gate.has_cut_within, "the frame comes by")
        check_whole(scene, job)
        worker.wait_ready(RECOVERY)

    @pytest.mark.row(
        "broker/hang",
        "no byte passes, nobody closes",
        "noticed by a probe within 10 s: not ready; well again within 30 s of the end",
    )
    def test_hang(self, scene: Scene, gate: FaultGate) -> None:
        """No byte passes and nobody closes: the worker notices, and is well within 30 s of the end."""
        worker = scene.ready(AMQP_URL=gate.url)
        job = job_in_call(scene)
        gate.hang()
        assert "broker" in worker.wait_not_ready(RECOVERY)
        gate.heal()
        worker.wait_ready(RECOVERY)
        check_whole(scene, job)

    @pytest.mark.row(
        "broker/no-confirm",
        "a confirm never comes",
        "the job goes back unacknowledged; its result is published later",
    )
    def test_confirm_that_never_comes(self, scene: Scene, gate: FaultGate) -> None:
        """The job is not acknowledged on faith: its result is published when the broker can be reached."""
        worker = scene.ready(AMQP_URL=gate.url, WORKER_PUBLISH_TIMEOUT=2)
        job = job_in_call(scene)
        gate.hang()
        wait_until(lambda: worker.events("publish.refused"), "the confirm is waited for in vain", RECOVERY)
        gate.heal()
        check_whole(scene, job)


class TestBrokerRefuses:
    """The broker is there and takes something away."""

    @pytest.mark.row(
        "broker/alarm", "memory alarm: publishers are blocked", "not ready, says why; results come after it"
    )
    def test_memory_alarm(self, scene: Scene, own_broker: PrivateBroker) -> None:
        """Results wait for the end of the alarm; the worker says why and is not lost."""
        worker = scene.ready(ITON_TIMEOUT=30)
        job = job_in_call(scene, seconds=LONG)
        with alarm(own_broker):
            assert "alarm" in worker.wait_not_ready(RECOVERY)
        worker.wait_ready(RECOVERY)
        check_whole(scene, job)

    @pytest.mark.row(
        "broker/alarm-killed",
        "the worker is killed during the alarm",
        "the job was not acknowledged: its result comes",
    )
    def test_killed_during_a_memory_alarm(self, scene: Scene, own_broker: PrivateBroker) -> None:
        """Acks pass while results do not: no job is acknowledged before its result was confirmed."""
        worker = scene.ready(ITON_TIMEOUT=30)
        job = job_in_call(scene, seconds=LONG)
        with alarm(own_broker):
            assert "result" not in worker.steps
            wait_until(lambda: "result" in worker.steps, "the worker publishes", RECOVERY)
            worker.wait_not_ready(RECOVERY)
            assert "ack" not in worker.steps
            worker.kill()
        scene.ready()
        check_whole(scene, job)

    @pytest.mark.row(
        "broker/queue-deleted",
        "a work queue is deleted",
        "declared and consumed again (its jobs are gone with it)",
    )
    def test_queue_deleted_and_declared_again(self, scene: Scene) -> None:
        """The consumer that the broker cancelled is there again."""
        worker = scene.ready()
        with open_channel(scene.amqp_url) as channel:
            channel.queue_delete(f"{scene.prefix}.send")
        wait_until(lambda: _takes(scene), "the queue is declared again", RECOVERY)
        worker.wait_ready(RECOVERY)
        assert ACCEPTED == scene.wait_result(scene.send()).outcomes

    @pytest.mark.row(
        "broker/unroutable",
        "a result is returned as unroutable",
        "the topology is repaired, the result published again",
    )
    def test_result_queue_deleted(self, scene: Scene) -> None:
        """A result that came back as unroutable is published again once its queue is declared again."""
        scene.ready()
        job = job_in_call(scene)
        with open_channel(scene.amqp_url) as channel:
            channel.queue_delete(f"{scene.prefix}.results.unrouted")
        check_whole(scene, job)

    @pytest.mark.row(
        "broker/consumer-timeout",
        "the broker closes the channel over `consumer_timeout`",
        "consumed again; the call is not repeated",
    )
    def test_consumer_timeout(self, own_broker: PrivateBroker, scene: Scene) -> None:
        """A delivery that is held for too long costs the channel, not the job."""
        own_broker.rabbitmqctl("eval", "application:set_env(rabbit, consumer_timeout, 1000).")
        own_broker.rabbitmqctl("eval", "application:set_env(rabbit, channel_tick_interval, 500).")
        try:
            worker = scene.ready(ITON_TIMEOUT=20)
            job = job_in_call(scene, seconds=6)
            wait_until(lambda: worker.events("broker.unavailable"), "the channel was closed", RECOVERY)
            check_whole(scene, job)
            worker.wait_ready(RECOVERY)
        finally:
            own_broker.rabbitmqctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
            own_broker.rabbitmqctl("eval", "application:set_env(rabbit, channel_tick_interval, 60000).")


def _takes(scene: Scene) -> bool:
    """Whether a job can be published."""
    with suppress(Exception):
        scene.send()
        return True
    return False
