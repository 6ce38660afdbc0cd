"""From what happens at the ports to metrics."""

from worker.observing.observer import MeasuredLedger, MetricsObserver, PublishMetrics
from worker.observing.watches import LedgerSizeWatch, LoopWatch

__all__ = [
    "LedgerSizeWatch",
    "LoopWatch",
    "MeasuredLedger",
    "MetricsObserver",
    "PublishMetrics",
]
