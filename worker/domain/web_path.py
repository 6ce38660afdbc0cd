"""Which paths an api job may name: whatever a server makes of one, it stays below an allowed segment.

What servers decode, and how often, is not known here. So nothing is accepted whose meaning depends on it: a
character that can divide, climb or end a path stands neither plainly nor encoded in the part before the
query, and what the whole becomes when it is decoded again and again holds no ``..``, no backslash and
nothing that is not printed. Pure.
"""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

Allowed = Sequence[str]
"""First segments, one or several joined by a slash: ``credentials``, ``v1/media``."""

# RFC 3986, 3.3 and 3.4, without the semicolon: some servers cut a segment there.
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-Fa-f]{2})+")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_ESCAPES = re.compile(r"%([0-9A-Fa-f]{2})")
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_MOST_DECODINGS = 10
# Encoded in a path they are for misleading: what needs no escape, and what divides.
_NEVER_ESCAPED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/\\;?#")
_DIVIDING = frozenset("./\\;?#%")


class WrongPathError(ValueError):
    """The path is none that any worker would call; the text says what is wrong and what to do."""


def checked(path: str) -> str:
    """Return *path* if its form is safe, whatever is allowed.

    Raises:
        WrongPathError: it is not.
    """
    plain, question, query = path.partition("?")
    if path.startswith("/"):
        raise WrongPathError("must not begin with a slash: it is relative to the Web API's address")
    if "#" in path:
        raise WrongPathError("must not hold a fragment: end it before the #, or write %23 in the query")
    if not path.isascii() or not _PATH.fullmatch(plain) or (question and not _QUERY.fullmatch(query)):
        raise WrongPathError(
            "must be made of letters, digits, - . _ ~ and slashes, with a query behind a ? if you like: "
            "percent-encode everything else, as UTF-8"
        )
    _refuse_escapes(plain)
    for segment in plain.split("/")[:-1]:
        if not segment:
            raise WrongPathError("must not have two slashes in a row: give each segment once")
    for text in _decodings(path):
        _refuse_meaning(text)
    for segment in _decoded(plain).split("/"):
        if segment and not segment.strip(" ."):
            raise WrongPathError("must not have a segment of nothing but dots and spaces")
    return path


def is_allowed(path: str, allowed: Allowed) -> bool:
    """Tell whether the first segments of *path*, which `checked` returned, are among *allowed*."""
    segments = path.partition("?")[0].split("/")
    return any(segments[: len(first)] == first for first in (one.split("/") for one in allowed))


def allowed_segments(entry: str) -> str:
    """Return an entry of the operator's list.

    Raises:
        ValueError: it can be the beginning of no path.
    """
    if not all(_SEGMENT.fullmatch(segment) and ".." not in segment for segment in entry.split("/")):
        raise ValueError("must be first segments of paths, of A-Z a-z 0-9 - . _ ~; credentials,channels, say")
    return entry


def _refuse_escapes(plain: str) -> None:
    for escape in _ESCAPES.findall(plain):
        if int(escape, 16) in _NEVER_ESCAPED:
            raise WrongPathError(f"must not have %{escape} before the query: write it plainly, or not at all")


def _decodings(path: str) -> list[str]:
    """Return what *path* becomes when it is decoded once, twice, and so on."""
    found = [path]
    for _ in range(_MOST_DECODINGS):
        decoded = _decoded(found[-1])
        if decoded == found[-1]:
            return found
        found.append(decoded)
    raise WrongPathError("is encoded more often than anybody needs")


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        pass
    raise WrongPathError("has escapes that are no UTF-8: encode the text as UTF-8 first")


def _refuse_meaning(text: str) -> None:
    """Refuse what a server might read as more than a name."""
    folded = unicodedata.normalize("NFKC", text)
    if ".." in text or ".." in folded:
        raise WrongPathError("must not hold `..`, in no encoding")
    if "\\" in text or "\\" in folded:
        raise WrongPathError("must not hold a backslash, in no encoding")
    for character in text:
        if character != " " and not character.isprintable():
            raise WrongPathError("must not hold line breaks, blanks of other kinds and control characters")
        if not character.isascii() and _DIVIDING & set(unicodedata.normalize("NFKC", character)):
            raise WrongPathError("must not hold a character that some servers read as a dot or a slash")
