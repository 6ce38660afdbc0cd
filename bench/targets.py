"""What must be reached, and whether it was."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import MemoryRun, PacedRun, Record, Run, middle, of
from bench.loads import (
    BEST_PEER,
    CPU_FLOOR,
    HTTPX_FLOOR,
    LOADS,
    MEMORY_FLOOR,
    PACED,
    SKEWED,
    SKEWED_AIM,
    SKEWED_FLOOR,
)

HTTPX_PEERS = ("httpx", "faststream", "taskiq")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the table: *reached* in the unit of the floor; more is better unless *is_limit*."""

    what: str
    unit: str
    floor: float
    aim: float
    reached: float
    is_limit: bool = False

    @property
    def word(self) -> str:
        """Return what became of it."""
        if self._within(self.aim):
            return "aim reached"
        return "floor reached" if self._within(self.floor) else "**missed**"

    def _within(self, bound: float) -> bool:
        return self.reached <= bound if self.is_limit else self.reached >= bound


def ratio(records: list[Record], load: str, system: str, against: str) -> float | None:
    """Return the jobs a second of *system* over those of *against*: medians of their rounds."""
    one = middle(of(records, Run, load=load, system=system), "rate")
    other = middle(of(records, Run, load=load, system=against), "rate")
    return one / other if one and other else None


def verdicts(records: list[Record]) -> Iterator[Verdict]:
    """Compare what was measured with what must be reached; what was not measured is left out."""
    for load in LOADS:
        for system, (floor, aim) in load.floor.items():
            if reached := ratio(records, load.name, system, BEST_PEER):
                yield Verdict(f"{load.title} ({system})", "x", floor, aim, reached)
    over_httpx = [ratio(records, "unique", "ours", peer) for peer in HTTPX_PEERS]
    if found := [one for one in over_httpx if one]:
        yield Verdict("unique texts, against the best peer with httpx", "x", *HTTPX_FLOOR, min(found))
    yield from _cpu(records)
    yield from _skewed(records)
    for paced in PACED:
        yield from _paced(records, paced.name)
    for state, (floor, aim) in MEMORY_FLOOR.items():
        reached = middle(of(records, MemoryRun, system="ours"), state)
        if reached:
            yield Verdict(f"memory, {state}", " MB", floor, aim, reached, is_limit=True)


def _cpu(records: list[Record]) -> Iterator[Verdict]:
    for load, (floor, aim) in CPU_FLOOR.items():
        if reached := middle(of(records, Run, load=load, system="ours"), "cpu"):
            yield Verdict(f"CPU a job, {_title(load)} (ours)", " ms", floor, aim, reached, is_limit=True)


def _skewed(records: list[Record]) -> Iterator[Verdict]:
    constant = middle(of(records, Run, load="unique", system="ours"), "rate") or 0
    aim = max(SKEWED_FLOOR, constant * SKEWED_AIM)
    for load in SKEWED:
        if reached := middle(of(records, Run, load=load, system="ours"), "rate"):
            yield Verdict(f"{_title(load)} (ours)", " jobs/s", SKEWED_FLOOR, aim, reached)


def _title(name: str) -> str:
    return next(load.title for load in LOADS if load.name == name)


def _paced(records: list[Record], name: str) -> Iterator[Verdict]:
    load = next(load for load in PACED if load.name == name)
    runs = of(records, PacedRun, load=name, system="ours")
    for kind in sorted({kind for run in runs for kind in run["times"]}):
        times = [run["times"][kind][f"p{load.percentile}"] for run in runs if kind in run["times"]]
        reached = middle([{"time": one} for one in times], "time")
        if reached is not None:
            floor, aim = (bound * 1000 for bound in load.floor)
            what = f"p{load.percentile}, {load.title}, {kind}"
            yield Verdict(what, " ms", floor, aim, reached, is_limit=True)
