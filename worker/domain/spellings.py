"""What is plainly one phone number, however people write it, and what is wrong with everything else. Pure.

Nothing is guessed: where a character may mean anything but "the number goes on", the spelling is invalid. A
library that reads around such characters dials somebody else.
"""

import re
import unicodedata

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from worker.domain.characters import named

_LONGEST = 40  # characters

# Groups of digits, some in parentheses, with blanks and one dash, dot or slash between two.
_GAP = r"[ \u00a0]{0,2}[-./\u2010-\u2015]?[ \u00a0]{0,2}"
_GROUP = r"(?:[0-9]++|\([0-9]++\))"
_COUNTRY = r"\+ ?[1-9][0-9]*+|\+ ?\([1-9][0-9]*+\)|\(\+ ?[1-9][0-9]*+\)"
_SPELLING = re.compile(rf"(?:tel:)?(?:{_COUNTRY}|{_GROUP})(?:{_GAP}{_GROUP})*+")
_SEPARATORS = str.maketrans("", "", "tel: ()./-\u00a0\u2010\u2011\u2012\u2013\u2014\u2015")

# What a program has computed with. A single dot between digits and blanks may stand in front of decimals, but
# for the two ways in which phone numbers are written with one: in the middle, and behind the country code
# (RFC 5733, 2.5).
_ONE_DOT = re.compile(r"[-+]?[0-9 \u00a0]*\.[0-9 \u00a0]*")
_HALVES = re.compile(r"(?:[^.]*[^0-9.])?0?[0-9]{5}\.[0-9]{5}")
_BEHIND_COUNTRY = re.compile(r"\+([0-9]{1,3})\.[0-9]{4,}")
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]*)? ?[eE] ?[-+]?[0-9]+")
_GROUP_OF_2 = re.compile(r"[0-9]{2}")
_GROUP_OF_3 = re.compile(r"[0-9]{3}")
# Groups with commas between them, or with dots, blanks or apostrophes and a comma in front of the decimals.
_COMMAS = re.compile(
    r"[-+]?[0-9]+(?:,[0-9]{1,5})+(?:\.[0-9]*)?|[-+]?[0-9]{1,3}(?:[. '\u00a0][0-9]{3})+,[0-9]{0,5}"
)
_LETTER = re.compile(r"[^\W\d_]")
_SPREADSHEET = "spreadsheets write numbers so, and lose digits: make the column text and fill it anew"

_SEVERAL = re.compile(r"[,;|&]|\bor\b|\band\b", re.IGNORECASE)
_FEWEST_BEHIND_SLASH = 5  # digits; with fewer, 98765432/10, it is two numbers that share their beginning


class InvalidNumberError(ValueError):
    """The spelling cannot be a mobile number of an allowed region; the text says why."""


def digits_of(spelling: str) -> str:
    """Return all digits of *spelling*, in their order, behind a plus where it has one.

    Raises:
        InvalidNumberError: it is not plainly one phone number.
    """
    spelling = spelling.strip(" ")
    if not spelling.strip():
        raise InvalidNumberError("empty")
    if len(spelling) >= _LONGEST:
        raise InvalidNumberError("too long")
    if not _SPELLING.fullmatch(spelling) or not _means_itself(spelling):
        raise InvalidNumberError(_fault(spelling))
    return spelling.translate(_SEPARATORS)


def _means_itself(spelling: str) -> bool:
    """Tell whether dots and slashes in *spelling* only make it easier to read."""
    if "/" in spelling:
        behind = spelling.rpartition("/")[2]
        if spelling.count("/") > 1 or sum(map(str.isdigit, behind)) < _FEWEST_BEHIND_SLASH:
            return False
    dots, behind = spelling.count("."), spelling.rpartition(".")[2]
    if dots == 1:
        return not _is_decimal(spelling) and _GROUP_OF_3.match(behind) is not None
    return not dots or _GROUP_OF_2.match(behind) is not None


def _is_decimal(spelling: str) -> bool:
    if not _ONE_DOT.fullmatch(spelling) or _HALVES.fullmatch(spelling):
        return False
    country = _BEHIND_COUNTRY.fullmatch(spelling)
    return country is None or int(country[1]) not in COUNTRY_CODE_TO_REGION_CODE


def _fault(spelling: str) -> str:
    """Say what is wrong with what is not plainly one number, by the first thing that is."""
    for char in spelling:
        if fault := _unreadable(char):
            return fault
    if habit := _habit(spelling):
        return f"{habit}: {_SPREADSHEET}"
    if found := _SEVERAL.search(spelling):
        return f'has "{found[0]}": one number an entry'
    odd = next((char for char in spelling if char not in "0123456789 ()./+-"), None)
    if odd is None:
        return "has its plus, brackets, dots or slashes where no phone number has them"
    return f"has {_named(odd)}, which is not part of a phone number"


def _unreadable(char: str) -> str:
    """Name a character that nobody sees, or a digit that only looks like one of ours."""
    if char.isascii() and char.isprintable():
        return ""
    if char.isdigit():
        return f"has {_named(char)}: write it with the digits 0 to 9"
    if char != "\u00a0" and (not char.isprintable() or unicodedata.category(char)[0] in "MZ"):
        return f"has {_named(char)}, which nobody sees: type the number anew"
    return ""


def _habit(spelling: str) -> str:
    """Name what makes *spelling* a number that is computed with, not dialled."""
    if spelling[0] in "'=":
        return f"has {spelling[0]} in front"
    if _EXPONENT.fullmatch(spelling):
        return "has an exponent"
    if spelling[0] == "-":
        return "has a minus"
    if _COMMAS.fullmatch(spelling):
        return "has commas in it"
    if spelling.count(".") != 1 or _LETTER.search(spelling):
        return ""  # behind a word, "ext." say, a dot means something else
    return "" if _means_itself(spelling) else "has a decimal point"


def _named(char: str) -> str:
    return f'"{char}"' if char.isascii() and char.isprintable() else named(char)
