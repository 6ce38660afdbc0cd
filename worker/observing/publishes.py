"""From what becomes of messages on their way out to metrics."""

from dataclasses import dataclass

from worker.metrics import Metrics


@dataclass(frozen=True, slots=True)
class PublishMetrics:
    """Counts confirms, what is refused, and what copies are for."""

    metrics: Metrics

    def confirmed(self, kind: str, seconds: float) -> None:
        """Count and time it."""
        broker = self.metrics.broker
        broker.publishes[kind, "confirmed"].inc()
        broker.confirm_took.observe(seconds)

    def refused(self, kind: str, how: str) -> None:
        """Count each time."""
        self.metrics.broker.publishes[kind, how].inc()

    def given_up(self, kind: str, how: str) -> None:
        """Count it as well."""
        self.metrics.broker.publishes[kind, how].inc()

    def dead_lettered(self, reason: str) -> None:
        """Count it by its reason."""
        self.metrics.jobs.dead_letters[reason].inc()

    def delayed(self) -> None:
        """Count another round of the job."""
        self.metrics.jobs.retries["delay"].inc()
