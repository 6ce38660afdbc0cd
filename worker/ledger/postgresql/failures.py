"""What PostgreSQL and the way to it report, as errors with a remedy and without credentials."""

import re

import psycopg

from worker.domain.errors import LedgerUnavailableError

_UNREACHABLE = (
    "ledger_unreachable",
    "cannot be reached: is it running, and are host, port and TLS (sslmode, sslrootcert) right?",
)
_TIMED_OUT = (
    "ledger_timed_out",
    "did not answer in time: is it overloaded, cut off, or waiting for a synchronous standby that is away?",
)
_PASSWORD = ("ledger_credentials_refused", "refuses the user name or password: correct them in LEDGER_URL")
_CONNECTIONS = (
    "ledger_unreachable",
    "has no free connection: raise its max_connections, use a pooler, or run fewer workers",
)
_LOADING = ("ledger_loading", "is starting or stopping: it will be ready by itself")
_READ_ONLY = (
    "ledger_read_only",
    "takes no writes (a standby?): name all servers in LEDGER_URL (HOST1,HOST2), or point it to the primary",
)
_DATABASE = ("ledger_database_unknown", "has no such database: correct the end of LEDGER_URL, or create it")
_MISSING = (
    "ledger_schema_missing",
    "lacks the ledger's schema, and this role may not make it: run `iton-worker ledger init` as one that may",
)
_DIFFERS = (
    "ledger_schema_differs",
    "has another schema under the name iton_worker than this release knows: run `iton-worker ledger init`",
)
_RIGHTS = (
    "ledger_not_permitted",
    "lets this role not use the ledger's tables: `iton-worker ledger init --print-sql` prints what to grant",
)
_FULL = ("ledger_full", "has no room left: give it disk or memory, or shorten the retention")
_CORRUPTED = ("ledger_corrupted", "reports damaged data: restore it from a backup")
_IO = ("ledger_io_failed", "cannot read or write its files ({state}): look at its disk and its log")
_REFUSED = ("ledger_refused", "refused a statement ({state}): look at its log")
_UNREPLICATED = (
    "ledger_not_replicated",
    "gave up waiting for its synchronous standby: what was written may be lost in a failover",
)

# By SQLSTATE, the longest beginning that fits. PostgreSQL, appendix "Error Codes".
_BY_STATE = {
    "08": _UNREACHABLE,
    "25006": _READ_ONLY,
    "28": _PASSWORD,
    "3D000": _DATABASE,
    "3F000": _MISSING,
    "42501": _RIGHTS,
    "42703": _DIFFERS,
    "42804": _DIFFERS,
    "42883": _MISSING,
    "42P01": _MISSING,
    "42P10": _DIFFERS,
    "53": _FULL,
    "53300": _CONNECTIONS,
    "55P03": _TIMED_OUT,
    "57014": _TIMED_OUT,
    "57P": _UNREACHABLE,
    "57P03": _LOADING,
    "58": _IO,
    "XX001": _CORRUPTED,
    "XX002": _CORRUPTED,
    "23": _DIFFERS,
}
# A refused connection has no SQLSTATE in libpq, only words: the server's, of a pooler, or of libpq.
_BY_WORDS = (
    (r"password authentication failed|no password supplied|role .* does not exist|pg_hba\.conf", _PASSWORD),
    (r"SASL authentication failed|authentication failed|no such user|auth failed", _PASSWORD),
    (r"database .* does not exist|no such database", _DATABASE),
    (r"too many clients|connection slots|too many connections|no more connections", _CONNECTIONS),
    (r"database system is|not yet accepting connections|recovery is in progress", _LOADING),
    (r"session is read-only|server is in hot standby", _READ_ONLY),
    (r"permission denied for database", _RIGHTS),
    (r"timeout expired", _TIMED_OUT),
)
_AGAIN = frozenset({"40001", "40P01"})  # serialization failure, deadlock: done to the whole transaction
_LOST = ("08", "57P", "25006")


class UnreplicatedError(Exception):
    """The server committed without its synchronous standby, because somebody cancelled its waiting."""


def failure_of(error: Exception, place: str) -> LedgerUnavailableError:
    """Translate what went wrong with the server at *place* (hosts and database, no credentials).

    The words of the client or server are left out: they may quote what was sent.
    """
    code, remedy = _kind_of(error)
    state = getattr(error, "sqlstate", None) or type(error).__name__
    return LedgerUnavailableError(code, f"PostgreSQL at {place} {remedy.format(state=state)}")


def missing_schema(place: str) -> LedgerUnavailableError:
    """Return the error of a database without the schema, for a role that may not make it."""
    code, remedy = _MISSING
    return LedgerUnavailableError(code, f"PostgreSQL at {place} {remedy}")


def newer_schema(place: str, version: int) -> LedgerUnavailableError:
    """Return the error of a schema that a newer release made, for which this one is too old."""
    return LedgerUnavailableError(
        "ledger_schema_newer",
        f"PostgreSQL at {place} has version {version} of the ledger's schema, and this release is too old "
        "for it: use a newer one",
    )


def is_of_the_store(error: Exception) -> bool:
    """Tell a failing server from an entry that cannot be stored as it is: its batch is innocent."""
    if isinstance(error, psycopg.DataError):
        return False
    return isinstance(error, psycopg.Error | OSError | UnreplicatedError)


def is_connection_lost(error: Exception) -> bool:
    """Tell whether another connection may serve: this one is gone, or its server leads no more."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return bool(state.startswith(_LOST))
    return isinstance(error, psycopg.OperationalError | OSError) and not isinstance(error, TimeoutError)


def is_to_be_repeated(error: Exception) -> bool:
    """Tell whether the server undid the whole transaction for the sake of another one."""
    return getattr(error, "sqlstate", None) in _AGAIN


def _kind_of(error: Exception) -> tuple[str, str]:
    if isinstance(error, UnreplicatedError):
        return _UNREPLICATED
    if isinstance(error, TimeoutError):
        return _TIMED_OUT
    state = getattr(error, "sqlstate", None)
    if state:
        fitting = (_BY_STATE.get(state[:length]) for length in (5, 3, 2))
        return next((kind for kind in fitting if kind), _REFUSED)
    if isinstance(error, psycopg.OperationalError | OSError):
        return _by_words(str(error))
    return _REFUSED


def _by_words(words: str) -> tuple[str, str]:
    # Of several servers that were tried, one that works but does not lead says less than one that refuses.
    for pattern, kind in _BY_WORDS:
        if re.search(pattern, words):
            return kind
    return _UNREACHABLE
