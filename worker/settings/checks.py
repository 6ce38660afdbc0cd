"""What a value must be beyond its type. Each check raises ValueError with the fault and the remedy."""

import json
import re
import ssl
from difflib import get_close_matches
from ipaddress import IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from schemas.checks import RESERVED_PARAMS, is_unicode
from schemas.outcomes import DeliveryStatus
from worker.domain.characters import invisible_in
from worker.domain.hours import Hours
from worker.domain.status_words import status_name
from worker.domain.web_path import allowed_segments

_PARAM_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9_.:\-]{1,100}")
_REGION = re.compile(r"[A-Z]{2}")
_BEHIND_THE_PATH = frozenset("?#")
_UNREADABLE_IN_LOGINS = frozenset("[]\\")  # for the AMQP library
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
# What may stand behind the ? of the broker's URL; of a wrong value the AMQP library makes a 0 without a word.
_BROKER_OPTIONS = {
    "heartbeat": (re.compile(r"[0-9]{1,4}"), "whole seconds from 0 (none) to 9999; heartbeat=30, say"),
    "timeout": (re.compile(r"[1-9][0-9]{0,4}"), "whole seconds; timeout=60, say"),
    "interleave": (re.compile(r"[0-9]{1,3}"), "a whole number; interleave=1, say"),
    "happy_eyeballs_delay": (
        re.compile(r"[0-9]{1,4}(\.[0-9]{1,9})?"),
        "seconds; happy_eyeballs_delay=0.25, say",
    ),
    "auth": (re.compile(r"plain|external", re.IGNORECASE), "plain or external; auth=plain, say"),
    "no_verify_ssl": (re.compile(r"[01]"), "0 or 1; no_verify_ssl=0, say"),
}
_BROKER_FILES = ("cafile", "capath", "cadata", "certfile", "keyfile")
_OF_OTHERS = {"cacertfile": "cafile"}  # RabbitMQ's own name, which the AMQP library passes over
_CLOSE = 0.8
# Nearly every program takes it for IPv4 as well, and who writes it expects that.
_ANY_IPV6 = IPv6Address("::")
_MOST_DELAYS = 10
_LONGEST_DELAY = 86_400
_MOST_LOOKS = 20
_STATUSES = tuple(one.value for one in DeliveryStatus if one is not DeliveryStatus.UNKNOWN)

LEDGER_KINDS = {
    "sqlite": "a SQLite file, for workers of one machine",
    "memory": "memory, for one process and until its end",
    "redis": "a Redis, for any number of workers",
    "rediss": "a Redis over TLS, for any number of workers",
    "postgresql": "a PostgreSQL, for any number of workers",
    "unix": "a Redis behind a socket, for workers of one machine",
}
"""The schemes of LEDGER_URL, and what each means."""
_POSTGRESQL = "postgresql://"
SHARED_LEDGERS = frozenset({"redis", "rediss", "postgresql"})
"""Those that pods of a cluster can share."""


def split_list(value: object) -> object:
    """Turn ``"a, b,"`` into ``("a", "b")``; leave anything but a string alone."""
    if not isinstance(value, str):
        return value
    return tuple(item.strip() for item in value.split(",") if item.strip())


def upper(value: object) -> object:
    """Let people write a word of a closed set in any case."""
    return value.strip().upper() if isinstance(value, str) else value


def lower(value: object) -> object:
    """Let people write a word of a closed set in any case."""
    return value.strip().lower() if isinstance(value, str) else value


def broker_url(value: SecretStr) -> SecretStr:
    """Accept ``amqp://`` and ``amqps://`` with a host."""
    parts = _split_url(value.get_secret_value(), ("amqp", "amqps"), "amqp://USER:PASSWORD@HOST:5672/VHOST")
    if not parts.hostname:
        raise ValueError("names no host; write amqp://USER:PASSWORD@HOST:5672/VHOST")
    if _UNREADABLE_IN_LOGINS & set(parts.netloc.rpartition("@")[0]):
        raise ValueError(
            "is no valid URL; write amqp://USER:PASSWORD@HOST:5672/VHOST, with [ ] and \\ in a password "
            "percent-encoded"
        )
    _check_query(parts.query)
    return value


def ledger_url(value: SecretStr) -> SecretStr:
    """Accept ``sqlite:///PATH``, ``redis://HOST:PORT/DB``, ``postgresql://HOST/DB`` and their like."""
    url = value.get_secret_value()
    if url[: len(_POSTGRESQL)].lower() == _POSTGRESQL:
        return _postgresql_url(value)
    form = "sqlite:///PATH, postgresql://HOST/DB, redis://HOST:PORT/DB or memory://"
    parts = _split_url(url, tuple(LEDGER_KINDS), form)
    match parts.scheme:
        case "sqlite" if parts.netloc or parts.path in {"", "/", "/:memory:"}:
            raise ValueError(
                "names no file; write sqlite:///PATH with three slashes, four for an absolute path "
                "(memory:// keeps nothing on disk)"
            )
        case "sqlite" if parts.query or parts.path.endswith("/"):
            raise ValueError("must end with the name of a file; write sqlite:///iton-ledger.db, say")
        case "memory" if parts.netloc or parts.path not in {"", "/"}:
            raise ValueError("takes nothing behind memory://; write memory://")
        case "redis" | "rediss" if not parts.hostname:
            raise ValueError("names no host; write redis://HOST:PORT/DB")
        case _:
            return value


def _postgresql_url(value: SecretStr) -> SecretStr:
    """See that there is a database, and nothing that nobody sees; several hosts are well."""
    form = "postgresql://USER:PASSWORD@HOST/DB"
    url = value.get_secret_value()
    if hidden := invisible_in(url):
        kinds = "a line break, a control character or bytes that are no UTF-8"
        raise ValueError(f"holds {hidden} ({kinds}); write {form}")
    place, _, _ = url[len(_POSTGRESQL) :].partition("?")
    user, _, rest = place.rpartition("@")
    if {"/", "@", "#"} & set(user):
        raise ValueError(f"is no valid URL; write {form}, with / @ # : and % in a password percent-encoded")
    hosts, _, database = rest.partition("/")
    if not database or "/" in database:
        raise ValueError(f"names no database; write {form}")
    if not hosts and "host=" not in url:
        raise ValueError(f"names no host; write {form}")
    return value


def gateway_url(value: str) -> str:
    """Accept ``http://`` and ``https://`` with a host and without credentials, query or fragment."""
    parts = _split_url(value, ("https", "http"), "https://HOST/PATH/")
    if not parts.hostname:
        raise ValueError("names no host; write https://HOST/PATH/")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials; use ITON_USERNAME and ITON_PASSWORD")
    # An empty one too: what the worker adds would stand behind a second ?, or be cut off with a fragment.
    if _BEHIND_THE_PATH & set(value):
        raise ValueError("must end before the ? or #; the worker adds the query itself")
    return value


def web_api_url(value: str | None) -> str | None:
    """Accept an address like the gateway's; the token is its only credential."""
    if value is None:
        return None
    parts = _split_url(value, ("https", "http"), "https://HOST/PATH/")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials; use ITON_API_TOKEN")
    if not (value.isascii() and " " not in value):
        raise ValueError("must be ASCII without spaces; percent-encode the path")
    return gateway_url(value)


def path_start(value: str) -> str:
    """Accept the first segments of a path."""
    return allowed_segments(value)


def proxy_url(value: SecretStr | None) -> SecretStr | None:
    """Accept ``http://`` with a host, and nothing behind its port."""
    if value is None:
        return None
    form = "http://USER:PASSWORD@HOST:PORT"
    parts = _split_url(value.get_secret_value(), ("http",), form)
    if not parts.hostname:
        raise ValueError(f"names no host; write {form}")
    if parts.path not in {"", "/"} or _BEHIND_THE_PATH & set(value.get_secret_value()):
        raise ValueError(f"must end behind the port; write {form}")
    if ":" in unquote(parts.username or ""):
        raise ValueError(
            "has a user name with a colon, which no proxy can tell from the password; take it out"
        )
    return value


def authorities(value: Path | None) -> Path | None:
    """Accept a file with at least one certificate in PEM form."""
    if value is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except ssl.SSLError:
        raise ValueError(
            "holds no certificate in PEM form; name a file with BEGIN CERTIFICATE in it"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it can be no path"
        raise ValueError(
            f"names a file that cannot be read ({reason}); mount it, or correct the path"
        ) from None
    return value


def unicode_secret(value: SecretStr) -> SecretStr:
    """Accept what can be percent-encoded, any characters, but at its ends nothing that nobody sees."""
    secret = value.get_secret_value()
    if not is_unicode(secret):
        raise ValueError("holds bytes that are no UTF-8, which cannot be sent; write it in UTF-8")
    if hidden := invisible_in(secret[:1] + secret[-1:]):
        raise ValueError(f"begins or ends with {hidden}, which nobody sees; copy it again")
    return value


def sender(value: str | None) -> str | None:
    """Accept a sender ID that is to be seen as it is."""
    if value is not None and (hidden := invisible_in(value)):
        raise ValueError(f"holds {hidden}, which nobody sees; copy it again")
    return value


def listen_address(value: str | None) -> str | None:
    """Accept an IP address, IPv6 with or without brackets; what means all addresses is None."""
    if value is None or value == "*":
        return None
    try:
        address = ip_address(value.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("must be an IP address: 127.0.0.1 or ::1, say, or unset for all of them") from None
    return None if address == _ANY_IPV6 else str(address)


def token(value: SecretStr | None) -> SecretStr | None:
    """Accept what can stand in a header's line."""
    if value is not None and not all("!" <= char <= "~" for char in value.get_secret_value()):
        raise ValueError(
            "must be made of visible ASCII characters, without spaces and line breaks; copy it again"
        )
    return value


def prefix(value: str) -> str:
    """Accept what may start the name of an exchange and a queue."""
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be 1 to 100 of A-Z a-z 0-9 . _ : -; iton, say")
    if value.startswith("amq."):
        raise ValueError("must not start with amq., which the broker keeps for itself; iton, say")
    return value


def region(value: str) -> str:
    """Accept a two-letter region code."""
    if not _REGION.fullmatch(value):
        raise ValueError("must be made of two-letter region codes such as IN")
    return value


def param_name(value: str) -> str:
    """Accept the name of a query parameter that the worker does not fill itself."""
    if not _PARAM_NAME.fullmatch(value):
        raise ValueError("must be made of parameter names of A-Z a-z 0-9 _ . - only")
    if value.lower() in RESERVED_PARAMS:
        raise ValueError(
            "must not name a parameter that the worker fills itself (username, to, cmd and so on)"
        )
    return value


def text_param_name(value: str) -> str:
    """Accept the name of the parameter with the text, for which ``message`` is reserved."""
    return value if value.lower() == "message" else param_name(value)


def time_zone(value: str) -> str:
    """Accept a name of the time zone database."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone of the tz database; Asia/Kolkata, say") from None
    return value


def hours(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Accept one window of a day or several that do not overlap."""
    if value is None:
        return None
    if not value:
        raise ValueError("names no hours; write HH:MM-HH:MM, 10:00-21:00, say, or leave it unset")
    Hours.of(value, "UTC")
    return value


def delays(value: tuple[int, ...]) -> tuple[int, ...]:
    """Accept 1 to 10 rising whole seconds, each at most a day."""
    rising = all(earlier < later for earlier, later in pairwise(value))
    if not 1 <= len(value) <= _MOST_DELAYS or not rising or value[0] < 1 or value[-1] > _LONGEST_DELAY:
        raise ValueError("must be 1 to 10 rising whole seconds, each from 1 to 86400; 5,30,120,600, say")
    return value


def track_delays(value: tuple[int, ...]) -> tuple[int, ...]:
    """Accept 1 to 20 whole seconds, each at most a day, in any order."""
    if not 1 <= len(value) <= _MOST_LOOKS or not all(1 <= delay <= _LONGEST_DELAY for delay in value):
        raise ValueError("must be 1 to 20 whole seconds, each from 1 to 86400; 30,60,120,300,900,3600, say")
    return value


def status_words(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept WORD=STATUS, each word once, with one of the contract's statuses."""
    seen: dict[str, str] = {}
    for pair in value:
        word, equals, status = (part.strip() for part in pair.rpartition("="))
        if not (equals and status_name(word)):
            raise ValueError("must be a comma list of WORD=STATUS; PARKED=pending,NO ROUTE=failed, say")
        if status.lower() not in _STATUSES:
            raise ValueError(f"gives a word another status than {', '.join(_STATUSES)}; PARKED=pending, say")
        if seen.setdefault(status_name(word), status.lower()) != status.lower():
            raise ValueError("gives the same word two statuses; take one of them out")
    return tuple(f"{word}={status}" for word, status in seen.items())


def json_rules(value: object) -> object:
    """Parse a JSON list of objects; leave anything but a string alone."""
    if not isinstance(value, str):
        return value
    try:
        rules: Any = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON; write a list of objects such as []") from None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("must be a JSON list of objects")
    return tuple(rules)


def _split_url(value: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    """Split *value*, whose scheme must be one of *schemes* and whose port must be a number."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(
            f"is no valid URL; write {form}, with / @ # : [ ] and % in a password percent-encoded"
        ) from None
    if hidden := invisible_in(value):
        kinds = "a line break, a control character or bytes that are no UTF-8"
        raise ValueError(f"holds {hidden} ({kinds}); write {form}")
    if parts.hostname and not _is_host(parts.hostname):
        raise ValueError(f"names a host that cannot be one (is there a space in it?); write {form}")
    if parts.scheme not in schemes or not value.partition(":")[2].startswith("//") or port == 0:
        raise ValueError(f"has another form than the worker knows; write {form}")
    return parts


def _is_host(name: str) -> bool:
    """Tell whether *name* can be looked up: a name of DNS, in any script, or an address."""
    if ":" in name:  # urlsplit has checked what stands in brackets
        return True
    try:
        return _HOST.fullmatch(name.encode("idna").decode()) is not None
    except UnicodeError:
        return False


def _check_query(query: str) -> None:
    known = (*_BROKER_OPTIONS, *_BROKER_FILES)
    for name, value in parse_qsl(query, keep_blank_values=True):
        meant = _OF_OTHERS.get(name) or next(iter(get_close_matches(name, known, n=1, cutoff=_CLOSE)), name)
        if meant != name:  # the name is not quoted: a ? in a password puts its end here
            raise ValueError(f"has an option behind the ? that means nothing; did you mean {meant}?")
        pattern, wanted = _BROKER_OPTIONS.get(name, (None, ""))
        if pattern and not pattern.fullmatch(value):
            raise ValueError(f"has a wrong {name} behind the ?; it must be {wanted}")
