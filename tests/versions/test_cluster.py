"""Three nodes in one cluster: a node dies, the work goes on with nothing lost and nothing doubled."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Self

import pytest

from scripts.broker_objects import remove_objects, unique_prefix
from scripts.local_broker import PrivateBroker
from tests.support.deadline import DEADLINE
from tests.support.faults_gate import FaultGate
from tests.support.results_side import numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import PROGRAM, WorkerProcess, Workshop, wait_until
from tests.versions.balancer import balancer
from tests.versions.nodes import Cluster, cluster_of
from tests.versions.stage import RECOVERY, SETTINGS, Stage, stage_on

NODES = 3
RECIPIENTS = 3_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Provide one cluster for all tests."""
    with cluster_of(NODES) as cluster:
        yield cluster


@pytest.fixture
def whole(cluster: Cluster) -> Cluster:
    """Provide the cluster with all its nodes, also after a test that killed some."""
    cluster.start()
    return cluster


@pytest.fixture
def way(whole: Cluster) -> Iterator[FaultGate]:
    """Provide the worker's way: to the first node while it lives."""
    with balancer(whole.nodes[0].url, [node.port for node in whole.nodes]) as gate:
        yield gate


@pytest.fixture
def workshop(whole: Cluster, way: FaultGate, gateway: SimulatorProcess, tmp_path: Path) -> Iterator[Workshop]:
    """Provide a start of workers behind the balancer; what they declare is deleted afterwards."""
    shop = Workshop(amqp_url=way.url, prefix=unique_prefix("test"), gateway_url=gateway.url, folder=tmp_path)
    yield shop
    whole.start()
    remove_objects(whole.nodes[2].url, shop.prefix)


@pytest.fixture
def stage(whole: Cluster, workshop: Workshop, gateway: SimulatorProcess) -> Iterator[Stage]:
    """Provide a stage that looks at the third node, which no test kills."""
    gateway.change(latency=0.1)
    with stage_on(whole.nodes[2].url, workshop, gateway) as stage:
        yield stage


class Traffic:
    """Publishes a job every now and then, from a thread of its own, until told to stop."""

    def __init__(self, stage: Stage) -> None:
        self.jobs: list[str] = []
        self._stage = stage
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="traffic")

    def __enter__(self) -> Self:
        """Start, and return when jobs flow."""
        self._thread.start()
        self.flow_on()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        self._end.set()
        self._thread.join(DEADLINE)

    def flow_on(self, more: int = 5) -> None:
        """Wait until some more jobs were published and confirmed."""
        wanted = len(self.jobs) + more
        wait_until(lambda: len(self.jobs) >= wanted, f"{more} more jobs are published")

    def _publish(self) -> None:
        while not self._end.wait(0.05):
            with suppress(AssertionError):
                self.jobs.append(self._stage.send())


class TestQueues:
    """How a quorum queue spreads."""

    def test_each_has_a_member_on_every_node(self, whole: Cluster, workshop: Workshop) -> None:
        """Without any argument for it."""
        declare_at(whole.nodes[0], workshop)
        members = whole.members(workshop.prefix)
        assert f"{workshop.prefix}.send" in members
        assert {NODES} == set(members.values())


class TestNodesKilled:
    """With SIGKILL, while jobs flow."""

    def test_the_leader_then_the_node_that_the_worker_is_connected_to(
        self, whole: Cluster, workshop: Workshop, stage: Stage
    ) -> None:
        """The first costs the worker nothing but a pause; after the second it connects to a living node."""
        first, second, _third = whole.nodes
        declare_at(second, workshop)
        worker = stage.ready()
        with Traffic(stage) as traffic:
            assert second is whole.leader(f"{workshop.prefix}.send")
            second.kill()
            goes_on(stage, traffic, worker, "leader killed")
            second.start()
            wait_until(lambda: {NODES} == set(whole.online(workshop.prefix).values()), "it has joined")
            first.kill()
            goes_on(stage, traffic, worker, "the worker's node killed")
        complete(stage, traffic.jobs)

    def test_the_node_that_is_both(self, whole: Cluster, workshop: Workshop, stage: Stage) -> None:
        """In the middle of a large job: each recipient is sent to once, and has the gateway's id."""
        first = whole.nodes[0]
        declare_at(first, workshop)
        stage.gateway.change(latency=0.5)
        worker = stage.ready(WORKER_MAX_CALLS=4, WORKER_URGENT_CALLS=1)
        job = stage.send(*numbers(RECIPIENTS))
        wait_until(lambda: len(stage.gateway.sends(job)) >= 5, "some calls are made")
        assert first is whole.leader(f"{workshop.prefix}.send.parts")
        began = monotonic()
        first.kill()
        wait_until(lambda: RECIPIENTS == len(ids_of(stage, job)), "all parts")
        told("all parts of the large job", began)
        sent = [pair for one in stage.gateway.sends(job) for pair in zip(one["to"], one["ids"], strict=True)]
        assert sorted(sent) == sorted(ids_of(stage, job).items())
        worker.wait_ready(RECOVERY)


def declare_at(node: PrivateBroker, shop: Workshop) -> None:
    """Declare the topology at one node: there the leaders of all queues are then."""
    env = shop.environment(**SETTINGS, AMQP_URL=node.url)
    command = [str(PROGRAM), "topology", "--declare"]
    subprocess.run(command, env=env, cwd=shop.folder, check=True, capture_output=True, timeout=60)


def goes_on(stage: Stage, traffic: Traffic, worker: WorkerProcess, what: str) -> None:
    """Jobs that are published from now on have results in time, and the worker says that it is ready."""
    began = monotonic()
    traffic.flow_on()
    stage.wait_result(traffic.jobs[-1])
    worker.wait_ready(RECOVERY)
    told(what, began)


def told(what: str, began: float) -> None:
    """Print how long it took."""
    print(f"{what}: {monotonic() - began:.1f} s")  # noqa: T201 - a figure of the suite


def complete(stage: Stage, jobs: list[str]) -> None:
    """Each job was sent once and has one outcome with the gateway's id."""
    wait_until(lambda: {one.job_id for one in stage.results()} >= set(jobs), "every result", RECOVERY)
    sent = Counter(send["message"] for send in stage.gateway.sends())
    assert dict.fromkeys(jobs, 1) == sent
    outcomes = {(one.job_id, one.key, one.raw) for one in stage.results()}
    assert Counter(jobs) == Counter(job for job, _key, _raw in outcomes)
    assert {"send.accepted"} == {key for _job, key, _raw in outcomes}
    assert 0 == stage.ready_in("dead")


def ids_of(stage: Stage, job: str) -> dict[str, str]:
    """Return the message ids by recipient that were published so far."""
    return {number: key for part in stage.results(job) for number, key in part.ids.items()}
