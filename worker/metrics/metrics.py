"""What the worker counts and measures, all under ``iton_worker_``, in a registry of its own.

Callers report what happened in plain words and numbers; only this module knows the metrics library.
"""

import platform
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from worker.metrics import labels
from worker.metrics.labels import closed

_CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_JOB_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_WAIT_BUCKETS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400)
_FILL_BUCKETS = (1, 2, 5, 10, 25, 50, 75, 99, 100)
_FAST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15)


_Labelled = TypeVar("_Labelled", bound=MetricWrapperBase)


@cache
def _child(metric: _Labelled, *values: str) -> _Labelled:
    """Return the metric with these label values; the library looks it up anew, under a lock, each time."""
    return metric.labels(*values)


class Metrics:
    """One process's metrics. Methods are cheap, never raise for odd labels, and are for the event loop alone.

    Args:
        version: of the worker, for ``iton_worker_build_info``.
    """

    def __init__(self, version: str = "unknown") -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        build = Info("iton_worker_build", "What runs here", registry=self._registry)
        build.info({"version": version, "python": platform.python_version()})
        self._create_job_metrics()
        self._create_gateway_metrics()
        self._create_broker_metrics()

    def _create_job_metrics(self) -> None:
        self._jobs = self._counter("jobs_total", "Jobs settled", "kind", "result")
        self._recipients = self._counter("recipients_total", "Recipients by outcome", "outcome")
        self._job_seconds = self._histogram(
            "job_seconds", "From taking a job to settling it", _JOB_BUCKETS, "lane"
        )
        self._queue_wait = self._histogram(
            "queue_wait_seconds", "From the producer's timestamp to taking the job", _WAIT_BUCKETS, "lane"
        )
        self._retries = self._counter("retries_total", "Work put off to be tried again", "kind")
        self._dead_letters = self._counter("dead_letters_total", "Jobs dead-lettered", "reason")
        self._ledger = self._histogram("ledger_seconds", "Ledger operations", _FAST_BUCKETS, "operation")
        self._revisions = self._counter("revisions_total", "Results corrected after a late reply")

    def _create_gateway_metrics(self) -> None:
        self._calls = self._counter(
            "gateway_calls_total", "Calls to the gateway by outcome", "command", "class"
        )
        self._call_seconds = self._histogram(
            "gateway_call_seconds", "Calls to the gateway", _CALL_BUCKETS, "command"
        )
        self._in_flight = self._gauge("gateway_calls_in_flight", "Calls to the gateway under way")
        self._breaker = self._gauge("breaker_open", "1 while a command is not called", "command")
        self._paused = self._gauge("intake_paused", "1 while no jobs are taken, by reason", "reason")
        self._credits = self._gauge("credits_remaining", "The account's balance when last seen")
        self._unasked = self._counter(
            "unasked_total", "Ids or numbers in replies that nobody asked for", "command"
        )

        self._call_keys = self._histogram(
            "gateway_call_keys", "Numbers or ids in a call", _FILL_BUCKETS, "command"
        )
        self._call_jobs = self._histogram(
            "gateway_call_jobs", "Jobs that share a call", _FILL_BUCKETS, "command"
        )
        self._dnd_answers = self._counter(
            "dnd_answers_total", "Numbers that the DND endpoint was asked about", "answer"
        )
        self._dnd_cache = self._counter("dnd_cache_total", "Numbers looked for in the DND cache", "result")

    def _create_broker_metrics(self) -> None:
        self._publishes = self._counter("publishes_total", "Messages published", "exchange", "result")
        self._confirm = self._histogram(
            "publisher_confirm_seconds", "From publishing to the broker's confirm", _FAST_BUCKETS
        )
        self._consumer_up = self._gauge("consumer_up", "1 while the broker has our consumer", "lane")
        self._redeliveries = self._counter(
            "redeliveries_total", "Deliveries that the broker flagged as repeated"
        )

    def job_settled(self, kind: str, result: str) -> None:
        """Count a job by its kind and what became of it."""
        _child(self._jobs, closed(kind, labels.KINDS), closed(result, labels.RESULTS)).inc()

    def recipients_settled(self, outcome: str, count: int) -> None:
        """Count recipients by outcome."""
        _child(self._recipients, closed(outcome, labels.OUTCOMES)).inc(count)

    def job_took(self, lane: str, seconds: float) -> None:
        """Measure a job from its delivery to its settlement."""
        _child(self._job_seconds, closed(lane, labels.LANES)).observe(seconds)

    def job_waited(self, lane: str, seconds: float) -> None:
        """Measure how long a job lay in its queue; clocks that differ count as no wait."""
        _child(self._queue_wait, closed(lane, labels.LANES)).observe(max(0.0, seconds))

    def retried(self, kind: str) -> None:
        """Count a retry: ``call``, ``delay`` or ``requeue``."""
        _child(self._retries, closed(kind, labels.RETRIES)).inc()

    def dead_lettered(self, reason: str) -> None:
        """Count a dead letter by its reason code."""
        _child(self._dead_letters, closed(reason, labels.DEAD_REASONS)).inc()

    def ledger_took(self, operation: str, seconds: float) -> None:
        """Measure a ledger operation: ``load`` or ``swap``."""
        _child(self._ledger, closed(operation, labels.LEDGER_OPERATIONS)).observe(seconds)

    def revised(self) -> None:
        """Count a result that was published again with ids that turned up late."""
        self._revisions.inc()

    def calls_in_flight_from(self, count: Callable[[], int]) -> None:
        """Ask *count* for the calls under way, at each scrape."""
        self._in_flight.set_function(count)

    def call_ended(self, command: str, outcome: str, seconds: float) -> None:
        """Count and measure a call: ``ok``, ``permanent``, ``transient``, ``uncertain`` or ``account``."""
        command = closed(command, labels.COMMANDS)
        _child(self._calls, command, closed(outcome, labels.CALL_CLASSES)).inc()
        _child(self._call_seconds, command).observe(seconds)

    def call_filled(self, command: str, keys: int) -> None:
        """Measure how many numbers or ids a call holds, of at most 100."""
        _child(self._call_keys, closed(command, labels.COMMANDS)).observe(keys)

    def call_shared(self, command: str, jobs: int) -> None:
        """Measure how many jobs a call serves that was made for all who waited."""
        _child(self._call_jobs, closed(command, labels.COMMANDS)).observe(jobs)

    def dnd_answered(self, *, listed: int, clear: int, silent: int) -> None:
        """Count numbers by what the DND endpoint said of them; *silent* are those that it left out."""
        for answer, count in (("listed", listed), ("clear", clear), ("silent", silent)):
            _child(self._dnd_answers, answer).inc(count)

    def dnd_cache(self, hits: int, misses: int) -> None:
        """Count numbers that were found in the DND cache, and those that were not."""
        _child(self._dnd_cache, "hit").inc(hits)
        _child(self._dnd_cache, "miss").inc(misses)

    def breaker_changed(self, command: str, *, is_open: bool) -> None:
        """Note whether a command is called at all."""
        _child(self._breaker, closed(command, labels.COMMANDS)).set(is_open)

    def intake_paused(self, reason: str, *, paused: bool) -> None:
        """Note whether jobs are taken, as far as *reason* goes."""
        _child(self._paused, closed(reason, labels.PAUSES)).set(paused)

    def credits_seen(self, remaining: Decimal) -> None:
        """Note the account's balance."""
        self._credits.set(float(remaining))

    def unasked(self, command: str, count: int = 1) -> None:
        """Count ids or numbers in a reply that were not in its request."""
        _child(self._unasked, closed(command, labels.COMMANDS)).inc(count)

    def published(self, exchange: str, result: str) -> None:
        """Count a publish by where it went: an exchange's last word, or ``parts``."""
        _child(
            self._publishes, closed(exchange, labels.EXCHANGES), closed(result, labels.PUBLISH_RESULTS)
        ).inc()

    def confirm_took(self, seconds: float) -> None:
        """Measure the wait for a publisher confirm."""
        self._confirm.observe(seconds)

    def consumers_up_from(self, lane: str, up: Callable[[], bool]) -> None:
        """Ask *up* whether the broker has our consumer on a lane, at each scrape."""
        _child(self._consumer_up, closed(lane, labels.LANES)).set_function(up)

    def redelivered(self) -> None:
        """Count a delivery with the broker's redelivered flag."""
        self._redeliveries.inc()

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, *names: str) -> Counter:
        return Counter(f"iton_worker_{name}", meaning, names, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *names: str) -> Gauge:
        return Gauge(f"iton_worker_{name}", meaning, names, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *names: str) -> Histogram:
        return Histogram(f"iton_worker_{name}", meaning, names, buckets=buckets, registry=self._registry)
