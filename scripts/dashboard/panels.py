"""A dashboard as values."""

from dataclasses import dataclass
from typing import Literal

Look = Literal["stat", "lines", "stack", "states", "table"]

GOOD_UNTIL_ONE = ((None, "green"), (1.0, "red"))


@dataclass(frozen=True, slots=True)
class Query:
    """One expression.

    Attributes:
        expr: PromQL; each of the worker's metrics is narrowed to what the dashboard's variables choose.
        legend: in Grafana's form, ``{{lane}}`` say.
        dashed: whether its lines are drawn so: a limit of what others show.
    """

    expr: str
    legend: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        description: how to read it, and what is good or bad.
        unit: Grafana's name of it, or ``suffix:`` and what is put behind the number.
        queries: at least one.
        steps: of a stat, the value from which a colour holds; the first is the lowest one's.
        words: of a stat or a state, what is shown in place of a value.
        width: of 24 columns.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    look: Look = "lines"
    steps: tuple[tuple[float | None, str], ...] = ((None, "text"),)
    words: tuple[tuple[float, str], ...] = ()
    width: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and what stands below it."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


def mean(metric: str, by: str) -> str:
    """The mean of a histogram's observations; what has none is left out (it is not a number)."""
    up, down = (f"sum by ({by}) (rate({metric}_{part}[$__rate_interval]))" for part in ("sum", "count"))
    return f"{up} / {down} >= 0"


def quantile(share: float, metric: str, by: str) -> str:
    """The value below which *share* of a histogram's observations lie; what has none is left out."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket[$__rate_interval]))) >= 0"


def workers_own(expr: str) -> str:
    """*expr* of metrics that every process has, for those alone that are workers."""
    return f"{expr} and on (namespace, job, instance) iton_worker_build_info"


def rate(metric: str, by: str) -> str:
    """Events a second; what does not occur is left out."""
    return f"sum by ({by}) (rate({metric}[$__rate_interval])) > 0"
