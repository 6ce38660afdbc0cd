"""What the worker counts and measures, in a registry of its own.

Callers report what happened in plain words and numbers; only this package knows the metrics library.
"""

import math
import platform
from collections.abc import Callable
from decimal import Decimal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from worker.metrics.family import Families


class Metrics:
    """One process's metrics. Methods are cheap, never raise for odd labels, and are for the event loop alone.

    Args:
        version: of the worker, for ``iton_worker_build_info``.
    """

    def __init__(self, version: str = "unknown") -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        families = Families(self._registry)
        self._create_job_metrics(families)
        self._create_gateway_metrics(families)
        self._create_broker_metrics(families)
        self._create_process_metrics(families, version)

    def _create_job_metrics(self, families: Families) -> None:
        self._jobs = families.counter("jobs_total")
        self._recipients = families.counter("recipients_total")
        self._in_flight = families.gauge("jobs_in_flight")
        self._prefetch = families.gauge("prefetch")
        self._oldest = families.gauge("oldest_job_seconds")
        self._queue_wait = families.histogram("queue_wait_seconds")
        self._job_seconds = families.histogram("job_seconds")
        self._end_to_end = families.histogram("end_to_end_seconds")
        self._send_calls = families.histogram("send_calls")
        self._retries = families.counter("retries_total")
        self._redeliveries = families.counter("redeliveries_total")
        self._revisions = families.counter("revisions_total")
        self._crashes = families.counter("crashes_total")
        self._dead_letters = families.counter("dead_letters_total")

    def _create_gateway_metrics(self, families: Families) -> None:
        self._calls = families.counter("gateway_calls_total")
        self._call_seconds = families.histogram("gateway_call_seconds")
        self._calls_in_flight = families.gauge("gateway_calls_in_flight")
        self._calls_limit = families.gauge("gateway_calls_limit")
        self._calls_floor = families.gauge("gateway_calls_floor")
        self._call_keys = families.histogram("gateway_call_keys")
        self._call_jobs = families.histogram("gateway_call_jobs")
        self._unasked = families.counter("unasked_total")
        self._dnd_answers = families.counter("dnd_answers_total")
        self._dnd_cache = families.counter("dnd_cache_total")
        self._breaker = families.gauge("breaker_open")
        self._paused = families.gauge("intake_paused")
        self._credits_low = families.gauge("credits_low_threshold")
        self._credits = families.gauge("credits_remaining")

    def _create_broker_metrics(self, families: Families) -> None:
        self._ledger = families.histogram("ledger_seconds")
        self._ledger_failures = families.counter("ledger_failures_total")
        self._ledger_entries = families.gauge("ledger_entries")
        self._consumer_up = families.gauge("consumer_up")
        self._publisher_up = families.gauge("publisher_up")
        self._queue_messages = families.gauge("queue_messages")
        self._publishes = families.counter("publishes_total")
        self._confirm = families.histogram("publisher_confirm_seconds")

    def _create_process_metrics(self, families: Families, version: str) -> None:
        self._ready = families.gauge("ready")
        self._draining = families.gauge("draining")
        self._loop_lag = families.histogram("loop_lag_seconds")
        families.info("build_info", {"version": version, "python": platform.python_version()})

    def job_settled(self, kind: str, result: str) -> None:
        """Count a job by its kind and what became of it."""
        self._jobs.at(kind, result).inc()

    def recipients_settled(self, outcome: str, count: int) -> None:
        """Count recipients by outcome."""
        self._recipients.at(outcome).inc(count)

    def job_took(self, lane: str, seconds: float) -> None:
        """Measure a job from its delivery to its settlement."""
        self._job_seconds.at(lane).observe(seconds)

    def job_waited(self, lane: str, seconds: float) -> None:
        """Measure how long a job lay in its queue; clocks that differ count as no wait."""
        self._queue_wait.at(lane).observe(max(0.0, seconds))

    def job_lasted(self, lane: str, seconds: float) -> None:
        """Measure a job from its publication to its results; clocks that differ count as no time."""
        self._end_to_end.at(lane).observe(max(0.0, seconds))

    def send_calls(self, count: int) -> None:
        """Measure how many calls a send job took."""
        self._send_calls.at().observe(count)

    def jobs_in_flight_from(self, lane: str, count: Callable[[], int]) -> None:
        """Ask *count* for the deliveries of *lane* that are not settled, at each scrape."""
        self._in_flight.at(lane).set_function(count)

    def prefetch_from(self, lane: str, count: Callable[[], int]) -> None:
        """Ask *count* how many deliveries of *lane* may be in hand, at each scrape."""
        self._prefetch.at(lane).set_function(count)

    def oldest_job_from(self, seconds: Callable[[], float]) -> None:
        """Ask for the age of the oldest delivery in flight, at each scrape."""
        self._oldest.at().set_function(seconds)

    def retried(self, kind: str) -> None:
        """Count a retry: ``call``, ``delay`` or ``requeue``."""
        self._retries.at(kind).inc()

    def redelivered(self) -> None:
        """Count a delivery with the broker's redelivered flag."""
        self._redeliveries.at().inc()

    def revised(self) -> None:
        """Count a result that was published again with ids that turned up late."""
        self._revisions.at().inc()

    def crashed(self) -> None:
        """Count a fault of the worker's own."""
        self._crashes.at().inc()

    def dead_lettered(self, reason: str) -> None:
        """Count a dead letter by its reason code."""
        self._dead_letters.at(reason).inc()

    def call_ended(self, command: str, outcome: str, seconds: float) -> None:
        """Count and measure a call: ``ok``, ``permanent``, ``transient``, ``uncertain`` or ``account``."""
        self._calls.at(command, outcome).inc()
        self._call_seconds.at(command).observe(seconds)

    def calls_in_flight_from(self, count: Callable[[], int]) -> None:
        """Ask *count* for the calls under way, at each scrape."""
        self._calls_in_flight.at().set_function(count)

    def calls_limit_from(self, limit: Callable[[], int]) -> None:
        """Ask *limit* how many calls may be under way, at each scrape."""
        self._calls_limit.at().set_function(limit)

    def call_filled(self, command: str, keys: int) -> None:
        """Measure how many numbers or ids a call holds, of at most 100."""
        self._call_keys.at(command).observe(keys)

    def call_shared(self, command: str, jobs: int) -> None:
        """Measure how many jobs a call serves that was made for all who waited."""
        self._call_jobs.at(command).observe(jobs)

    def unasked(self, command: str, count: int = 1) -> None:
        """Count ids or numbers in a reply that were not in its request."""
        self._unasked.at(command).inc(count)

    def dnd_answered(self, *, listed: int, clear: int, silent: int) -> None:
        """Count numbers by what the DND endpoint said of them; *silent* are those that it left out."""
        for answer, count in (("listed", listed), ("clear", clear), ("silent", silent)):
            self._dnd_answers.at(answer).inc(count)

    def dnd_cache(self, hits: int, misses: int) -> None:
        """Count numbers that were found in the DND cache, and those that were not."""
        self._dnd_cache.at("hit").inc(hits)
        self._dnd_cache.at("miss").inc(misses)

    def breaker_changed(self, command: str, *, is_open: bool) -> None:
        """Note whether a command is called at all."""
        self._breaker.at(command).set(is_open)

    def intake_paused(self, reason: str, *, paused: bool) -> None:
        """Note whether jobs are taken, as far as *reason* goes."""
        self._paused.at(reason).set(paused)

    def calls_limit_falls_to(self, floor: int) -> None:
        """Note below which number the limit of calls does not fall; 0: it cannot fall."""
        self._calls_floor.at().set(floor)

    def credits_low_below(self, threshold: float) -> None:
        """Note the balance below which the worker warns."""
        self._credits_low.at().set(threshold)

    def credits_seen(self, remaining: Decimal) -> None:
        """Note the account's balance."""
        self._credits.at().set(float(remaining))

    def ledger_took(self, operation: str, seconds: float) -> None:
        """Measure a ledger operation: ``load``, ``swap`` or ``renew``."""
        self._ledger.at(operation).observe(seconds)

    def ledger_failed(self, operation: str) -> None:
        """Count a ledger operation that failed because the store was away."""
        self._ledger_failures.at(operation).inc()

    def ledger_holds(self, entries: int | None) -> None:
        """Note how many entries the ledger has; None where it cannot tell."""
        self._ledger_entries.at().set(math.nan if entries is None else entries)

    def consumers_up_from(self, lane: str, up: Callable[[], bool]) -> None:
        """Ask *up* whether the broker has our consumer on a lane, at each scrape."""
        self._consumer_up.at(lane).set_function(up)

    def publisher_up_from(self, up: Callable[[], bool]) -> None:
        """Ask *up* whether publishing works, at each scrape."""
        self._publisher_up.at().set_function(up)

    def queue_messages_from(self, queue: str, count: Callable[[], float]) -> None:
        """Ask *count* for the messages of a queue, at each scrape; NaN where nobody knows."""
        self._queue_messages.at(queue).set_function(count)

    def published(self, exchange: str, result: str) -> None:
        """Count a publish by where it went: an exchange's last word, or ``parts``."""
        self._publishes.at(exchange, result).inc()

    def confirm_took(self, seconds: float) -> None:
        """Measure the wait for a publisher confirm."""
        self._confirm.at().observe(seconds)

    def ready_from(self, ready: Callable[[], bool]) -> None:
        """Ask whether the worker is ready, at each scrape."""
        self._ready.at().set_function(ready)

    def drains(self) -> None:
        """Note that the stop has begun."""
        self._draining.at().set(1)

    def loop_lagged(self, seconds: float) -> None:
        """Measure how late a timer fired."""
        self._loop_lag.at().observe(max(0.0, seconds))

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)
