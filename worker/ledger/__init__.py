"""The ledger's backends: one port, three stores, one conformance suite."""

from worker.ledger.memory import MemoryLedger
from worker.ledger.opening import AnyLedger, open_ledger
from worker.ledger.redis import RedisLedger
from worker.ledger.sqlite import SqliteLedger

__all__ = ["AnyLedger", "MemoryLedger", "RedisLedger", "SqliteLedger", "open_ledger"]
