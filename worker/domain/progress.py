"""How far the work on a delivery has got, so that a stop cuts off no more than it must."""

from enum import IntEnum
from typing import Protocol


class Step(IntEnum):
    """What a stop would cut off."""

    WAITING = 0  # nothing that another worker could not do again
    CALLING = 1  # a call is out: what has arrived of its reply is to be read
    WRITING = 2  # a claim, or what became of a call


class Steps(Protocol):
    """Work that tells its step."""

    @property
    def at(self) -> Step:
        """The step that it is in."""
        ...


class Progress:
    """The work under way for one delivery.

    Attributes:
        stopped: the worker stops: no call may begin any more.
    """

    __slots__ = ("_works", "stopped")

    def __init__(self) -> None:
        self.stopped = False
        self._works: list[Steps] = []

    def begins(self, work: Steps) -> None:
        """Take *work* into account."""
        self._works.append(work)

    def ends(self, work: Steps) -> None:
        """Leave it out again."""
        self._works.remove(work)

    @property
    def at(self) -> Step:
        """The step that is worst to cut off."""
        return max((work.at for work in self._works), default=Step.WAITING)
