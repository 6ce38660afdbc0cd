"""One broker, one gateway, one worker at a time, and what is looked at in a rush."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

import pika
import psutil

from bench.processes import Tree
from tests.soak.rush_sides import Seen, Stub, percentile
from tests.support.scraped import Scrape
from tests.support.worker_process import WorkerProcess, Workshop

_LOOK = 1.0


@dataclass
class Peaks:
    """The most memory that anybody took, in MB."""

    broker: float = 0.0
    worker: float = 0.0


@dataclass
class Rush:
    """One broker, one gateway, one worker at a time."""

    url: str
    prefix: str
    broker: Tree
    stub: Stub
    workshop: Workshop
    seen: Seen
    rate: float
    lines: dict[str, str] = field(default_factory=dict)
    peaks: Peaks = field(default_factory=Peaks)

    @property
    def worker(self) -> WorkerProcess:
        """The one that runs."""
        return self.workshop.workers[-1]

    def say(self, what: str, how: str) -> None:
        """Note a figure, and tell it."""
        self.lines[what] = how
        print(f"{what:<52} {how}", flush=True)  # noqa: T201 - for a person at a terminal

    def start(self, hours: Mapping[str, str]) -> None:
        """Have a worker with these hours in place of the one that runs."""
        if self.worker.exit_code is None and (code := self.worker.terminate()):
            self.say("a worker ended with", str(code))
        self.workshop.ready(LOG_LEVEL="warning", **hours)

    def depth(self, name: str) -> int:
        """Count what is ready in a queue."""
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            found = connection.channel().queue_declare(f"{self.prefix}.{name}", passive=True)
            return int(found.method.message_count)

    def metric(self, name: str, **labels: str) -> float:
        """Of the worker that runs."""
        return Scrape(self.worker.get("/metrics")[1]).value(f"iton_worker_{name}", **labels) or 0.0

    def look(self) -> None:
        """Weigh everybody."""
        with suppress(psutil.Error):
            self.peaks.broker = max(self.peaks.broker, self.broker.memory())
            self.peaks.worker = max(self.peaks.worker, Tree(self.worker.pid).memory())

    async def until(self, condition: Callable[[], bool], most: float) -> None:
        """Wait and weigh.

        Raises:
            TimeoutError: it took longer than *most* seconds.
        """
        async with asyncio.timeout(most):
            while not condition():
                self.look()
                await asyncio.sleep(_LOOK)

    def tell(self, when: str, since: float, until: float) -> None:
        """Tell how long urgent jobs took that were due in that time."""
        took = self.seen.latencies(since, until)
        words = ", ".join(
            f"{name} {1000 * percentile(took, share):.0f} ms"
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("worst", 1.0))
        )
        self.say(f"urgent jobs {when}", f"{len(took)}: {words}")


def speed(rush: Rush) -> str:
    """Say how many results came a second, and for how long."""
    seconds = max(rush.seen.by_second) - min(rush.seen.by_second) + 1
    count = rush.seen.by_second.total()
    return f"{count / seconds:,.0f} a second for {seconds} s"


def tenths(by_second: Mapping[int, int]) -> str:
    """Say how many a second came in each tenth of the time."""
    first, last = min(by_second), max(by_second) + 1
    step = max(1, -(-(last - first) // 10))
    starts = range(first, last, step)
    sums = [sum(by_second.get(at + one, 0) for one in range(step)) / min(step, last - at) for at in starts]
    return " ".join(f"{one:,.0f}" for one in sums)
