"""The way to the collector, and its last second."""

import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from tests.support.deadline import DEADLINE
from worker.tracing.export import SpanExport, WatchedExporter, WrongTracingError, open_export


class Scripted(SpanExporter):
    """Ends each export as it is told, then with success; hangs while `hold` is unset.

    Attributes:
        taken: names of the spans that arrived.
    """

    def __init__(self, *script: SpanExportResult | Exception) -> None:
        self.script = list(script)
        self.taken: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take the spans, or not."""
        self.hold.wait(DEADLINE)
        ending = self.script.pop(0) if self.script else SpanExportResult.SUCCESS
        if isinstance(ending, Exception):
            raise ending
        self.taken += [span.name for span in spans]
        return ending

    def shutdown(self) -> None:
        """Do nothing."""


def opened(exporter: Scripted) -> SpanExport:
    """An export that sends nothing before it is closed."""
    watched = WatchedExporter(exporter)
    processor = BatchSpanProcessor(watched, schedule_delay_millis=60_000)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return SpanExport(provider.get_tracer("test"), watched, processor)


class TestWatch:
    """A line at each change, not at each batch."""

    def test_an_absent_collector_is_named_once_until_it_is_back(self) -> None:
        """Whatever the error, nothing of its words is shown."""
        failed = SpanExportResult.FAILURE
        watched = WatchedExporter(Scripted(failed, ValueError("http://me:secret@x"), failed))
        with capture_logs() as lines:
            for _ in range(5):
                watched.export(())
        assert ["collector.unavailable", "collector.available"] == [line["event"] for line in lines]
        assert "secret" not in str(lines)

    def test_one_that_works_from_the_start_is_not_named(self) -> None:
        """Nobody has to know."""
        watched = WatchedExporter(Scripted())
        with capture_logs() as lines:
            watched.export(())
        assert [] == lines


class TestClose:
    """The last spans, within a bound."""

    async def test_sends_what_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before it returns."""
        monkeypatch.setattr(
            "worker.tracing.export._LAST_FLUSH", DEADLINE
        )  # a busy machine may take its second
        exporter = Scripted()
        export = opened(exporter)
        export.tracer.start_span("last").end()
        await export.close(DEADLINE)
        assert ["last"] == exporter.taken

    @pytest.mark.parametrize("within", [0.2, 100.0])
    async def test_ends_in_time_though_the_collector_hangs(self, within: float) -> None:
        """A second at the most, and never more than it is given."""
        exporter = Scripted()
        exporter.hold.clear()
        export = opened(exporter)
        export.tracer.start_span("last").end()
        began = time.monotonic()
        with capture_logs() as lines:
            await export.close(within)
        exporter.hold.set()
        # Else it would wait for the collector, which hangs for longer than twice that.
        assert time.monotonic() - began < DEADLINE / 2
        assert ["spans.dropped"] == [line["event"] for line in lines]

    async def test_does_not_try_where_nobody_takes_them_or_no_time_is_left(self) -> None:
        """A stop waits for nobody."""
        exporter = Scripted(SpanExportResult.FAILURE)
        export = opened(exporter)
        export.tracer.start_span("last").end()
        await export.close(0)
        export.exporter.export(())
        await export.close(5)
        assert [] == exporter.taken
        export.processor.shutdown()  # type: ignore[no-untyped-call]  # so in the library


class TestVariables:
    """What cannot be had is refused by name."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OTEL_TRACES_EXPORTER", "jaeger"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "-5"),
        ],
    )
    def test_are_refused(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        """Before anything is opened."""
        monkeypatch.setenv(name, value)
        with pytest.raises(WrongTracingError, match=r"^OTEL_"):
            open_export("1.0")
