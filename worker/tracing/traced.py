"""The ports of a job's way, each with a span around it. Wired only when tracing is on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from worker.domain.messages import (
    DeadLetter,
    Delay,
    Delivery,
    Disposition,
    FollowUpMessage,
    JobSummary,
    PartMessage,
    ResultMessage,
)
from worker.ports import Command, Observer, Publisher, Retry
from worker.tracing.spans import Attributes, in_a_trace, parent_of, span_of, traceparent_of

T = TypeVar("T")

Handle = Callable[[Delivery], Awaitable[Disposition]]

_DISPOSITIONS = {
    "Done": "done",
    "DeadLetter": "dead_letter",
    "Delay": "delay",
    "Schedule": "schedule",
    "Hold": "hold",
    "Requeue": "requeue",
}


@dataclass(frozen=True, slots=True)
class TracedJobs:
    """A handler of deliveries with a span for each, which continues the producer's trace.

    Attributes:
        handle: gets the delivery with the span's own trace context.
        prefix: of the names on the broker.
    """

    tracer: Tracer
    handle: Handle
    prefix: str

    async def __call__(self, delivery: Delivery) -> Disposition:
        """Return what *handle* decides; what goes round again, or is given up, carries the span on."""
        queue = f"{self.prefix}.{delivery.lane.value}"
        attributes: Attributes = {
            **_messaging("process", queue),
            "iton.lane": delivery.lane.value,
            "iton.attempt": delivery.attempts + 1,
        }
        parent = parent_of(delivery.traceparent)
        with span_of(
            self.tracer, f"process {queue}", attributes, kind=SpanKind.CONSUMER, parent=parent
        ) as span:
            own = traceparent_of(span) or delivery.traceparent
            disposition = await self.handle(replace(delivery, traceparent=own))
            span.set_attribute("iton.disposition", _DISPOSITIONS[type(disposition).__name__])
            if isinstance(disposition, DeadLetter):
                span.set_status(StatusCode.ERROR)
            if isinstance(disposition, DeadLetter | Delay):
                span.set_attribute("error.type", disposition.reason)
                return replace(disposition, traceparent=own)
        return disposition


@dataclass(frozen=True, slots=True)
class TracedPublisher:
    """A `Publisher` with a span around each message of a job, which carries that span's context."""

    tracer: Tracer
    publisher: Publisher
    prefix: str

    async def publish_result(self, result: ResultMessage) -> None:
        """As the port says."""
        if not in_a_trace():
            await self.publisher.publish_result(result)
            return
        exchange = f"{self.prefix}.results.{result.exchange}"
        attributes = _messaging("publish", exchange) | {
            "messaging.rabbitmq.destination.routing_key": result.routing_key
        }
        with span_of(self.tracer, f"publish {exchange}", attributes, kind=SpanKind.PRODUCER) as span:
            own = traceparent_of(span) or result.traceparent
            await self.publisher.publish_result(replace(result, traceparent=own))

    async def publish_part(self, part: PartMessage) -> None:
        """As the port says."""
        if not in_a_trace():
            await self.publisher.publish_part(part)
            return
        queue = f"{self.prefix}.{part.lane.value}"
        attributes = _messaging("publish", queue)
        with span_of(self.tracer, f"publish {queue}", attributes, kind=SpanKind.PRODUCER) as span:
            own = traceparent_of(span) or part.traceparent
            await self.publisher.publish_part(replace(part, traceparent=own))

    async def publish_follow_up(self, follow_up: FollowUpMessage) -> None:
        """As the port says; the looks of days are no steps of the job's trace, and carry its context on."""
        await self.publisher.publish_follow_up(follow_up)


@dataclass(frozen=True, slots=True)
class TracedSending:
    """The `Retry` of sendSMS with a span around each attempt: leave, claim, call and record."""

    tracer: Tracer
    retry: Retry

    async def __call__(self, attempt: Callable[[], Awaitable[T]], *, limit: int | None = None) -> T:
        """As the port says."""
        number = 0

        async def traced() -> T:
            nonlocal number
            number += 1
            attributes: Attributes = {"iton.command": Command.SEND.value, "iton.attempt": number}
            with span_of(self.tracer, Command.SEND.value, attributes, kind=SpanKind.CLIENT):
                return await attempt()

        return await self.retry(traced, limit=limit)


@dataclass(frozen=True, slots=True)
class TracedObserver:
    """An `Observer` that also tells the job's span how the job ended."""

    observer: Observer

    def job_taken(self, delivery: Delivery) -> None:
        """As the port says."""
        self.observer.job_taken(delivery)

    def job_ended(self, delivery: Delivery, summary: JobSummary, *, seconds: float) -> None:
        """Name kind, result, id and counts."""
        span = trace.get_current_span()
        if span.is_recording():
            named = {"iton.job.kind": summary.kind, "iton.job.result": summary.result}
            known = {"iton.job.id": summary.job_id} if summary.job_id else {}
            counts = {f"iton.count.{name}": count for name, count in summary.counts.items()}
            span.set_attributes({**named, **known, **counts})
        self.observer.job_ended(delivery, summary, seconds=seconds)

    def retried(self, command: Command) -> None:
        """As the port says."""
        self.observer.retried(command)

    def revised(self) -> None:
        """As the port says."""
        trace.get_current_span().add_event("result.revised")
        self.observer.revised()

    def credits_seen(self, remaining: Decimal) -> None:
        """As the port says."""
        self.observer.credits_seen(remaining)

    def credits_moved(self, *, spent: Decimal, added: Decimal) -> None:
        """As the port says."""
        self.observer.credits_moved(spent=spent, added=added)

    def call_shared(self, command: Command, jobs: int) -> None:
        """As the port says."""
        self.observer.call_shared(command, jobs)

    def tracking_begun(self, messages: int) -> None:
        """As the port says."""
        self.observer.tracking_begun(messages)

    def tracking_ended(self, statuses: Sequence[str], *, seconds: float) -> None:
        """As the port says."""
        self.observer.tracking_ended(statuses, seconds=seconds)

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """As the port says."""
        self.observer.dnd_cached(hits=hits, misses=misses)


def _messaging(operation: str, destination: str) -> dict[str, str | int]:
    """OpenTelemetry's semantic conventions for messaging."""
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": "process" if operation == "process" else "send",
        "messaging.destination.name": destination,
    }
