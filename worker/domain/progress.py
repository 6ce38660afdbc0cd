"""How far the work on a delivery has got, so that a stop cuts off no more than it must."""

from dataclasses import dataclass, field
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


@dataclass(eq=False, slots=True)
class Progress:
    """The work under way for one delivery.

    Attributes:
        works: what is being done for it: work that begins is put in, work that ends is taken out.
        stopped: the worker stops: no call may begin any more.
    """

    works: list[Steps] = field(default_factory=list)
    stopped: bool = False

    @property
    def at(self) -> Step:
        """The step that is worst to cut off."""
        return max((work.at for work in self.works), default=Step.WAITING)
