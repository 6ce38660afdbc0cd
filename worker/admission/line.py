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

_URGENT, _USUAL, _PATIENT = _RANKS = range(3)


class Line(Generic[W]):
    """One line; those whose command does not pass are passed over and keep their place.

    Attributes:
        length: how many wait.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self.length = 0
        self._ranks: tuple[dict[Command, dict[W, int]], ...] = tuple(
            {command: {} for command in Command} for _ in _RANKS
        )

    def __iter__(self) -> Iterator[W]:
        return iter([one for waiting in self._ranks for some in waiting.values() for one in some])

    def enter(self, who: W) -> None:
        """Take the last place."""
        self._ranks[_rank(who)][who.command][who] = next(self._numbers)
        self.length += 1

    def leave(self, who: W) -> None:
        """Give the place up; without effect on one who has none."""
        if self._ranks[_rank(who)][who.command].pop(who, None) is not None:
            self.length -= 1

    def first(self, passes: Callable[[Command], bool]) -> W | None:
        """Return who goes next of those whose command *passes*."""
        for waiting in self._ranks:
            first, place = None, 0
            for command, some in waiting.items():
                if some and passes(command):
                    who = next(iter(some))
                    if first is None or some[who] < place:
                        first, place = who, some[who]
            if first is not None:
                return first
        return None


def _rank(who: Waits) -> int:
    if who.urgent:
        return _URGENT
    return _PATIENT if who.patient else _USUAL
