"""How many SMS segments a text takes (GSM 03.38), and what a text becomes that is not sent as Unicode."""

from collections.abc import Iterable
from functools import lru_cache

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two septets
_GSM = _BASIC | _EXTENDED

_GSM_ALONE, _GSM_JOINED = 160, 153
_UCS2_ALONE, _UCS2_JOINED = 70, 67
_LAST_OF_BMP = 0xFFFF


def garble(text: str) -> str:
    """Put a question mark for every character that the GSM alphabet lacks."""
    return text if _GSM.issuperset(text) else "".join(c if c in _GSM else "?" for c in text)


@lru_cache(maxsize=1024)
def count_segments(text: str, *, unicode: bool) -> int:
    """Return the segments that *text* takes; no escape or surrogate pair is split over two."""
    if unicode:
        sizes = [2 if ord(character) > _LAST_OF_BMP else 1 for character in text]
        return _fill(sizes, _UCS2_ALONE, _UCS2_JOINED)
    sizes = [2 if character in _EXTENDED else 1 for character in text]
    return _fill(sizes, _GSM_ALONE, _GSM_JOINED)


def _fill(sizes: Iterable[int], alone: int, joined: int) -> int:
    sizes = list(sizes)
    if sum(sizes) <= alone:
        return 1
    segments, used = 1, 0
    for size in sizes:
        if used + size > joined:
            segments, used = segments + 1, 0
        used += size
    return segments
