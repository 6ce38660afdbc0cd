"""The time limits of all calls under way, by one timer that does not punish a stopped process."""

import asyncio
from typing import Protocol

_STOPPED = 0.5  # seconds; a timer that is so late was held up by more than a busy event loop
_GRACE = 1.0  # seconds
_APART = 0.05  # seconds between two looks, so that a thousand calls that hang cost no thousand timers


class Ends(Protocol):
    """What is waited for."""

    def give_up(self, error: Exception) -> None:
        """Have whoever waits for it get *error*."""
        ...


class Deadlines:
    """Ends what has not ended itself in time, with TimeoutError.

    A call nearly always ends long before its limit. So the timer stands at the earliest limit when it was
    set, and looks only then which one is the earliest now: once in a whole limit, as a rule.

    An event loop looks at its timers before it looks at its sockets. A process that was stopped (SIGSTOP, a
    frozen container) would so throw away a reply that came in meanwhile, and its message ids with it. Where
    the timer is late by that much, all calls get a second more to read what is there.

    Args:
        loop: whose time counts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[Ends, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0

    def begin(self, call: Ends, due: float) -> None:
        """Give *call* up at *due*, a time of the event loop."""
        self._due[call] = due
        if self._timer is None or due < self._look_at:
            self._set(due)

    def end(self, call: Ends) -> None:
        """It has ended, however."""
        self._due.pop(call, None)

    def give_up(self, error: Exception) -> None:
        """End everything with *error*, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._due:
            self._due.popitem()[0].give_up(error)

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        now, self._timer = self._loop.time(), None
        if now - self._look_at > _STOPPED:
            self._set(now + _GRACE)
            return
        for call in [call for call, due in self._due.items() if due <= now]:
            del self._due[call]
            call.give_up(TimeoutError())
        if self._due:
            self._set(max(min(self._due.values()), now + _APART))
