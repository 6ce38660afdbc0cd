"""From what handlers report to metrics."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.domain.messages import Delivery, Disposition, JobSummary, Requeue
from worker.metrics import Metrics
from worker.ports import Clock, Command

_COMES_BACK = frozenset({"delayed", "returned"})
_WITHOUT_RESULT = frozenset({"split", "forgotten", *_COMES_BACK})  # a large job's are those of its parts


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """The `Observer` port on Prometheus metrics."""

    metrics: Metrics
    clock: Clock

    def job_taken(self, delivery: Delivery) -> None:
        """Measure the wait in the queue; a round through a delay queue is none."""
        if delivery.redelivered:
            self.metrics.redelivered()
        if delivery.published_at is not None and not delivery.attempts:
            self.metrics.job_waited(delivery.lane.value, self._since(delivery.published_at))

    def job_ended(self, delivery: Delivery, summary: JobSummary, *, seconds: float) -> None:
        """Count the job and its recipients, and measure it."""
        lane = delivery.lane.value
        self.metrics.job_settled(summary.kind, summary.result)
        if summary.result not in _COMES_BACK:
            self.metrics.job_took(lane, seconds)
        if delivery.published_at is not None and summary.result not in _WITHOUT_RESULT:
            self.metrics.job_lasted(lane, self._since(delivery.published_at))
        if summary.calls is not None:
            self.metrics.send_calls(summary.calls)
        if summary.kind == "send" and summary.result not in _WITHOUT_RESULT:
            for outcome, count in summary.counts.items():
                self.metrics.recipients_settled(outcome, count)

    def _since(self, moment: datetime) -> float:
        return (self.clock.now() - moment).total_seconds()

    def disposed(self, disposition: Disposition) -> None:
        """Count what is given back; copies are counted once they are confirmed."""
        if isinstance(disposition, Requeue):
            self.metrics.retried("requeue")

    def retried(self, command: Command) -> None:  # noqa: ARG002 - the metric has no label for it
        """Count a repeated call."""
        self.metrics.retried("call")

    def revised(self) -> None:
        """Count a revision."""
        self.metrics.revised()

    def credits_seen(self, remaining: Decimal) -> None:
        """Show the balance."""
        self.metrics.credits_seen(remaining)

    def call_shared(self, command: Command, jobs: int) -> None:
        """Measure the company in a call."""
        self.metrics.call_shared(command.value, jobs)

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """Count both."""
        self.metrics.dnd_cache(hits, misses)
