"""What of a reply is a message id: whatever ITON may have issued, and never a word or code for "none"."""

import re
from decimal import Decimal

LONGEST_ID = 200
"""Characters."""

# How Java prints the key of a map that is a floating-point number: 8.624389E7; 8624389.0 below 10 million.
_JAVA_DOUBLE = re.compile(r"[1-9]\.[0-9]{1,30}E[0-9]{1,2}|[1-9][0-9]{0,6}\.0", re.ASCII)
_ERROR_NUMBER = re.compile(r"-[0-9]{1,6}(?:\.0+)?", re.ASCII)
_PLAIN_WORD = re.compile(r"[A-Za-z_-]+", re.ASCII)
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", re.ASCII)
LONGEST_CODE = 6
"""Digits of a code for an error."""
OBVIOUS = 16
"""Letters and digits; no code for an error is so long."""

_NOTHING = frozenset(
    {
        *("null", "none", "nil", "na", "nan", "undefined", "infinity", "empty", "blank", "void", "missing"),
        *("false", "true", "yes", "no", "not", "unknown"),
    }
)
_TROUBLES = frozenset(
    {
        *("err", "error", "errors", "fail", "failed", "failure", "fault", "exception", "invalid", "wrong"),
        *("reject", "rejected", "denied", "refused", "blocked", "unauthorized", "unauthorised", "code", "ec"),
    }
)
_NUMBERS = frozenset(
    {
        *("phone", "phones", "number", "numbers", "mobile", "mobiles", "to", "recipient", "recipients"),
        *("msisdn", "destination", "receiver", "contact", "cell", "tel", "telephone"),
    }
)
# Keys of other objects than maps of ids, and what may become of a number.
_FIELDS = _NUMBERS | frozenset(
    {
        *("message", "messages", "msg", "id", "ids", "status", "state", "sender", "from", "user"),
        *("name", "text", "key", "value"),
        *("reason", "desc", "description", "detail", "details", "type", "response", "result", "data", "info"),
        *("dnd", "ndnc", "ncpr", "spam", "duplicate", "duplicates", "blacklist", "success", "ok", "done"),
        *("sent", "queued", "submitted", "pending", "accepted", "delivered", "undelivered", "expired"),
    }
)
_WORDS = _NOTHING | _TROUBLES | _FIELDS


def whole(value: object) -> int | None:
    """Return the whole number that a JSON number is, in whatever notation; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # The size is looked at first: 1e999999999 is JSON as well.
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < LONGEST_ID:
        return int(value) if value == value.to_integral_value() else None
    return None


def message_id(value: object, *, keyed: bool = False) -> str | None:
    """Return the id that *value* is, else None.

    Any printable characters make an id, but for commas and spaces, at which a list of ids could not be told
    apart. No id is what servers print where they have none: zero, a short negative number, a word such as
    ``null``, ``N/A``, ``error`` or ``Rejected``, a code such as ``ERR-102``.

    Args:
        value: a JSON value, or a key.
        keyed: it stands where a map of ids has its keys: there a word of letters alone may be an id, if it
            is not made of words that stand for something else, and so may many zeros.
    """
    if isinstance(value, str):
        text = value.strip()
        if OBVIOUS <= len(text) <= LONGEST_ID and text.isascii() and text.isalnum() and not text.isalpha():
            return text if keyed or text.strip("0") else None  # nearly every id, at a tenth of the price
        if _JAVA_DOUBLE.fullmatch(text):
            text = str(number) if (number := whole(Decimal(text))) is not None else text
    elif (number := whole(value)) is not None and abs(number) < 10**LONGEST_ID:
        text = str(number)
    else:
        return None
    return text if _may_be_id(text, keyed=keyed) else None


def is_long(name: str) -> bool:
    """Tell whether an id has more to it than a code for an error or a status."""
    digits = sum(map(str.isdigit, name))
    return digits > LONGEST_CODE or (len(name) >= OBVIOUS and name.isalnum() and digits > 0)


def names_something(key: str) -> bool:
    """Tell whether *key* is that of a field, such as ``number1`` and ``to_2``."""
    pieces = _PIECE.findall(key)
    words = {piece.lower() for piece in pieces if not piece.isdigit()}
    return not words.isdisjoint(_NUMBERS) and words <= _WORDS and not is_long(key)


def _may_be_id(text: str, *, keyed: bool) -> bool:
    if not 0 < len(text) <= LONGEST_ID or not text.isprintable() or " " in text or "," in text:
        return False
    if _ERROR_NUMBER.fullmatch(text):
        return False
    plain = "".join(char for char in text if char.isalnum()).lower()
    if not plain.strip("0") or plain in _NOTHING:
        return False
    if _PLAIN_WORD.fullmatch(text):
        return keyed and not _is_made_of_words(text)
    return not _is_error_code(text)


def _is_made_of_words(text: str) -> bool:
    return all(piece.lower() in _WORDS for piece in _PIECE.findall(text))


def _is_error_code(text: str) -> bool:
    """Tell of something like ``ERR-102`` or ``error:5``: words for trouble, and perhaps a short number."""
    pieces = _PIECE.findall(text)
    words = [piece.lower() for piece in pieces if not piece.isdigit()]
    digits = sum(len(piece) for piece in pieces if piece.isdigit())
    return bool(words) and digits <= LONGEST_CODE and _TROUBLES.issuperset(words)
