"""How many calls are out, and whether there is room for another."""

from dataclasses import dataclass
from math import ceil

from worker.admission.call_limit import CallLimit
from worker.admission.leave import Leave
from worker.admission.rate_limiter import RateLimiter
from worker.ports import Command

_SHARE = 0.2  # of few calls, as far as so many are kept for urgent ones at all


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

    def leave(self, leave: Leave) -> None:
        """It is over."""
        command = leave.command
        self.in_flight -= 1
        if leave.written_off == self._written_off[command]:
            self.counted -= 1
            self._counted_of[command] -= 1
            if not leave.urgent:
                self.bulk -= 1
                self._bulk_of[command] -= 1
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
