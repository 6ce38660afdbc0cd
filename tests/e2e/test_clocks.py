"""A fleet whose machines disagree about the time: one worker's wall clock is hours off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.debian import PROOFS
from tests.support.chaos_gateway import gateway_loop
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.faults_gate import FaultGate, fault_gate
from tests.support.redis_server import RedisServer
from tests.support.worker_process import AS_TYPED, WorkerProcess, wait_until, worker_environment

pytestmark = pytest.mark.slow

ACCEPTED = {PLAIN: "accepted"}
UNCERTAIN = {PLAIN: "uncertain"}
TIMEOUT = 8  # ITON_TIMEOUT, seconds
HELD = 6  # seconds of a call; the other worker is at the broker long before they are over
AHEAD, BEHIND = "+3h", "-3h"


@pytest.fixture
def ledger_url(tmp_path: Path) -> Iterator[str]:
    """Provide the ledger of a fleet."""
    with RedisServer(tmp_path / "redis") as redis:
        yield redis.url


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene with a gateway of its own."""
    with (
        gateway_loop() as loop,
        loop.gateway() as gateway,
        open_scene(amqp_url, amqp_prefix, gateway, tmp_path) as scene,
    ):
        yield scene


@pytest.fixture
def gate(amqp_url: str) -> Iterator[FaultGate]:
    """Provide a way to the broker that can be blocked."""
    with fault_gate(amqp_url) as gate:
        yield gate


class Skewed:
    """A worker with a wrong wall clock on the scene's gateway and ledger, kept from the broker at first.

    Its start takes seconds, which must be over when the other one has its call.
    """

    def __init__(self, scene: Scene, ledger_url: str, way: FaultGate) -> None:
        self._scene = scene
        self._ledger_url = ledger_url
        self._way = way
        self.worker: WorkerProcess | None = None

    def start(self, offset: str) -> None:
        """Start it with its clock off by *offset*, and wait until it only lacks the broker."""
        scene = self._scene
        env = worker_environment(
            amqp_url=self._way.url,
            prefix=scene.prefix,
            gateway_url=scene.gateway.url,
            folder=scene.folder,
            LEDGER_URL=self._ledger_url,
            ITON_TIMEOUT=TIMEOUT,
            # Clocks that count on are not touched: they are the same everywhere.
            LD_PRELOAD=PROOFS["libfaketime"],
            FAKETIME=offset,
            DONT_FAKE_MONOTONIC=1,
        )
        self._way.hang()
        self.worker = WorkerProcess(env, scene.folder, name="skewed", command=AS_TYPED)
        assert "broker" in self.worker.wait_not_ready()

    def join(self) -> None:
        """Let it at the broker."""
        assert self.worker is not None
        self._way.heal()
        self.worker.wait_ready()


@pytest.fixture
def skewed(scene: Scene, ledger_url: str, amqp_url: str) -> Iterator[Skewed]:
    """Provide a worker with a wrong clock; it does not run yet."""
    with fault_gate(amqp_url) as way:
        skewed = Skewed(scene, ledger_url, way)
        yield skewed
        if skewed.worker is not None:
            skewed.worker.kill_what_is_left()


def in_call(scene: Scene) -> str:
    """Publish a job and return it while the gateway has its call and keeps the reply back."""
    scene.gateway.fault(command="sendSMS", latency=HELD, when="after", times=1)
    job = scene.send()
    wait_until(lambda: scene.gateway.ids(job), "the call is carried out")
    return job


def cut_off(gate: FaultGate) -> None:
    """Take the broker from the worker behind *gate*; it keeps its call."""
    gate.hang()
    gate.cut()


class TestAhead:
    """By the own clock of the worker that gets the job, the call of the other one were long over."""

    @pytest.mark.row(
        "clock/ahead",
        "three hours ahead",
        "the clock of the ledger's server counts: it waits for the reply: accepted, revision 1",
    )
    def test_it_waits_for_the_reply(
        self, scene: Scene, ledger_url: str, gate: FaultGate, skewed: Skewed
    ) -> None:
        """Leases are counted by the clock of the ledger's server: accepted, once, and nothing to revise."""
        right = scene.ready(AMQP_URL=gate.url, LEDGER_URL=ledger_url, ITON_TIMEOUT=TIMEOUT)
        skewed.start(AHEAD)
        job = in_call(scene)
        skewed.join()
        cut_off(gate)
        result = scene.wait_result(job)
        gate.heal()
        right.wait_ready()
        assert (1, ACCEPTED) == (result.revision, result.outcomes)
        assert scene.gateway.ids(job) == {PLAIN: [result.ids[PLAIN]]}

    def test_its_own_work_is_right(self, scene: Scene, skewed: Skewed) -> None:
        """Alone, it sends once and its results have the gateway's ids."""
        skewed.start(AHEAD)
        skewed.join()
        job = scene.send()
        ids = scene.wait_result(job).ids
        assert scene.gateway.ids(job) == {PLAIN: [ids[PLAIN]]}


class TestBehind:
    """To the worker that gets the job the call of the other one has not begun yet."""

    @pytest.mark.row("clock/behind", "three hours behind", "it waits for the reply: accepted, revision 1")
    def test_it_waits_for_the_reply(
        self, scene: Scene, ledger_url: str, gate: FaultGate, skewed: Skewed
    ) -> None:
        """The other one's record ends the wait: accepted, once, and nothing to revise."""
        right = scene.ready(AMQP_URL=gate.url, LEDGER_URL=ledger_url, ITON_TIMEOUT=TIMEOUT)
        skewed.start(BEHIND)
        job = in_call(scene)
        skewed.join()
        cut_off(gate)
        result = scene.wait_result(job)
        gate.heal()
        right.wait_ready()
        assert (1, ACCEPTED) == (result.revision, result.outcomes)
        assert scene.gateway.ids(job) == {PLAIN: [result.ids[PLAIN]]}

    @pytest.mark.row(
        "clock/behind-killed",
        "the same, and the one with the call is killed",
        "no wait is longer than a whole lease by its own clock that counts on: "
        "`uncertain` within `ITON_TIMEOUT` + 15 s",
    )
    def test_it_waits_no_longer_than_a_call_may_take(
        self, scene: Scene, ledger_url: str, skewed: Skewed
    ) -> None:
        """A killed worker's job has its result within the call's time limit and 15 s, not in three hours."""
        right = scene.ready(LEDGER_URL=ledger_url, ITON_TIMEOUT=TIMEOUT)
        skewed.start(BEHIND)
        job = in_call(scene)
        skewed.join()
        right.kill()
        assert UNCERTAIN == scene.wait_result(job, within=TIMEOUT + 15).outcomes
        assert 1 == len(scene.gateway.ids(job)[PLAIN])
