"""Every metric of the worker as a value: what ``/metrics`` exposes and ``docs/metrics.md`` lists."""

from worker.metrics.metrics import Metrics

CATALOGUE = tuple(Metrics().catalogue)
