"""What stands around the measured ones: one broker, one gateway, for the whole benchmark."""

import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.broker_side import METER, BrokerSide
from bench.figures import Record
from bench.latency import Latency
from bench.ledger_servers import ledger_servers
from bench.processes import Tree
from bench.stub_probe import calls_a_second
from bench.systems import (
    CELERY,
    DRAMATIQ,
    PLAIN,
    QUORUM,
    ROOT,
    TASKIQ,
    Addresses,
    System,
    worker_queues,
)
from scripts.children import Child
from scripts.free_ports import free_ports
from scripts.local_broker import AS_SHIPPED, NodeOptions, private_broker

FOLDER = ROOT / ".local" / "bench"
PEER_QUEUES = (PLAIN, QUORUM, "bench.peer.urgent", TASKIQ, CELERY, DRAMATIQ)
RESULT_QUEUES = (METER, "bench.dramatiq.results")


@dataclass(frozen=True, slots=True)
class Scene:
    """The broker, the gateway's stand-in and a way to look at both."""

    where: Addresses
    stub_port: int
    side: BrokerSide
    broker: Tree
    stub: Tree
    queues: dict[str, list[str]]
    folder: Path

    def set_stub(self, latency: Latency, connections: int = 0) -> None:
        """Set the gateway, and its counts to nothing."""
        self._ask(f"set?{latency.query}&limit={connections}")

    def stub_state(self) -> Record:
        """Return what the gateway has counted."""
        return self._ask("state")

    def clean(self) -> None:
        """Empty every queue."""
        self.side.purge([*chain.from_iterable(self.queues.values()), *PEER_QUEUES, *RESULT_QUEUES])

    def queues_of(self, system: System) -> list[str]:
        """Return where jobs of *system* may be left over."""
        return self.queues[system.prefix] if system.is_ours else [system.jobs, "bench.peer.urgent"]

    def wait_for_consumers(self, queue: str, child: Child, seconds: float = 20) -> None:
        """Wait until somebody takes jobs from *queue*.

        Raises:
            TimeoutError: nobody did in time.
        """
        deadline = time.monotonic() + seconds
        while not self.side.depth(queue).consumers:
            if time.monotonic() > deadline or child.exit_code is not None:
                raise TimeoutError(f"nobody takes jobs from {queue}:\n{child.tail()}")
            time.sleep(0.05)

    def _ask(self, what: str) -> Record:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stub_port}/-/{what}", timeout=10) as reply:
            return json.load(reply)  # type: ignore[no-any-return]

    def stub_limit(self) -> float:
        """Return how many calls a second the gateway's stand-in could answer."""
        self.set_stub(Latency(0))
        return calls_a_second(self.stub_port)


@contextmanager
def stage(systems: Iterable[System]) -> Iterator[Scene]:
    """Start broker and gateway for *systems*; stop them and remove what they wrote."""
    shutil.rmtree(FOLDER / "run", ignore_errors=True)
    folder = FOLDER / "run"
    folder.mkdir(parents=True)
    # The measured ones share the cores with the broker: one as in production, which does not spin for work.
    options = NodeOptions(waiting=AS_SHIPPED)
    with (
        private_broker(folder / "broker", options) as broker,
        _stub(folder) as (stub, port),
        closing(BrokerSide(broker.url)) as side,
        ledger_servers(systems, folder) as ledgers,
    ):
        where = Addresses(broker.url, f"http://127.0.0.1:{port}/api/", ledgers)
        workers = {system.prefix: system for system in systems if system.is_ours}
        queues = {prefix: worker_queues(where, system) for prefix, system in workers.items()}
        kinds = ("send", "delivery", "account")
        exchanges = [f"{prefix}.results.{kind}" for prefix in workers for kind in kinds]
        side.declare(METER, PLAIN, QUORUM, "bench.peer.urgent", bound_to=exchanges)
        yield Scene(where, port, side, Tree(_pid_on(broker.port)), Tree(stub.pid), queues, folder)


@contextmanager
def _stub(folder: Path) -> Iterator[tuple[Child, int]]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.stub", str(port)]
    child = Child(command, env={"PATH": "/usr/bin:/bin"}, log=folder / "stub.log", cwd=ROOT)
    try:
        _wait_until_answers(port, child)
        yield child, port
    finally:
        child.kill()


def _wait_until_answers(port: int, child: Child) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/state", timeout=2).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the stub did not start:\n{child.tail()}") from None
            time.sleep(0.05)
        else:
            return


def _pid_on(port: int) -> int:
    """Return the process that listens on *port*: the Erlang VM."""
    import psutil  # noqa: PLC0415 - only here

    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return int(connection.pid)
    raise LookupError(f"nobody listens on {port}")
