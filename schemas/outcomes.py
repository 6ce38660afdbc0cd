"""What may become of a recipient and of a message, and a result's status (docs/contract.md, 4)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """The end of one recipient of a send job."""

    ACCEPTED = "accepted"
    DND = "dnd"
    DND_UNVERIFIED = "dnd_unverified"
    INVALID = "invalid"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_OUTCOMES: Final = tuple(Outcome)

WITHOUT_ERROR: Final = frozenset({Outcome.ACCEPTED, Outcome.DND})
"""Outcomes that explain themselves; every other one carries an error."""


class SendStatus(StrEnum):
    """The status of a part of a send result."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


class CancelStatus(StrEnum):
    """The answer to a request to stop a send job."""

    RECORDED = "recorded"
    TOO_LATE = "too_late"


class Encoding(StrEnum):
    """How the text travels: 160 (153) characters a segment, or 70 (67) UTF-16 units."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class DeliveryStatus(StrEnum):
    """The delivery status of one recipient of one message."""

    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DND = "dnd"
    PENDING = "pending"
    UNKNOWN = "unknown"


FINAL_STATUSES: Final = frozenset(
    {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.REJECTED,
        DeliveryStatus.DND,
    }
)


class DeliveryResultStatus(StrEnum):
    """The status of a part of a delivery result."""

    FINAL = "final"
    PENDING = "pending"


def part_status(outcomes: Iterable[Outcome]) -> SendStatus:
    """The status of a part whose recipients ended in *outcomes*.

    Every one accepted: accepted. Some: partial. None: uncertain if any is, else cancelled if any is, else
    expired if any is, else failed.

    Raises:
        ValueError: there is no outcome; a part has at least one recipient.
    """
    found = set(outcomes)
    if not found:
        raise ValueError("a part of a result has at least one recipient")
    if Outcome.ACCEPTED in found:
        return SendStatus.ACCEPTED if len(found) == 1 else SendStatus.PARTIAL
    if Outcome.UNCERTAIN in found:
        return SendStatus.UNCERTAIN
    if Outcome.CANCELLED in found:
        return SendStatus.CANCELLED
    return SendStatus.EXPIRED if Outcome.EXPIRED in found else SendStatus.FAILED


def count_outcomes(outcomes: Iterable[Outcome]) -> dict[Outcome, int]:
    """How often each outcome occurs, in the order of `Outcome`; those that do not occur are left out."""
    given = list(outcomes)
    counts: dict[Outcome, int] = {}
    left = len(given)
    # The first one is nearly always that of all; and to hash a member of an enumeration is a call each.
    for outcome in _OUTCOMES:
        if left and (count := given.count(outcome)):
            counts[outcome] = count
            left -= count
    return counts


def delivery_status(messages: Iterable[tuple[bool, Iterable[DeliveryStatus]]]) -> DeliveryResultStatus:
    """The status of a result over messages, each whether it was found and the statuses of its recipients.

    Final when every message was found, has a recipient, and every recipient's status is final; of no
    message at all nothing is known, which is pending.
    """
    seen = [(found, list(statuses)) for found, statuses in messages]
    settled = all(found and statuses and FINAL_STATUSES.issuperset(statuses) for found, statuses in seen)
    return DeliveryResultStatus.FINAL if seen and settled else DeliveryResultStatus.PENDING
