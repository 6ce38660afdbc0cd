"""How many worlds were played, and what they held."""

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

    @classmethod
    def of(cls, history: History) -> Self:
        """Count one world."""
        return cls(
            worlds=1,
            steps=history.steps,
            calls=len(history.calls),
            virtual=history.ended - history.began,
            themes=Counter({history.world.theme: 1}),
            changes=Counter(history.changes.made),
        )

    def merge(self, other: Self) -> None:
        """Count those of others."""
        self.worlds += other.worlds
        self.steps += other.steps
        self.calls += other.calls
        self.virtual += other.virtual
        self.themes.update(other.themes)
        self.found.update(other.found)
        self.changes.update(other.changes)

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
