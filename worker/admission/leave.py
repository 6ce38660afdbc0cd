"""Leave to make one call, and how many have it."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from dataclasses import dataclass
from math import ceil
from types import TracebackType
from typing import Any, Protocol

from worker.admission.call_limit import CallLimit
from worker.admission.rate_limiter import RateLimiter
from worker.ports import Command, Subject

_SHARE = 0.2  # of few calls, as far as so many are kept for urgent ones at all


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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many calls may be made.

    Attributes:
        limit: in flight.
        limiter: a second.
        most: in flight, whatever the limit finds.
        urgent: of these, never taken by bulk work; fewer while there are few.
    """

    limit: CallLimit
    limiter: RateLimiter
    most: int
    urgent: int


class Room:
    """Counts the calls that have leave, but for those that were written off: they may hang.

    Args:
        bounds: on calls.

    Attributes:
        in_flight: calls that have leave, those that hang included.
        counted: those that are not written off.
        bulk: of these, the ones that are not urgent.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._limit = bounds.limit
        self.counted = self.bulk = 0
        self._counted_of = dict.fromkeys(Command, 0)
        self._bulk_of = dict.fromkeys(Command, 0)
        self._written_off = dict.fromkeys(Command, 0)  # times
        self._shared = self._for_bulk = 0  # the limit, and what bulk work may have of it
        self.in_flight = 0

    def fits(self, *, urgent: bool) -> bool:
        """Tell whether there is room for one more."""
        limit = self._limit.value
        if urgent or self.counted >= limit:
            return self.counted < limit
        if limit != self._shared:
            self._shared, self._for_bulk = limit, self._share(limit)
        return self.bulk < self._for_bulk

    def enter(self, leave: Leave) -> None:
        """One more is out."""
        command = leave.command
        self.in_flight += 1
        self.counted += 1
        self._counted_of[command] += 1
        if not leave.urgent:
            self.bulk += 1
            self._bulk_of[command] += 1
        leave.granted, leave.written_off = True, self._written_off[command]

    def leave(self, leave: Leave, *, served: bool) -> None:
        """It is over; *served*: the gateway had room for it."""
        command = leave.command
        self.in_flight -= 1
        if leave.written_off == self._written_off[command]:
            self.counted -= 1
            self._counted_of[command] -= 1
            if not leave.urgent:
                self.bulk -= 1
                self._bulk_of[command] -= 1
        elif served:
            self._limit.served_beside()
        leave.granted = False

    def write_off(self, command: Command) -> None:
        """Count on no end of the calls of *command* that are out."""
        self._written_off[command] += 1
        self.counted -= self._counted_of[command]
        self.bulk -= self._bulk_of[command]
        self._counted_of[command] = self._bulk_of[command] = 0

    def begin_anew(self) -> None:
        """An outage is over: begin with few calls, and count on no end of those that hung."""
        self._limit.restart()
        for command in Command:
            self.write_off(command)

    def _share(self, limit: int) -> int:
        most = self._bounds.most
        kept = max(self._bounds.urgent * limit / most, limit * _SHARE)
        return max(limit - min(self._bounds.urgent, ceil(kept)), 1)
