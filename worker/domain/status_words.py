"""How the gateway's words for a status are compared, whatever they are written like."""

import re

_BETWEEN = re.compile(r"[\s_-]+")


def status_name(word: str) -> str:
    """Return *word* in upper case, with a hyphen for each space, underscore or several of them."""
    return _BETWEEN.sub("-", word.strip()).upper()
