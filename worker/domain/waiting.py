"""Whether a job may be sent now, must wait for its time or for the hours, or has no chance left. Pure."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from schemas import FailureCode
from worker.domain.errors import WaitsError
from worker.domain.hours import Hours
from worker.domain.messages import Delay, Hold, Lane, Requeue, Schedule

SCHEDULED: Final = "scheduled"
"""The reason of those that wait for their time; the others' is the code ``outside_hours``."""


@dataclass(frozen=True, slots=True)
class Times:
    """When a job may be sent.

    Attributes:
        send_after: not before it.
        expires_at: nor from then on.
        hours: nor outside of these; None: at any hour.
    """

    send_after: datetime | None = None
    expires_at: datetime | None = None
    hours: Hours | None = None

    @property
    def matter(self) -> bool:
        """Whether there may ever be a moment that is too early."""
        return self.send_after is not None or self.hours is not None

    def wait(self, now: datetime) -> WaitsError | None:
        """Say what a job must wait for *now*; None where it may go out."""
        if self.send_after is not None and now < self.send_after:
            return WaitsError(SCHEDULED, "the job's time has not come yet", until=self.send_after)
        if self.hours is not None and not self.hours.are_open(now):
            return WaitsError(FailureCode.OUTSIDE_HOURS, "the job waits for the hours to begin", until=None)
        return None

    def has_no_chance(self, now: datetime) -> bool:
        """Tell whether the hours, for a job that may not go out *now*, begin again when it is too late."""
        if self.expires_at is None or self.hours is None:
            return False
        earliest = now if self.send_after is None else max(now, self.send_after)
        return self.hours.next_opening(earliest) >= self.expires_at


@dataclass(frozen=True, slots=True)
class WaitingRoom:
    """Where jobs wait.

    Attributes:
        longest: seconds that a job is scheduled at once, at the most; 0: there is no ladder. After these a
            worker looks at it, for its entry in the ledger must live on.
        delays: seconds of the delay queues, rising.
    """

    longest: int
    delays: tuple[int, ...]

    def place(self, waits: WaitsError, lane: Lane, now: datetime) -> Schedule | Hold | Delay | Requeue:
        """Say what becomes of a delivery from *lane* that must wait."""
        if waits.until is None:
            # What comes from a held queue stays in front of it: the hours have just ended.
            return Requeue(waits.code) if lane.is_held else Hold(waits.code)
        rest = (waits.until - now).total_seconds()
        if lane.holds_parts or rest <= 0:
            # Its job was taken where the clock is ahead of this one.
            return Requeue(waits.code)
        if not self.longest:
            # What was scheduled before the ladder was taken away.
            return self._delayed(rest, waits.code)
        return Schedule(self._stage(rest), waits.code)

    def _stage(self, rest: float) -> int:
        """Seconds up to the next look."""
        seconds = ceil(rest)
        if seconds <= self.longest:
            return seconds
        # For each look but the last one queue of the ladder, and no more. The last stage is the longest, so
        # that a work queue which is long just now delays nothing.
        return 1 << (self.longest.bit_length() - 1)

    def _delayed(self, rest: float, code: str) -> Delay | Requeue:
        fitting = [delay for delay in self.delays if delay <= rest]
        return Delay(fitting[-1], code, counts=False) if fitting else Requeue(code)
