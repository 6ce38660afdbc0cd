"""What ``docs/metrics.md`` says of a metric."""

from dataclasses import dataclass, field
from typing import Literal

from worker.metrics.labels import Labels

PREFIX = "iton_worker_"

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
JOB_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
WAIT_SECONDS = (0.5, 1, 2.5, 5, 15, 60, 300, 900, 3_600, 14_400)
TRACK_SECONDS = (30, 60, 120, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800)
FAST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15)
OF_A_HUNDRED = (1, 2, 5, 10, 25, 50, 75, 99, 100)
FEW = (0, 1, 2, 3, 5, 10)

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric.

    Attributes:
        group: a heading of the documentation.
        name: without the prefix.
        kind: a counter's name ends in ``_total``; an info is a gauge of 1 whose labels are what is said.
        meaning: a sentence without a full stop at its end.
        labels: none by default.
        buckets: upper bounds of a histogram.
        unset: a gauge without a value until somebody knows one; exposed as ``NaN``.
    """

    group: str
    name: str
    kind: Kind
    meaning: str
    labels: Labels = field(default_factory=Labels)
    buckets: tuple[float, ...] = ()
    unset: bool = False

    @property
    def full_name(self) -> str:
        """As Prometheus sees it."""
        return PREFIX + self.name
