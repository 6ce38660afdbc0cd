"""The ledger's backends: one port, three stores, one conformance suite.

The Redis one is a module of its own, `worker.ledger.redis`: its client library is large.
"""

from worker.ledger.memory import MemoryLedger
from worker.ledger.opening import AnyLedger, open_ledger
from worker.ledger.sqlite import SqliteLedger

__all__ = ["AnyLedger", "MemoryLedger", "SqliteLedger", "open_ledger"]
