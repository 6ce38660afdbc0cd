"""Words for a status that are in no table: counted each time, said once, shown where that harms nobody."""

import re
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

_MOST = 200  # words that are remembered; a gateway may make them up
# What is plainly a code: capitals, or one word; a sentence may be the text of a message.
_CODE = re.compile(
    r"[A-Z][A-Z0-9]*(?:[ _:./-]+[A-Z0-9]+){0,7}|[0-9]{1,3}(?:[ _:-]+[A-Z0-9]+){0,7}|[A-Za-z]{2,24}"
)
_LONGEST = 60
_NUMBERS = re.compile(r"[0-9](?:[ _:./-]*[0-9]){3,}")  # in groups too


def form_of(word: str) -> str:
    """Tell what kind of word it is: ``word``, ``number``, ``text`` or ``empty``."""
    bare = word.strip()
    if not bare:
        return "empty"
    if bare.isdigit():
        return "number"
    return "word" if len(bare) <= _LONGEST and _CODE.fullmatch(bare) else "text"


def shown(word: str) -> str:
    """Return *word* as a line of the log may have it: no number, and nothing that may be a text."""
    bare = word.strip()
    form = form_of(word)
    if form == "word":
        return _NUMBERS.sub("***", bare)
    return f"({form}, {len(bare)} characters)" if bare else "(empty)"


class UnknownWords:
    """Hears of each unknown word.

    Args:
        on_word: told the form of each.
    """

    def __init__(self, on_word: Callable[[str], None]) -> None:
        self._on_word = on_word
        self._said: set[str] = set()

    def __call__(self, word: str) -> None:
        """Count it; say it if it was not said before, and there is room to remember that."""
        self._on_word(form_of(word))
        words = shown(word)
        if words in self._said or len(self._said) >= _MOST:
            return
        self._said.add(words)
        log.warning("status.unknown", word=words, remedy="say what it means in WORKER_STATUS_WORDS")
