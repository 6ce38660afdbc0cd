"""The benchmark's program; ``bench/__main__.py`` starts it with the interpreter that has the peers."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from bench.figures import Record, record_of
from bench.machine import describe
from bench.plan import QUICK, Plan, Step, every_load
from bench.plots import draw
from bench.report import one_line, summary, write
from bench.scene import FOLDER, Scene, stage
from bench.systems import ROOT, all_systems
from scripts.debian import PackagesMissingError
from scripts.local_broker import BrokerNotStartedError

RESULTS = ROOT / "bench" / "RESULTS.md"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two minutes: the worker, tuned aio-pika + aiohttp and aio-pika + httpx; unique texts and "
        "status checks; written to .local/bench",
    )
    parser.add_argument("--loads", help=f"comma list of {', '.join(every_load())}")
    parser.add_argument("--systems", help="comma list of names; --list shows them")
    parser.add_argument(
        "--other",
        type=lambda path: Path(path).resolve(strict=True),
        help="another checkout with a .venv, whose worker is measured beside this one's",
    )
    parser.add_argument("--rounds", type=int, help="rounds of each load (5; with --quick 2)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the jobs; to try the benchmark itself"
    )
    parser.add_argument("--minutes", type=float, default=90, help="measure for at most so long (90)")
    parser.add_argument("--out", type=Path, help="where RESULTS.md and plots/ go (bench/)")
    parser.add_argument(
        "--render", type=Path, help="write the report of an earlier run's JSON, measure nothing"
    )
    parser.add_argument("--list", action="store_true", help="list the systems and end")
    return parser.parse_args()


def _plan(asked: argparse.Namespace) -> Plan:
    everyone = all_systems(asked.other)
    systems, loads = everyone, every_load()
    if asked.quick:
        systems = {name: everyone[name] for name in QUICK["systems"] if name in everyone}
        loads = QUICK["loads"]
    if asked.systems:
        systems = {name: everyone[name] for name in asked.systems.split(",")}
    if asked.loads:
        loads = tuple(asked.loads.split(","))
    return Plan(systems, loads, asked.rounds or (2 if asked.quick else 5), asked.scale)


def _measure(plan: Plan, until: float) -> list[Record]:
    records: list[Record] = []
    with stage(plan.systems.values()) as scene:
        records.append(describe(scene.stub_limit()))
        steps = list(plan.steps())
        for number, step in enumerate(steps, 1):
            if time.monotonic() > until:
                print("The time is up; the rest is left out.", flush=True)
                break
            record = _take(scene, step)
            records.append(record)
            print(f"{number:3}/{len(steps)} {one_line(record)}", flush=True)
    return records


def _take(scene: Scene, step: Step) -> Record:
    """Measure one step; what fails is a fault of that system, not the end of the benchmark."""
    try:
        return record_of(step.measure(scene))
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way
        words = str(error).splitlines()[0] if str(error) else ""
        return {
            "type": "Failure",
            "load": step.load,
            "system": step.system,
            "faults": [f"{type(error).__name__} {words}"],
        }


def _leave(number: int, _: FrameType | None) -> None:
    """Unwind as on Ctrl+C: everything that was started is stopped."""
    sys.exit(128 + number)


def main() -> int:
    """Measure and write; 0 unless the worker left a job unanswered or something unacknowledged."""
    signal.signal(signal.SIGTERM, _leave)
    asked = _arguments()
    if asked.list:
        print("\n".join(f"{name:15} {system.title}" for name, system in all_systems(asked.other).items()))
        return 0
    try:
        records = (
            _read(asked.render)
            if asked.render
            else _measure(_plan(asked), time.monotonic() + asked.minutes * 60)
        )
    except (PackagesMissingError, BrokerNotStartedError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not asked.render:
        (FOLDER / "last.json").write_text(json.dumps(records, indent=1) + "\n")
    part = asked.quick or asked.loads or asked.systems or asked.scale != 1
    folder = asked.out or (FOLDER if part else RESULTS.parent)
    draw(records, folder / "plots")
    write(records, folder / RESULTS.name)
    print(summary(records))
    print(f"\nWritten: {folder / RESULTS.name}")
    return int(any(record["faults"] for record in records if record.get("system") in {"ours", "coalesced"}))


def _read(path: Path) -> list[Record]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main())
