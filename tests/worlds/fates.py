"""What becomes of a message: its id decides, so that whoever knows the id knows the truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ALIEN = "919876543210"
_SECONDS = 45.0  # the longest that a message takes to its end
_ENDS = (
    *(("DELIVIRED", "delivered"),) * 5,
    ("UNDELIV", "failed"),
    ("EXPIRED", "expired"),
    ("REJECTED", "rejected"),
)


@dataclass(frozen=True, slots=True)
class Fate:
    """The end of a message.

    Attributes:
        word: of the gateway.
        status: what that means.
        after: seconds after it was sent; None: it never has an end.
        known: the gateway knows its id, whoever asks.
    """

    word: str
    status: str
    after: float | None
    known: bool


def fate(name: str) -> Fate:
    """Return what becomes of the message with the id *name*, one of the gateway's."""
    dice = int(name[-4:], 16)
    word, status = _ENDS[dice % len(_ENDS)]
    dice //= len(_ENDS)
    after = None if dice % 16 < 2 else _SECONDS * (dice // 16) / (0x10000 // (len(_ENDS) * 16))
    return Fate(word, status, after, known=dice % 16 != 2)


def words(name: str, age: float, numbers: Iterable[str]) -> Mapping[str, str] | None:
    """Return what the gateway says *age* seconds after it sent a message to *numbers*; None: not known."""
    its = fate(name)
    if not its.known:
        return None
    word = its.word if its.after is not None and age >= its.after else "SENT"
    return dict.fromkeys(numbers, word)


def of_others(name: str) -> Mapping[str, str] | None:
    """Return what it says of an id that it never gave in this world."""
    if name.startswith("f"):
        return None
    return {_ALIEN: "DELIVIRED" if name[-1] < "8" else "SENT"}
