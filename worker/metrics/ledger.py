"""The ledger."""

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group
from worker.metrics.spec import FAST_SECONDS


class LedgerMetrics:
    """Its operations and its size."""

    def __init__(self, group: Group) -> None:
        operation = every(operation=labels.LEDGER_OPERATIONS)
        self.took = group.histograms(
            "ledger_seconds", "Duration of ledger operations", operation, FAST_SECONDS
        )
        self.failures = group.counters(
            "ledger_failures_total", "Ledger operations that failed because the store was away", operation
        )
        self.entries = group.gauge(
            "ledger_entries",
            "Entries in the ledger, about; PostgreSQL counts those of all deployments, Redis cannot: NaN",
            unset=True,
        )
        self.size = group.gauge(
            "ledger_bytes",
            "Bytes that the ledger takes: SQLite's files, PostgreSQL's table and indexes; NaN for the others",
            unset=True,
        )
