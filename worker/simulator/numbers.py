"""Phone numbers as the stand-in sees them: which are valid, how they are spelt, what becomes of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from worker.simulator.options import Spelling

_INDIAN = re.compile(r"(?:\+91|0091|91|0)?([6-9][0-9]{9})")
_FOREIGN = re.compile(r"(?:\+|00)?((?!91)[1-9][0-9]{10,14})")
_INDIAN_LENGTH = 12

PENDING = "SUBMITTED"
DELIVERED = "DELIVIRED"  # the page spells it so

# By the last two digits of the number; every other number is delivered.
FATES = {
    "13": "UNDELIV",
    "14": "EXPIRED",
    "15": "REJECTD",
    "16": "NCPR",
    "17": PENDING,
    "18": "PARKED",
}


def canonical(number: str) -> str | None:
    """Return digits with country code, or None for what is no mobile number."""
    if found := _INDIAN.fullmatch(number):
        return "91" + found[1]
    found = _FOREIGN.fullmatch(number)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A parameter of comma-separated numbers.

    Attributes:
        valid: as given.
        digits: *valid* with country code, digits only.
        invalid: the rest, as given.
    """

    valid: tuple[str, ...]
    digits: tuple[str, ...]
    invalid: tuple[str, ...]

    @classmethod
    def read(cls, numbers: Sequence[str]) -> "Listed":
        """Sort *numbers* into valid and invalid ones; order and repeats are kept."""
        pairs = [(number, canonical(number)) for number in numbers]
        return cls(
            tuple(number for number, digits in pairs if digits),
            tuple(digits for _, digits in pairs if digits),
            tuple(number for number, digits in pairs if not digits),
        )


def spell(given: str, spelling: Spelling) -> str:
    """Spell a number for a reply; what is no number stays as it was given."""
    if spelling is Spelling.GIVEN:
        return given
    digits = canonical(given)
    if digits is None:
        return given
    if spelling is Spelling.PLUS:
        return "+" + digits
    is_indian = len(digits) == _INDIAN_LENGTH and digits.startswith("91")
    return digits[2:] if spelling is Spelling.NATIONAL and is_indian else digits


def ends_in(number: str, endings: tuple[str, ...]) -> bool:
    """Tell whether *number* ends in one of *endings*."""
    return number.endswith(endings)


def fate(number: str) -> str:
    """Return the status that a message to *number* has in the end."""
    return FATES.get(number[-2:], DELIVERED)
