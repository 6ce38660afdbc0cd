"""``python3 -m bench profile``: where the worker's CPU goes, by function and by subsystem (py-spy).

The worker's own code is not touched: py-spy looks at the running process from outside.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.jobs import make_jobs
from bench.loads import LOADS, Load
from bench.scene import FOLDER, Scene, stage
from bench.systems import PEERS, System, Tuning, all_systems
from bench.throughput import put

# A sample belongs to the first of these that its stack meets from the innermost frame outwards, so that
# json, urllib and asyncio count where they were called.
SUBSYSTEMS = (
    ("logging", re.compile(r"structlog|/logging/|worker/logs")),
    ("metrics", re.compile(r"prometheus_client|worker/metrics|worker/observing")),
    ("models", re.compile(r"pydantic|/schemas/")),
    ("retries", re.compile(r"tenacity|worker/resilience")),
    ("ledger", re.compile(r"worker/ledger|sqlite3|ledger_book|entry_codec|domain/entry")),
    ("numbers", re.compile(r"phonenumbers|domain/recipients|iton/numbers")),
    ("HTTP client", re.compile(r"httpx|httpcore|aiohttp|yarl|multidict|worker/iton")),
    ("AMQP", re.compile(r"aio_pika|aiormq|pamqp|worker/amqp")),
    ("handlers", re.compile(r"worker/handlers|worker/domain|worker/clock|bootstrap")),
)
LOOP = re.compile(r"asyncio/|uvloop")
FRAME = re.compile(r"^(?P<name>.*) \((?P<file>.*?)(:\d+)?\)$")
RATE = 100  # samples a second; more would slow the process down
OTHER_THREAD = "Thread._bootstrap"  # outermost frame of any thread but the main one


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU of the main thread (the event loop) and of the others (the ledger's)."""

    main: float
    others: float

    @classmethod
    def of(cls, pid: int) -> "Cpu":
        """Return what *pid* has used so far."""
        threads = psutil.Process(pid).threads()
        used = {thread.id: thread.user_time + thread.system_time for thread in threads}
        main = used.pop(pid, 0.0)
        return cls(main, sum(used.values()))


@dataclass(frozen=True, slots=True)
class Profile:
    """Microseconds of CPU a job by function, innermost only; anywhere in the stack; by subsystem."""

    own: Counter[str]
    below: Counter[str]
    parts: Counter[str]


def read(raw: str, used: Cpu, jobs: float) -> Profile:
    """Read py-spy's raw format: a stack, outermost first, and a count a line.

    A sample also counts a thread that waits for a core or for the disk, so the samples only divide what each
    thread really used.
    """
    stacks = [(line.rpartition(" ")[0], int(line.rpartition(" ")[2])) for line in raw.splitlines()]
    beside = sum(count for stack, count in stacks if OTHER_THREAD in stack) or 1
    main = sum(count for stack, count in stacks if OTHER_THREAD not in stack) or 1
    found = Profile(Counter(), Counter(), Counter())
    for stack, count in stacks:
        frames = [frame for frame in stack.split(";") if FRAME.match(frame)]
        if not frames:
            continue
        share = used.others / beside if OTHER_THREAD in stack else used.main / main
        cost = share * count / max(jobs, 1) * 1e6
        found.own[_short(frames[-1])] += cost  # type: ignore[assignment]  # a Counter adds floats as well
        for name in {_short(frame) for frame in frames}:
            found.below[name] += cost  # type: ignore[assignment]
        found.parts[_subsystem(frames)] += cost  # type: ignore[assignment]
    return found


def _subsystem(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in SUBSYSTEMS:
            if pattern.search(frame):
                return name
    return "event loop" if LOOP.search(frames[-1]) else "other"


def _short(frame: str) -> str:
    match = FRAME.match(frame)
    if not match:
        return frame
    file = re.sub(r".*/(site-packages|python3\.\d+|lib-dynload)/|.*/(?=worker/|schemas/)", "", match["file"])
    return f"{match['name']} ({file})"


def _record(scene: Scene, system: System, load: Load, jobs: int, seconds: int) -> tuple[str, Cpu, float]:
    """Run *jobs* and return py-spy's samples, with the CPU used and the jobs done while it looked."""
    scene.clean()
    scene.set_stub(load.latency, load.connections)
    put(scene, system, load.kind, make_jobs(load, jobs))
    tuning = Tuning(load.prefetch, load.peer_connections, load.told)
    child = system.start(scene.where, tuning, scene.folder / f"profile-{time.monotonic_ns()}")
    out = FOLDER / f"profile-{system.name}-{load.name}.txt"
    try:
        deadline = time.monotonic() + 30
        while scene.side.depth(system.results).ready < jobs // 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        before, began = scene.side.depth(system.results).ready, Cpu.of(child.pid)
        command: list[str | Path] = [
            PEERS / "py-spy", "record", "--pid", str(child.pid), "--duration", str(seconds),
            "--rate", str(RATE),
            "--format", "raw", "--full-filenames", "--nolineno", "--nonblocking", "--output", out,
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)
        done, ended = scene.side.depth(system.results).ready - before, Cpu.of(child.pid)
    finally:
        child.kill()
    return out.read_text(), Cpu(ended.main - began.main, ended.others - began.others), done / load.results


def main() -> int:
    """Profile one system under one load and print the tables."""
    parser = argparse.ArgumentParser(prog="python3 -m bench profile", description=__doc__)
    parser.add_argument("--load", default="unique", choices=[load.name for load in LOADS])
    parser.add_argument("--system", default="ours")
    parser.add_argument("--other", type=Path, help="the checkout of the systems other and other-coalesced")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--top", type=int, default=15)
    asked = parser.parse_args()
    load = next(load for load in LOADS if load.name == asked.load)
    system = all_systems(asked.other)[asked.system]
    with stage([system]) as scene:
        raw, used, done = _record(scene, system, load, asked.jobs, asked.seconds)
    found = read(raw, used, done)
    print(
        f"{asked.system}, {load.name}: {done:.0f} jobs in {asked.seconds} s; CPU a job: event loop "
        f"{used.main / max(done, 1) * 1e6:.0f} us, other threads {used.others / max(done, 1) * 1e6:.0f} us"
    )
    whole = found.parts.total()
    for title, costs in (("by subsystem", found.parts), ("self", found.own), ("with all below", found.below)):
        print(f"\n{title}")
        for name, cost in costs.most_common(asked.top * (4 if costs is found.below else 1)):
            print(f"  {cost / whole:6.1%} {cost:7.1f} us/job  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
