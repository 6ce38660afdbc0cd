"""Jobs that come at a rate: how long each takes, from the moment it was due to its result."""

import asyncio
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from typing import NamedTuple

import uvloop

from bench.figures import PacedRun, percentile
from bench.jobs import JOB_ID, run_name, send_job, to_bytes
from bench.line import Line
from bench.loads import Paced
from bench.processes import Tree, machine_cpu
from bench.scene import Scene
from bench.systems import System, Tuning
from bench.throughput import GRACE, put

WARM_UP = 2.0  # seconds that are not counted, at the same rate
PATIENCE = 15.0  # seconds for the last results
PERCENTILES = (50, 95, 99)
# What comes behind bulk: a one-time password is exempt from the DND filter (one call), others are not (two).
URGENT = ("transactional", "promotional")


@dataclass(slots=True)
class Clockwork:
    """Publishes at a rate and remembers when results came.

    Attributes:
        due: by job id, when the job was due; a late publication counts against the system under load.
        done: by job id, when its first result came.
        bulk: results of the bulk job that have come.
    """

    due: dict[bytes, float] = field(default_factory=dict)
    done: dict[bytes, float] = field(default_factory=dict)
    kinds: dict[bytes, str] = field(default_factory=dict)
    bulk_id: bytes = b""
    bulk: int = 0

    def take(self, body: bytes) -> None:
        """Note a result."""
        match = JOB_ID.search(body)
        if match and match[0] == self.bulk_id:
            self.bulk += 1
        elif match:
            self.done.setdefault(match[0], time.perf_counter())

    def times(self, since: float) -> dict[str, dict[str, float]]:
        """Return percentiles in milliseconds by category, of jobs that were due after *since*."""
        found: dict[str, list[float]] = defaultdict(list)
        for job_id, end in self.done.items():
            if self.due[job_id] >= since:
                found[self.kinds[job_id]].append((end - self.due[job_id]) * 1000)
        return {
            kind: {f"p{one}": percentile(times, one) for one in PERCENTILES} | {"jobs": float(len(times))}
            for kind, times in found.items()
        }


def pace(scene: Scene, system: System, load: Paced, *, scale: float = 1.0) -> PacedRun:
    """Run *system* at the pace of *load* once."""
    scene.clean()
    scene.set_stub(load.latency)
    folder = scene.folder / f"{system.name}-{time.monotonic_ns()}"
    child = system.start(scene.where, Tuning(load.prefetch, load.prefetch), folder)
    try:
        scene.wait_for_consumers(system.jobs, child)
        tree = Tree(child.pid)

        def used() -> tuple[float, float]:
            """By the system, and by what is not the benchmark's."""
            own = tree.cpu()
            return own, machine_cpu() - own - scene.broker.cpu() - scene.stub.cpu()

        before, began = used(), time.perf_counter()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            clockwork, since = runner.run(_work(scene, system, load, scale))
        own, others = (now - then for now, then in zip(used(), before, strict=True))
        disturbed = others / (time.perf_counter() - began)
        time.sleep(GRACE)
    finally:
        child.kill()
    left = scene.side.left_over(scene.queues_of(system))
    faults = [f"{ready} messages left in {name}" for name, ready in left.items()]
    if missing := len(clockwork.due) - len(clockwork.done):
        faults.append(f"{missing} jobs unanswered")
    if load.bulk and clockwork.bulk != -(-load.bulk // 100):
        faults.append(f"{clockwork.bulk} results of the bulk job")
    results = len(clockwork.done) + clockwork.bulk
    cpu = own / max(results, 1) * 1000
    return PacedRun(system.name, load.name, clockwork.times(since), cpu, disturbed, faults)


async def _work(scene: Scene, system: System, load: Paced, scale: float) -> tuple[Clockwork, float]:
    """Return what was noted, and from when on it counts."""
    clockwork, lane = Clockwork(), Lane.of(system, load)
    with closing(await Line.open(scene.where.amqp, system.results, clockwork.take)) as line:
        if load.bulk:
            clockwork.bulk_id = _put_bulk(scene, system, load)
        # Behind bulk nothing is scaled: the publication ends when the bulk job does.
        seconds = load.seconds if load.bulk else (load.seconds + WARM_UP) * scale
        jobs = _jobs(line, lane, int(lane.rate * seconds))
        since = time.perf_counter() + (0 if load.bulk else WARM_UP * scale)
        await _publish(line, clockwork, lane, jobs)
        await _wait(clockwork, lane)
    return clockwork, since


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a paced job goes, and what stops the publication early."""

    exchange: str
    key: str
    rate: int
    bulk_results: int

    @classmethod
    def of(cls, system: System, load: Paced) -> "Lane":
        """Return the urgent lane where there is bulk to pass, else the usual one."""
        results = -(-load.bulk // 100)
        if system.is_ours:
            return cls(f"{system.prefix}.jobs", "send.urgent" if load.bulk else "send", load.rate, results)
        return cls("", "bench.peer.urgent" if load.bulk else system.jobs, load.rate, results)


def _put_bulk(scene: Scene, system: System, load: Paced) -> bytes:
    job = send_job(f"{run_name()}-0", load.bulk, "The sale ends on Sunday.")
    put(scene, system, "send", [job])
    return str(job["job_id"]).encode()


class _Ready(NamedTuple):
    """A job that only has to be written."""

    job_id: bytes
    kind: str
    message: bytes


def _jobs(line: Line, lane: Lane, count: int) -> list[_Ready]:
    """Make all jobs before the first is due: what that costs must not disturb the measured ones."""
    run, kinds = run_name(), cycle(URGENT if lane.bulk_results else URGENT[1:])
    made = []
    for number in range(count):
        kind = next(kinds)
        job = send_job(f"{run}-{number}", 1, f"Your code for {run}-{number} is 424242.", kind)
        message = line.message(lane.exchange, lane.key, to_bytes(job))
        made.append(_Ready(str(job["job_id"]).encode(), kind, message))
    return made


async def _publish(line: Line, clockwork: Clockwork, lane: Lane, jobs: list[_Ready]) -> None:
    began = time.perf_counter()
    for number, job in enumerate(jobs):
        due = began + number / lane.rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        if lane.bulk_results and clockwork.bulk >= lane.bulk_results:
            return
        clockwork.due[job.job_id], clockwork.kinds[job.job_id] = due, job.kind
        line.publish(job.message)


async def _wait(clockwork: Clockwork, lane: Lane) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        if len(clockwork.done) >= len(clockwork.due) and clockwork.bulk >= lane.bulk_results:
            return
        await asyncio.sleep(0.05)
