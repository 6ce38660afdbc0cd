"""From what happens at the ports to metrics."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import (
    DeadLetter,
    Delay,
    Delivery,
    Disposition,
    JobSummary,
    Lane,
    PartMessage,
    Requeue,
    ResultMessage,
)
from worker.metrics import Metrics
from worker.ports import Clock, Command, Ledger, Publisher, Stored


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """The `Observer` port on Prometheus metrics."""

    metrics: Metrics
    clock: Clock

    def job_taken(self, delivery: Delivery) -> None:
        """Measure the wait in the queue."""
        if delivery.redelivered:
            self.metrics.redelivered()
        if delivery.published_at is not None:
            waited = (self.clock.now() - delivery.published_at).total_seconds()
            self.metrics.job_waited(delivery.lane.value, waited)

    def job_ended(self, summary: JobSummary, *, lane: Lane, seconds: float) -> None:
        """Count the job and its recipients."""
        self.metrics.job_settled(summary.kind, summary.result)
        self.metrics.job_took(lane.value, seconds)
        for outcome, count in summary.counts.items():
            if summary.kind == "send" and summary.result != "split":
                self.metrics.recipients_settled(outcome, count)

    def disposed(self, disposition: Disposition) -> None:
        """Count what goes round again and what is given up."""
        match disposition:
            case DeadLetter(reason):
                self.metrics.dead_lettered(reason)
            case Delay():
                self.metrics.retried("delay")
            case Requeue():
                self.metrics.retried("requeue")
            case _:
                pass

    def retried(self, command: Command) -> None:  # noqa: ARG002 - the metric has no label for it
        """Count a repeated call."""
        self.metrics.retried("call")

    def revised(self) -> None:
        """Count a revision."""
        self.metrics.revised()

    def credits_seen(self, remaining: Decimal) -> None:
        """Show the balance."""
        self.metrics.credits_seen(remaining)


@dataclass(frozen=True, slots=True)
class MeasuredPublisher:
    """A `Publisher` whose confirms are counted and timed."""

    publisher: Publisher
    metrics: Metrics

    async def publish_result(self, result: ResultMessage) -> None:
        """As the port says."""
        await self._measured(result.exchange, self.publisher.publish_result(result))

    async def publish_part(self, part: PartMessage) -> None:
        """As the port says."""
        await self._measured("parts", self.publisher.publish_part(part))

    async def _measured(self, exchange: str, publishing: Awaitable[None]) -> None:
        started = time.perf_counter()
        try:
            await publishing
        except BrokerUnavailableError:
            self.metrics.published(exchange, "failed")
            raise
        self.metrics.published(exchange, "confirmed")
        self.metrics.confirm_took(time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class MeasuredLedger:
    """A `Ledger` whose operations are timed."""

    ledger: Ledger
    took: Callable[[str, float], None]

    async def load(self, key: str) -> Stored | None:
        """As the port says."""
        started = time.perf_counter()
        try:
            return await self.ledger.load(key)
        finally:
            self.took("load", time.perf_counter() - started)

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """As the port says."""
        started = time.perf_counter()
        try:
            return await self.ledger.swap(key, expected=expected, new=new)
        finally:
            self.took("swap", time.perf_counter() - started)

    async def check(self) -> None:
        """As the port says."""
        await self.ledger.check()

    async def close(self) -> None:
        """As the port says."""
        await self.ledger.close()
