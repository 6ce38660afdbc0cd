"""A whole worker process."""

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import structlog

from worker.amqp.connection import Timing
from worker.amqp.consumer import Consumer, ConsumerOptions
from worker.amqp.publisher import BrokerPublisher
from worker.amqp.settlement import Settlement
from worker.bootstrap.adapters import gateway_of, ledger_of, limiter_of, publisher_of, topology_of
from worker.bootstrap.crew import Crew
from worker.bootstrap.doors import Doors
from worker.bootstrap.tracing import LastSpans, tracing_of
from worker.clock import SystemClock
from worker.domain.messages import Delivery, Disposition, Lane
from worker.http.health import HealthServer, Readiness
from worker.iton.client import Observers
from worker.metrics import Metrics
from worker.observing import (
    LedgerSizeWatch,
    LoopWatch,
    MeasuredCopies,
    MeasuredGateway,
    MeasuredLedger,
    MeasuredPublisher,
    MetricsObserver,
)
from worker.probes import Probes
from worker.resilience.gate import Gate
from worker.runtime import Parts, StopSignals, serve
from worker.settings import Settings

log = structlog.get_logger(__name__)

_OBJECTS_A_ROUND = 20_000
_RATE_SHARE_EVERY = 1.0  # seconds; for so long a fleet without a common bucket may pass its rate limit
_URGENT_LANES = (Lane.SEND_URGENT, Lane.SEND_URGENT_PARTS)
_PAUSE_WORDS = {
    "credentials": "the gateway refuses the account: check ITON_USERNAME and ITON_PASSWORD",
    "credits": "the account has no credits left: top it up",
    "ledger": "the ledger cannot be written: check LEDGER_URL and its store",
}


def run_worker(settings: Settings) -> int:
    """Work until a signal; return the exit code."""
    _collect_less_often()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings))


def _collect_less_often() -> None:
    """Leave the program's own objects out of the garbage collector's rounds, and make these rarer.

    A job makes hundreds of objects and next to no cycles; by default it costs a round.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_ROUND, 20, 20)


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


def assemble(settings: Settings) -> Parts:
    """Build a worker; nothing is connected yet."""
    tracing = tracing_of(settings)
    metrics = Metrics(version("iton-worker"))
    metrics.credits_low_below(settings.credits.low)
    clock = SystemClock()
    observer = MetricsObserver(metrics, clock)

    def called(command: str, outcome: str, seconds: float) -> None:
        metrics.call_ended(command, outcome, seconds)
        gate.answered(command, outcome, seconds)

    gateway = gateway_of(settings, Observers(on_call=called, on_unasked=metrics.unasked))
    store = ledger_of(settings)
    ledger = MeasuredLedger(store, metrics)
    limiter = limiter_of(settings, store, clock)
    gate = Doors(settings, Probes(gateway, ledger), metrics, clock, limiter).gate()
    publisher = publisher_of(settings)
    crew = Crew(
        settings,
        clock,
        tracing.observer(observer),
        MeasuredGateway(gateway, metrics),
        ledger,
        gate,
        tracing.publisher(MeasuredPublisher(publisher, metrics)),
        tracing,
    )
    last_spans = LastSpans(tracing, clock, settings.process.drain_timeout)
    dispatch = crew.dispatch()

    async def handle(delivery: Delivery) -> Disposition:
        try:
            disposition = await dispatch(delivery)
        except Exception:
            metrics.crashed()
            raise
        observer.disposed(disposition)
        return disposition

    consumer = Consumer(
        settings.broker.url.get_secret_value(),
        topology_of(settings),
        prefetch=_prefetch(settings),
        handle=tracing.jobs(handle),
        settlement=Settlement(MeasuredCopies(publisher, metrics)),
        options=ConsumerOptions(
            declare=settings.broker.declare, timing=Timing(), on_workers=limiter.share_with
        ),
    )
    ready = partial(_readiness, consumer, publisher, gate)
    health = HealthServer(
        settings.process.health_port,
        readiness=ready,
        metrics_text=metrics.text,
    )

    _show(metrics, consumer, publisher)
    metrics.ready_from(lambda: ready().ready)

    async def share_the_rate() -> None:
        while True:
            await clock.sleep(_RATE_SHARE_EVERY)
            await consumer.count_workers()

    async def started() -> None:
        await health.start()
        log.info("worker.started", version=version("iton-worker"), health_port=health.port)

    async def stop_probes() -> None:
        gate.close()

    def begin_drain() -> None:
        last_spans.stop_began()
        metrics.drains()
        gate.stop()

    return Parts(
        consumer=consumer,
        start=(started,),
        services=(
            publisher.run,
            crew.credits_watch().run,
            *((share_the_rate,) if limiter.shares else ()),
            LedgerSizeWatch(store, metrics, clock).run,
            LoopWatch(metrics, clock).run,
        ),
        closers=(stop_probes, gateway.aclose, ledger.close, health.stop, last_spans.send),
        drain_timeout=settings.process.drain_timeout,
        before_drain=begin_drain,
    )


def _show(metrics: Metrics, consumer: Consumer, publisher: BrokerPublisher) -> None:
    """Have a scrape ask for what changes all the time."""
    for lane in Lane:
        metrics.consumers_up_from(lane.value, partial(consumer.consumes, lane))
        metrics.jobs_in_flight_from(lane.value, partial(_in_flight, consumer, lane))
    metrics.oldest_job_from(lambda: consumer.oldest)
    metrics.publisher_up_from(lambda: publisher.state.up)
    for name in publisher.depths.names:
        metrics.queue_messages_from(name, partial(publisher.depths.of, name))


def _in_flight(consumer: Consumer, lane: Lane) -> int:
    return consumer.in_flight_by_lane.get(lane, 0)


def _prefetch(settings: Settings) -> dict[Lane, int]:
    broker = settings.broker
    return {lane: broker.urgent_prefetch if lane in _URGENT_LANES else broker.prefetch for lane in Lane}


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
