"""How a text is encoded and how many segments it takes (3GPP TS 23.038 and 23.040)."""

from enum import StrEnum

from gsm0338 import Codec

from worker.domain.value import value


class Encoding(StrEnum):
    """The two alphabets of an SMS, as results name them."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


# Units that fit a message of one segment, and a segment of several (their header takes the rest).
_GSM7_ROOM = (160, 153)
_UCS2_ROOM = (70, 67)
_LAST_OF_BMP = "\uffff"
_ESCAPE = b"\x1b"


def _gsm_widths() -> dict[str, int]:
    """Map each character of the alphabet to its septets: one, or two with the escape in front."""
    codec = Codec()
    widths: dict[str, int] = {}
    for escape in (b"", _ESCAPE):
        for septet in range(128):
            try:
                char = codec.decode(escape + bytes([septet]))[0]
            except UnicodeError:
                continue  # nothing has that code
            # The escape is a prefix, not a character: a text that holds U+001B cannot be sent as GSM 7 bit.
            if len(char) == 1 and char != _ESCAPE.decode():
                widths.setdefault(char, len(escape) + 1)
    return widths


_SEPTETS = _gsm_widths()
_PLAIN = frozenset(char for char, width in _SEPTETS.items() if width == 1)


@value
class Measure:
    """What a text takes on the air.

    Attributes:
        encoding: gsm7 where every character allows it, else ucs2.
        segments: at least 1; a longer text loses room to the header that joins its segments.
    """

    encoding: Encoding
    segments: int


def is_gsm7(text: str) -> bool:
    """Tell whether every character is in the GSM 03.38 basic or extension table."""
    return all(char in _SEPTETS for char in text)


def measure(text: str, *, unicode: bool | None = None) -> Measure:
    """Return encoding and segments of *text*.

    Args:
        text: what would be sent.
        unicode: True measures a text in UCS-2 that could do without; None detects.
    """
    if not unicode and _PLAIN.issuperset(text):
        single, joined = _GSM7_ROOM
        return Measure(Encoding.GSM7, 1 if len(text) <= single else -(-len(text) // joined))
    if unicode or not is_gsm7(text):
        return Measure(Encoding.UCS2, _segments([_utf16_units(char) for char in text], *_UCS2_ROOM))
    return Measure(Encoding.GSM7, _segments([_SEPTETS[char] for char in text], *_GSM7_ROOM))


def _utf16_units(char: str) -> int:
    return 1 if char <= _LAST_OF_BMP else 2


def _segments(widths: list[int], single: int, joined: int) -> int:
    """Fill segments in order; what takes two units (escape pair, surrogate pair) is never split."""
    if sum(widths) <= single:
        return 1
    count, room = 1, joined
    for width in widths:
        if width > room:
            count, room = count + 1, joined
        room -= width
    return count
