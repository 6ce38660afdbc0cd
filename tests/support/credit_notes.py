"""What a worker's metrics count of credits, written down as well: its death loses none of it.

Runs inside the worker's process.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from worker.metrics.credits import CreditMetrics

COUNTERS = ("predicted", "uncertain", "spent", "added")
READING = "remaining"


@dataclass(frozen=True)
class Note:
    """One change of a metric.

    Attributes:
        name: of the counter, or `READING`.
        amount: by which it went up; of a reading, what is left.
        at: seconds since the epoch.
    """

    name: str
    amount: float
    at: float


class _Noted:
    """A metric that writes down each change, and then makes it."""

    def __init__(self, inner: object, name: str, notes: Path) -> None:
        self._inner = inner
        self._name = name
        self._notes = notes

    def inc(self, amount: float = 1) -> None:
        """Go up."""
        self._note(amount)
        self._inner.inc(amount)  # type: ignore[attr-defined]  # a counter

    def set(self, value: float) -> None:
        """Be it."""
        self._note(value)
        self._inner.set(value)  # type: ignore[attr-defined]  # a gauge

    def _note(self, amount: float) -> None:
        with self._notes.open("a") as file:
            file.write(f"{self._name} {amount} {time.time()}\n")


def note_credits(notes: Path) -> None:
    """Have this process write its changes to *notes*."""
    make = CreditMetrics.__init__

    def made(metrics: CreditMetrics, *args: object, **kwargs: object) -> None:
        make(metrics, *args, **kwargs)  # type: ignore[arg-type]  # as they came
        for name in (*COUNTERS, READING):
            setattr(metrics, name, _Noted(getattr(metrics, name), name, notes))

    setattr(CreditMetrics, "__init__", made)  # noqa: B010 - mypy refuses to have methods assigned


def read_notes(notes: Path) -> list[Note]:
    """Return what was written; a line that death cut short is none."""
    lines = notes.read_text().splitlines(keepends=True) if notes.exists() else []
    rows = (line.split() for line in lines if line.endswith("\n"))
    return [Note(name, float(amount), float(at)) for name, amount, at in rows]
