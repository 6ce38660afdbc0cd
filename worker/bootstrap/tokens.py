"""Names that no other process draws."""

from collections.abc import Callable
from itertools import count
from random import Random


def drawn(random: Random) -> str:
    """Return 16 characters that nobody else draws."""
    return f"{random.getrandbits(64):016x}"


def tokens(random: Random) -> Callable[[], str]:
    """Return a source of tokens that no other process draws: one random start, then counted."""
    start, numbers = drawn(random), count()
    return lambda: f"{start}{next(numbers):x}"
