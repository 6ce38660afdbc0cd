"""The composition root: the one module that names every concrete class of a running worker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from random import Random
from secrets import token_hex
from zoneinfo import ZoneInfo

import structlog

from worker.amqp.connection import Timing
from worker.amqp.consumer import Consumer, ConsumerOptions
from worker.amqp.publisher import BrokerPublisher, PublisherOptions
from worker.amqp.settlement import Settlement
from worker.amqp.topology import Topology
from worker.clock import SystemClock
from worker.domain.disposition import RetryPolicy
from worker.domain.errors import AccountError, PermanentError, WorkerError
from worker.domain.messages import Delivery, Disposition, Lane
from worker.domain.recipients import NumberingPlan
from worker.handlers.acceptance import Acceptance
from worker.handlers.account import AccountHandler
from worker.handlers.completion import Completion
from worker.handlers.credits_watch import CreditsWatch
from worker.handlers.dispatch import Dispatch
from worker.handlers.ledger_book import LedgerBook
from worker.handlers.lookups import Lookups
from worker.handlers.part_run import SendTools
from worker.handlers.parts import PartHandler
from worker.handlers.send import SendHandler
from worker.handlers.status import StatusHandler
from worker.http.health import HealthServer, Readiness
from worker.iton.client import ItonGateway, Observers, TimeLimits
from worker.iton.dialect import Credentials, Dialect
from worker.iton.rules import rules_from
from worker.iton.transport import AiohttpTransport, Pool
from worker.ledger import open_ledger
from worker.metrics import Metrics
from worker.observing import MeasuredLedger, MetricsObserver
from worker.ports import Command, Gateway, Ledger
from worker.resilience.call_slots import CallSlots
from worker.resilience.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState
from worker.resilience.gate import Gate
from worker.resilience.keyed_lock import KeyedLock
from worker.resilience.pause import Pause
from worker.resilience.rate_limiter import RateLimiter
from worker.resilience.retry import RetryAttempts
from worker.runtime import Parts, StopSignals, serve
from worker.settings import Settings

log = structlog.get_logger(__name__)

# A call must be settled within its time limit and this; then another worker may take it over.
_LEASE_MARGIN = 5.0
_URGENT_LANES = (Lane.SEND_URGENT, Lane.SEND_URGENT_PARTS)


def run_worker(settings: Settings) -> int:
    """Work until a signal; return the exit code."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is to be had."""
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: Settings) -> int:
    signals = StopSignals()
    signals.listen()
    return await serve(assemble(settings), signals)


def topology_of(settings: Settings) -> Topology:
    """Return the names that the settings give to everything on the broker."""
    return Topology(settings.broker.prefix, settings.retry.delays)


def gateway_of(settings: Settings, observers: Observers | None = None) -> ItonGateway:
    """Return the client of the account that the settings name."""
    gateway = settings.gateway
    token = gateway.api_token.get_secret_value() if gateway.api_token else None
    return ItonGateway(
        gateway.base_url,
        Credentials(gateway.username.get_secret_value(), gateway.password.get_secret_value(), token),
        Dialect(
            method=gateway.method,
            text_parameter=gateway.text_param,
            default_sender=settings.sending.default_sender,
            url_limit=gateway.max_url_bytes,
            zone=ZoneInfo(gateway.timezone),
            rules=rules_from(gateway.rules),
        ),
        limits=TimeLimits(call=gateway.timeout),
        observers=observers,
        transport=AiohttpTransport(Pool(connections=gateway.max_calls)),
    )


def ledger_of(settings: Settings) -> Ledger:
    """Return the ledger that the settings name."""
    return open_ledger(
        settings.ledger.url.get_secret_value(),
        retention=settings.ledger.retention,
        clock=SystemClock(),
        prefix=settings.broker.prefix,
    )


def assemble(settings: Settings) -> Parts:
    """Build a worker; nothing is connected yet."""
    metrics = Metrics(version("iton-worker"))
    clock = SystemClock()
    observer = MetricsObserver(metrics, clock)
    gateway = gateway_of(settings, Observers(on_call=metrics.call_ended, on_unasked=metrics.unasked))
    ledger = MeasuredLedger(ledger_of(settings), metrics.ledger_took)
    gate = _gate(settings, gateway, ledger, metrics, clock)
    publisher = _publisher(settings)
    crew = _Crew(settings, clock, observer, gateway, ledger, gate, publisher)
    dispatch = crew.dispatch()

    async def handle(delivery: Delivery) -> Disposition:
        disposition = await dispatch(delivery)
        observer.disposed(disposition)
        return disposition

    consumer = Consumer(
        settings.broker.url.get_secret_value(),
        topology_of(settings),
        prefetch=_prefetch(settings),
        handle=handle,
        settlement=Settlement(publisher),
        options=ConsumerOptions(declare=settings.broker.declare, timing=Timing()),
    )
    health = HealthServer(
        settings.process.health_port,
        readiness=lambda: _readiness(consumer, publisher, gate),
        metrics_text=metrics.text,
    )

    async def started() -> None:
        await health.start()
        log.info("worker.started", version=version("iton-worker"), health_port=health.port)

    async def stop_probes() -> None:
        gate.close()

    return Parts(
        consumer=consumer,
        start=(started,),
        services=(publisher.run, crew.credits_watch().run),
        closers=(stop_probes, gateway.aclose, ledger.close, health.stop),
        drain_timeout=settings.process.drain_timeout,
    )


def _publisher(settings: Settings) -> BrokerPublisher:
    options = PublisherOptions(
        declare=settings.broker.declare, confirm_within=settings.broker.publish_timeout, timing=Timing()
    )
    return BrokerPublisher(settings.broker.url.get_secret_value(), topology_of(settings), options)


def _prefetch(settings: Settings) -> dict[Lane, int]:
    broker = settings.broker
    return {lane: broker.urgent_prefetch if lane in _URGENT_LANES else broker.prefetch for lane in Lane}


def _gate(settings: Settings, gateway: Gateway, ledger: Ledger, metrics: Metrics, clock: SystemClock) -> Gate:
    """Build the door to the gateway, with its probes."""

    async def answers() -> bool:
        """Tell whether the gateway is there at all, by the one question that costs nothing."""
        try:
            await gateway.account()
        except AccountError as error:
            gate.account_failed(error)
        except PermanentError:
            pass
        except WorkerError:
            return False
        return True

    async def account_works() -> bool:
        try:
            return await gateway.account() > 0
        except WorkerError:
            return False

    async def ledger_works() -> bool:
        try:
            await ledger.check()
        except WorkerError as error:
            log.debug("ledger.unavailable", code=error.code, detail=error.detail)
            return False
        return True

    def breaker(command: Command) -> CircuitBreaker:
        def changed(state: CircuitState) -> None:
            log.warning("circuit.changed", command=command.value, state=state.value)
            metrics.breaker_changed(command.value, is_open=state is CircuitState.OPEN)

        policy = BreakerPolicy(settings.retry.breaker_failures, settings.retry.breaker_cooldown)
        probe = None if command is Command.ACCOUNT else answers
        return CircuitBreaker(policy, clock, probe=probe, on_change=changed)

    gate = Gate(
        breakers={command: breaker(command) for command in Command},
        account=Pause(account_works, clock, on_change=_noted(metrics, "credentials", "credits")),
        ledger=Pause(ledger_works, clock, interval=2.0, on_change=_noted(metrics, "ledger")),
        slots=CallSlots(settings.gateway.max_calls, settings.gateway.urgent_calls),
        limiter=RateLimiter(settings.gateway.rate_limit, clock),
        hold_limit=settings.retry.hold_limit,
    )
    return gate


def _noted(metrics: Metrics, *causes: str) -> Callable[[str | None], None]:
    """Show in log and metrics which of *causes* stops the intake."""

    def changed(cause: str | None) -> None:
        if cause:
            log.error("intake.paused", cause=cause)
        else:
            log.info("intake.resumed", after=causes[0])
        for known in causes:
            metrics.intake_paused(known, paused=known == cause)

    return changed


def _readiness(consumer: Consumer, publisher: BrokerPublisher, gate: Gate) -> Readiness:
    """Ready while jobs can be taken and answered. A gateway that is merely down does not count."""
    reasons = {}
    if not consumer.state.up:
        reasons["broker_consuming"] = consumer.state.reason
    if not publisher.state.up:
        reasons["broker_publishing"] = publisher.state.reason
    for cause in gate.paused_for:
        reasons[cause] = _PAUSE_WORDS.get(cause, "paused")
    return Readiness(not reasons, reasons)


_PAUSE_WORDS = {
    "credentials": "the gateway refuses the account: check ITON_USERNAME and ITON_PASSWORD",
    "credits": "the account has no credits left: top it up",
    "ledger": "the ledger cannot be written: check LEDGER_URL and its store",
}


@dataclass(frozen=True, slots=True)
class _Crew:
    """Builds the handlers from their collaborators."""

    settings: Settings
    clock: SystemClock
    observer: MetricsObserver
    gateway: Gateway
    ledger: Ledger
    gate: Gate
    publisher: BrokerPublisher

    def dispatch(self) -> Dispatch:
        """Return the one entrance for deliveries."""
        locks = KeyedLock()
        send = SendHandler(self._acceptance(), self._numbering(), self._lookups(), self._completion(), locks)
        parts = PartHandler(self._completion(), locks)
        return Dispatch(
            handlers={
                Lane.SEND: send,
                Lane.SEND_URGENT: send,
                Lane.SEND_PARTS: parts,
                Lane.SEND_URGENT_PARTS: parts,
                Lane.STATUS: self._status(),
                Lane.ACCOUNT: self._account(),
            },
            publisher=self.publisher,
            gate=self.gate,
            observer=self.observer,
            clock=self.clock,
        )

    def credits_watch(self) -> CreditsWatch:
        """Return the watch over the balance, which also finds a refused account at the start."""
        return CreditsWatch(
            self._lookups(),
            self.publisher,
            self.observer,
            self.clock,
            threshold=Decimal(str(self.settings.credits.low)),
            interval=self.settings.credits.interval,
            draw_id=lambda: token_hex(8),
        )

    def _completion(self) -> Completion:
        tools = SendTools(
            book=LedgerBook(self.ledger, lambda: token_hex(8)),
            gateway=self.gateway,
            gate=self.gate,
            retry=self._retry(Command.SEND),
            clock=self.clock,
            observer=self.observer,
            lease=self.settings.gateway.timeout + _LEASE_MARGIN,
        )
        return Completion(tools, self.publisher, self._policy(), self.settings.retry.resend_attempts)

    def _lookups(self) -> Lookups:
        return Lookups(self.gateway, self.gate, {command: self._retry(command) for command in Command})

    def _retry(self, command: Command) -> RetryAttempts:
        return RetryAttempts(
            self.settings.retry.attempts,
            self.clock,
            Random(),  # noqa: S311 - jitter, not a secret
            on_retry=lambda: self.observer.retried(command),
        )

    def _policy(self) -> RetryPolicy:
        return RetryPolicy(self.settings.retry.delays, self.settings.retry.max_age)

    def _acceptance(self) -> Acceptance:
        return Acceptance(
            max_body_bytes=self.settings.broker.max_body_bytes,
            max_segments=self.settings.sending.max_segments,
            allowed_params=frozenset(self.settings.gateway.allowed_params),
        )

    def _numbering(self) -> NumberingPlan:
        sending = self.settings.sending
        return NumberingPlan(sending.default_region, frozenset(sending.allowed_regions))

    def _status(self) -> StatusHandler:
        max_bytes = self.settings.broker.max_body_bytes
        return StatusHandler(self._lookups(), self.publisher, self._policy(), self.clock, max_bytes)

    def _account(self) -> AccountHandler:
        max_bytes = self.settings.broker.max_body_bytes
        return AccountHandler(
            self._lookups(), self.publisher, self._policy(), self.clock, self.observer, max_bytes
        )
