"""Where the demo and the tests get a RabbitMQ from: a given URL, else a container, else a private node."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.local_broker import NodeOptions, PrivateBroker, private_broker

IMAGE = "rabbitmq:4"
USER = "guest"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FoundBroker:
    """A broker to use.

    Attributes:
        url: AMQP URL, credentials included.
        origin: where it comes from, for people; holds no credential.
        private: the node, where it is ours to stop, kill and ask; else None.
    """

    url: str
    origin: str
    private: PrivateBroker | None = None


def say_on_stderr(line: str) -> None:
    """Print *line* for the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def find_broker(
    variable: str, folder: Path, say: Say = say_on_stderr, options: NodeOptions | None = None
) -> Iterator[FoundBroker]:
    """Provide the broker of the environment variable *variable*, else a container, else a private node.

    A private node keeps its data in a new folder below *folder*. What was started is stopped and its data
    removed afterwards; *options* are for it. *say* is told why a source was passed over.

    Raises:
        PackagesMissingError: no broker, and RabbitMQ's package may not be installed.
        BrokerNotStartedError: the private node did not start.
    """
    url = os.environ.get(variable)
    with ExitStack() as stack:
        if url:
            yield FoundBroker(url, f"the broker of {variable}")
            return
        container = _container(stack, say) if _engine_answers() else None
        if container:
            yield FoundBroker(container, f"a RabbitMQ container ({IMAGE})")
            return
        node = stack.enter_context(disposable_broker(folder, options))
        yield FoundBroker(node.url, f"a private RabbitMQ node on port {node.port}", node)


@contextmanager
def disposable_broker(folder: Path, options: NodeOptions | None = None) -> Iterator[PrivateBroker]:
    """Run a private node with its data in a new folder below *folder*, which is removed afterwards.

    Raises:
        PackagesMissingError: RabbitMQ's package is not there and may not be installed.
        BrokerNotStartedError: the node did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="broker-", dir=folder))
    try:
        with private_broker(own, options) as node:
            yield node
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _engine_answers() -> bool:
    """Whether something takes connections where a Docker engine would; waits two seconds at most."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, _, address = host.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0


def _container(stack: ExitStack, say: Say) -> str | None:
    """Start RabbitMQ in a container and return its URL; None, and the reason told, where that fails."""
    # Importing it looks for an engine and takes half a second: only where there is one.
    from testcontainers.community.rabbitmq import RabbitMqContainer  # noqa: PLC0415

    try:
        container = stack.enter_context(RabbitMqContainer(IMAGE, username=USER, password=USER))
    except Exception as error:  # noqa: BLE001 - engine, registry and network fail in many ways: the node remains
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        say(f"No RabbitMQ container ({reason[:160]}): taking a private node instead.")
        return None
    parameters = container.get_connection_params()
    return f"amqp://{USER}:{USER}@{parameters.host}:{parameters.port}/"
