"""JSON as hand-made servers print it, put right: single quotes, bare words, commas too many."""

import json
import re
from collections.abc import Iterator

_LONGEST = 262_144  # characters; nobody writes more by hand

_TOKEN = re.compile(
    r"""\s+
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<mark>[{}\[\]:,])
    |(?P<word>[^\s{}\[\]:,"']+)(?P<is_key>(?=\s*:))?""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS = {"true": "true", "false": "false", "null": "null", "none": "null", "undefined": "null"}


def tidied(text: str) -> str:
    """Return the JSON that *text*, which is none, was meant to be.

    A word without quotes that is neither a number nor a constant becomes a string, so that its digits stay
    as they are.

    Raises:
        ValueError: it is something else altogether.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    written: list[str] = []
    for token in _tokens(text):
        if token in {"}", "]"} and written and written[-1] == ",":
            written.pop()
        written.append(token)
    return " ".join(written)  # two numbers side by side must not become one


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError("a quote that has no end")
        place = match.end()
        if match["string"]:
            yield json.dumps(_ESCAPE.sub(_meant, match["string"][1:-1]))
        elif match["mark"]:
            yield match["mark"]
        elif match["word"]:
            yield _constant(match["word"], is_key=match["is_key"] is not None)


def _constant(word: str, *, is_key: bool) -> str:
    if not is_key and _NUMBER.fullmatch(word):
        return word
    known = None if is_key else _WORDS.get(word.lower())
    return known or json.dumps(word)


def _meant(escape: re.Match[str]) -> str:
    char = escape[1]
    return chr(int(char[1:], 16)) if len(char) > 1 else _ESCAPES.get(char, char)
