"""Metrics of one worker process, in the Prometheus format."""

from worker.metrics.metrics import Metrics

__all__ = ["Metrics"]
