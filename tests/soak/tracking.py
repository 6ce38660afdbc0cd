"""``python -m tests.soak.tracking``: many messages followed to their end, workers killed meanwhile."""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from tests.support.broker import breakable_broker, own_prefix
from tests.support.line import Line, line_on
from tests.support.results_side import Collector, numbers
from tests.support.simulator_process import simulator_process
from tests.support.worker_process import Workshop

DELAYS = "10,20,30"
LIMIT = 600


@dataclass
class Seen:
    """What came of the messages.

    Attributes:
        ends: in how many tracked results each message is.
        bodies: of each tracked result; a second one of the same id must be the same.
        changed: results that came with another content.
    """

    accepted: set[str] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, bytes] = field(default_factory=dict)
    changed: int = 0

    def look(self, collector: Collector) -> None:
        """Take what has come so far."""
        self.ends.clear()
        self.bodies.clear()
        self.changed = 0
        for result in collector.all:
            if "track" in result.body:
                first = self.bodies.setdefault(str(result.properties.message_id), result.raw)
                self.changed += first != result.raw
                if first is result.raw:
                    self.ends.update(one["message_id"] for one in result.body["messages"])
            elif result.exchange == "results.send":
                self.accepted.update(result.ids.values())


def main() -> int:
    """Follow, print the figures, return 0 if each message had its end once."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.tracking", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--each", type=int, default=1_000, help="recipients of a job (default 1000)")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        broker = stack.enter_context(breakable_broker())
        gateway = stack.enter_context(simulator_process(folder))
        gateway.change(ripen_after=5, ripen_spread=90, remember=options.messages * 2)
        prefix = stack.enter_context(own_prefix(broker.url))
        workshop = Workshop(amqp_url=broker.url, prefix=prefix, gateway_url=gateway.url, folder=folder)
        stack.callback(workshop.close)
        settings = {"WORKER_TRACK_DELAYS": DELAYS, "WORKER_TRACK_LIMIT": LIMIT}
        for _ in range(options.workers):
            workshop.ready(**settings)
        return _follow(line_on(stack, workshop, gateway), options, settings)


def _follow(line: Line, options: argparse.Namespace, settings: dict[str, object]) -> int:
    seen, began = Seen(), time.monotonic()
    for first in range(0, options.messages, options.each):
        count = min(options.each, options.messages - first)
        line.producer.send(numbers(count, first // 70), f"text {first}", track=True)
    sent = time.monotonic() - began
    kills, most_waiting = options.kills, 0
    while not seen.accepted or seen.accepted - seen.ends.keys() or len(seen.accepted) < options.messages / 2:
        time.sleep(2)
        seen.look(line.collector)
        waiting = sum(line.queues.count(f"delay.track.{one}s") for one in DELAYS.split(","))
        most_waiting = max(most_waiting, waiting + line.queues.count("status.track"))
        if kills and seen.ends and random.random() < 0.3:  # noqa: S311 - a test's dice
            kills -= 1
            victim = line.workshop.workers.pop(0)
            victim.kill()
            line.workshop.ready(**settings)
        if time.monotonic() - began > LIMIT:
            break
    time.sleep(3)
    seen.look(line.collector)
    _print(line, seen, options, sent=sent, lasted=time.monotonic() - began, most_waiting=most_waiting)
    return 0 if _kept(seen) else 1


def _kept(seen: Seen) -> bool:
    return dict.fromkeys(seen.accepted, 1) == dict(seen.ends) and not seen.changed


def _print(
    line: Line, seen: Seen, options: argparse.Namespace, *, sent: float, lasted: float, most_waiting: int
) -> None:
    calls = line.gateway.calls("message_status")
    asked = _ids_asked(line)
    rows = {
        "messages accepted": len(seen.accepted),
        "with an end": len(seen.ends),
        "in two results": sum(times > 1 for times in seen.ends.values()),
        "tracked results": len(seen.bodies),
        "results with another content": seen.changed,
        "kills": options.kills,
        "seconds to publish, to follow": f"{sent:.0f}, {lasted:.0f}",
        "messages in the broker at the most": most_waiting,
        "message_status calls": calls,
        "ids that living workers asked for": asked,
        "the least calls for these": ceil(asked / 100),
    }
    for name, value in rows.items():
        print(f"{name:<36} {value}")  # noqa: T201 - for a person at a terminal
    print("the promise was kept" if _kept(seen) else "THE PROMISE WAS BROKEN")  # noqa: T201 - as above


def _ids_asked(line: Line) -> int:
    total = 0.0
    for worker in line.workshop.workers:
        _, text = worker.get("/metrics")
        name = 'iton_worker_gateway_call_keys_sum{command="message_status"} '
        total += sum(float(row.removeprefix(name)) for row in text.splitlines() if row.startswith(name))
    return int(total)


if __name__ == "__main__":
    sys.exit(main())
