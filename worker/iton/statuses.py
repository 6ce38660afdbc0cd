"""ITON's words for what became of a message, and its way to write a time."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType

from worker.domain.status_words import status_name
from worker.iton.operators import is_refusal

UNKNOWN_STATUS = "unknown"

# Words of several families of gateways, and the message states of SMPP 3.4 (5.2.28) and 5.0. DELIVIRED: ITON.
_WORDS: dict[str, Iterable[str]] = {
    "delivered": (
        *("DELIVIRED", "DELIVERED", "DELIVRD", "DELIVERED-TO-HANDSET", "DELIVERED-TO-TERMINAL", "READ"),
        *("DELIVERD", "DELIVRED", "DLVRD", "DELIVERED-SUCCESSFULLY", "MESSAGE-DELIVERED"),
        *("RECEIVED-BY-RECIPIENT", "DELIVERY-SUCCESS", "SUCCESSFULLY-DELIVERED"),
    ),
    "pending": (
        *(
            "SUBMITTED",
            "SENT",
            "ACCEPTD",
            "ACCEPTED",
            "ENROUTE",
            "EN-ROUTE",
            "BUFFERED",
            "BUFFERRED",
            "QUEUED",
        ),
        *("PENDING", "SENDING", "SCHEDULED", "DELIVERED-TO-OPERATOR", "DELIVERED-TO-CARRIER", "PROCESSING"),
        *("DELIVERED-TO-GATEWAY", "DELIVERED-TO-SMSC", "DELIVERED-TO-NETWORK", "SENT-TO-OPERATOR"),
        *(
            "SUBMITTED-TO-OPERATOR",
            "SUBMITTED-TO-CARRIER",
            "SUBMITTED-TO-SMSC",
            "SUBMITD",
            "SUBMIT",
            "RETRYING",
        ),
        *("AWAITED-DLR", "AWAITING-DLR", "DLR-PENDING", "IN-PROCESS", "IN-PROGRESS", "IN-QUEUE", "WAITING"),
        *("UNKNOWN", "UNKNOWN-DELIVERY"),  # the operator does not know yet; a later answer may be better
    ),
    "expired": ("EXPIRED", "EXPIRD", "MSG-EXPIRED", "MESSAGE-EXPIRED", "VALIDITY-EXPIRED"),
    "failed": (
        *("UNDELIVRD", "FAIL"),
        *("UNDELIV", "UNDELIVERED", "UNDELIVERABLE", "NOT-DELIVERED", "DELIVERY-FAILED", "FAILED", "FAILURE"),
        *(
            "DELETED",
            "CANCELED",
            "CANCELLED",
            "SKIPPED",
            "ERROR-DELIVERING",
            "ROUTING-ERROR",
            "NETWORK-ERROR",
        ),
        *("ABSENT-SUB", "ABSENT-SUBSCRIBER", "INVALID-SUB", "UNKNOWN-SUBSCRIBER", "SUBSCRIBER-ABSENT"),
        *(
            "INV-NUMBER",
            "INVALID-NUMBER",
            "INVALID-DESTINATION",
            "HANDSET-ERR",
            "HANDSET-ERROR",
            "MEMORY-FULL",
        ),
        *(
            "MEM-EXCEEDED",
            "SWITCHED-OFF",
            "OUT-OF-COVERAGE",
            "NO-CREDITS",
            "FAILED-INVALID-NUMBER",
            "CALL-BARRED",
        ),
    ),
    "rejected": (
        *(
            "REJECT",
            "REJECTD",
            "REJECTED",
            "BLACKLIST",
            "BLACKLISTED",
            "BLOCKED",
            "SPAM",
            "INV-TEMPLATE-MATCH",
        ),
        *("TEMPLATE-NOT-FOUND", "TEMPLATE-MISMATCH", "SNDRID-NOT-ALLOTED", "SENDERID-NOT-ALLOTTED", "BARRED"),
    ),
    "dnd": (
        *("NCPR", "NDNC", "DND", "DND-FAIL", "DND-REJECTED", "DND-BLOCKED", "NCPR-FAIL", "NDNC-REJECTED"),
        *("DND-BLOCK", "DND-REJECT", "DND-FAILED", "DND-NUMBER", "NDNC-NUMBER"),
        *("FAILED-DND", "FAILED-NDNC", "REJECTED-DND", "REJECTED-NDNC", "BLOCKED-DND", "NDNC-FAILED"),
    ),
}
STATUSES = MappingProxyType({word: status for status, words in _WORDS.items() for word in words})
"""Status of the contract by word: upper case, with a hyphen for each space or underscore."""

# Some gateways begin with a group and go on with a detail: REJECTED_NETWORK, PENDING_WAITING_DELIVERY.
_GROUPS = {
    "PENDING": "pending",
    "UNDELIVERABLE": "failed",
    "UNDELIVERED": "failed",
    "FAILED": "failed",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}
_ANOTHER_TRY = re.compile(r"\bRETR(?:Y|IED|IES|YING)\b")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4}),? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_NOON = 12


@lru_cache(maxsize=1024)
def status_of(word: str) -> str:
    """Return the contract's status for ITON's *word*; ``unknown`` for a word that is in no table."""
    name = status_name(word)
    if known := STATUSES.get(name):
        return known
    if is_refusal(name):
        return "rejected"
    group, _, detail = name.partition("-")
    if not detail:
        return UNKNOWN_STATUS
    return (
        "pending" if _ANOTHER_TRY.search(detail) and group in _GROUPS else _GROUPS.get(group, UNKNOWN_STATUS)
    )


class StatusWords:
    """The table and an operator's own words, which go before it.

    Args:
        own: status by word, however it is written.
        on_unknown: told of each word that is in neither, each time.
    """

    def __init__(
        self,
        own: Mapping[str, str] = MappingProxyType({}),
        on_unknown: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._own = {status_name(word): status for word, status in own.items()}
        self._on_unknown = on_unknown

    def status_of(self, word: str) -> str:
        """Return the contract's status for *word*."""
        own = self._own.get(status_name(word)) if self._own else None
        status = own or status_of(word)
        if status == UNKNOWN_STATUS:
            self._on_unknown(word)
        return status


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
