"""What the worker counts and measures, in a registry of its own."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from worker.metrics.broker import BrokerMetrics
from worker.metrics.calls import CallMetrics
from worker.metrics.credits import CreditMetrics
from worker.metrics.dnd import DndMetrics
from worker.metrics.jobs import JobMetrics
from worker.metrics.ledger import LedgerMetrics
from worker.metrics.process import ProcessMetrics
from worker.metrics.series import Group
from worker.metrics.spec import Spec
from worker.metrics.standing import StandingMetrics
from worker.metrics.tracking import TrackingMetrics


class Metrics:
    """One process's metrics by family: each attribute of a family is one metric.

    A metric with labels is indexed by their values: ``metrics.jobs.decided["send", "accepted"].inc()``. To
    tell one something is cheap, raises for no odd label, and is for the event loop alone.

    Args:
        version: of the worker, for ``iton_worker_build_info``.

    Attributes:
        catalogue: what ``docs/metrics.md`` lists, in its order.
    """

    def __init__(self, version: str = "unknown") -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        names = ("Jobs", "Tracking", "Gateway", "Ledger", "Broker", "Process")
        groups = [Group(name, self._registry) for name in names]
        jobs, tracking, gateway, ledger, broker, process = groups
        self.jobs = JobMetrics(jobs)
        self.tracking = TrackingMetrics(tracking)
        self.calls = CallMetrics(gateway)
        self.dnd = DndMetrics(gateway)
        self.standing = StandingMetrics(gateway)
        self.credits = CreditMetrics(gateway)
        self.ledger = LedgerMetrics(ledger)
        self.broker = BrokerMetrics(broker)
        self.process = ProcessMetrics(process, version)
        self.catalogue: Sequence[Spec] = [spec for group in groups for spec in group.specs]

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)
