"""The real worker beside a real RabbitMQ and the stand-in for the gateway."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.find_broker import FoundBroker
from tests.support import worker_process
from tests.support.fleet import Stage
from tests.support.line import Line, line_on
from tests.support.redis_server import RedisServer
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.used_prefix import used_prefix
from tests.support.worker_process import AS_TYPED, Workshop

DEBUG_SETTINGS = {"LOG_LEVEL": "debug", "ITON_ALLOWED_PARAMS": "template_id,entity_id"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every living worker's output with a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"{item.name}: {one.log}", one.tail()) for one in worker_process.alive]
    return report


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Provide the one simulator of the run."""
    with simulator_process(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def gateway(simulator: SimulatorProcess) -> Iterator[SimulatorProcess]:
    """Provide the simulator as new: what an earlier test did to it is forgotten."""
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture(scope="session")
def shared_line(
    broker: FoundBroker, simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """Provide one worker with usual settings for the whole run."""
    with ExitStack() as stack:
        prefix = stack.enter_context(used_prefix(broker.url))
        workshop = Workshop(
            amqp_url=broker.url,
            prefix=prefix,
            gateway_url=simulator.url,
            folder=tmp_path_factory.mktemp("shared"),
            command=AS_TYPED,
        )
        stack.callback(workshop.close)
        # Each test asks about the same few numbers, and shall find what its own gateway says.
        workshop.ready(**DEBUG_SETTINGS, WORKER_BREAKER_FAILURES=1000, WORKER_DND_MEMORY=0)
        yield line_on(stack, workshop, simulator)


@pytest.fixture
def line(shared_line: Line, gateway: SimulatorProcess) -> Line:
    """Provide the shared worker with a gateway as new. For tests that leave it working."""
    assert gateway is shared_line.gateway
    return shared_line


@pytest.fixture
def amqp_prefix(broker: FoundBroker) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` that is the test's alone; an earlier one's topology may be there, empty."""
    with used_prefix(broker.url) as prefix:
        yield prefix


@pytest.fixture
def workshop(
    broker: FoundBroker, amqp_prefix: str, gateway: SimulatorProcess, tmp_path: Path
) -> Iterator[Workshop]:
    """Provide a start of workers on a prefix, a ledger and a folder of the test's own; none runs yet."""
    shop = Workshop(amqp_url=broker.url, prefix=amqp_prefix, gateway_url=gateway.url, folder=tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def own_line(workshop: Workshop, gateway: SimulatorProcess) -> Iterator[Callable[..., Line]]:
    """Provide a function that starts a ready worker with given settings, and everything around it."""
    with ExitStack() as stack:

        def start(**settings: object) -> Line:
            workshop.ready(**settings)
            return line_on(stack, workshop, gateway)

        yield start


@pytest.fixture
def redis_of_stage(tmp_path: Path) -> Iterator[RedisServer]:
    """Provide the Redis of ``stage``."""
    with RedisServer(tmp_path / "redis") as redis:
        yield redis


@pytest.fixture
def stage(
    broker: FoundBroker,
    amqp_prefix: str,
    gateway: SimulatorProcess,
    redis_of_stage: RedisServer,
    tmp_path: Path,
) -> Stage:
    """Provide broker, gateway and a Redis of the test's own for a fleet."""
    return Stage(broker.url, amqp_prefix, gateway, redis_of_stage.url, tmp_path)
