"""How many worlds were played, and what they held."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from tests.worlds.history import History


@dataclass
class Figures:
    """Sums over worlds.

    Attributes:
        virtual: seconds inside the worlds.
        found: worlds in which each oracle had something to say.
        changes: of ledger entries, as the model of the protocol names them.
    """

    worlds: int = 0
    steps: int = 0
    calls: int = 0
    virtual: float = 0.0
    themes: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def add(self, history: History, oracles: set[str]) -> None:
        """Count one more world."""
        self.worlds += 1
        self.steps += history.steps
        self.calls += len(history.calls)
        self.virtual += history.ended - history.began
        self.themes[history.world.theme] += 1
        self.found.update(oracles)
        self.changes.update(history.changes.made)

    def merge(self, other: Self) -> None:
        """Count those of another process."""
        self.worlds += other.worlds
        self.steps += other.steps
        self.calls += other.calls
        self.virtual += other.virtual
        self.themes.update(other.themes)
        self.found.update(other.found)
        self.changes.update(other.changes)

    def to_json(self) -> str:
        """Write them for the process that sums up."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read them."""
        read = json.loads(line)
        counted = {name: Counter(read[name]) for name in ("themes", "found", "changes")}
        return cls(**{**read, **counted})

    def lines(self, seconds: float) -> list[str]:
        """Tell them, of a run that took so many seconds."""
        rate, hours = self.worlds / max(seconds, 0.001), self.virtual / 3_600
        themes = ", ".join(f"{name} {many}" for name, many in sorted(self.themes.items()))
        return [
            f"{self.worlds} worlds in {seconds:.0f} s, {rate:.1f} a second ({themes})",
            f"{self.steps:,} steps, {self.calls:,} calls of the gateway, {hours:.1f} virtual hours",
            f"changes of ledger entries, each a row of the model: {_told(self.changes)}",
            f"found: {dict(self.found)}" if self.found else "nothing found",
        ]


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {many:,}" for name, many in counted.most_common()) or "none"
