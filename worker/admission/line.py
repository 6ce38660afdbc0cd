"""Who waits for leave to call, in the order of their coming: urgent ones first, patient ones last."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, Protocol, TypeVar

from worker.ports import Command


class Waits(Protocol):
    """What the line needs to know of who waits."""

    @property
    def command(self) -> Command:
        """The command that it waits for."""
        ...

    @property
    def urgent(self) -> bool:
        """Whether it goes before those who are not."""
        ...

    @property
    def patient(self) -> bool:
        """Whether it goes behind those who are not."""
        ...


W = TypeVar("W", bound=Waits)

_COMMANDS = tuple(Command)  # an enumeration is slow to go through
_URGENT, _USUAL, _PATIENT = _RANKS = range(3)


class Line(Generic[W]):
    """One line; those whose command does not pass are passed over and keep their place.

    Attributes:
        length: how many wait.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self.length = 0
        self._waiting: dict[tuple[int, Command], dict[W, int]] = {
            (rank, command): {} for rank in _RANKS for command in Command
        }

    def __iter__(self) -> Iterator[W]:
        return iter([one for some in self._waiting.values() for one in some])

    def enter(self, who: W) -> None:
        """Take the last place."""
        self._waiting[_rank(who), who.command][who] = next(self._numbers)
        self.length += 1

    def leave(self, who: W) -> None:
        """Give the place up; without effect on one who has none."""
        if self._waiting[_rank(who), who.command].pop(who, None) is not None:
            self.length -= 1

    def first(self, passes: Callable[[Command], bool]) -> W | None:
        """Return who goes next of those whose command *passes*."""
        for rank in _RANKS:
            heads = [
                (number, who)
                for command in _COMMANDS
                if (some := self._waiting[rank, command]) and passes(command)
                for who, number in [next(iter(some.items()))]
            ]
            if heads:
                return min(heads, key=lambda head: head[0])[1]
        return None


def _rank(who: Waits) -> int:
    if who.urgent:
        return _URGENT
    return _PATIENT if who.patient else _USUAL
