"""ITON's words for what became of a message, and its way to write a time."""

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType

from worker.iton.operators import is_refusal

UNKNOWN_STATUS = "unknown"

# Words seen at Indian gateways, and the message states of SMPP 3.4, 5.2.28. DELIVIRED: ITON API.
_WORDS: dict[str, Iterable[str]] = {
    "delivered": ("DELIVIRED", "DELIVERED", "DELIVRD", "DELIVERED-TO-HANDSET"),
    "pending": (
        *("SUBMITTED", "SENT", "ACCEPTD", "ACCEPTED", "ENROUTE", "BUFFERED", "QUEUED", "PENDING"),
        *("SENDING", "DELIVERED-TO-OPERATOR", "SUBMITTED-TO-OPERATOR", "SUBMITTED-TO-CARRIER"),
        *("AWAITED-DLR", "UNKNOWN"),  # the operator does not know yet; a later answer may be better
    ),
    "expired": ("EXPIRED",),
    "failed": (
        *("UNDELIV", "UNDELIVERED", "UNDELIVERABLE", "FAILED", "DELETED", "ABSENT-SUB", "INVALID-SUB"),
        *("INV-NUMBER", "HANDSET-ERR", "NO-CREDITS", "FAILED-INVALID-NUMBER"),
    ),
    "rejected": (
        *("REJECTD", "REJECTED", "BLACKLIST", "SPAM", "INV-TEMPLATE-MATCH", "TEMPLATE-NOT-FOUND"),
        "SNDRID-NOT-ALLOTED",
    ),
    "dnd": ("NCPR", "NDNC", "DND", "DND-FAIL", "FAILED-DND", "FAILED-NDNC"),
}
STATUSES = MappingProxyType({word: status for status, words in _WORDS.items() for word in words})
"""Status of the contract by word: upper case, with a hyphen for each space or underscore."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4}),? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_NOON = 12


@lru_cache(maxsize=1024)
def status_of(word: str) -> str:
    """Return the contract's status for ITON's *word*; ``unknown`` for a word that is in no table."""
    name = re.sub(r"[\s_-]+", "-", word.strip()).upper()
    if name not in STATUSES and is_refusal(name):
        return "rejected"
    return STATUSES.get(name, UNKNOWN_STATUS)


def agreed(statuses: Iterable[str]) -> str:
    """Return the status of one recipient of one message of which a reply says *statuses*.

    Where they contradict each other nothing is final: ``pending``, and a later reply may be clearer.
    """
    distinct = set(statuses)
    return distinct.pop() if len(distinct) == 1 else "pending"


def sending_date(text: str, zone: tzinfo) -> datetime | None:
    """Read ``Mar 12, 2013 8:13:39 PM``; None when it is something else.

    Newer Java prints a narrow no-break space (U+202F) before AM and PM (CLDR 42), and from Java 9 on a comma
    after the year. The reply names no time zone, so it is *zone*.
    """
    match = _DATE.fullmatch(" ".join(text[:100].split()))
    month = match and _month(match["month"])
    if not match or not month:
        return None
    year, day, minute, second = (int(match[name]) for name in ("year", "day", "minute", "second"))
    try:
        hour = _hour(int(match["hour"]), match["half"])
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def _month(name: str) -> int | None:
    start = name[:3].lower()
    return _MONTHS.index(start) + 1 if start in _MONTHS else None


def _hour(hour: int, half: str | None) -> int:
    """Return the hour of the day; without AM or PM it is one already."""
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError
    return hour % _NOON + (_NOON if half in "Pp" else 0)
