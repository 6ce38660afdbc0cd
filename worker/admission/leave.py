"""Leave to make one call."""

import asyncio
from types import TracebackType
from typing import Protocol, Self

from worker.ports import Command, Subject


class Grants(Protocol):
    """Who grants leave and takes it back."""

    async def enter(self, leave: "Leave") -> None:
        """Return when *leave* is granted."""
        ...

    async def left(self, leave: "Leave", error: BaseException | None) -> None:
        """Take it back; *error*: with which the call ended."""
        ...


class Leave:
    """Owned by the block that it was asked for in, and given back by its end, whatever that is.

    Attributes:
        granted: whether it counts among the calls in flight.
        on_trial: the call tests whether an outage is over.
        made: a call was made.
        began: when it was granted.
        outages: that were over by then.
        turn: what its owner waits for, in line.
    """

    __slots__ = (
        "_grants",
        "about",
        "began",
        "command",
        "granted",
        "made",
        "on_trial",
        "outages",
        "turn",
        "urgent",
    )

    def __init__(self, grants: Grants, command: Command, about: Subject, *, urgent: bool) -> None:
        self._grants = grants
        self.command = command
        self.urgent = urgent
        self.about = about
        self.began, self.outages = 0.0, 0
        self.granted = self.on_trial = False
        self.made = True
        self.turn: asyncio.Future[None] | None = None

    def unused(self) -> None:
        """Say that no call was made, so that nothing is concluded from the block's end."""
        self.made = False

    async def __aenter__(self) -> Self:
        await self._grants.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._grants.left(self, error)
