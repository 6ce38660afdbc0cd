"""Faults that a validation found, and values that are none of a closed set, in people's words."""

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Final

from pydantic_core import ErrorDetails

# By the codes of the validation library, with what its context holds.
_WORDS: Final[dict[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is no known name",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has another form than is allowed",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "set_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "recursion_depth_exceeded": "is nested too deeply",
    "json_invalid": "is no JSON",
    "json_type": "is no JSON",
    "value_error": "{error}",
    "assertion_error": "{error}",
}
_QUOTED = re.compile(r"'([^']*)'")
_LONGEST_GUESS: Final = 40


def in_words(fault: ErrorDetails) -> str:
    """Say what is wrong with one value: a clause that follows its name; the value itself is not quoted."""
    context = fault.get("ctx", {})
    words = _WORDS.get(fault["type"])
    if words is None:
        # The library's own words for what is rare; every one of them begins like this.
        return fault["msg"].replace("Input should ", "must ", 1)
    said = words.format(
        **{name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
    )
    if "expected" in context:
        meant = guess(fault.get("input"), _QUOTED.findall(context["expected"]))
        return f"{said}{meant}"
    return said


def guess(given: object, known: Iterable[str]) -> str:
    """Return ``: did you mean X?``, or nothing where no name of *known* is like *given*."""
    meant = closest(given, list(known))
    return f": did you mean {meant}?" if meant else ""


def closest(given: object, known: Collection[str]) -> str | None:
    """Return the name of *known* that was probably meant by *given*."""
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_GUESS:
        return None
    spelt = {name.lower(): name for name in sorted(known)}
    lowered = given.lower()
    longer = (name for name in spelt if name.startswith(lowered))
    found = next(iter(difflib.get_close_matches(lowered, spelt, n=1)), None) or next(longer, None)
    return spelt[found] if found else None
