"""From ``LEDGER_URL`` to a ledger."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from worker.ledger.memory import MemoryLedger
from worker.ledger.postgresql.address import ACCEPTED as ACCEPTED_POSTGRESQL
from worker.ledger.redis_forms import ACCEPTED
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Clock

if TYPE_CHECKING:
    from worker.ledger.postgresql.store import PostgresqlLedger
    from worker.ledger.redis import RedisLedger

_REDIS_SCHEMES = ("redis", "rediss", "unix")

AnyLedger: TypeAlias = Union[MemoryLedger, SqliteLedger, "RedisLedger", "PostgresqlLedger"]


def open_ledger(url: str, *, retention: float, clock: Clock, prefix: str = "iton") -> AnyLedger:
    """Return the ledger that *url* names; nothing is opened or connected before its first use.

    ``memory://``; ``sqlite:///relative.db`` and ``sqlite:////absolute.db`` as SQLAlchemy reads them;
    ``redis://``, ``rediss://``, ``unix://``; ``postgresql://``. Raises ValueError, which never quotes the
    URL.

    Args:
        url: as above.
        retention: seconds that an entry lives after it was last written.
        clock: decides on expiry, but not in Redis and PostgreSQL, which have their own.
        prefix: of the keys in Redis and PostgreSQL.
    """
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme == "memory" and rest in {"", "/"}:
        return MemoryLedger(retention=retention, clock=clock)
    if scheme == "sqlite":
        return SqliteLedger(_path(rest), retention=retention, clock=clock)
    if scheme in _REDIS_SCHEMES:
        # The client library takes 10 MB, which only those who use it shall pay for.
        from worker.ledger.redis import RedisLedger  # noqa: PLC0415 - as just said

        return RedisLedger(f"{scheme}://{rest}", retention=retention, prefix=prefix)
    if scheme == "postgresql":
        from worker.ledger.postgresql.store import PostgresqlLedger  # noqa: PLC0415 - as above

        return PostgresqlLedger(f"{scheme}://{rest}", retention=retention, prefix=prefix)
    raise ValueError(
        "not the URL of a ledger; accepted: sqlite:///relative.db, sqlite:////absolute.db, "
        f"memory://, {ACCEPTED}, {ACCEPTED_POSTGRESQL}"
    )


def _path(rest: str) -> Path:
    name = rest.removeprefix("/")
    if name == rest:
        raise ValueError(
            "sqlite: takes three slashes and a path, or four and an absolute one: "
            "sqlite:///relative.db, sqlite:////absolute.db"
        )
    if name in {"", ":memory:"}:
        raise ValueError(
            "sqlite: needs the path of a file (sqlite:///ledger.db); for trials there is memory://"
        )
    if "?" in name or name.endswith("/"):
        raise ValueError("sqlite: takes the path of a file and nothing behind it: sqlite:///ledger.db")
    return Path(name)
