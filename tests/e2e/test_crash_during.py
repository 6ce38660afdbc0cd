"""A worker is killed in the middle of a step, held there from outside, without a hook in the program."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.soak.calls_under_way import calls_under_way
from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.faults_gate import FaultGate, fault_gate
from tests.support.worker_process import wait_until


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    """Provide a gateway of the test's own."""
    with gateway_loop() as loop, loop.gateway() as gateway:
        yield gateway


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, gateway: LocalGateway, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene on the shared broker."""
    with open_scene(amqp_url, amqp_prefix, gateway, tmp_path) as scene:
        yield scene


@pytest.fixture
def gate(amqp_url: str) -> Iterator[FaultGate]:
    """Provide a way to the broker that can be blocked."""
    with fault_gate(amqp_url) as gate:
        yield gate


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Hold the ledger's file so that nobody can write it."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def _numbers(count: int) -> list[str]:
    return [f"91987651{index:04d}" for index in range(2_000) if 20 <= index % 100 < 99][:count]


class TestKilledDuring:
    """A step that had begun and not ended."""

    def test_the_claim(self, scene: Scene, gateway: LocalGateway) -> None:
        """The write is whole or absent: nothing was sent yet, so another worker sends."""
        worker = scene.ready()
        first = scene.send()
        scene.wait_result(first)
        with locked(scene.folder / "ledger.db"):
            job = scene.send()
            wait_until(lambda: worker.steps.count("swap") > 2, "the worker is at its claim")
            worker.kill()
        scene.ready()
        assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
        assert 1 == len(gateway.ids(job)[PLAIN])

    def test_the_call(self, scene: Scene, gateway: LocalGateway) -> None:
        """The text went out and its reply is lost: `uncertain`, in time, and no second call."""
        gateway.fault(command="sendSMS", kind="hang", when="after", times=1)
        worker = scene.ready()
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        worker.kill()
        scene.ready()
        result = scene.wait_result(job, within=3 + 15)
        assert {PLAIN: "uncertain"} == result.outcomes
        assert "worker_lost" == result.body["recipients"][0]["error"]["code"]
        assert 1 == len(gateway.ids(job)[PLAIN])

    def test_the_record_of_the_reply(self, scene: Scene, gateway: LocalGateway) -> None:
        """The ids die with the process that had read them: `uncertain`, and no second call."""
        gateway.fault(command="sendSMS", latency=0.5, when="after", times=1)
        worker = scene.ready()
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        with locked(scene.folder / "ledger.db"):
            wait_until(lambda: worker.steps.count("swap") == 2, "the worker records the reply")
            worker.kill()
        scene.ready()
        assert {PLAIN: "uncertain"} == scene.wait_result(job).outcomes
        assert 1 == len(gateway.ids(job)[PLAIN])

    def test_the_confirm(self, scene: Scene, gateway: LocalGateway, gate: FaultGate) -> None:
        """The result was perhaps published: it is published again, with the same id of the message."""
        gateway.fault(command="sendSMS", latency=0.5, when="after", times=1)
        worker = scene.ready(AMQP_URL=gate.url)
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        gate.hang()
        wait_until(lambda: "result" in worker.steps, "the worker publishes")
        worker.kill()
        gate.heal()
        scene.ready()
        assert gateway.ids(job) == {PLAIN: [scene.wait_result(job).ids[PLAIN]]}

    def test_the_parts_of_a_job(self, scene: Scene, gateway: LocalGateway) -> None:
        """Some are done, some under way, some not begun: only those under way are in doubt."""
        numbers = _numbers(800)
        gateway.change(latency=1.0, jitter=0.5)
        worker = scene.ready(WORKER_MAX_CALLS=5, WORKER_URGENT_CALLS=1)
        job = scene.send(*numbers)
        scene.wait_result(job)
        wait_until(lambda: gateway.calls("sendSMS") >= 5, "more calls are under way")
        worker.kill()
        calling = calls_under_way(f"sqlite:///{scene.folder}/ledger.db", scene.prefix)
        gateway.change(latency=0.0, jitter=0.0)
        scene.ready()
        wait_until(lambda: len({one.message_id for one in scene.results(job)}) == 8, "all parts")
        last = {one.message_id: one for one in scene.results(job)}
        assert 0 < len(calling) < 8
        assert calling == {key for key, one in last.items() if one.key == "send.uncertain"}
        assert {"send.accepted", "send.uncertain"} == {one.key for one in last.values()}
        assert sorted(numbers) == sorted(name for one in last.values() for name in one.outcomes)
        assert 0 == scene.repeats()
        assert all(gateway.ids(job)[name] == [key] for one in last.values() for name, key in one.ids.items())

    def test_the_split(self, scene: Scene, gate: FaultGate) -> None:
        """The parts were perhaps handed out: they are handed out again, and each is sent once."""
        numbers = _numbers(250)
        worker = scene.ready(AMQP_URL=gate.url, WORKER_SHARE_ABOVE=100)
        with locked(scene.folder / "ledger.db"):
            job = scene.send(*numbers)
            wait_until(lambda: "swap" in worker.steps, "the worker opens the job")
            gate.hang()
        wait_until(lambda: "part" in worker.steps, "the worker hands out parts")
        worker.kill()
        gate.heal()
        scene.ready()
        wait_until(lambda: len({one.message_id for one in scene.results(job)}) == 3, "all parts")
        assert set(numbers) == {name for one in scene.results(job) for name in one.outcomes}
        assert 0 == scene.repeats()
