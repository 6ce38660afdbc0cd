"""``python -m tests.soak.lateness``: very many jobs are scheduled at once; how late does each go out?

More of them are due later, at any time of six days, and are published first: nothing may hang behind them.
With ``--restarts`` the worker is killed and started again while the others are due.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain

import pika

from bench.line import Line
from tests.soak.rush_sides import (
    RESULTS,
    Seen,
    Stub,
    open_stage,
    percentile,
    publish,
    warnings_of,
)
from tests.support.worker_process import Workshop
from worker.amqp.topology.ladder import STEPS

_SETTINGS = {"WORKER_SEND_AFTER_LIMIT": 604_800, "LOG_LEVEL": "warning"}
_FAR = timedelta(days=6).total_seconds()
_LATER = 900.0  # seconds after the others, at least
_REACH = 2.0  # seconds around a restart that count to it: what was due then may not have gone out before it
_LOOK = 0.5


@dataclass
class Field:
    """Everything that stands around.

    Attributes:
        away: from when to when no worker was there, seconds since the epoch.
    """

    url: str
    prefix: str
    stub: Stub
    workshop: Workshop
    seen: Seen
    away: list[tuple[float, float]] = field(default_factory=list)

    def depth(self, *names: str) -> int:
        """Count what is ready in some queues."""
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            channel = connection.channel()
            found = (channel.queue_declare(f"{self.prefix}.{name}", passive=True) for name in names)
            return sum(int(one.method.message_count) for one in found)

    @property
    def scheduled(self) -> int:
        """What waits in the ladder."""
        return self.depth(*(f"scheduled.{step}s" for step in STEPS))


def main() -> int:
    """Schedule, measure, print the figures; return 0 if each was sent once, and none early."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.lateness", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--far", type=int, default=1_000, help="more of them, due later")
    parser.add_argument("--over", type=float, default=300.0, help="seconds over which they are due")
    parser.add_argument("--first", type=float, default=180.0, help="seconds until the first is due")
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of a call")
    options = parser.parse_args()
    with open_stage("lateness", options.latency, **_SETTINGS) as stage:
        scene = Field(stage.broker.url, stage.prefix, stage.stub, stage.workshop, Seen.of(options.jobs))
        return asyncio.run(_measured(scene, options))


async def _measured(scene: Field, options: argparse.Namespace) -> int:
    line = await Line.open(scene.url, RESULTS, scene.seen.take)
    try:
        due = await _scheduled(scene, options)
        await _served(scene, options, due)
    finally:
        line.close()
    return _told(scene, options, due)


async def _scheduled(scene: Field, options: argparse.Namespace) -> list[float]:
    """Publish all, and wait until the first is due; return when each is, seconds since the epoch."""
    began = time.time()
    first = began + options.first
    due = [first + options.over * place / options.jobs for place in range(options.jobs)]
    random.shuffle(due)
    later = first + options.over + _LATER
    far = [later + random.random() * _FAR for _ in range(options.far)]  # noqa: S311 - chance, no secret
    bodies = chain(
        _jobs(range(options.jobs, options.jobs + options.far), far),
        _jobs(range(options.jobs), due),
    )
    await asyncio.to_thread(publish, scene.url, scene.prefix, bodies)
    while (waiting := await asyncio.to_thread(scene.depth, "send")) and time.time() < first:  # noqa: ASYNC110 - the broker tells nobody
        await asyncio.sleep(_LOOK)
    seconds = time.time() - began
    _say("taken and scheduled", f"{options.jobs + options.far - waiting:,} within {seconds:.0f} s")
    await asyncio.sleep(max(0.0, first - 1 - time.time()))
    _say("scheduled at once", f"{await asyncio.to_thread(lambda: scene.scheduled):,}")
    return due


def _jobs(numbers: Sequence[int], due: Sequence[float]) -> Iterator[bytes]:
    for number, at in zip(numbers, due, strict=True):
        moment = datetime.fromtimestamp(at, UTC).isoformat()
        yield (
            f'{{"job_id":"b-{number}","recipients":["{919_800_000_000 + number}"],"category":"service",'
            f'"text":"Your appointment number {number}.","send_after":"{moment}"}}'
        ).encode()


async def _served(scene: Field, options: argparse.Namespace, due: Sequence[float]) -> None:
    first, last = min(due), max(due)
    moments = [first + options.over * (turn + 1) / (options.restarts + 1) for turn in range(options.restarts)]
    while scene.seen.total < options.jobs and time.time() < last + 600:
        if moments and time.time() >= moments[0]:
            moments.pop(0)
            died = time.time()
            scene.workshop.workers[-1].kill()
            await asyncio.to_thread(scene.workshop.ready, **_SETTINGS)
            scene.away.append((died - _REACH, time.time() + _REACH))
        await asyncio.sleep(_LOOK)


def _told(scene: Field, options: argparse.Namespace, due: Sequence[float]) -> int:
    state, arrived = scene.stub.ask("state"), scene.stub.ask("arrivals")
    late = {
        number: arrived.get(str(919_800_000_000 + number), float("inf")) - at for number, at in enumerate(due)
    }
    ordered = sorted(late.values())
    reachable = sorted(
        seconds
        for number, seconds in late.items()
        if not any(begin <= due[number] <= end for begin, end in scene.away)
    )
    _say(
        "sent", f"{sum(one < float('inf') for one in ordered):,}, earliest {ordered[0]:.2f} s after its time"
    )
    _say("late, all", _spread(ordered))
    if scene.away:
        _say(f"late, of the {len(reachable):,} due with a worker there", _spread(reachable))
    _say("late by tenths of the time, p50 and worst", _by_tenths(late, due))
    speeds = sorted(int(at) for at in arrived.values())
    _say("calls a second while due", f"{len(speeds) / max(1, speeds[-1] - speeds[0] + 1):,.0f}")
    left = scene.scheduled
    _say("left in the ladder, due later", f"{left:,}")
    twice = int(state["messages"]) - int(state["distinct"])
    missing = scene.seen.bulk.count(0)
    _say("sent twice, without a result", f"{twice}, {missing}")
    _say("warnings of the workers", warnings_of(scene.workshop))
    kept = not twice and not missing and ordered[0] >= 0 and left == options.far
    print("the promise was kept" if kept else "THE PROMISE WAS BROKEN")  # noqa: T201 - for a person at a terminal
    return 0 if kept else 1


def _spread(ordered: Sequence[float]) -> str:
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("worst", 1.0))
    over = sum(one > 2 for one in ordered)
    words = ", ".join(f"{name} {percentile(ordered, share):.2f} s" for name, share in shares)
    return f"{words}; over 2 s: {over:,}"


def _by_tenths(late: dict[int, float], due: Sequence[float]) -> str:
    by_time = sorted(late, key=lambda number: due[number])
    step = -(-len(by_time) // 10)
    parts = (sorted(late[one] for one in by_time[at : at + step]) for at in range(0, len(by_time), step))
    return " ".join(f"{percentile(part, 0.5):.2f}/{part[-1]:.2f}" for part in parts)


def _say(what: str, how: str) -> None:
    print(f"{what:<52} {how}", flush=True)  # noqa: T201 - for a person at a terminal


if __name__ == "__main__":
    sys.exit(main())
