"""How long the gateway takes for a reply."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

MS = 0.001
SEED = 20_250_312  # everybody meets the same times in the same order


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that replies take; always the same ones unless there is another *form*.

    Attributes:
        form: ``constant``; ``uniform`` from *first* to *second*; ``lognormal`` with the median *first* and
            the sigma *second*; ``mixed``: *first*, but for a share of *share* that takes *second*.
    """

    first: float
    second: float = 0.0
    form: str = "constant"
    share: float = 0.0

    @property
    def words(self) -> str:
        """Tell a reader."""
        first, second = (f"{seconds / MS:,.0f} ms" for seconds in (self.first, self.second))
        return {
            "constant": first,
            "uniform": f"{self.first / MS:.0f} to {second}, uniform",
            "lognormal": f"lognormal, median {first}, sigma {self.second:g}",
            "mixed": f"{first}, but {second} for {self.share:.0%} of the calls",
        }[self.form]

    @property
    def query(self) -> str:
        """Return it as the stand-in reads it."""
        return f"latency={self.first}&second={self.second}&form={self.form}&share={self.share}"

    @classmethod
    def read(cls, asked: dict[str, str]) -> "Latency":
        """Return what `query` said."""
        first, second, share = (float(asked.get(name, 0)) for name in ("latency", "second", "share"))
        return cls(first, second, asked.get("form", "constant"), share)

    def times(self) -> Iterator[float]:
        """Return the seconds of one reply after the other, without end."""
        dice = Random(SEED)  # noqa: S311 - no secret
        draw: Callable[[], float] = {
            "constant": lambda: self.first,
            "uniform": lambda: dice.uniform(self.first, self.second),
            "lognormal": lambda: dice.lognormvariate(math.log(self.first), self.second),
            "mixed": lambda: self.second if dice.random() < self.share else self.first,
        }[self.form]
        while True:
            yield draw()
