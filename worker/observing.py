"""From what happens at the ports to metrics."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from worker.ports import Clock, Command, Gateway, Ledger, MessageReport, Publisher, Stored, TextMessage


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

    def call_shared(self, command: Command, jobs: int) -> None:
        """Measure the company in a call."""
        self.metrics.call_shared(command.value, jobs)

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """Count both."""
        self.metrics.dnd_cache(hits, misses)


@dataclass(frozen=True, slots=True)
class MeasuredGateway:
    """A `Gateway` whose calls' fill and DND answers are counted."""

    gateway: Gateway
    metrics: Metrics

    def pack(self, message: TextMessage, recipients: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """As the port says."""
        return self.gateway.pack(message, recipients)

    async def send(self, message: TextMessage, recipients: Sequence[str]) -> Mapping[str, str]:
        """As the port says."""
        self.metrics.call_filled(Command.SEND.value, len(recipients))
        return await self.gateway.send(message, recipients)

    async def check_dnd(self, recipients: Sequence[str]) -> Mapping[str, bool]:
        """As the port says."""
        self.metrics.call_filled(Command.DND.value, len(recipients))
        answers = await self.gateway.check_dnd(recipients)
        listed = sum(answers.values())
        self.metrics.dnd_answered(
            listed=listed, clear=len(answers) - listed, silent=len(recipients) - len(answers)
        )
        return answers

    def pack_ids(self, message_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """As the port says."""
        return self.gateway.pack_ids(message_ids)

    async def message_status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport]:
        """As the port says."""
        self.metrics.call_filled(Command.STATUS.value, len(message_ids))
        return await self.gateway.message_status(message_ids)

    async def account(self) -> Decimal:
        """As the port says."""
        return await self.gateway.account()


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
