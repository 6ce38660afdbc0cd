"""From what happens at the ports to metrics: what is reported or published, how long the ledger takes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ParamSpec, TypeVar

from worker.domain.errors import LedgerUnavailableError
from worker.domain.messages import Delivery, Disposition, JobSummary, Requeue
from worker.metrics import Metrics
from worker.ports import Clock, Command, Ledger, Stored, Swap

P = ParamSpec("P")
T = TypeVar("T")

_COMES_BACK = frozenset({"delayed", "returned", "scheduled", "held"})
_WITHOUT_RESULT = frozenset({"split", "forgotten", *_COMES_BACK})  # a large job's are those of its parts


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """The `Observer` port on Prometheus metrics."""

    metrics: Metrics
    clock: Clock

    def job_taken(self, delivery: Delivery) -> None:
        """Measure the wait in the queue; a round through a delay queue is none."""
        jobs = self.metrics.jobs
        if delivery.redelivered:
            jobs.redeliveries.inc()
        if delivery.published_at is not None and not (delivery.attempts or delivery.waited):
            jobs.waited[delivery.lane].observe(self._since(delivery.published_at))

    def job_ended(self, delivery: Delivery, summary: JobSummary, *, seconds: float) -> None:
        """Count the job and its recipients, and measure it."""
        jobs, lane = self.metrics.jobs, delivery.lane
        jobs.decided[summary.kind, summary.result].inc()
        if summary.result not in _COMES_BACK:
            jobs.took[lane].observe(seconds)
        came = None if delivery.waited else delivery.published_at
        if came is not None and summary.result not in _WITHOUT_RESULT:
            jobs.lasted[lane].observe(self._since(came))
        if summary.calls is not None:
            jobs.send_calls.observe(summary.calls)
        if summary.kind == "send" and summary.result not in _WITHOUT_RESULT:
            for outcome, count in summary.counts.items():
                jobs.recipients[outcome].inc(count)

    def _since(self, moment: datetime) -> float:
        """Return seconds; clocks that differ count as no time."""
        return max(0.0, (self.clock.now() - moment).total_seconds())

    def disposed(self, disposition: Disposition) -> None:
        """Count what is given back; copies are counted once they are confirmed."""
        if isinstance(disposition, Requeue):
            self.metrics.jobs.retries["requeue"].inc()

    def retried(self, command: Command) -> None:  # noqa: ARG002 - the metric has no label for it
        """Count a repeated call."""
        self.metrics.jobs.retries["call"].inc()

    def revised(self) -> None:
        """Count a revision."""
        self.metrics.jobs.revisions.inc()

    def credits_seen(self, remaining: Decimal) -> None:
        """Show the balance."""
        self.metrics.credits.remaining.set(float(remaining))

    def credits_moved(self, *, spent: Decimal, added: Decimal) -> None:
        """Count both."""
        self.metrics.credits.spent.inc(float(spent))
        self.metrics.credits.added.inc(float(added))

    def call_shared(self, command: Command, jobs: int) -> None:
        """Measure the company in a call."""
        self.metrics.calls.jobs[command].observe(jobs)

    def tracking_begun(self, messages: int) -> None:
        """Count them."""
        self.metrics.tracking.begun.inc(messages)

    def tracking_ended(self, statuses: Sequence[str], *, seconds: float) -> None:
        """Count the message, and its recipients by what became of them."""
        tracking = self.metrics.tracking
        tracking.ended.inc()
        tracking.took.observe(seconds)
        for status in statuses:
            tracking.recipients[status].inc()

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """Count both."""
        self.metrics.dnd.cache["hit"].inc(hits)
        self.metrics.dnd.cache["miss"].inc(misses)


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


@dataclass(frozen=True, slots=True)
class MeasuredLedger:
    """A `Ledger` whose operations are timed, and its failures counted."""

    ledger: Ledger
    metrics: Metrics
    on_failure: Callable[[LedgerUnavailableError], None] = lambda _: None

    def load(self, key: str) -> Awaitable[Stored | None]:
        """As the port says."""
        return self._measured("load", self.ledger.load, key)

    def swap(self, key: str, *, expected: str | None, new: Stored) -> Awaitable[bool]:
        """As the port says."""
        return self._measured("swap", self.ledger.swap, key, expected=expected, new=new)

    async def swap_many(self, swaps: Sequence[Swap]) -> Sequence[bool | Exception]:
        """As the port says; together they are one operation, and a failure is that of the store."""
        started = time.perf_counter()
        answers = await self.ledger.swap_many(swaps)
        self.metrics.ledger.took["swap"].observe(time.perf_counter() - started)
        for answer in answers:
            if isinstance(answer, LedgerUnavailableError):
                self._failed("swap", answer)
                break
        return answers

    def renew(self, keys: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """As the port says."""
        return self._measured("renew", self.ledger.renew, keys)

    async def _measured(
        self, operation: str, ask: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs
    ) -> T:
        started = time.perf_counter()
        try:
            return await ask(*args, **named)
        except LedgerUnavailableError as error:
            self._failed(operation, error)
            raise
        finally:
            self.metrics.ledger.took[operation].observe(time.perf_counter() - started)

    def _failed(self, operation: str, error: LedgerUnavailableError) -> None:
        self.metrics.ledger.failures[operation].inc()
        self.on_failure(error)
