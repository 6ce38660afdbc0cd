"""Reading a Redis URL, strictly: a slip must not end in another database or an error with a password."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from redis.asyncio.connection import parse_url

from worker.ledger.redis_forms import ACCEPTED

_QUERY_NAMES = frozenset(
    {
        "client_name",
        "db",
        "password",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "username",
    }
)
_REPLICAS = "wait_replicas"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, and how to get in.

    Attributes:
        place: host, port and database, or the socket's path; fit for a log.
        options: arguments of the client's connection pool; they hold the password.
        replicas: how many must have what is written before it counts.
    """

    place: str
    options: dict[str, Any]
    replicas: int = 0

    def __repr__(self) -> str:
        return f"RedisAddress({self.place!r})"


def read_address(url: str) -> RedisAddress:
    """Read *url*, as redis-py does, but refuse what it would overlook. Raises ValueError without the URL."""
    address = _read(url)
    if isinstance(address, str):
        # Raised here, outside any handler: the parser's own error may quote the password.
        raise ValueError(f"{address}; accepted: {ACCEPTED}")  # noqa: TRY004 -- the value is wrong, not its type
    return address


def _read(url: str) -> RedisAddress | str:
    try:
        parts = urlsplit(url)
        _ = parts.port
        query = parse_qs(parts.query, keep_blank_values=True)
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError:
        return "the Redis URL cannot be read (a special character in the password must be percent-encoded)"
    if unknown := sorted(query.keys() - _QUERY_NAMES - {_REPLICAS}):
        return f"the Redis URL has parameters that are not known: {', '.join(unknown)}"
    options.pop(_REPLICAS, None)
    replicas = query.get(_REPLICAS, ["0"])[-1]
    if not re.fullmatch(r"[0-9]", replicas):
        return f"{_REPLICAS} of the Redis URL is no number from 0 to 9"
    return _address(parts, options, int(replicas))


def _address(parts: SplitResult, options: dict[str, Any], replicas: int) -> RedisAddress | str:
    db = options.get("db", 0)
    if parts.scheme == "unix":
        if parts.path in {"", "/"}:
            return "the Redis URL names no socket"
        return RedisAddress(f"{parts.path} (database {db})", options, replicas)
    if not re.fullmatch(r"/?\d*", parts.path):
        return "the database of the Redis URL is not a number"
    if not parts.hostname:
        return "the Redis URL names no host"
    return RedisAddress(f"{parts.hostname}:{parts.port or 6379}/{db}", options, replicas)
