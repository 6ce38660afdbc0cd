"""Variables that look like settings of ours and are none: misspelt ones are reported with the right name."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

OURS = ("ITON_", "WORKER_")
SHARED = ("AMQP_", "LEDGER_", "HEALTH_", "LOG_")

# Kubernetes puts these into every pod for each service of its namespace
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_SERVICE_LINK = re.compile(
    r".+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_PORT = re.compile(r"(tcp|udp|sctp)://.*")
_CLOSE = 0.8
_BETWEEN_WORDS = re.compile(r"[^A-Z0-9_]")

RETIRED = {
    "WORKER_MIN_PREFETCH": "has no meaning any more: WORKER_PREFETCH says how many jobs are in hand",
    "WORKER_HOLD_LIMIT": "has no meaning any more: in an outage jobs wait in their queues; take it out",
}
"""Settings of former releases, with what replaces each."""


def is_service_link(name: str, value: str) -> bool:
    """Tell whether Kubernetes made the variable, not a person."""
    linked = name.endswith("_PORT") and _SERVICE_PORT.fullmatch(value)
    return bool(linked or _SERVICE_LINK.fullmatch(name))


def misspelt(variables: Mapping[str, str], known: Iterable[str]) -> dict[str, str | None]:
    """Return the unknown variables, in order of name, each with the name that was meant (None: no idea).

    Under AMQP_, LEDGER_, HEALTH_ and LOG_ other programs of a cluster have variables too: of those only
    near misses count. Under ITON_ and WORKER_ every unknown name does. A hyphen or dot is a slip for an
    underscore: keys of a Kubernetes Secret, which become names of files, are often written with them.
    """
    names = sorted(known)
    found: dict[str, str | None] = {}
    for given, value in sorted(variables.items()):
        name = given.upper()
        if name in names or is_service_link(name, value):
            continue
        spelt = _BETWEEN_WORDS.sub("_", name)
        if name.startswith(OURS):
            found[given] = _meant(spelt, names)
        elif _prefixed(spelt) and (meant := _meant(spelt, names)):
            found[given] = meant
    return found


def _prefixed(name: str) -> bool:
    """Tell whether the name's first word is, nearly, one of our prefixes."""
    first = name.partition("_")[0] + "_"
    return bool(get_close_matches(first, OURS + SHARED, n=1, cutoff=_CLOSE))


def _meant(name: str, known: list[str]) -> str | None:
    close = get_close_matches(name, known, n=1, cutoff=_CLOSE)
    return close[0] if close else None
