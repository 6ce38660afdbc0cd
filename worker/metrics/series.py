"""From what a metric is to the library's objects, with every series there from the start."""

import math
from collections.abc import Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from worker.metrics.labels import OTHER, Labels
from worker.metrics.spec import Spec

M = TypeVar("M", bound=MetricWrapperBase)
Key = str | tuple[str, ...]

# A second series for each counter, which nobody reads: process_start_time_seconds says nearly the same.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's oversight

_NO_LABELS = Labels()


class Series(dict[Key, M]):
    """The series of one metric by their label's value; by a tuple of values where there are several labels.

    All exist before anything happened: a rate over the first event is not zero. A value that is in no closed
    set is ``other``, so that nothing from outside can become a label. A dict, as the library looks a child up
    anew, under a lock, each time.
    """

    def __init__(self, labels: Labels, metric: M) -> None:
        super().__init__()
        self._metric = metric
        self._allowed = [frozenset(column) for column in zip(*labels.combinations, strict=True)]
        for values in labels.combinations:
            self._add(values)

    def __missing__(self, key: Key) -> M:
        pairs = zip((key,) if isinstance(key, str) else key, self._allowed, strict=True)
        closed = tuple(value if value in allowed else OTHER for value, allowed in pairs)
        return self.get(_key(closed)) or self._add(closed)

    def _add(self, values: tuple[str, ...]) -> M:
        self[_key(values)] = child = self._metric.labels(*values)
        return child


def _key(values: tuple[str, ...]) -> Key:
    return values[0] if len(values) == 1 else values


class Group:
    """Declares the metrics of one heading of the documentation in *registry*.

    Each kind of metric has two methods: one for a metric with labels, and one for a metric that is a single
    series. Names are without the prefix.

    Attributes:
        specs: of all that were declared, in their order.
    """

    def __init__(self, name: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._registry = registry
        self.specs: list[Spec] = []

    def counters(self, name: str, meaning: str, labels: Labels) -> Series[Counter]:
        """Return the series of a counter."""
        return Series(labels, self._counter(name, meaning, labels))

    def counter(self, name: str, meaning: str) -> Counter:
        """Return a counter."""
        return self._counter(name, meaning, _NO_LABELS)

    def gauges(self, name: str, meaning: str, labels: Labels, *, unset: bool = False) -> Series[Gauge]:
        """Return the series of a gauge; those of an *unset* one are NaN until they are set."""
        series = Series(labels, self._gauge(name, meaning, labels, unset))
        for one in series.values():
            one.set(_first(unset))
        return series

    def gauge(self, name: str, meaning: str, *, unset: bool = False) -> Gauge:
        """Return a gauge; an *unset* one is NaN until it is set."""
        gauge = self._gauge(name, meaning, _NO_LABELS, unset)
        gauge.set(_first(unset))
        return gauge

    def histograms(
        self, name: str, meaning: str, labels: Labels, buckets: tuple[float, ...]
    ) -> Series[Histogram]:
        """Return the series of a histogram."""
        return Series(labels, self._histogram(name, meaning, labels, buckets))

    def histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        """Return a histogram."""
        return self._histogram(name, meaning, _NO_LABELS, buckets)

    def info(self, name: str, meaning: str, said: Mapping[str, str]) -> None:
        """Expose an info, which never changes."""
        spec = self._noted(Spec(self._name, name, "info", meaning, Labels(tuple(said))))
        base = spec.full_name.removesuffix("_info")  # the library puts it back
        Info(base, spec.meaning, registry=self._registry).info(dict(said))

    def _counter(self, name: str, meaning: str, labels: Labels) -> Counter:
        spec = self._noted(Spec(self._name, name, "counter", meaning, labels))
        return Counter(*_described(spec), registry=self._registry)

    def _gauge(self, name: str, meaning: str, labels: Labels, unset: bool) -> Gauge:  # noqa: FBT001 - as Spec has it
        spec = self._noted(Spec(self._name, name, "gauge", meaning, labels, unset=unset))
        return Gauge(*_described(spec), registry=self._registry)

    def _histogram(self, name: str, meaning: str, labels: Labels, buckets: tuple[float, ...]) -> Histogram:
        spec = self._noted(Spec(self._name, name, "histogram", meaning, labels, buckets))
        return Histogram(*_described(spec), buckets=buckets, registry=self._registry)

    def _noted(self, spec: Spec) -> Spec:
        self.specs.append(spec)
        return spec


def _first(unset: bool) -> float:  # noqa: FBT001 - the only thing to say
    return math.nan if unset else 0


def _described(spec: Spec) -> tuple[str, str, tuple[str, ...]]:
    return spec.full_name, spec.meaning, spec.labels.names
