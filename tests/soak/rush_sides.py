"""What stands around a worker in the morning's rush: a quick gateway, jobs by the million, and who counts."""

import asyncio
import json
import re
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pika

from bench.line import Line
from schemas import JobKind, read_job
from scripts.children import Child
from scripts.free_ports import free_ports
from scripts.local_broker import PrivateBroker
from tests.support.broker import breakable_broker, own_prefix
from tests.support.worker_process import AS_TYPED, Workshop, base_environment, wait_until
from worker.amqp.headers import COPY_ID, ROUTING_KEY, WAITED
from worker.clock import SystemClock
from worker.domain.entry import Entry
from worker.domain.entry_codec import encode
from worker.ledger import open_ledger
from worker.ports import Stored, Swap

ROOT = Path(__file__).parents[2]
RESULTS = "rush.results"
_ID = re.compile(rb'"job_id":"([bu])-([0-9]+)"')
_RETENTION = 259_200.0
_LONGEST = 8_388_608
_TOGETHER = 1_000
_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")


@dataclass(frozen=True, slots=True)
class Stub:
    """The benchmark's stand-in for the gateway, which answers as fast as one core can."""

    port: int

    @property
    def url(self) -> str:
        """As the worker has it."""
        return f"http://127.0.0.1:{self.port}/api/"

    def ask(self, what: str) -> dict[str, Any]:
        """Ask for ``state``, or ``set?latency=0.02`` it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/{what}", timeout=30) as reply:
            return dict(json.load(reply))


@contextmanager
def open_stub(folder: Path, latency: float) -> Iterator[Stub]:
    """Run it while the block lasts."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.stub", str(port)]
    child = Child(command, env=base_environment(), log=folder / "stub.log", cwd=ROOT)
    stub = Stub(port)

    def answers() -> bool:
        try:
            return "calls" in stub.ask("state")
        except OSError:
            return False

    try:
        wait_until(answers, "the gateway answers")
        stub.ask(f"set?latency={latency}")
        yield stub
    finally:
        child.kill()


class Stage(NamedTuple):
    """A broker, a gateway and a worker that is ready, and a queue of its results."""

    broker: PrivateBroker
    prefix: str
    stub: Stub
    workshop: Workshop


@contextmanager
def open_stage(name: str, latency: float, **settings: object) -> Iterator[Stage]:
    """Set it up while the block lasts.

    Args:
        name: of the folder of its files.
        latency: seconds of a call.
        settings: of the worker.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=f"{name}-")))
        broker = stack.enter_context(breakable_broker())
        stub = stack.enter_context(open_stub(folder, latency))
        prefix = stack.enter_context(own_prefix(broker.url))
        workshop = Workshop(
            amqp_url=broker.url, prefix=prefix, gateway_url=stub.url, folder=folder, command=AS_TYPED
        )
        stack.callback(workshop.close)
        workshop.ready(**settings)
        bind_results(broker.url, prefix)
        yield Stage(broker, prefix, stub, workshop)


def bulk_jobs(first: int, count: int) -> Iterator[bytes]:
    """Make promotional jobs, each to a number and with a text of its own."""
    for number in range(first, first + count):
        yield (
            f'{{"job_id":"b-{number}","recipients":["{919_800_000_000 + number}"],'
            f'"text":"The sale begins today, number {number}."}}'
        ).encode()


def bind_results(url: str, prefix: str) -> None:
    """Have the results of send jobs come to a queue of their own."""
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        channel.queue_declare(RESULTS, durable=True)
        channel.queue_bind(RESULTS, f"{prefix}.results.send", "#")


def publish(url: str, prefix: str, bodies: Iterator[bytes]) -> float:
    """Publish all on the jobs exchange; return the seconds until the broker has taken them off the line."""
    began = time.monotonic()
    with closing(pika.BlockingConnection(pika.URLParameters(f"{url}?heartbeat=0"))) as connection:
        channel = connection.channel()
        for body in bodies:
            channel.basic_publish(f"{prefix}.jobs", "send", body, _PERSISTENT)
        channel.queue_declare(RESULTS, passive=True)
    return time.monotonic() - began


def put_held(url: str, prefix: str, ledger_url: str, bodies: Iterator[bytes]) -> None:
    """Put jobs where a worker holds them, each with its entry in the ledger, as it does."""
    asyncio.run(_put_held(url, prefix, ledger_url, bodies))


async def _put_held(url: str, prefix: str, ledger_url: str, bodies: Iterator[bytes]) -> None:
    ledger = open_ledger(ledger_url, retention=_RETENTION, clock=SystemClock())
    with closing(pika.BlockingConnection(pika.URLParameters(f"{url}?heartbeat=0"))) as connection:
        channel = connection.channel()
        while some := list(islice(bodies, _TOGETHER)):
            jobs = [read_job(JobKind.SEND, body, message_id=None, max_bytes=_LONGEST) for body in some]
            swaps = [
                Swap(job.job_id, None, Stored(token_hex(8), encode(Entry(job.fingerprint)))) for job in jobs
            ]
            assert all(stands is True for stands in await ledger.swap_many(swaps))
            for body in some:
                channel.basic_publish(f"{prefix}.held", "send", body, _held())
        channel.queue_declare(RESULTS, passive=True)
    await ledger.close()


def _held() -> pika.BasicProperties:
    headers = {WAITED: True, ROUTING_KEY: "send", COPY_ID: token_hex(16)}
    return pika.BasicProperties(delivery_mode=2, content_type="application/json", headers=headers)


@dataclass(slots=True)
class Seen:
    """The results that came.

    Attributes:
        bulk: how many of each bulk job, by its number.
        by_second: of bulk jobs that were new, by the second of the clock.
        due: by number, when an urgent job was to be published, by a clock that only runs forward.
        done: when its first result came.
    """

    bulk: bytearray
    total: int = 0
    repeated: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    due: dict[int, float] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, jobs: int) -> "Seen":
        """None yet, of so many jobs."""
        return cls(bytearray(jobs))

    def take(self, body: bytes) -> None:
        """Note one."""
        if not (found := _ID.search(body)):
            return
        number = int(found[2])
        if found[1] == b"u":
            self.done.setdefault(number, time.monotonic())
        elif self.bulk[number]:
            self.repeated += 1
        else:
            self.bulk[number] = 1
            self.total += 1
            self.by_second[int(time.time())] += 1

    def latencies(self, since: float, until: float) -> list[float]:
        """Seconds to their results of the urgent jobs that were due in that time, in order."""
        return sorted(
            self.done.get(number, float("inf")) - due
            for number, due in self.due.items()
            if since <= due < until
        )


class Urgent:
    """Urgent jobs at a steady rate for as long as it runs."""

    def __init__(self, line: Line, prefix: str, seen: Seen, rate: float) -> None:
        self._line = line
        self._exchange = f"{prefix}.jobs"
        self._seen = seen
        self._rate = rate

    async def run(self) -> None:
        """Publish until cancelled; one that is published late was due all the same."""
        began, first = time.monotonic(), len(self._seen.due)
        number = first
        while True:
            due = began + (number - first) / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            job = {
                "job_id": f"u-{number}",
                "recipients": [str(917_000_000_000 + number)],
                "text": f"Your code is {number:06d}.",
                "category": "transactional",
            }
            body = json.dumps(job, separators=(",", ":")).encode()
            self._seen.due[number] = due
            self._line.publish(self._line.message(self._exchange, "send.urgent", body))
            number += 1


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return one of *ordered*, by its place."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def warnings_of(workshop: Workshop) -> str:
    """Count what the workers of one complained of."""
    lines = (line for worker in workshop.workers for line in worker.log_lines())
    events = (f"{line['event']} ({line.get('reason', '')})" for line in lines if line.get("level") != "info")
    return ", ".join(f"{name} {count}" for name, count in Counter(events).items()) or "none"
