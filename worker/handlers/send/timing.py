"""When the jobs of this deployment may be sent."""

from dataclasses import dataclass

from worker.domain.errors import WaitsError
from worker.domain.hours import Hours
from worker.domain.waiting import Times
from worker.handlers.send.head import JobHead
from worker.ports import Clock


@dataclass(frozen=True, slots=True)
class Timing:
    """Looks at the clock. Jobs without ``send_after`` to which no hours apply need not be asked about.

    Attributes:
        hours: in which promotional texts may go out; None: at any hour.
    """

    clock: Clock
    hours: Hours | None = None

    def times(self, head: JobHead) -> Times | None:
        """When a job may be sent; None: at any time before its end."""
        hours = self.hours if head.in_hours else None
        if head.send_after is None and hours is None:
            return None
        return Times(head.send_after, head.expires_at, hours)

    def waits(self, head: JobHead) -> WaitsError | None:
        """Say what the job must wait for; None where it need not, or where that is of no use."""
        times, now = self.times(head), self.clock.now()
        waits = times.wait(now) if times else None
        if times is None or waits is None or times.has_no_chance(now):
            return None
        waits.job_id = head.job_id
        return waits

    def has_no_chance(self, head: JobHead) -> bool:
        """Tell whether its time is over before it may be sent."""
        times, now = self.times(head), self.clock.now()
        return times is not None and times.wait(now) is not None and times.has_no_chance(now)
