"""What becomes of a job whose step failed: in which case it waits, goes round again, or is given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.messages import Delay, Delivery


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a job that fails by itself, while others succeed, is tried again.

    Attributes:
        delays: seconds of each round through a delay queue; as many rounds as there are delays.
        max_age: seconds since the first round after which it is given up.
    """

    delays: tuple[int, ...]
    max_age: float

    def next_round(
        self, delivery: Delivery, reason: str, *, now: datetime, at_least: float = 0.0
    ) -> Delay | None:
        """Return the next round, in *at_least* so many seconds; None when count or age are used up."""
        since = delivery.first_seen or now
        if delivery.attempts >= len(self.delays) or now - since >= timedelta(seconds=self.max_age):
            return None
        left = self.delays[delivery.attempts :]
        return Delay(next((delay for delay in left if delay >= at_least), left[-1]), reason)
