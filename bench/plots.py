"""The plots beside ``RESULTS.md``, as SVG."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.figures import MemoryRun, PacedRun, Record, Run, middle, of
from bench.latency import MS
from bench.loads import LOADS, PACED
from bench.systems import ROOT, System, all_systems

OURS, PEER = "#d1495b", "#8d99ae"
KINDS = {
    "ours": "#d1495b",
    "coalesced": "#edae49",
    "other": "#9a5a63",
    "other-coalesced": "#b59a5a",
    "untold": "#c9a0a0",
    "tuned": "#30638e",
    "httpx": "#8d99ae",
}
LATENCIES = {
    "unique": ("unique", "unique-100", "unique-500"),
    "status": ("status", "status-100", "status-500"),
}


def draw(records: list[Record], folder: Path) -> None:
    """Write a plot for each load, and one each of paced jobs, latencies and memory; of what was measured."""
    mpl.use("Agg")
    mpl.rcParams.update(
        {"svg.hashsalt": "bench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    folder.mkdir(parents=True, exist_ok=True)
    systems = all_systems(ROOT)
    for load in LOADS:
        if of(records, Run, load=load.name):
            _bars(records, load.name, load.title, systems, folder)
    _by_latency(records, systems, folder)
    _paced(records, systems, folder)
    _memory(records, systems, folder)


def _save(folder: Path, name: str) -> None:
    if plt.gcf().get_layout_engine() is None:
        plt.tight_layout()
    plt.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close()


def _bars(records: list[Record], load: str, title: str, systems: dict[str, System], folder: Path) -> None:
    """Draw jobs a second, and CPU beside it."""
    there = [one for one in systems.values() if of(records, Run, load=load, system=one.name)]
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 0.8 + 0.35 * len(there)), sharey=True)
    for axes, field, label in ((left, "rate", "jobs/s"), (right, "cpu", "CPU ms a job")):
        found = [middle(of(records, Run, load=load, system=one.name), field) or 0 for one in there]
        _bar(axes, [one.title for one in there], found, ["ours" if one.is_ours else "" for one in there])
        axes.set_xlabel(label)
    left.invert_yaxis()
    plt.suptitle(title)
    _save(folder, load)


def _bar(axes: Axes, labels: list[str], values: list[float], kinds: list[str]) -> None:
    bars = axes.barh(labels, values, color=[OURS if kind else PEER for kind in kinds])
    axes.bar_label(bars, [f" {value:,.0f}" if value >= 20 else f" {value:.1f}" for value in values])  # noqa: PLR2004
    axes.margins(x=0.15)


def _by_latency(records: list[Record], systems: dict[str, System], folder: Path) -> None:
    """Draw jobs a second over the gateway's latency."""
    latency = {load.name: load.latency.first / MS for load in LOADS}
    if not all(of(records, Run, load=name) for names in LATENCIES.values() for name in names):
        return
    _, both = plt.subplots(1, 2, figsize=(9, 3.2))
    for axes, (kind, names) in zip(both, LATENCIES.items(), strict=True):
        for system in ("ours", "coalesced", "tuned"):
            found = [middle(of(records, Run, load=name, system=system), "rate") for name in names]
            if all(found):
                label = systems[system].title
                axes.plot([latency[name] for name in names], found, "o-", color=KINDS[system], label=label)
        axes.set(xlabel="latency of the gateway, ms", ylabel="jobs/s", title=kind, ylim=(0, None))
    both[0].legend(frameon=False)
    _save(folder, "latency")


def _paced(records: list[Record], systems: dict[str, System], folder: Path) -> None:
    """Draw percentiles of each pace."""
    found = [
        (f"{load.title}\n{kind}", system, [middle(times, name) or 0 for name in ("p50", "p95", "p99")])
        for load in PACED
        for system in systems
        for kind in ("transactional", "promotional")
        if (times := [run["times"][kind] for run in of(records, PacedRun, load=load.name, system=system)
                      if kind in run["times"]])
    ]  # fmt: skip
    if not found:
        return
    groups = sorted({label for label, _, _ in found}, key=[label for label, _, _ in found].index)
    figure, all_axes = plt.subplots(
        1, len(groups), figsize=(3 * len(groups), 3.6), squeeze=False, layout="constrained"
    )
    for axes, group in zip(all_axes[0], groups, strict=True):
        rows = [(system, values) for label, system, values in found if label == group]
        for place, (system, values) in enumerate(rows):
            width = 0.8 / len(rows)
            at = [tick + place * width for tick in range(3)]
            axes.bar(at, values, width, color=KINDS.get(system, PEER), label=systems[system].title)
        axes.set_xticks([tick + 0.4 - 0.4 / len(rows) for tick in range(3)], ["p50", "p95", "p99"])
        axes.set_title(group, fontsize=9)
        axes.set_ylabel("ms")
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    _save(folder, "paced")


def _memory(records: list[Record], systems: dict[str, System], folder: Path) -> None:
    """Draw megabytes over the time of the large job, of the last round."""
    runs = {run["system"]: run for run in of(records, MemoryRun) if run["curve"]}
    if not runs:
        return
    plt.figure(figsize=(7, 3.2))
    for system, run in runs.items():
        seconds, megabytes = zip(*run["curve"], strict=True)
        plt.plot(seconds, megabytes, color=KINDS.get(system, PEER), label=systems[system].title)
    plt.xlabel("seconds since a job of 100,000 recipients was published")
    plt.ylabel("MB")
    plt.ylim(0, None)
    plt.legend(frameon=False)
    _save(folder, "memory")
