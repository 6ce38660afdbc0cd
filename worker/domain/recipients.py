"""Any usual spelling of a phone number to the digits that ITON is given, or why it cannot be one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberType,
    ValidationResult,
    country_code_for_region,
    is_possible_number_with_reason,
    number_type,
    parse,
    region_code_for_number,
)

from worker.domain.spellings import InvalidNumberError, digits_of
from worker.domain.value import value

_MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_LENGTH = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_COUNTRY_CODE: "no such country code",
    ValidationResult.INVALID_LENGTH: "no number has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
}


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """Whose numbers are accepted.

    Attributes:
        default_region: ISO 3166 code of the country that a number without country code belongs to.
        allowed_regions: ISO codes of the countries that may be sent to.
    """

    default_region: str
    allowed_regions: frozenset[str]


def has_numbers(region: str) -> bool:
    """Tell whether the *region* has phone numbers: the United Kingdom is GB, and UK no region at all."""
    return region in SUPPORTED_REGIONS


@value
class Distinct:
    """The recipients of a job, each once, in the order of their first appearance.

    Attributes:
        order: all of them: a valid one as digits with country code, an invalid one as the producer spelt it.
        valid: those that can be sent to.
        invalid: why the others cannot, by the producer's spelling.
    """

    order: tuple[str, ...]
    valid: tuple[str, ...]
    invalid: dict[str, str]


def distinct(spellings: Iterable[str], plan: NumberingPlan) -> Distinct:
    """Normalise and collapse *spellings*: two spellings of one number are one recipient.

    Digits that lack the `+` of a foreign number are that number where another spelling names it.
    """
    quick = _quick_form(plan)
    given = tuple(spellings)
    joined = ",".join(given)
    # Each is spelt as it is sent, as nearly always: seen in a quarter of the time that it takes one by one.
    if joined.count(",") == len(given) - 1 and quick.plain.fullmatch(joined):
        once = tuple(dict.fromkeys(given))
        return Distinct(once, once, {})
    order: dict[str, None] = {}
    invalid: dict[str, str] = {}
    for spelling in given:
        match = quick.pattern.fullmatch(spelling)
        try:
            name = quick.code + match[match.lastindex or 0] if match else normalise(spelling, plan)
            invalid.pop(name, None)
        except InvalidNumberError as error:
            name = spelling
            if name not in order:
                invalid[name] = str(error)
        order[name] = None
    return Distinct(tuple(order), tuple([name for name in order if name not in invalid]), invalid)


def normalise(spelling: str, plan: NumberingPlan) -> str:
    """Return digits with country code, ``919876543210`` say.

    Raises:
        InvalidNumberError: it is not a mobile number of an allowed region.
    """
    digits = digits_of(spelling)
    return _plainly_mobile(digits, plan) or _parsed(digits, plan)


def as_sent(digits: str, plan: NumberingPlan) -> str:
    """Return the *digits* of a reply as the results of a send have them: with country code.

    A national number is one of the default region; where the same digits name a mobile number of another
    allowed region, with its country code, nobody can tell. Those, and whatever is no mobile number of an
    allowed region, stay as they are.
    """
    try:
        name = normalise(digits, plan)
    except InvalidNumberError:
        return digits
    # Most plans have one region: then the slow parser is not asked twice.
    if name == digits or plan.allowed_regions <= {plan.default_region}:
        return name
    return digits if _is_whole(digits, plan) else name


def _is_whole(digits: str, plan: NumberingPlan) -> bool:
    try:
        return normalise(f"+{digits}", plan) == digits
    except InvalidNumberError:
        return False


def _plainly_mobile(digits: str, plan: NumberingPlan) -> str | None:
    """Recognise the common forms by the library's own pattern, 30 times faster than its parser."""
    quick = _quick_form(plan)
    match = quick.pattern.fullmatch(digits)
    return quick.code + match[match.lastindex or 0] if match else None


def _parsed(digits: str, plan: NumberingPlan) -> str:
    """Have the library take away what is only dialled in front; it may change nothing else."""
    try:
        number = parse(digits, plan.default_region)
    except NumberParseException as error:
        raise InvalidNumberError(_parse_trouble(error)) from None
    _check(number, plan)
    national = f"{'0' * _leading_zeros(number)}{number.national_number}"
    if not digits.endswith(national):
        # Where numbers are dialled differently at home (Argentina's 15), the library writes them anew.
        raise InvalidNumberError("is dialled otherwise from abroad: write it with + and its country code")
    return f"{number.country_code}{national}"


@dataclass(frozen=True, slots=True)
class _QuickForm:
    """How numbers of the default region are nearly always written, without separators.

    Attributes:
        code: of the country.
        pattern: its one group that matches is the national number.
        plain: numbers with country code, digits alone, with commas between them.
    """

    code: str
    pattern: re.Pattern[str]
    plain: re.Pattern[str]


_NONE = re.compile("(?!)")
_NEVER = _QuickForm("", _NONE, _NONE)


@lru_cache(maxsize=16)
def _quick_form(plan: NumberingPlan) -> _QuickForm:
    return _region(plan.default_region) if plan.default_region in plan.allowed_regions else _NEVER


@cache
def _region(region: str) -> _QuickForm:
    metadata = PhoneMetadata.metadata_for_region(region)
    mobile = metadata.mobile.national_number_pattern if metadata and metadata.mobile else None
    if metadata is None or metadata.mobile is None or not mobile:
        return _NEVER
    # A region whose mobile numbers look like its landlines gets no quick path.
    if metadata.fixed_line is None or metadata.same_mobile_and_fixed_line_pattern:
        return _NEVER
    code = str(country_code_for_region(region))
    # In this order: a national number may begin like the country code.
    forms = [f"({mobile})", rf"\+?{code}({mobile})"]
    if metadata.national_prefix:
        forms.append(f"{metadata.national_prefix}({mobile})")
    lengths = set(metadata.mobile.possible_length)
    # Where a national number may be as long as one with its country code, only one by one tells them apart.
    alike = lengths & {len(code) + length for length in lengths}
    plain = f"{code}(?:{mobile})"
    many = _NONE if alike or not lengths else re.compile(f"{plain}(?:,{plain})*", re.ASCII)
    return _QuickForm(code, re.compile("|".join(forms), re.ASCII), many)


def _leading_zeros(number: PhoneNumber) -> int:
    return (number.number_of_leading_zeros or 1) if number.italian_leading_zero else 0


def _parse_trouble(error: NumberParseException) -> str:
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return "no such country code"
    if error.error_type in {NumberParseException.TOO_SHORT_AFTER_IDD, NumberParseException.TOO_SHORT_NSN}:
        return "too short"
    if error.error_type == NumberParseException.NOT_A_NUMBER:
        return "too short"  # the library wants two digits; the characters were checked before
    return "too long"


def _check(number: PhoneNumber, plan: NumberingPlan) -> None:
    length = is_possible_number_with_reason(number)
    if length in _LENGTH:
        raise InvalidNumberError(_LENGTH[length])
    kind = number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        raise InvalidNumberError("no such number is in use")
    if kind not in _MOBILE:
        raise InvalidNumberError("not a mobile number")
    if region_code_for_number(number) not in plan.allowed_regions:
        raise InvalidNumberError("its country is not among WORKER_ALLOWED_REGIONS")
