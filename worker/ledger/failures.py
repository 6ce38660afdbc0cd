"""What every backend shares: how fresh an entry must be not to be renewed, and failures."""

from worker.domain.errors import LedgerUnavailableError

FRESH = 60.0  # seconds since the last write or renewal, within which there is no other


def closed() -> LedgerUnavailableError:
    """Return the error of every use after ``close``."""
    return LedgerUnavailableError("ledger_closed", "the ledger is closed: the worker is stopping")


def again(failure: LedgerUnavailableError) -> LedgerUnavailableError:
    """Return a copy for one more caller.

    An exception that several tasks raise would gather all their tracebacks.
    """
    return LedgerUnavailableError(failure.code, failure.detail)
