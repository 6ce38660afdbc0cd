"""From what happens at the ports to metrics."""

from worker.observing.measured import MeasuredLedger
from worker.observing.observer import MetricsObserver
from worker.observing.publishes import PublishMetrics
from worker.observing.watches import LedgerSizeWatch, LoopWatch

__all__ = [
    "LedgerSizeWatch",
    "LoopWatch",
    "MeasuredLedger",
    "MetricsObserver",
    "PublishMetrics",
]
