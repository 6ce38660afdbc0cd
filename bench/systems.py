"""Who is measured: the worker as a user would run it, and the peers."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from bench.jobs import Job, to_bytes
from scripts.children import Child

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(".venv", "bin")  # of a checkout
PEERS = ROOT / ".local" / "bench-venv" / "bin"
OUR_TITLE, OTHER_TITLE = "iton-worker", "iton-worker, the other checkout"
COALESCED = {"ours": "coalesced", "other": "other-coalesced"}
QUORUM = "bench.peer.quorum"
PLAIN, TASKIQ, CELERY, DRAMATIQ = "bench.peer.jobs", "bench.taskiq", "bench.celery", "bench.dramatiq"
# A setting of the worker that joins sends of the same text, by the newest name that it may have.
JOINING = ("WORKER_COALESCE_SENDS", "WORKER_JOIN_SENDS", "WORKER_SEND_COALESCE")
_FOREIGN = ("ITON_", "WORKER_", "AMQP_", "LEDGER_", "HEALTH_", "LOG_", "RABBITMQ_", "BENCH_", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the broker and the gateway's stand-in are, and the servers of ledgers by their kind."""

    amqp: str
    gateway: str
    ledgers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a peer is tuned to, and what the worker is told."""

    prefetch: int
    connections: int
    told: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class System:
    """One way to do the jobs.

    Attributes:
        command: its program and arguments.
        speed: rough share of the load's jobs that it gets, so that a run lasts seconds.
        most: the most jobs in flight that still help it (httpx gets slower with more); 0: any.
        publisher: module that publishes jobs in its own format; empty: plain JSON.
        prefix: of what a worker declares; empty: a peer.
        jobs: its queue of jobs.
        results: the queue that its results end in.
        env: more environment.
        ledger: of the worker: a kind of server; empty: its own SQLite file.
    """

    name: str
    title: str
    command: tuple[str, ...]
    speed: float = 1.0
    most: int = 0
    publisher: str = ""
    prefix: str = ""
    jobs: str = PLAIN
    results: str = "bench.meter"
    env: dict[str, str] = field(default_factory=dict)
    ledger: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is the worker, of this checkout or another."""
        return bool(self.prefix)

    def start(self, where: Addresses, tuning: Tuning, folder: Path) -> Child:
        """Start it in *folder*, where its log and its ledger go."""
        folder.mkdir(parents=True, exist_ok=True)
        own = self._own_env(where, tuning)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
        cwd = folder if self.is_ours else ROOT
        return Child(self.command, env=kept | own | self.env, log=folder / f"{self.name}.log", cwd=cwd)

    def publish(self, where: Addresses, jobs: list[Job]) -> None:
        """Publish by its own client.

        Raises:
            subprocess.CalledProcessError: that failed.
        """
        env = os.environ | {"BENCH_AMQP": where.amqp}
        lines = b"\n".join(to_bytes(job) for job in jobs)
        command: list[str | Path] = [PEERS / "python", "-m", self.publisher]
        subprocess.run(command, input=lines, env=env, cwd=ROOT, check=True, capture_output=True, timeout=120)

    def _own_env(self, where: Addresses, tuning: Tuning) -> dict[str, str]:
        if self.is_ours:
            told = {} if self.name == "untold" else tuning.told
            return worker_env(where, self.prefix) | told | self._ledger_env(where)
        most = self.most or tuning.prefetch
        return {
            "BENCH_AMQP": where.amqp,
            "BENCH_GATEWAY": where.gateway,
            "BENCH_PREFETCH": str(min(tuning.prefetch, most)),
            "BENCH_CONNECTIONS": str(min(tuning.connections, most)),
        }

    def _ledger_env(self, where: Addresses) -> dict[str, str]:
        return {"LEDGER_URL": where.ledgers[self.ledger]} if self.ledger else {}


def worker_env(where: Addresses, prefix: str) -> dict[str, str]:
    """Return what nobody can leave out; the rest are the defaults, a SQLite ledger included."""
    return {
        "AMQP_URL": where.amqp,
        "AMQP_PREFIX": prefix,
        "ITON_BASE_URL": where.gateway,
        "ITON_USERNAME": "bench",
        "ITON_PASSWORD": "bench",
        "HEALTH_PORT": "0",
    }


def worker_queues(where: Addresses, system: System) -> list[str]:
    """Declare a worker's topology and return its queues, but the one that holds unrouted results."""
    env = os.environ | worker_env(where, system.prefix)
    command = [system.command[0], "topology"]
    subprocess.run([*command, "--declare"], env=env, check=True, capture_output=True, timeout=60)
    said = subprocess.run([*command, "--json"], env=env, check=True, capture_output=True, timeout=60)
    names = [queue["name"] for queue in json.loads(said.stdout)["queues"]]
    return [name for name in names if not name.endswith(".unrouted")]


@cache
def joining_setting(checkout: Path) -> str:
    """Return the name of a worker's setting that joins sends of the same text; empty where it has none."""
    code = "from worker.settings import settings_table; print(*(row.variable for row in settings_table()))"
    command: list[str | Path] = [checkout / PROGRAMS / "python", "-c", code]
    known = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, timeout=60)
    return next((name for name in JOINING if name in known.stdout.split()), "")


def all_systems(other: Path | None = None) -> dict[str, System]:
    """Return everyone, by name; the worker first, then that of the checkout *other*, with its ``.venv``."""
    python = str(PEERS / "python")
    tuned = (python, "-m", "bench.peers.aio_pika_peer", "aiohttp")
    systems = [*_workers("ours", OUR_TITLE, ROOT), *(_workers("other", OTHER_TITLE, other) if other else ())]
    systems += [
        replace(systems[0], name="untold", title=f"{OUR_TITLE}, not told of the limit"),
        *(
            replace(systems[0], name=f"on-{kind.lower()}", title=f"the same, ledger in {kind}", ledger=kind)
            for kind in ("Redis", "PostgreSQL")
        ),
        System("tuned", "aio-pika + aiohttp, tuned", tuned),
        System(
            "tuned-quorum", "the same on a quorum queue", tuned, jobs=QUORUM, env={"BENCH_JOBS": QUORUM}
        ),
        System(
            "httpx", "aio-pika + httpx", (python, "-m", "bench.peers.aio_pika_peer", "httpx"),
            speed=0.25, most=HTTPX_MOST,
        ),
        System(
            "faststream", "FastStream + httpx", (python, "-m", "bench.peers.faststream_peer"),
            speed=0.25, most=HTTPX_MOST,
        ),
        _taskiq("taskiq", "httpx", speed=0.25, most=HTTPX_MOST),
        _taskiq("taskiq-aiohttp", "aiohttp", speed=0.6),
        System(
            "celery", "Celery prefork + requests",
            (str(PEERS / "celery"), "-A", "bench.peers.celery_peer", "worker", "-P", "prefork", "-c", "16"),
            speed=0.25, publisher="bench.peers.celery_peer", jobs=CELERY,
        ),
        System(
            "dramatiq", "Dramatiq + requests",
            (
                str(PEERS / "dramatiq"), "bench.peers.dramatiq_peer",
                "--queues", DRAMATIQ, "--processes", "2", "--threads", "8",
            ),
            speed=0.25, publisher="bench.peers.dramatiq_peer", jobs=DRAMATIQ,
            results="bench.dramatiq.results",
        ),
    ]  # fmt: skip
    return {system.name: system for system in systems}


HTTPX_MOST = 16


def _workers(prefix: str, title: str, checkout: Path) -> Iterator[System]:
    """Return the worker of a checkout as it is, and with joined sends where it has that."""
    command = (str(checkout / PROGRAMS / "iton-worker"), "run")
    plain = System(prefix, title, command, prefix=prefix, jobs=f"{prefix}.send")
    yield plain
    if joining := joining_setting(checkout):
        name = COALESCED[prefix]
        yield replace(plain, name=name, title=f"{title}, sends coalesced", env={joining: "true"})


def _taskiq(name: str, client: str, *, speed: float, most: int = 0) -> System:
    command = (str(PEERS / "taskiq"), "worker", "bench.peers.taskiq_peer:broker", "--workers", "1")
    more = ("--log-level", "WARNING", "--max-async-tasks", str(most or 200))
    return System(
        name, f"Taskiq + {client}", command + more, speed=speed, most=most,
        publisher="bench.peers.taskiq_peer", jobs=TASKIQ, env={"BENCH_HTTP": client},
    )  # fmt: skip
