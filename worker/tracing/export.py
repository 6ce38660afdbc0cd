"""From ended spans to a collector, over OTLP/HTTP, in the background; the standard variables drive it.

An absent collector costs spans, never jobs: spans wait in a bounded queue, and what does not fit is dropped.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

log = structlog.get_logger(__name__)

_NAMED_BY_NOBODY = "unknown_service"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_LAST_FLUSH = 1.0  # seconds


class WrongTracingError(ValueError):
    """A variable asks for what there is not; the words begin with its name."""


class WatchedExporter(SpanExporter):
    """Says once that a collector is away and once that it is back, instead of a line for each batch.

    Attributes:
        up: whether the last batch was taken; None before the first one.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self.up: bool | None = None
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand the batch on. Never raises."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever it was: its words may hold the address's credentials
            result = SpanExportResult.FAILURE
        self._note(up=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """As the library wants it."""
        self._exporter.shutdown()

    def _note(self, *, up: bool) -> None:
        before, self.up = self.up, up
        if not up and before is not False:
            log.warning("collector.unavailable", effect="spans are dropped, jobs go on")
        elif up and before is False:
            log.info("collector.available")


@dataclass(frozen=True, slots=True)
class SpanExport:
    """Where spans go.

    Attributes:
        tracer: makes them.
    """

    tracer: Tracer
    exporter: WatchedExporter
    processor: BatchSpanProcessor

    async def close(self, within: float) -> None:
        """Send what is left, for at most *within* seconds and a second; nothing where nobody takes it."""
        seconds = min(within, _LAST_FLUSH)
        if seconds <= 0 or self.exporter.up is False:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self.processor.shutdown()  # type: ignore[no-untyped-call]  # so in the library
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(done.set)

        # A thread that the end of the process does not wait for.
        threading.Thread(target=flush, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await done.wait()
        except TimeoutError:
            log.debug("spans.dropped")


def open_export(version: str, *, service: str = "iton-worker") -> SpanExport:
    """Begin to export, as the ``OTEL_*`` variables of the environment say.

    Raises:
        WrongTracingError: one of them asks for what there is not.
    """
    _check_variables()
    try:
        exporter = WatchedExporter(OTLPSpanExporter())
        processor = BatchSpanProcessor(exporter)
    except Exception as error:  # noqa: BLE001 - its words may hold the value
        raise WrongTracingError(
            f"OTEL_EXPORTER_OTLP_* or OTEL_BSP_* cannot be used ({type(error).__name__}); compare them with "
            "OpenTelemetry's list of variables"
        ) from None
    # At exit the library would wait for its thread for up to half a minute.
    provider = TracerProvider(resource=_resource(service, version), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    # They write a line for each try; ours says it once.
    for name in ("opentelemetry", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return SpanExport(provider.get_tracer("iton-worker", version), exporter, processor)


def _resource(service: str, version: str) -> Resource:
    given = Resource.create()
    named = str(given.attributes.get(SERVICE_NAME, _NAMED_BY_NOBODY))
    name = service if named.startswith(_NAMED_BY_NOBODY) else named
    return given.merge(Resource({SERVICE_NAME: name, SERVICE_VERSION: version}))


def _check_variables() -> None:
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    if exporter not in {"", "otlp"}:
        raise WrongTracingError(
            "OTEL_TRACES_EXPORTER must be otlp, the one exporter there is; to switch tracing off, say "
            "WORKER_TRACING=false"
        )
    for name in _PROTOCOLS:
        if os.environ.get(name, "http/protobuf").strip().lower() not in {"", "http/protobuf"}:
            raise WrongTracingError(f"{name} must be http/protobuf, the one protocol there is (port 4318)")
