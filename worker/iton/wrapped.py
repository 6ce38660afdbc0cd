"""Replies with something around them: a page, a warning, the name of a function, a second object."""

import html
import re
from typing import Any

from worker.iton.bodies import begun

_HIDDEN = re.compile(r"<(head|title|script|style)\b|<!--", re.IGNORECASE)
_TAG = re.compile(r"<[a-z/!?][^<>]*>", re.IGNORECASE)
_MOST_TRIES = 20  # braces at which no object begins; each costs a look at all that follows


def without_markup(text: str) -> str:
    """Return what a reader of the page *text* sees; of any other text all of it."""
    return html.unescape(_TAG.sub(" ", _without_hidden(text))).strip()


def embedded(text: str) -> tuple[list[dict[str, Any]], str]:
    """Return the JSON objects that stand in *text*, and what stands around them."""
    found: list[dict[str, Any]] = []
    around = ""
    tries, rest, place = _MOST_TRIES, 0, text.find("{")
    while place >= 0 and tries:
        value, end = begun(text, place)
        if isinstance(value, dict):
            found.append(value)
            around += text[rest:place]
            rest = end
        else:
            tries -= 1
        place = text.find("{", end)
    return found, around + text[rest:]


def _without_hidden(text: str) -> str:
    """Leave out what no reader sees; what has no end is no such thing."""
    kept: list[str] = []
    place, lowered = 0, text.lower()
    while begun_at := _HIDDEN.search(text, place):
        mark = f"</{begun_at[1].lower()}" if begun_at[1] else "--"
        closed = lowered.find(mark, begun_at.end())
        end = lowered.find(">", closed)
        if closed < 0 or end < 0:
            break
        kept.append(text[place : begun_at.start()])
        place = end + 1
    return " ".join([*kept, text[place:]])
