"""From the catalogue to the library's objects, with every series there from the start."""

import math
from collections.abc import Mapping
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from worker.metrics.catalogue import CATALOGUE, Spec
from worker.metrics.labels import OTHER

M = TypeVar("M", bound=MetricWrapperBase)

# A second series for each counter, which nobody reads: process_start_time_seconds says nearly the same.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's oversight


class Family(Generic[M]):
    """One metric. Its series exist before anything happened: a rate over the first event is not zero.

    Args:
        spec: its labels.
        metric: the library's object.
    """

    def __init__(self, spec: Spec, metric: M) -> None:
        self._metric = metric
        combinations = spec.labels.combinations
        self._allowed = [frozenset(column) for column in zip(*combinations, strict=True)]
        # The library looks a child up anew, under a lock, each time.
        self._children = {values: metric.labels(*values) for values in combinations} or {(): metric}

    def at(self, *values: str) -> M:
        """Return the series of these label values; one that is in no closed set becomes ``other``."""
        return self._children.get(values) or self._strange(values)

    def _strange(self, values: tuple[str, ...]) -> M:
        pairs = zip(values, self._allowed, strict=True)
        closed = tuple(value if value in allowed else OTHER for value, allowed in pairs)
        if closed not in self._children:
            self._children[closed] = self._metric.labels(*closed)
        return self._children[closed]


class Families:
    """All metrics of the catalogue in *registry*, by their names without the prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._specs = {spec.name: spec for spec in CATALOGUE}

    def counter(self, name: str) -> Family[Counter]:
        """Return a counter; KeyError unless the catalogue has it."""
        spec = self._specs[name]
        return Family(spec, Counter(*_described(spec), registry=self._registry))

    def gauge(self, name: str) -> Family[Gauge]:
        """Return a gauge; KeyError unless the catalogue has it."""
        spec = self._specs[name]
        family = Family(spec, Gauge(*_described(spec), registry=self._registry))
        for values in spec.labels.combinations or ((),):
            family.at(*values).set(math.nan if spec.unset else 0)
        return family

    def histogram(self, name: str) -> Family[Histogram]:
        """Return a histogram; KeyError unless the catalogue has it."""
        spec = self._specs[name]
        return Family(spec, Histogram(*_described(spec), buckets=spec.buckets, registry=self._registry))

    def info(self, name: str, said: Mapping[str, str]) -> None:
        """Expose an info, which never changes."""
        spec = self._specs[name]
        base = spec.full_name.removesuffix("_info")  # the library puts it back
        Info(base, spec.meaning, registry=self._registry).info(
            {label: said[label] for label in spec.labels.names}
        )


def _described(spec: Spec) -> tuple[str, str, tuple[str, ...]]:
    return spec.full_name, spec.meaning, spec.labels.names
