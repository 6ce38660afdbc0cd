"""A RabbitMQ of each version, the real worker, the stand-in for the gateway."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.local_broker import PrivateBroker
from tests.support import worker_process
from tests.support.broker import own_prefix
from tests.support.line import Line, line_on
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.worker_process import Workshop
from tests.versions.nodes import VERSIONS, node_of
from tests.versions.stage import SETTINGS, Stage, stage_on


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every living worker's output with a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"{item.name}: {one.log}", one.tail()) for one in worker_process.alive]
    return report


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Every version in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def versioned_node(version: str) -> Iterator[PrivateBroker]:
    """Provide the one node of the version."""
    with node_of(version) as node:
        yield node


@pytest.fixture
def node(versioned_node: PrivateBroker) -> Iterator[PrivateBroker]:
    """Provide the node, which runs, and runs again after a test that stopped it."""
    versioned_node.start()
    yield versioned_node
    versioned_node.start()


@pytest.fixture
def prefix(node: PrivateBroker) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` of the test's own; its objects are deleted afterwards."""
    with own_prefix(node.url) as prefix:
        yield prefix
        node.start()


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Provide the one simulator of the run."""
    with simulator_process(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def gateway(simulator: SimulatorProcess) -> Iterator[SimulatorProcess]:
    """Provide the simulator as new."""
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture
def workshop(node: PrivateBroker, prefix: str, gateway: SimulatorProcess, tmp_path: Path) -> Workshop:
    """Provide a start of workers; `stage` closes it."""
    return Workshop(amqp_url=node.url, prefix=prefix, gateway_url=gateway.url, folder=tmp_path)


@pytest.fixture
def stage(node: PrivateBroker, workshop: Workshop, gateway: SimulatorProcess) -> Iterator[Stage]:
    """Provide a stage on a broker that may be harmed."""
    with stage_on(node.url, workshop, gateway) as stage:
        yield stage


@pytest.fixture(scope="module")
def version_line(
    versioned_node: PrivateBroker, simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """Provide one worker for those tests of a version that leave it and the node working."""
    with ExitStack() as stack:
        prefix = stack.enter_context(own_prefix(versioned_node.url))
        workshop = Workshop(
            amqp_url=versioned_node.url,
            prefix=prefix,
            gateway_url=simulator.url,
            folder=tmp_path_factory.mktemp("line"),
        )
        stack.callback(workshop.close)
        workshop.start(**SETTINGS, WORKER_RETRY_ATTEMPTS=1, WORKER_BREAKER_FAILURES=1000).wait_ready(60)
        yield line_on(stack, workshop, simulator)


@pytest.fixture
def line(version_line: Line, gateway: SimulatorProcess) -> Line:
    """Provide that worker with a gateway as new."""
    assert gateway is version_line.gateway
    return version_line
