"""The parts of a worker, each with what it needs. Nothing is connected before it runs."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import version

import structlog

from worker.admission.admission import Admission
from worker.admission.rate_limiter import RateLimiter
from worker.amqp.connection.opening import Timing
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.publisher import BrokerPublisher
from worker.bootstrap.adapters import (
    gateway_of,
    ledger_of,
    limiter_of,
    publisher_of,
    web_api_of,
)
from worker.bootstrap.admitting import WEB_API_CALLS, Admitting
from worker.bootstrap.collaborators import Collaborators
from worker.bootstrap.long_jobs import LongJobs
from worker.bootstrap.outages import Outages
from worker.bootstrap.rules import hours_of
from worker.bootstrap.topology import topology_of
from worker.bootstrap.tracing import LastSpans, Tracing, tracing_of
from worker.bootstrap.web_side import Gates, WebSide
from worker.bootstrap.wiring import LEASE_MARGIN, HandlerWiring
from worker.domain.errors import LedgerUnavailableError
from worker.domain.messages import Lane
from worker.handlers.dispatch import Dispatch
from worker.http.health import HealthServer, Readiness
from worker.iton.client import ItonGateway, Observers
from worker.iton.web_api import ItonWebApi
from worker.ledger import AnyLedger
from worker.metrics import Metrics
from worker.observing import (
    LedgerSizeWatch,
    LoopWatch,
    MeasuredLedger,
    MetricsObserver,
    PublishMetrics,
)
from worker.ports import Clock
from worker.probes import LedgerWatch, Probes
from worker.resilience.single_flight import SingleFlight
from worker.runtime import Parts
from worker.settings import Settings, SettingsError

log = structlog.get_logger(__name__)

_RATE_SHARE_EVERY = 1.0  # seconds; for so long a fleet without a common bucket may pass its rate limit
_AFTER_HOURS = 60.0  # seconds; beyond the longest call; a broker misses a worker that is cut off in 30
_FIRST_LOOK = 2.0  # seconds that the start waits for the ledger
# Of jobs with one recipient each: ten calls' worth, so that calls are full.
_LOOKS_IN_HAND = 1_000
_PAUSE_WORDS = {
    "credentials": "the gateway refuses the account: check ITON_USERNAME and ITON_PASSWORD",
    "credits": "the account has no credits left: top it up",
    "ledger": "the ledger cannot be written: check LEDGER_URL and its store",
}


@dataclass(frozen=True)
class Assembly:
    """Builds each part once, when another one first asks for it.

    Raises:
        SettingsError: from `parts`; a setting cannot be used.
    """

    settings: Settings
    given: Collaborators = field(default_factory=Collaborators)

    def parts(self) -> Parts:
        """Return what the process runs."""
        self.metrics.credits.low_threshold.set(self.settings.credits.low)
        self._show()
        return Parts(
            consumer=self.consumer,
            start=(self._refuse_a_cluster, self.outages.begin, self._started),
            services=(
                self.ledger_watch.run,
                self.publisher.run,
                self.handlers.credits_watch().run,
                self.outages.run,
                LongJobs(self.consumer.held, self.handlers.renewal, self.clock).run,
                *((self._share_the_rate,) if self.limiter.shares else ()),
                LedgerSizeWatch(self.store, self.metrics, self.clock).run,
                LoopWatch(self.metrics, self.clock).run,
            ),
            closers=(
                self._stop_probes,
                self.gateway.aclose,
                self.store.close,
                self.health.stop,
                self.last_spans.send,
            ),
            drain_timeout=self.settings.process.drain_timeout,
            before_drain=self._begin_drain,
        )

    @cached_property
    def clock(self) -> Clock:
        """Time."""
        return self.given.clock

    @cached_property
    def metrics(self) -> Metrics:
        """What is counted and measured."""
        return Metrics(version("iton-worker"))

    @cached_property
    def tracing(self) -> Tracing:
        """The seams that make spans, where that is wanted."""
        return tracing_of(self.settings)

    @cached_property
    def last_spans(self) -> LastSpans:
        """What sends the last spans at a stop."""
        return LastSpans(self.tracing, self.clock, self.settings.process.drain_timeout)

    @cached_property
    def observer(self) -> MetricsObserver:
        """From what handlers report to metrics."""
        return MetricsObserver(self.metrics, self.clock)

    @cached_property
    def gateway(self) -> ItonGateway:
        """The client of the account."""
        observers = Observers(
            on_call=self._called,
            on_unasked=self.metrics.calls.count_unasked,
            on_dnd=self.metrics.dnd.count_answers,
            on_unknown_status=self.metrics.tracking.count_unknown,
            on_charge=self.metrics.credits.predicted.inc,
            on_doubt=self.metrics.credits.uncertain.inc,
        )
        return gateway_of(self.settings, observers, transport=self.given.transport, clock=self.clock)

    @cached_property
    def store(self) -> AnyLedger:
        """The ledger's store as it is."""
        return self.given.store or ledger_of(self.settings, self.clock)

    @cached_property
    def ledger(self) -> MeasuredLedger:
        """The same, measured."""
        return MeasuredLedger(self.store, self.metrics, self.ledger_watch.failed)

    @cached_property
    def ledger_watch(self) -> LedgerWatch:
        """Whether it can be used."""
        return LedgerWatch(self.store, self.clock, limit=LEASE_MARGIN, on_trouble=self._ledger_failed)

    @cached_property
    def limiter(self) -> RateLimiter:
        """Calls a second."""
        return limiter_of(self.settings, self.store, self.clock)

    @cached_property
    def admission(self) -> Admission:
        """What every call to the gateway passes."""
        return self._admitting.admission()

    @cached_property
    def _admitting(self) -> Admitting:
        probes = Probes(self.gateway, self.ledger_watch)
        return Admitting(self.settings, probes, self.metrics, self.clock, self.limiter)

    @cached_property
    def web_api(self) -> ItonWebApi | None:
        """The client of the Web API; None where the settings name none."""
        return web_api_of(self.settings, self._web_called, transport=self.given.web_transport)

    @cached_property
    def web_gate(self) -> Admission | None:
        """What every call of the Web API passes."""
        return self._admitting.web_api(self.web_api) if self.web_api else None

    @cached_property
    def publisher(self) -> BrokerPublisher:
        """The way out to the broker."""
        observer = PublishMetrics(self.metrics)
        return publisher_of(self.settings, self.clock, observer=observer, preparing=self._preparing)

    @cached_property
    def _preparing(self) -> SingleFlight:
        """Both connections find the topology as one of them has declared it."""
        return SingleFlight()

    @cached_property
    def handlers(self) -> HandlerWiring:
        """The handlers."""
        return HandlerWiring(
            self.settings,
            self.clock,
            self.tracing.observer(self.observer),
            self.gateway,
            self.ledger,
            self.admission,
            self.tracing.publisher(self.publisher),
            self.given.random,
            self.ledger_watch.time,
            self.tracing,
            WebSide(self.web_api, self.web_gate) if self.web_api and self.web_gate else None,
        )

    @cached_property
    def consumer(self) -> Consumer:
        """The way in from the broker."""
        broker = self.settings.broker
        return Consumer(
            broker.url.get_secret_value(),
            topology_of(self.settings),
            prefetch={lane: self._prefetch(lane) for lane in Lane},
            handle=self.tracing.jobs(self._dispatch),
            settlement=Settlement(self.publisher),
            options=ConsumerOptions(
                declare=broker.declare,
                preparing=self._preparing,
                timing=Timing(),
                on_workers=self.limiter.share_with,
                on_crash=self.metrics.jobs.crashes.inc,
                on_disposed=self.observer.disposed,
            ),
        )

    def _prefetch(self, lane: Lane) -> int:
        """A job of the Web API may be large, and few of them are called for at a time; looks share calls."""
        broker = self.settings.broker
        if lane is Lane.API:
            return min(broker.prefetch, WEB_API_CALLS)
        if lane is Lane.TRACK:
            return max(broker.prefetch, _LOOKS_IN_HAND)
        return broker.urgent_prefetch if lane.is_urgent else broker.prefetch

    @cached_property
    def outages(self) -> Outages:
        """Which lanes rest, and when."""
        hours = hours_of(self.settings)
        return Outages(
            self.consumer,
            Gates(self.admission, self.web_gate),
            self.clock,
            are_open=lambda: hours is None or hours.are_open(self.clock.now()),
            afterwards=self.settings.gateway.timeout + _AFTER_HOURS,
        )

    @cached_property
    def health(self) -> HealthServer:
        """/livez, /readyz and /metrics."""
        process = self.settings.process
        return HealthServer(
            process.health_port,
            host=process.health_host,
            readiness=self.readiness,
            metrics_text=self.metrics.text,
        )

    def readiness(self) -> Readiness:
        """Ready while jobs can be taken and answered. A gateway that is merely down does not count."""
        reasons = {}
        if not self.consumer.state.up:
            reasons["broker_consuming"] = self.consumer.state.reason
        if not self.publisher.state.up:
            reasons["broker_publishing"] = self.publisher.state.reason
        if self.ledger_watch.trouble is not None:
            reasons["ledger"] = self.ledger_watch.trouble.detail
        for cause in self.admission.paused_for:
            reasons.setdefault(cause, _PAUSE_WORDS.get(cause, "paused"))
        return Readiness(not reasons, reasons)

    def _called(self, command: str, outcome: str, seconds: float, keys: int) -> None:
        calls = self.metrics.calls
        calls.ended[command, outcome].inc()
        calls.took[command].observe(seconds)
        if keys:
            calls.keys[command].observe(keys)
        self.admission.answered(command, outcome, seconds)

    def _web_called(self, command: str, outcome: str, seconds: float) -> None:
        self.metrics.calls.ended[command, outcome].inc()
        self.metrics.calls.took[command].observe(seconds)
        if self.web_gate is not None:
            self.web_gate.answered(command, outcome, seconds)

    @cached_property
    def _dispatch(self) -> Dispatch:
        return self.handlers.dispatch()

    def _show(self) -> None:
        """Have a scrape ask for what changes all the time."""
        metrics, consumer, publisher = self.metrics, self.consumer, self.publisher
        for lane in Lane:
            metrics.broker.consumer_up[lane].set_function(partial(consumer.consumes, lane))
            metrics.jobs.in_flight[lane].set_function(partial(_in_flight, consumer, lane))
            metrics.jobs.prefetch[lane].set_function(partial(consumer.prefetch, lane))
        metrics.jobs.oldest.set_function(lambda: consumer.oldest)
        metrics.broker.publisher_up.set_function(lambda: publisher.state.up)
        metrics.process.ready.set_function(lambda: self.readiness().ready)
        for name in publisher.depths.names:
            metrics.broker.queue_messages[name].set_function(partial(publisher.depths.of, name))

    def _ledger_failed(self) -> None:
        self.admission.ledger_failed()

    async def _refuse_a_cluster(self) -> None:
        """End the start where the ledger can never work; one that is merely away is waited for."""
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(_FIRST_LOOK):
                    await self.ledger_watch.tried()
            except LedgerUnavailableError as error:
                if error.code == "ledger_cluster":
                    raise SettingsError(f"LEDGER_URL cannot be used: {error.detail}") from None

    async def _started(self) -> None:
        await self.health.start()
        log.info("worker.started", version=version("iton-worker"), health_port=self.health.port)

    async def _share_the_rate(self) -> None:
        while True:
            await self.clock.sleep(_RATE_SHARE_EVERY)
            await self.consumer.count_workers()

    def _begin_drain(self) -> None:
        self.last_spans.stop_began()
        self.metrics.process.draining.set(1)
        self.admission.stop()
        if self.web_gate is not None:
            self.web_gate.stop()
        self.handlers.stop_looks()

    async def _stop_probes(self) -> None:
        self.admission.close()
        if self.web_gate is not None:
            self.web_gate.close()
        if self.web_api is not None:
            await self.web_api.aclose()


def _in_flight(consumer: Consumer, lane: Lane) -> int:
    return consumer.in_flight_by_lane.get(lane, 0)
