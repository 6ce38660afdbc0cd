"""What Redis and the way to it report, as errors with a remedy and without credentials."""

from redis import exceptions as redis_errors

from worker.domain.errors import EntryUnusableError, LedgerUnavailableError, UnavailableError
from worker.ledger.redis_commands import UnreplicatedError

_UNREACHABLE = ("ledger_unreachable", "cannot be reached: is it running, and are host, port and TLS right?")
_TIMED_OUT = (
    "ledger_timed_out",
    "did not answer in time: is it overloaded, cut off, or spoken to with TLS (rediss://) where it has none?",
)
_PASSWORD = ("ledger_credentials_refused", "refuses the user name or password: correct them in LEDGER_URL")
_REFUSED = ("ledger_refused", "refused a command ({word}): look at its log")
_UNREPLICATED = (
    "ledger_not_replicated",
    "has fewer replicas with the last write than wait_replicas asks for: are they there, and not behind?",
)
_CLUSTER = (
    "ledger_cluster",
    "is a node of a Redis Cluster, which keeps a part of the keys: use a single server, or one with replicas",
)

# Of two classes that fit, the first counts. TimeoutError is the built-in one as well (asyncio raises it).
_BY_CLASS: tuple[tuple[type[Exception], tuple[str, str]], ...] = (
    (redis_errors.AuthenticationError, _PASSWORD),
    (UnreplicatedError, _UNREPLICATED),
    (
        redis_errors.AuthenticationWrongNumberOfArgsError,
        ("ledger_credentials_refused", "knows no user names: give a password only"),
    ),
    (
        redis_errors.NoPermissionError,
        (
            "ledger_credentials_refused",
            "does not permit this user GET, SET, GETRANGE and EVALSHA on our keys",
        ),
    ),
    (redis_errors.AuthorizationError, _PASSWORD),
    (
        redis_errors.BusyLoadingError,
        ("ledger_loading", "is still loading its files: it will be ready by itself"),
    ),
    (
        redis_errors.MaxConnectionsError,
        ("ledger_unreachable", "has no free connection: raise its maxclients or run fewer workers"),
    ),
    (redis_errors.TimeoutError, _TIMED_OUT),
    (TimeoutError, _TIMED_OUT),
    (redis_errors.ConnectionError, _UNREACHABLE),
    (OSError, _UNREACHABLE),
    (
        redis_errors.OutOfMemoryError,
        ("ledger_full", "is out of memory: raise maxmemory or shorten the retention"),
    ),
    (
        redis_errors.ReadOnlyError,
        ("ledger_read_only", "is a read-only replica: point LEDGER_URL to the primary"),
    ),
    (
        redis_errors.MasterDownError,
        ("ledger_read_only", "is a replica without a primary: point LEDGER_URL to the primary"),
    ),
    (redis_errors.ClusterError, _CLUSTER),
    (redis_errors.AskError, _CLUSTER),
    (redis_errors.TryAgainError, _CLUSTER),
    (redis_errors.ClusterCrossSlotError, _CLUSTER),
)
# The first word of those errors that the client has no class for.
_BY_WORD = {
    "MISCONF": ("ledger_not_persisting", "cannot write its files: look at its disk and its log"),
    "NOREPLICAS": ("ledger_no_replicas", "has fewer replicas than min-replicas-to-write asks for"),
    "BUSY": ("ledger_timed_out", "is busy with a slow script of another client"),
    "DB": (
        "ledger_database_unknown",
        "has no database of that number: correct the end of LEDGER_URL (redis://HOST:PORT/DB)",
    ),
    "OOM": ("ledger_full", "is out of memory: raise maxmemory or shorten the retention"),
    "READONLY": ("ledger_read_only", "is a read-only replica: point LEDGER_URL to the primary"),
    "CLUSTERDOWN": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
}
_FOREIGN = "holds keys of another program under our prefix: use another database or AMQP_PREFIX"
_LONGEST_WORD = 20


def failure_of(error: Exception, place: str) -> UnavailableError:
    """Translate what went wrong with the server at *place* (host and port, no credentials).

    The words of the client or server are left out: they may quote what was sent.
    """
    for kind, (code, remedy) in _BY_CLASS:
        if isinstance(error, kind):
            return LedgerUnavailableError(code, f"Redis at {place} {remedy}")
    word = _first_word(error)
    if word == "WRONGTYPE":
        return foreign_entry(place)
    code, remedy = _BY_WORD.get(word, _REFUSED)
    return LedgerUnavailableError(code, f"Redis at {place} {remedy.format(word=word)}")


def foreign_entry(place: str) -> EntryUnusableError:
    """Return the error of a value that no ledger has written."""
    return EntryUnusableError("ledger_foreign_entry", f"Redis at {place} {_FOREIGN}")


def clustered(place: str) -> LedgerUnavailableError:
    """Return the error of a server that keeps a part of the keys."""
    code, remedy = _CLUSTER
    return LedgerUnavailableError(code, f"Redis at {place} {remedy}")


def _first_word(error: Exception) -> str:
    """Return the error's code word; the class name where the server gave none."""
    word = str(error).split(" ", 1)[0]
    is_code = isinstance(error, redis_errors.ResponseError) and word.isalpha() and word.isupper()
    return word if is_code and len(word) <= _LONGEST_WORD else type(error).__name__
