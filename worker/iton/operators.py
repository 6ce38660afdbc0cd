"""What India's operators say when they refuse a message, in their platform's own codes.

Every commercial SMS is held against what its sender registered (DLT scrubbing, TCCCPR 2018). The codes are
made of the thing that did not fit and what was wrong with it: ``605 ENTITY_ID_NOT_ALLOWED_FOR_TM``, ``624
HEADER_SUSPENDED_DUE_TO_VALIDITY``, ``651 EC_INVALID_PROMO_TIME`` (promotional text outside 10:00 to 21:00),
``FAILED_DLT_TEMPLATE``. All are about this one message: the same would be refused again, and the account is
well. Sources: the operators' public tables of codes 600 to 699; Exotel, SMS status codes.
"""

import re

# A name of several words at the least: "entity" and "header" alone are words of prose.
_SENDER = r"(?:INVALID_)?HEADER_\w+|PE_?ID_NOT_MATCHED_WITH_HEADER|FAILED_INVALID_(?:SENDER|HEADER)"
_TEXT = r"(?:INVALID_|MULTIPLE_)?TEMPLATE_\w+|(?:INVALID|MISSING)_TEMPLATE|FAILED_(?:DLT_TEMPLATE|SPAM)"
_NUMBER = r"FAILED_(?:DND|NDNC|INVALID_NUMBER|BLACKLISTED)"
_OTHERS = (
    r"(?:INVALID_)?ENTITY_\w+|TELEMARKETER_\w+|PE_TM_\w+|PE_?ID_\w+|CONSENT_\w+|EC_\w+|INVALID_PROMO_TIME"
    r"|SCRUBBING_FAILED|FAILED_DLT(?:_\w+)?|(?:DLT|BLOCKED_BY)_(?:REJECTED|BLOCKED|FAILED|DLT)"
)

SENDER_WORDS = rf"\b(?:{_SENDER})\b"
TEXT_WORDS = rf"\b(?:{_TEXT})\b"
NUMBER_WORDS = rf"\b(?:{_NUMBER})\b"
# In prose as well: Error: DLT Rejected.
OTHER_WORDS = (
    rf"\b(?:{_OTHERS})\b|\bDLT (?:scrubbing )?(?:rejected|rejection|failed|failure|blocked|mismatch)\b"
    r"|\b(?:rejected|blocked|failed) (?:by|at|in) (?:the )?DLT\b"
)

_REFUSAL = re.compile(
    rf"(?:ERROR:?_)?(?:[3-7][0-9]{{2}}[:_]+)?(?:{_SENDER}|{_TEXT}|{_OTHERS}|FAILED_BLACKLISTED)", re.ASCII
)
_SUFFIXED = re.compile(r".+-[PSTG]", re.IGNORECASE | re.DOTALL)


def is_refusal(status: str) -> bool:
    """Tell of a delivery status whether it is one of these codes: ``rejected``, for what is registered.

    *status* is upper case, with a hyphen for each space or underscore.
    """
    return _REFUSAL.fullmatch(status.replace("-", "_")) is not None


def has_a_suffix(sender: str) -> bool:
    """Tell whether a header ends like one of an operator: with -P, -S, -T or -G for its category.

    The operator appends it by itself, and so makes a header of it that nobody has registered.
    """
    return _SUFFIXED.fullmatch(sender) is not None
