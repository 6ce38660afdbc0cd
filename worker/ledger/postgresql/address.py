"""Reading a PostgreSQL URL, strictly: a slip must not end in another database or an error with a password.

Apart from what connects, which loads the client library.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

ACCEPTED = "postgresql://USER:PASSWORD@HOST[:PORT][,HOST…]/DB[?sslmode=verify-full…]"

_FORM = re.compile(
    r"postgresql://(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?:/(?P<database>[^@/?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+)?(?::(?P<port>[0-9]{1,5}))?")
_ESCAPED = re.compile(r"(?:[^%]|%[0-9a-fA-F]{2})*")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "sslmode": _SSL_MODES,
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("read-write", "primary"),
}
_NAMES = frozenset({"host", "sslcert", "sslcrl", "sslkey", "sslrootcert", *_VALUES})
_HIGHEST_PORT = 65_535
_DEFAULT_PORT = "5432"


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """Where a PostgreSQL is, and how to get in.

    Attributes:
        place: hosts, ports and database; fit for a log.
        options: libpq's parameters; they hold the password.
    """

    place: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"PostgresqlAddress({self.place!r})"


def read_address(url: str) -> PostgresqlAddress:
    """Read *url* as libpq does, but refuse what it would overlook. Raises ValueError without the URL.

    A server that takes no writes is none to connect to, so ``target_session_attrs`` is ``read-write`` where
    the URL does not say it: of several hosts the one that leads is found.
    """
    address = _read(url)
    if isinstance(address, str):
        raise ValueError(f"{address}; accepted: {ACCEPTED}")  # noqa: TRY004 -- the value is wrong, not its type
    return address


def _read(url: str) -> PostgresqlAddress | str:
    found = _FORM.fullmatch(url)
    if found is None or not _ESCAPED.fullmatch(url):
        return (
            "the PostgreSQL URL cannot be read (a special character in the password must be percent-encoded)"
        )
    query = parse_qsl(found["query"] or "", keep_blank_values=True)
    if trouble := _query_trouble(query):
        return trouble
    options = {"target_session_attrs": "read-write", **dict(query)}
    if not found["database"]:
        return "the PostgreSQL URL names no database"
    options["dbname"] = unquote(found["database"])
    options |= {name: unquote(found[name]) for name in ("user", "password") if found[name]}
    hosts = _hosts(found["hosts"], socket=options.pop("host", None))
    if isinstance(hosts, str):
        return hosts
    names, ports = [name for name, _ in hosts], [port for _, port in hosts]
    options |= {"host": ",".join(names), "port": ",".join(ports)}
    shown = ",".join(f"{name}:{port}" for name, port in hosts)
    return PostgresqlAddress(f"{shown}/{options['dbname']}", options)


def _query_trouble(query: list[tuple[str, str]]) -> str | None:
    names = [name for name, _ in query]
    unknown = sorted(set(names) - _NAMES)
    if unknown:
        return f"the PostgreSQL URL has parameters that are not known: {', '.join(unknown)}"
    if len(names) > len(set(names)):
        return "the PostgreSQL URL has a parameter twice"
    for name, value in query:
        words = _VALUES.get(name)
        if words and value not in words:
            return f"{name} of the PostgreSQL URL is none of {', '.join(words)}"
    return None


def _hosts(written: str, socket: str | None) -> list[tuple[str, str]] | str:
    if socket is not None:
        if not socket.startswith("/"):
            return "the PostgreSQL URL has a host= that is no directory of a socket"
        written = f"{socket}{written}" if written.startswith(":") or not written else ""
    hosts = [_HOST.fullmatch(unquote(each)) for each in written.split(",")]
    pairs = [(each["name"], each["port"] or _DEFAULT_PORT) for each in hosts if each and each["name"]]
    if len(pairs) < len(hosts):
        return "the PostgreSQL URL names no host, or one that cannot be one"
    if any(not 0 < int(port) <= _HIGHEST_PORT for _, port in pairs):
        return "the PostgreSQL URL has a port that is none"
    return [(name.strip("[]"), port) for name, port in pairs]
