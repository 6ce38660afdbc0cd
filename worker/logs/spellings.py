"""In which spellings secrets turn up in what others say: one pattern that knows them all, also mixed."""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from html.entities import html5
from itertools import groupby
from urllib.parse import unquote

# Each may be applied twice or thrice, as by a server that escapes what another one has escaped.
_PERCENT = "%(?:25){0,2}"
_AMPERSAND = "&(?:amp;){0,2}"
_BACKSLASH = r"\\{1,4}"
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\0": "0"}
_ESCAPED_BY_BACKSLASH = frozenset("\"'/")
# What stands right before a word may be the end of an escape, "username%3Dacme" say.
_WORD_STARTS = r"(?<![A-Za-z0-9])"
BEHIND_AN_ESCAPE = (
    r"(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=%2525[0-9A-Fa-f]{2})"
    r"|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})"
)
"""Where an escape ends, whose digits are none of what follows it."""
_WORD_STARTS_BEHIND_ESCAPES = rf"(?:(?<![A-Za-z0-9])|{BEHIND_AN_ESCAPE}|(?<=\\[nrt]))"
_WORD_ENDS = r"(?![A-Za-z0-9])"
_ALPHABETS: tuple[dict[int, int], ...] = ({}, str.maketrans("+/", "-_"))  # of Base64
_SHORT = 6  # characters; shorter secrets are hidden as whole words alone
# Nobody must escape ASCII letters and digits; in longer secrets those who do are not followed: compiling
# such a pattern takes long.
_LONG = 64

ESCAPED = re.compile(r"[%&\\+?]|[^\x00-\x7f]")
"""Found in every text that holds a secret in another spelling than as it is."""


def spelt(secret: str) -> str:
    """Return a pattern of *secret*: raw or escaped for URLs, HTML, JSON or a repr, wholly or in part."""
    return "".join(_runs(secret, letters=len(secret) <= _LONG))


def in_base64(secret: str) -> str:
    """Return a pattern of *secret* in Base64, of either alphabet, with its padding or without."""
    choices = ("".join(_runs(form, letters=False)) for form in base64_forms(secret))
    return rf"(?:{'|'.join(choices)})(?:=|{_PERCENT}3[dD]){{0,2}}"


def base64_forms(secret: str) -> list[str]:
    """Return *secret* in Base64, in either alphabet, without padding.

    Inside of something else, behind a user name and a colon say, it is written in one of three ways.
    """
    raw = _encoded(secret)
    forms = [base64.b64encode(raw).decode().rstrip("=")]
    if len(secret) >= _SHORT:
        forms += [_inside_base64(raw, before) for before in range(3)]
    return list(dict.fromkeys(form.translate(other) for form in forms for other in _ALPHABETS))


def _inside_base64(raw: bytes, before: int) -> str:
    """Return the characters that hold bits of *raw* alone, behind *before* bytes of others."""
    whole = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
    return whole[-(-8 * before // 6) : len(whole) - ((before + len(raw)) % 3 > 0)]


def as_word(pattern: str, *, escaped: bool) -> str:
    """Return *pattern* where no letter or digit goes on before or behind it; *escaped*: in such a text."""
    return f"{_WORD_STARTS_BEHIND_ESCAPES if escaped else _WORD_STARTS}(?:{pattern}){_WORD_ENDS}"


def _runs(secret: str, *, letters: bool) -> Iterator[str]:
    """Yield patterns of single characters, and of runs whose forms have no certain length, as one each.

    Args:
        secret: to find.
        letters: ASCII letters and digits may be escaped as well.
    """
    for kind, group in groupby(secret, key=_kind):
        run = "".join(group)
        if kind == "\\":
            # That each may be doubled is said of all: one by one, all ways to share a row would be tried.
            yield rf"(?:(?:{_escapes(kind)}){{{len(run)}}}|\\{{{len(run)},{4 * len(run)}}})"
        elif kind:
            yield f"(?:{''.join(map(_character, run))}|{_lost(run)})"
        else:
            yield from (char if char.isalnum() and not letters else _character(char) for char in run)


def _kind(char: str) -> str:
    if char == "\\":
        return char
    return "" if char.isascii() else "other"


def _lost(run: str) -> str:
    """Match what is left of letters that a server or a decoder could not write."""
    return rf"[?\ufffd]{{{len(run)},{len(_encoded(run))}}}"


@cache
def _character(char: str) -> str:
    # As it is comes last: "%" is also the start of "%25".
    return f"(?:{_escapes(char)}|{re.escape(char)})"


def _escapes(char: str) -> str:
    return "|".join(dict.fromkeys((*_in_url(char), *_in_html(char), *_in_code(char))))


def _in_url(char: str) -> Iterator[str]:
    if char == " ":
        yield rf"(?:\+|{_PERCENT}2[bB])"
    yield "".join(f"{_PERCENT}{_hex(byte, 2)}" for byte in _encoded(char))
    if (single := _in_one_byte(char)) is not None:
        yield f"{_PERCENT}{_hex(single, 2)}"


def _in_html(char: str) -> Iterator[str]:
    yield rf"{_AMPERSAND}#(?:0*{ord(char)}(?![0-9])|[xX]0*{_hex(ord(char))}(?![0-9a-fA-F]));?"
    if names := _entities().get(char):
        yield f"{_AMPERSAND}(?:{'|'.join(map(re.escape, names))})"


def _in_code(char: str) -> Iterator[str]:
    """Yield the escapes of JSON and of a repr."""
    if char in _SHORT_ESCAPES:
        yield f"{_BACKSLASH}{_SHORT_ESCAPES[char]}"
    if char in _ESCAPED_BY_BACKSLASH:
        yield f"{_BACKSLASH}{re.escape(char)}"
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    yield "".join(f"{_BACKSLASH}u{_hex(pair, 4)}" for pair in pairs)
    yield "".join(f"{_BACKSLASH}x{_hex(byte, 2)}" for byte in _encoded(char))
    if not char.isascii():
        yield f"{_BACKSLASH}U{_hex(ord(char), 8)}"
        if (single := _in_one_byte(char)) is not None:
            yield f"{_BACKSLASH}x{_hex(single, 2)}"
        yield re.escape(_encoded(char).decode("latin-1"))  # UTF-8 that somebody took for Latin-1


def _in_one_byte(char: str) -> int | None:
    """Return the Latin-1 byte of the upper half, which some servers still write; None where there is none."""
    return ord(char) if 0x7F < ord(char) <= 0xFF else None  # noqa: PLR2004 - the upper half of Latin-1


def _encoded(text: str) -> bytes:
    """Encode *text*; the environment gives bytes that are no UTF-8 as surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _hex(number: int, width: int = 1) -> str:
    """Match *number* in hexadecimal digits of either case."""
    digits = f"{number:0{width}x}"
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


@cache
def _entities() -> dict[str, tuple[str, ...]]:
    """HTML's names of each character, the longest first."""
    names: dict[str, list[str]] = {}
    for name, char in html5.items():
        names.setdefault(char, []).append(name)
    return {char: tuple(sorted(found, key=len, reverse=True)) for char, found in names.items()}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a secret.

    Attributes:
        escaped: what is looked for in a text with escapes.
        plain: what is looked for in any other.
        word: it counts only as a whole word.
        literals: of which *plain* holds one at the least.
    """

    secret: str
    escaped: str
    plain: str
    word: bool
    literals: tuple[str, ...]

    def pattern(self, *, escaped: bool) -> str:
        """Return one of its patterns with what must stand around it."""
        pattern = self.escaped if escaped else self.plain
        return as_word(pattern, escaped=escaped) if self.word else pattern


def forms_of(secrets: Iterable[str], names: Iterable[str]) -> list[Form]:
    """Return what is looked for, the longest first, so that no tail of one is left."""
    secrets, names = _variants(secrets), _variants(names)
    pairs = {f"{name}:{secret}" for name in names for secret in secrets}
    hidden = [Form(name, spelt(name), re.escape(name), word=True, literals=(name,)) for name in names]
    # Whoever shouts an error shouts what it quotes. A name, or a short one, may be a common word then.
    shouted = {form for one in secrets if len(one) >= _SHORT for form in (one.upper(), one.lower())}
    known = secrets | shouted
    hidden += [Form(one, spelt(one), re.escape(one), len(one) < _SHORT, literals=(one,)) for one in known]
    for secret in secrets | pairs:
        literals = tuple(base64_forms(secret))
        plain = f"(?:{'|'.join(map(re.escape, literals))})={{0,2}}"
        hidden.append(Form(secret, in_base64(secret), plain, len(secret) < _SHORT, literals))
    return sorted(hidden, key=lambda form: (form.word, -len(form.secret), form.escaped))


def joined(patterns: Iterable[str]) -> re.Pattern[str]:
    """Match any of *patterns*, the first that does; nothing where there are none."""
    return re.compile("|".join(patterns) or "(?!)")


def _variants(secrets: Iterable[str]) -> set[str]:
    """Return *secrets*, and what they are without the escapes of a URL and without spaces around them."""
    found = {form for secret in secrets for form in (secret, unquote(secret))}
    return {form for secret in found for form in (secret, secret.strip()) if form.strip()}
