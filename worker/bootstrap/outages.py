"""In an outage jobs stay in their queues; a short look now and then finds those that need no gateway.

Outside the hours held jobs stay in theirs as well.

A job whose worker was killed comes back to the head of its queue, before those that nobody has seen. So a
look finds it, however many wait: it is settled by what the ledger knows, once its call's time is over.
What needs the gateway goes back. A look costs what is handed out at once, the prefetch at the most.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from schemas import JobKind
from worker.amqp.consume.consumer import Consumer
from worker.domain.messages import Lane
from worker.ports import Clock, Command

_EVERY = 0.2  # seconds; the gateway is back for as long at the most before jobs are taken again
_LOOK_EVERY = 3.0  # seconds from one look to the next
# The same after the hours, where what is found goes round for nothing nearly always: as many as have passed.
_LOOK_AT_LEAST_EVERY = 15.0
_LOOK_FOR = 0.3  # seconds; shorter than what is given back waits for, or it would be handed out again at once

_WORDS = "its jobs wait in their queue, for the end of an outage or for the hours"

_COMMAND_OF: Mapping[JobKind, Command | None] = {
    JobKind.SEND: Command.SEND,
    JobKind.STATUS: Command.STATUS,
    JobKind.ACCOUNT: Command.ACCOUNT,
    JobKind.API: Command.API,
    JobKind.CANCEL: None,
}
"""What the gateway must do for a kind of job; None: nothing, it needs the ledger alone."""

_LANES_OF: Mapping[Command | None, tuple[Lane, ...]] = {
    command: tuple(lane for lane in Lane if _COMMAND_OF[lane.kind] is command)
    for command in _COMMAND_OF.values()
}

_HELD = frozenset(lane for lane in Lane if lane.is_held)
_NONE: frozenset[Lane] = frozenset()


class Stands(Protocol):
    """Knows which commands are away."""

    def stands(self, command: Command | None) -> bool:
        """Tell whether jobs that end in a call of *command* (None: in none) had better stay queued."""
        ...


@dataclass(slots=True)
class Outages:
    """Pauses the lanes whose jobs would only come and go: in an outage, and of held jobs outside the hours.

    Attributes:
        are_open: tells whether the hours are.
        afterwards: seconds after their end, or after the start, in which held lanes are looked at as in an
            outage: a worker that was killed at the end of the hours may have been at a call.
        paused: since when the lane has not been looked at.
    """

    consumer: Consumer
    gates: Stands
    clock: Clock
    are_open: Callable[[], bool] = lambda: True
    afterwards: float = 0.0
    paused: dict[Lane, float] = field(default_factory=dict)
    _closed_at: float | None = None

    async def begin(self) -> None:
        """Pause the held lanes, where the hours are over, before anything is taken from them."""
        await self._pause(set(self._closed()))

    async def run(self) -> None:
        """Look, and follow, until cancelled."""
        while True:
            await self.clock.sleep(_EVERY)
            now, closed = self.clock.elapsed(), self._closed()
            away = {
                lane for command in _LANES_OF if self.gates.stands(command) for lane in _LANES_OF[command]
            }
            standing = away | closed
            await self._resume(self.paused.keys() - standing)
            await self._pause(standing - self.paused.keys())
            await self._look({lane for lane in self.paused if now >= self._next_look(lane, closed)})

    def _closed(self) -> frozenset[Lane]:
        """The lanes whose jobs wait for the hours to begin."""
        if self.are_open():
            self._closed_at = None
            return _NONE
        if self._closed_at is None:
            self._closed_at = self.clock.elapsed()
        return _HELD

    def _next_look(self, lane: Lane, closed: frozenset[Lane]) -> float:
        """When a lane that rests is looked at, by the clock that only runs forward."""
        since = self.paused[lane]
        if lane not in closed or self._closed_at is None:
            return since + _LOOK_EVERY
        passed = since - self._closed_at
        following = since + min(max(passed, _LOOK_EVERY), _LOOK_AT_LEAST_EVERY)
        return following if following < self._closed_at + self.afterwards else inf

    async def _pause(self, lanes: set[Lane]) -> None:
        if lanes:
            await self.consumer.pause(_WORDS, *lanes)
            self.paused.update(dict.fromkeys(lanes, self.clock.elapsed()))

    async def _resume(self, lanes: set[Lane]) -> None:
        if lanes:
            for lane in lanes:
                del self.paused[lane]
            await self.consumer.resume(*lanes)

    async def _look(self, lanes: set[Lane]) -> None:
        if lanes:
            await self.consumer.resume(*lanes)
            await self.clock.sleep(_LOOK_FOR)
            await self._pause(lanes)
