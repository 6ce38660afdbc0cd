"""From what happens at the ports to metrics."""

from worker.observing.measured import MeasuredCopies, MeasuredLedger, MeasuredPublisher
from worker.observing.observer import MetricsObserver
from worker.observing.watches import LedgerSizeWatch, LoopWatch

__all__ = [
    "LedgerSizeWatch",
    "LoopWatch",
    "MeasuredCopies",
    "MeasuredLedger",
    "MeasuredPublisher",
    "MetricsObserver",
]
