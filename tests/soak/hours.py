"""The hours of a soak: open but for one minute."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

MINUTE = 60.0
_FAR = 12 * 3600.0


def _next_minute(after: float) -> float:
    """Return the first full minute, seconds since the epoch, *after* seconds from now."""
    return ((time.time() + after) // MINUTE + 1) * MINUTE


@dataclass(frozen=True)
class Break:
    """The one minute of the day, in UTC, in which the hours are closed.

    Attributes:
        begins: seconds since the epoch; by default far from now, so that they are looked at and open.
    """

    begins: float = field(default_factory=lambda: _next_minute(_FAR))

    @classmethod
    def soon(cls, after: float) -> "Break":
        """Return one that begins within a minute, *after* seconds from now."""
        return cls(_next_minute(after))

    @property
    def ends(self) -> float:
        """Seconds since the epoch."""
        return self.begins + MINUTE

    def left(self) -> float:
        """Seconds until it is over, where it goes on or comes soon; else nothing."""
        ahead = self.ends - time.time()
        return ahead if 0 < ahead < 2 * MINUTE else 0.0

    def settings(self) -> dict[str, object]:
        """Return the hours as workers read them: they begin where the break ends."""
        beginning, end = (datetime.fromtimestamp(at, UTC) for at in (self.ends, self.begins))
        return {
            "WORKER_PROMOTIONAL_HOURS": f"{beginning:%H:%M}-{end:%H:%M}",
            "WORKER_HOURS_TIMEZONE": "UTC",
        }
