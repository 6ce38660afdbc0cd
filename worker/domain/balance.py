"""What a fleet knows of its account's balance: one entry in the ledger, which each reading replaces. Pure."""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_FORM = 1


@dataclass(frozen=True, slots=True)
class Balance:
    """The latest reading.

    Attributes:
        at: seconds since the epoch, by the ledger's clock, when somebody last went to read it.
        left: credits; None before the first answer.
        low: whether the fall below the threshold was published, and the balance has not risen since.
    """

    at: float = 0.0
    left: Decimal | None = None
    low: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """From one reading to the next; one of the two is zero.

    Attributes:
        spent: credits by which the balance fell.
        added: credits by which it rose: a top-up, less what was spent meanwhile, which nobody can tell.
    """

    spent: Decimal
    added: Decimal


def movement(before: Balance, left: Decimal) -> Movement | None:
    """Return how the balance moved; None where there was no reading before."""
    if before.left is None:
        return None
    fall = before.left - left
    return Movement(max(fall, Decimal(0)), max(-fall, Decimal(0)))


def encode(balance: Balance) -> bytes:
    """Return the bytes that `decode` turns back into *balance*."""
    left = None if balance.left is None else str(balance.left)
    return json.dumps({"v": _FORM, "at": balance.at, "left": left, "low": balance.low}).encode()


def decode(state: bytes) -> Balance:
    """Read what `encode` wrote; of anything else nothing is known."""
    try:
        row = json.loads(state)
        left = None if row["left"] is None else Decimal(row["left"])
        known = row["v"] == _FORM and (left is None or left.is_finite())
        return Balance(float(row["at"]), left, row["low"] is True) if known else Balance()
    except (ValueError, TypeError, KeyError, InvalidOperation):
        return Balance()
