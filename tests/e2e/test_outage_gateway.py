"""The gateway is away, or refuses the account: the work waits, nothing of it is burnt."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.support.chaos_gateway import GatewayLoop, LocalGateway, gateway_loop
from tests.support.chaos_scene import Scene, open_scene
from tests.support.deadline import DEADLINE
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

JOBS = 8
JobFields = dict[str, Any]
Trouble = Callable[[LocalGateway], None]


@pytest.fixture
def loop() -> Iterator[GatewayLoop]:
    """Provide a place for gateways."""
    with gateway_loop() as loop:
        yield loop


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, loop: GatewayLoop, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene on the shared broker."""
    with loop.gateway() as gateway, open_scene(amqp_url, amqp_prefix, gateway, tmp_path) as scene:
        yield scene


def publish_some(scene: Scene, **fields: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Publish a handful of jobs, each to one number."""
    return [scene.send(f"9198765{number:05d}", **fields) for number in range(20, 20 + JOBS)]


def wait_all(scene: Scene, jobs: list[str], within: float = DEADLINE) -> None:
    """Wait until every job was accepted; nothing failed, nothing is dead, nobody got two."""
    wait_until(lambda: set(jobs) <= {one.job_id for one in scene.results()}, "all results", within)
    assert {"accepted"} == {outcome for one in scene.results() for outcome in one.outcomes.values()}
    assert [] == scene.dead()
    assert 0 == scene.repeats()


def fault(command: str, **fields: object) -> Trouble:
    """Return what switches a fault on."""

    def begin(gateway: LocalGateway) -> None:
        gateway.fault(command=command, **fields)

    return begin


class TestGatewayDown:
    """The outage lasts until the breaker has tried in vain, then ends."""

    @pytest.mark.row(
        "outage/gateway",
        "sendSMS, DND or all commands down (503, closed connections), credentials refused, no credits",
        "jobs wait, nothing fails, no dead letter; all accepted within 10 s of the end",
    )
    @pytest.mark.parametrize(
        ("begin", "command", "job"),
        [
            (fault("sendSMS", status=503), "sendSMS", {}),
            (fault("all", status=503), "account", {}),
            (fault("check_DNDnumber", status=503), "check_DNDnumber", {"category": "promotional"}),
            (fault("check_DNDnumber", kind="drop"), "check_DNDnumber", {"category": "promotional"}),
            (fault("all", kind="refuse_credentials"), "account", {}),
            (fault("all", kind="no_credits"), "account", {}),
        ],
        ids=["sendSMS-503", "all-503", "dnd-503", "dnd-drop", "wrong-password", "no-credits"],
    )
    def test_jobs_wait_and_go_on(self, scene: Scene, begin: Trouble, command: str, job: JobFields) -> None:
        """All jobs are accepted within 10 s of the end; no outcome failed, no dead letter."""
        scene.ready()
        begin(scene.gateway)
        jobs = publish_some(scene, **job)
        asked = scene.gateway.calls(command)
        wait_until(lambda: scene.gateway.calls(command) >= asked + 2, "the worker has tried")
        assert [] == scene.results()
        scene.gateway.clear_faults()
        wait_all(scene, jobs, within=10)

    @pytest.mark.row("outage/refused", "connections refused", "the same; the worker stays ready")
    def test_connection_refused(
        self, amqp_url: str, amqp_prefix: str, loop: GatewayLoop, tmp_path: Path
    ) -> None:
        """The same while nobody listens at its port; the worker stays ready."""
        with loop.gateway() as gone:
            pass
        with open_scene(amqp_url, amqp_prefix, gone, tmp_path) as scene:
            worker = scene.ready()
            jobs = publish_some(scene)
            wait_until(lambda: worker.events("circuit.changed"), "the breaker is open")
            assert 200 == worker.readiness()[0]
            with loop.gateway(port=gone.port) as back:
                scene.gateway = back
                wait_all(scene, jobs, within=10)

    @pytest.mark.row("outage/retry-after", "503 with `Retry-After`", "no call before that time")
    def test_retry_after(self, scene: Scene) -> None:
        """No call is made before the time that the gateway asked for."""
        scene.ready()
        scene.gateway.fault(command="sendSMS", retry_after=6, times=1)
        began = monotonic()
        job = scene.send()
        wait_until(lambda: scene.gateway.calls("sendSMS") >= 2, "the second call")
        assert monotonic() - began >= 5.5
        wait_all(scene, [job])


class TestAccountRefused:
    """Credentials refused, or credits gone."""

    @pytest.mark.row(
        "outage/account",
        "the account is refused or empty",
        "`/readyz` 503 with the reason, 200 again by itself",
    )
    @pytest.mark.parametrize("kind", ["refuse_credentials", "no_credits"])
    def test_readiness(self, scene: Scene, kind: str) -> None:
        """/readyz says 503 and why, and 200 again by itself."""
        worker = scene.ready()
        scene.gateway.fault(kind=kind)
        job = scene.send()
        words = worker.wait_not_ready()
        assert {"refuse_credentials": "credentials", "no_credits": "credits"}[kind] in words
        scene.gateway.clear_faults()
        worker.wait_ready(10)
        wait_all(scene, [job], within=10)
