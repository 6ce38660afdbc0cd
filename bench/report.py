"""``RESULTS.md``: what was measured, in tables."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.figures import MemoryRun, PacedRun, Record, Run, middle, of
from bench.loads import BEST_PEER, LOADS, PACED
from bench.systems import ROOT, System, all_systems
from bench.targets import Verdict, ratio, verdicts

QUIET = 0.2  # cores that other programs may take before the figures are called disturbed

INTRO = """\
# Benchmark

Written by `make bench`. One broker and one stand-in for the gateway serve everyone; the systems take turns
(A B C, A B C) and every figure is the median of its rounds. Jobs wait in the queue when a system starts;
the rate counts from a tenth of the results to the last one. Where the gateway's time varies it counts to
nine tenths, as the slowest calls take longer than what is left then; everybody meets the same times in the
same order.

The worker runs `iton-worker run` with its default settings: quorum queues, persistent results, each job in
its SQLite ledger before its call. The peers do the same work for the same jobs, but promise nothing: they
ask DND, send, publish a persistent result, wait for its confirm, acknowledge. Each is one process, but
Celery (16 processes) and Dramatiq (2 processes of 8 threads). The aiohttp peers are tuned by hand to the
gateway's latency; those with httpx get 16 jobs in flight, as its pool gets slower with more. Where the
gateway allows 10 connections it answers 429 on any further one; the peers and the worker are told of the
limit (`WORKER_MAX_CALLS=10`, `WORKER_URGENT_CALLS=0`), the row "not told" is the worker with its defaults.
"The other checkout" is the worker of `--other PATH`, another version in the same run.

Every run is checked: each job was answered exactly as often as it should be, each number got exactly one
message, and after the end nothing had stayed unacknowledged. CPU is user and system of all its processes.
"""


def write(records: list[Record], path: Path) -> None:
    """Write the report to *path*; the plots are beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [
        INTRO,
        *_machine(records),
        *_targets(records),
        *_loads(records),
        *_paced(records),
        *_memory(records),
    ]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def one_line(record: Record) -> str:
    """Tell of one step on a terminal."""
    name = f"{record.get('load', 'memory'):16} {record['system']:15}"
    match record["type"]:
        case "Run":
            figures = (
                f"{record['rate']:7.0f} jobs/s {record['calls']:5.2f} calls {record['cpu']:6.3f} CPU ms a job"
            )
        case "PacedRun":
            figures = "; ".join(f"{kind} {_times(times)}" for kind, times in record["times"].items())
            figures += f" {record['cpu']:6.3f} CPU ms a job"
        case "MemoryRun":
            figures = f"idle {record['idle']:.0f} MB, busy {record['busy']:.0f} MB, {record['seconds']:.1f} s"
            figures += f" {record['cpu']:.1f} s CPU"
        case _:
            figures = "failed"
    return " ".join([name, figures, *(f"!! {fault}" for fault in record["faults"])])


def summary(records: list[Record]) -> str:
    """Return what the terminal shows at the end."""
    lines = [
        f"{verdict.what:55} {_of(verdict, verdict.reached):>9}  floor {_of(verdict, verdict.floor):>8}  "
        f"{verdict.word.strip('*')}"
        for verdict in verdicts(records)
    ]
    return "\n" + "\n".join(lines)


def _times(times: dict[str, float]) -> str:
    return f"p50 {times['p50']:.0f} p95 {times['p95']:.0f} p99 {times['p99']:.0f} ms"


def _machine(records: list[Record]) -> Iterator[str]:
    for one in records:
        if one["type"] != "Machine":
            continue
        libraries = ", ".join(f"{name} {version}" for name, version in one["libraries"].items())
        yield (
            f"Machine: {one['cores']} cores ({one['processor']}), {one['memory']} GB. "
            f"Python {one['python']}, {libraries}.\n"
        )
        runs = of(records, Run)
        most, busiest = _most(runs, "stub_rate"), _most(runs, "stub")
        yield (
            f"The stand-in gateway can answer {one['stub_limit']:,.0f} calls a second; the most that any run "
            f"asked of it was {most:,.0f}, and the most of one core that it took was {busiest:.0%}.\n"
        )
    disturbed = middle(of(records, Run) + of(records, PacedRun), "others") or 0
    if disturbed > QUIET:
        yield (
            f"> **Disturbed**: other programs took {disturbed:.1f} cores meanwhile (median). Trust the "
            "ratios a little, the absolute figures not at all.\n"
        )


def _most(runs: Iterable[Record], field: str) -> float:
    return max((float(run[field]) for run in runs), default=0.0)


def _of(verdict: Verdict, value: float) -> str:
    digits = 0 if value >= 50 else 1 + (value < 10)  # noqa: PLR2004 - 123 ms, 12.3x, 1.23x
    return f"{value:,.{digits}f}{verdict.unit}"


def _targets(records: list[Record]) -> Iterator[str]:
    rows = [
        (one.what, _of(one, one.floor), _of(one, one.aim), _of(one, one.reached), one.word)
        for one in verdicts(records)
    ]
    if rows:
        yield "## What must be reached\n"
        yield f"Ratios are jobs a second over those of `{BEST_PEER}`, the best peer.\n"
        yield _table(("load", "floor", "aim", "measured", ""), rows)


def _loads(records: list[Record]) -> Iterator[str]:
    systems = all_systems(ROOT)
    for load in LOADS:
        runs = of(records, Run, load=load.name)
        if not runs:
            continue
        yield f"## {load.title[0].upper()}{load.title[1:]}\n"
        limit = f", {load.connections} connections" if load.connections else ""
        yield f"Gateway: {load.latency.words}{limit}. Recipients a job: {load.recipients:,}.\n"
        head = (
            "system",
            "jobs/s",
            "ratio",
            "calls a job",
            "CPU ms a job",
            "of the broker",
            "MB",
            "faults",
        )
        rows = [_row(records, load.name, one) for one in systems.values() if of(runs, Run, system=one.name)]
        yield _table(head, rows)
        yield f"![{load.title}](plots/{load.name}.svg)\n"


def _row(records: list[Record], load: str, system: System) -> tuple[str, ...]:
    runs = of(records, Run, load=load, system=system.name)
    over = ratio(records, load, system.name, BEST_PEER)
    faults = sorted({fault for run in runs for fault in run["faults"]})
    figures = [middle(runs, field) or 0 for field in ("rate", "calls", "cpu", "broker_cpu", "memory")]
    return (
        system.title,
        f"{figures[0]:,.0f}",
        f"{over:.2f}x" if over else "",
        f"{figures[1]:.2f}",
        f"{figures[2]:.2f}",
        f"{figures[3]:.2f}",
        f"{figures[4]:.0f}",
        "; ".join(faults) or "none",
    )


def _paced(records: list[Record]) -> Iterator[str]:
    systems = all_systems(ROOT)
    rows = []
    for load in PACED:
        for system in systems.values():
            runs = of(records, PacedRun, load=load.name, system=system.name)
            kinds = sorted({kind for run in runs for kind in run["times"]})
            cpu = f"{middle(runs, 'cpu') or 0:.2f}"
            rows += [
                (load.title, kind, system.title, *_middles(runs, kind), cpu, _faults(runs)) for kind in kinds
            ]
    if rows:
        yield "## From the moment a job is due to its result\n"
        yield (
            "Milliseconds, median of rounds. A promotional job makes two calls, a transactional one makes "
            "one. Gateway: 20 ms; behind bulk 100 ms, while a job of 50,000 recipients is worked on. CPU is "
            "that of one result, those of the bulk job included.\n"
        )
        yield _table(("pace", "category", "system", "p50", "p95", "p99", "CPU ms a job", "faults"), rows)
        yield "![How long a job takes](plots/paced.svg)\n"


def _middles(runs: list[Record], kind: str) -> tuple[str, ...]:
    times = [run["times"][kind] for run in runs if kind in run["times"]]
    return tuple(f"{middle(times, name):,.0f}" for name in ("p50", "p95", "p99"))


def _faults(runs: list[Record]) -> str:
    return "; ".join(sorted({fault for run in runs for fault in run["faults"]})) or "none"


def _memory(records: list[Record]) -> Iterator[str]:
    rows = []
    for system in all_systems(ROOT).values():
        runs = of(records, MemoryRun, system=system.name)
        if runs:
            idle, busy, seconds, cpu = (
                middle(runs, name) or 0 for name in ("idle", "busy", "seconds", "cpu")
            )
            large = (f"{busy:.0f}", f"{seconds:.1f}", f"{cpu:.1f}") if busy else ("", "", "")
            rows.append((system.title, f"{idle:.0f}", *large, _faults(runs)))
    if rows:
        yield "## Memory\nMegabytes, resident; of several processes what they do not share, and that once.\n"
        yield _table(
            ("system", "idle", "most during a job of 100,000", "seconds that it took", "CPU s", "faults"),
            rows,
        )
        yield "![Memory over time](plots/memory.svg)\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    rule = ("---",) * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows)) + "\n"
