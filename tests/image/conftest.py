"""The image, really built, in a real engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.base_image import BaseMissingError, engine_with_base
from scripts.container_engine import ROOT, Engine, EngineMissingError
from scripts.debian import PackagesMissingError
from scripts.find_broker import FoundBroker
from tests.support.containers import CANARY, Dock, dock_with
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.worker_process import PASSWORD, USERNAME

IMAGE = "iton-worker:under-test"
# Where people leave credentials and data, within what the image is built from as well.
FORGOTTEN = (
    ".env",
    ".env.local",
    "worker/.env",
    "worker/settings/.env.prod",
    "iton-ledger.db",
    "worker/l.db",
)
_LOCAL = (".git", ".venv", ".local", "*.egg-info", ".*_cache", ".hypothesis", "node_modules")


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Provide a Docker engine that holds the base image. Where there is none, the tests fail and say why."""
    try:
        with engine_with_base() as engine:
            yield engine
    except (EngineMissingError, BaseMissingError, PackagesMissingError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image by the Dockerfile as it is, in a checkout where secrets lie about; return its name."""
    checkout = tmp_path_factory.mktemp("checkout") / "iton-worker"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*_LOCAL))
    for name in FORGOTTEN:
        (checkout / name).write_text(f"ITON_PASSWORD={CANARY}\n")
    engine("build", "--network=host", "--quiet", f"--tag={IMAGE}", checkout, timeout=600)
    return IMAGE


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Provide the stand-in for the gateway."""
    with simulator_process(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def dock(
    engine: Engine,
    image: str,
    broker: FoundBroker,
    amqp_prefix: str,
    gateway: SimulatorProcess,
    tmp_path: Path,
) -> Iterator[Dock]:
    """Provide a start of hardened containers; their settings come from secret files."""
    gateway.reset()
    settings = {
        "AMQP_URL": broker.url,
        "AMQP_PREFIX": amqp_prefix,
        "ITON_BASE_URL": gateway.url,
        "ITON_USERNAME": USERNAME,
        "ITON_PASSWORD": PASSWORD,
    }
    with dock_with(engine, image, tmp_path / "secrets", settings) as dock:
        yield dock
