"""Which of the asked numbers a reply means, whatever spelling it uses."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from worker.iton.ids import whole

_SPELLING = re.compile(r"(?:tel:)?\(?\+?\(?[0-9][0-9 ()./\u00a0\u202f\u2010-\u2015-]{3,30}")
# What prints a number as a fraction: 919876543210.0, 9.1987654321E11.
_FRACTION = re.compile(r"[0-9]{1,20}\.[0-9]{1,30}(?:[eE]\+?[0-9]{1,2})?", re.ASCII)
_SEPARATORS = str.maketrans("", "", "tel:+ ()./-\u00a0\u202f\u2010\u2011\u2012\u2013\u2014\u2015")
_COUNTRY_CODES = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
_LONGEST_COUNTRY_CODE = 3


class AskedNumbers:
    """The numbers of one request, found again by the spellings of its reply.

    A reply is matched on the whole number, else on the national significant number: ITON's example of
    check_DNDnumber names no country code. A national number that two asked countries share names neither.

    Args:
        numbers: digits with country code (E.164 without the plus).
    """

    def __init__(self, numbers: Iterable[str]) -> None:
        self._whole = dict.fromkeys(numbers)

    def __contains__(self, spelling: str) -> bool:
        """Tell whether a number was asked about in just this spelling."""
        return spelling in self._whole

    def find(self, spelling: object) -> str | None:
        """Return the asked number that *spelling* (a string, or a JSON number) means, or None."""
        if isinstance(spelling, str) and spelling in self._whole:
            return spelling  # as it was sent, as nearly always
        if (digits := plain_digits(spelling)) is None:
            return None
        if digits in self._whole:
            return digits
        trimmed = digits.lstrip("0")  # 0 and 00 are dialled before a number in most countries
        return (
            trimmed if trimmed in self._whole else self._national.get(digits) or self._national.get(trimmed)
        )

    @cached_property
    def _national(self) -> dict[str, str | None]:
        """Asked number by national significant number; None where two share it."""
        found: dict[str, str | None] = {}
        for number in self._whole:
            national = number[_country_code_length(number) :]
            for key in {national, national.lstrip("0")}:  # Italy's numbers keep their zero
                found[key] = None if key in found else number
        return found


def plain_digits(spelling: object) -> str | None:
    """Return the digits of what is written like a phone number, or is the number in any notation; else None.

    ``"+91 98765 43210"``, ``"919876543210.0"``; the JSON numbers ``919876543210`` and ``9.1987654321E11``.
    """
    if not isinstance(spelling, str):
        number = whole(spelling)
        # The size first: an absurd number takes long to turn into text, or fails.
        return plain_digits(str(number)) if number is not None and 0 < number < 10**15 else None
    text = spelling.strip()
    if _FRACTION.fullmatch(text) and (digits := plain_digits(Decimal(text))):
        return digits
    return text.translate(_SEPARATORS) if _SPELLING.fullmatch(text) else None


def _country_code_length(number: str) -> int:
    """Country codes are prefix-free: at most one start of a number is one (ITU-T E.164)."""
    for length in range(1, _LONGEST_COUNTRY_CODE + 1):
        if number[:length] in _COUNTRY_CODES:
            return length
    return 0
