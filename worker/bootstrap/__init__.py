"""The composition root: the one place that names every concrete class of a running worker."""

from worker.bootstrap.adapters import gateway_of, ledger_of, publisher_of, topology_of
from worker.bootstrap.process import run_worker

__all__ = ["gateway_of", "ledger_of", "publisher_of", "run_worker", "topology_of"]
