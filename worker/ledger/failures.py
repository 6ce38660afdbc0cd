"""Failures that every backend shares."""

from worker.domain.errors import LedgerUnavailableError


def closed() -> LedgerUnavailableError:
    """Return the error of every use after ``close``."""
    return LedgerUnavailableError("ledger_closed", "the ledger is closed: the worker is stopping")


def again(failure: LedgerUnavailableError) -> LedgerUnavailableError:
    """Return a copy for one more caller.

    An exception that several tasks raise would gather all their tracebacks.
    """
    return LedgerUnavailableError(failure.code, failure.detail)
