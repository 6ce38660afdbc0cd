"""Characters that nobody sees, by names that people can look for."""

import unicodedata

_CONTROL = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\0": "NULL"}
_SURROGATE = "Cs"


def named(char: str) -> str:
    """Return code point and name of one character: ``U+200B ZERO WIDTH SPACE``."""
    other = "half a character" if unicodedata.category(char) == _SURROGATE else "a control character"
    return f"U+{ord(char):04X} {unicodedata.name(char, _CONTROL.get(char, other))}"


def invisible_in(text: str) -> str:
    """Name the first character of *text* that nobody sees, a blank apart; nothing where there is none."""
    return next((named(char) for char in text if not char.isprintable()), "")
