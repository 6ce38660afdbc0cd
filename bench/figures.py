"""What one run gave, and medians over rounds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One system under one load, once.

    Attributes:
        rate: jobs a second, from a tenth of the results to the last.
        calls: calls to the gateway a job.
        cpu: milliseconds of CPU of the system a job; ``broker_cpu`` the broker's.
        stub: share of one core that the stub took, 0 to 1; ``stub_rate`` the calls it answered a second.
        others: cores that programs outside the benchmark took meanwhile.
        memory: megabytes at the end.
        faults: what was wrong; empty when every job was answered once and nothing was left over.
    """

    system: str
    load: str
    rate: float
    calls: float
    cpu: float
    broker_cpu: float
    stub: float
    stub_rate: float
    others: float
    memory: float
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PacedRun:
    """Jobs that came at a rate.

    Attributes:
        times: milliseconds from the moment a job was due to its result, by category.
        cpu: milliseconds of CPU of the system a result, those of the bulk job included.
        others: as in `Run`.
    """

    system: str
    load: str
    times: dict[str, dict[str, float]]
    cpu: float
    others: float
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """One job of very many recipients.

    Attributes:
        idle: megabytes before it; ``busy`` the most during it; ``curve`` them over time from its publication.
        seconds: that it took.
        cpu: seconds of CPU that it took.
    """

    system: str
    idle: float
    busy: float
    seconds: float
    cpu: float
    curve: list[tuple[float, float]]
    faults: list[str] = field(default_factory=list)


def record_of(run: Run | PacedRun | MemoryRun) -> Record:
    """Return it as JSON would have it."""
    return {"type": type(run).__name__} | asdict(run)


def of(records: Iterable[Record], kind: type[Run | PacedRun | MemoryRun], **wanted: str) -> list[Record]:
    """Return the records of a kind whose fields are as *wanted*."""
    return [
        record
        for record in records
        if record["type"] == kind.__name__ and all(record[name] == text for name, text in wanted.items())
    ]


def middle(records: Sequence[Record], value: str | Callable[[Record], float]) -> float | None:
    """Return the median of a field; None where there is no record."""
    read = value if callable(value) else lambda record: float(record[value])
    return median(read(record) for record in records) if records else None


def percentile(times: Sequence[float], hundredth: int) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * hundredth // 100) - 1)]
