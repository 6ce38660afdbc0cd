"""Leave to make one call."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from types import TracebackType
from typing import Any, Protocol

from worker.ports import Command, Subject


class Grants(Protocol):
    """Who grants leave and takes it back."""

    def take(self, leave: "Leave") -> bool:
        """Grant *leave* if nothing stands in the way; tell whether it is granted."""
        ...

    async def enter(self, leave: "Leave") -> None:
        """Return when *leave* is granted."""
        ...

    def left(self, leave: "Leave", error: BaseException | None) -> Coroutine[Any, Any, None] | None:
        """Take it back; *error*: with which the call ended. What is returned finds out whose it is."""
        ...

    def patience(self, command: Command) -> float:
        """Return the seconds after which an answer is late, whatever the gateway is like."""
        ...


class _Nothing:
    """What there is to wait for at the end of most calls."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


_NOTHING = _Nothing()


class Leave:
    """Owned by the block that it was asked for in, and given back by its end, whatever that is.

    Where nothing stands in the way, the block is entered and left without a coroutine.

    Attributes:
        granted: whether it counts among the calls in flight.
        on_trial: the call tests whether an outage is over.
        made: a call was made.
        began: when it was granted.
        written_off: how often calls of its command had been by then.
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
        "patient",
        "turn",
        "urgent",
        "written_off",
    )

    def __init__(
        self, grants: Grants, command: Command, about: Subject, *, urgent: bool, patient: bool = False
    ) -> None:
        self._grants = grants
        self.command = command
        self.urgent = urgent
        self.patient = patient
        self.about = about
        self.began, self.written_off = 0.0, 0
        self.granted = self.on_trial = False
        self.made = True
        self.turn: asyncio.Future[None] | None = None

    @property
    def patience(self) -> float:
        """Seconds after which the answer is late for a gateway that has been as this one."""
        return self._grants.patience(self.command)

    def unused(self) -> None:
        """Say that no call was made, so that nothing is concluded from the block's end."""
        self.made = False

    def __aenter__(self) -> "Awaitable[Leave]":
        return self if self._grants.take(self) else self._entered()

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[None]:
        return self._grants.left(self, error) or _NOTHING

    def __await__(self) -> "Generator[None, None, Leave]":
        """Return it as it is: granted leave has nothing to wait for."""
        return self
        yield

    async def _entered(self) -> "Leave":
        await self._grants.enter(self)
        return self
