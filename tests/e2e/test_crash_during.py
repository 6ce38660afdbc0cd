"""A worker is killed in the middle of a step, held there from outside, without a hook in the program."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.soak.calls_under_way import calls_under_way
from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.deadline import DEADLINE
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


_JOINT: dict[str, Any] = {"WORKER_COALESCE_SENDS": True, "WORKER_MAX_CALLS": 2, "WORKER_URGENT_CALLS": 1}
_TEXT = "The sale ends on Sunday"
_NAMES = ("919876543210", "919876543211", "919876543212")


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

    @pytest.mark.row(
        "during-claim",
        "while the claim is being written",
        "nothing or `calling`",
        "a write is whole or absent: accepted, or as `send/before-call-1`",
    )
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

    @pytest.mark.row(
        "during-call",
        "while the gateway has the request",
        "`calling`",
        "`uncertain` within `ITON_TIMEOUT` + 15 s; one call",
    )
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

    @pytest.mark.row(
        "during-record",
        "while the reply is being recorded",
        "`calling` or `done`",
        "as `send/before-swap-2` or `send/before-result-1`",
    )
    def test_the_record_of_the_reply(self, scene: Scene, gateway: LocalGateway) -> None:
        """The ids die with the process that had read them: `uncertain`, and no second call."""
        gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        worker = scene.ready()
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        with locked(scene.folder / "ledger.db"):
            wait_until(lambda: worker.steps.count("swap") == 2, "the worker records the reply")
            worker.kill()
        scene.ready()
        assert {PLAIN: "uncertain"} == scene.wait_result(job).outcomes
        assert 1 == len(gateway.ids(job)[PLAIN])

    @pytest.mark.row(
        "during-confirm",
        "while the broker has not confirmed the result",
        "`done`",
        "accepted; the result once or twice, the same",
    )
    def test_the_confirm(self, scene: Scene, gateway: LocalGateway, gate: FaultGate) -> None:
        """The result was perhaps published: it is published again, with the same id of the message."""
        gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        worker = scene.ready(AMQP_URL=gate.url)
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        gate.hang()
        wait_until(lambda: "result" in worker.steps, "the worker publishes")
        worker.kill()
        gate.heal()
        scene.ready()
        assert gateway.ids(job) == {PLAIN: [scene.wait_result(job).ids[PLAIN]]}

    @pytest.mark.row(
        "during-parts",
        "SIGKILL with some of eight parts done and up to four under way",
        "exactly those under way are `uncertain`, the others accepted; one text a number",
    )
    def test_the_parts_of_a_job(self, scene: Scene, gateway: LocalGateway) -> None:
        """Some are done, some under way, some not begun: only those under way are in doubt."""
        numbers = _numbers(800)
        gateway.change(latency=2.0, jitter=1.0)
        worker = scene.ready(WORKER_MAX_CALLS=5, WORKER_URGENT_CALLS=1, ITON_TIMEOUT=8)
        job = scene.send(*numbers)
        scene.wait_result(job)
        wait_until(lambda: gateway.calls("sendSMS") >= 5, "more calls are under way")
        worker.kill()
        calling = calls_under_way(f"sqlite:///{scene.folder}/ledger.db", scene.prefix)
        gateway.change(latency=0.0, jitter=0.0)
        scene.ready(ITON_TIMEOUT=8)
        wait_until(lambda: len({one.message_id for one in scene.results(job)}) == 8, "all parts")
        last = {one.message_id: one for one in scene.results(job)}
        assert 0 < len(calling) < 8
        assert calling == {key for key, one in last.items() if one.key == "send.uncertain"}
        assert {"send.accepted", "send.uncertain"} == {one.key for one in last.values()}
        assert sorted(numbers) == sorted(name for one in last.values() for name in one.outcomes)
        assert 0 == scene.repeats()
        assert all(gateway.ids(job)[name] == [key] for one in last.values() for name, key in one.ids.items())

    @pytest.mark.row(
        "during-split",
        "while the broker has not confirmed the parts",
        "the plan",
        "all accepted; each part sent once, however often it was handed out",
    )
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


class TestKilledDuringJointCall:
    """The same of a call that three jobs share."""

    @pytest.mark.row(
        "joint/during-claim",
        "while the claims are being written",
        "nothing or `calling`, of each job",
        "a write is whole or absent (SQLite: all of them together): accepted, or as `joint/before-call-1`",
    )
    def test_the_claim(self, scene: Scene, gateway: LocalGateway) -> None:
        """The claims are whole or absent, together: nothing was sent yet, so another worker sends."""
        worker = scene.ready(gathers=3, **_JOINT)
        with locked(scene.folder / "ledger.db"):
            jobs = _published(scene)
            wait_until(lambda: "swap" in worker.steps, "the worker is at the claim of all")
            worker.kill()
        scene.ready(**_JOINT)
        assert dict.fromkeys(_NAMES, "accepted") == _outcomes(scene, jobs)
        assert dict.fromkeys(_NAMES, 1) == _times(gateway)

    @pytest.mark.row(
        "joint/during-call",
        "while the gateway has the request",
        "each job `calling`",
        "all `uncertain` within `ITON_TIMEOUT` + 15 s; one call",
    )
    def test_the_call(self, scene: Scene, gateway: LocalGateway) -> None:
        """The text went out to all and the reply is lost: all `uncertain`, in time, and no second call."""
        gateway.fault(command="sendSMS", kind="hang", when="after", times=1)
        worker = scene.ready(gathers=3, **_JOINT)
        jobs = _published(scene)
        wait_until(lambda: gateway.ids(_TEXT), "the call is carried out")
        worker.kill()
        scene.ready(**_JOINT)
        assert dict.fromkeys(_NAMES, "uncertain") == _outcomes(scene, jobs, within=3 + 15)
        assert dict.fromkeys(_NAMES, 1) == _times(gateway)
        assert 1 == gateway.calls("sendSMS")

    @pytest.mark.row(
        "joint/during-record",
        "while the reply is being recorded",
        "`calling` or `done`, of each job",
        "as `joint/before-swap-2` or `joint/before-result-1`",
    )
    def test_the_record_of_the_reply(self, scene: Scene, gateway: LocalGateway) -> None:
        """The ids of all die with the process that had read them: `uncertain`, and no second call."""
        gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        worker = scene.ready(gathers=3, **_JOINT)
        jobs = _published(scene)
        wait_until(lambda: gateway.ids(_TEXT), "the call is carried out")
        with locked(scene.folder / "ledger.db"):
            wait_until(lambda: worker.steps.count("swap") == 2, "the worker records the reply for all")
            worker.kill()
        scene.ready(**_JOINT)
        assert dict.fromkeys(_NAMES, "uncertain") == _outcomes(scene, jobs)
        assert dict.fromkeys(_NAMES, 1) == _times(gateway)

    @pytest.mark.row(
        "joint/during-confirm",
        "while the broker has not confirmed the results",
        "each job `done`",
        "all accepted; each result once or twice, the same",
    )
    def test_the_confirms(self, scene: Scene, gateway: LocalGateway, gate: FaultGate) -> None:
        """The results were perhaps published: each is published again, as the ledger has it."""
        gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        worker = scene.ready(gathers=3, AMQP_URL=gate.url, **_JOINT)
        jobs = _published(scene)
        wait_until(lambda: gateway.ids(_TEXT), "the call is carried out")
        gate.hang()
        wait_until(lambda: worker.steps.count("result") == 3, "the worker publishes")
        worker.kill()
        gate.heal()
        scene.ready(**_JOINT)
        ids = [scene.wait_result(job).ids for job in jobs]
        assert [{name: gateway.ids(_TEXT)[name][0]} for name in _NAMES] == ids
        assert dict.fromkeys(_NAMES, 1) == _times(gateway)


def _published(scene: Scene) -> list[str]:
    return [scene.send(name, text=_TEXT) for name in _NAMES]


def _outcomes(scene: Scene, jobs: list[str], within: float = DEADLINE) -> dict[str, str]:
    """What became of each number; a job has exactly one."""
    results = [scene.wait_result(job, within=within).outcomes for job in jobs]
    return {name: outcome for outcomes in results for name, outcome in outcomes.items()}


def _times(gateway: LocalGateway) -> dict[str, int]:
    return {name: len(ids) for name, ids in gateway.ids(_TEXT).items()}
