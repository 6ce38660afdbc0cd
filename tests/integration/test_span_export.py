"""From a job's spans to a collector over real sockets, by the standard variables."""

from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, send_job
from tests.support.otlp_collector import Collected, otlp_collector
from worker.bootstrap.tracing import Tracing
from worker.domain.messages import Lane
from worker.tracing import (
    SpanExport,
    TracedJobs,
    TracedLookups,
    TracedObserver,
    TracedPublisher,
    TracedSending,
    open_export,
)

TRACE, PRODUCER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NUMBER, TEXT, KEY = "919876543210", "Ihr Geheimnis ist 4711", "collector-key-777"


def seams(export: SpanExport) -> Tracing:
    """Return what the composition root puts around the ports."""
    return Tracing(
        jobs=lambda handle: TracedJobs(export.tracer, handle, "iton"),
        publisher=lambda publisher: TracedPublisher(export.tracer, publisher, "iton"),
        sending=lambda retry: TracedSending(export.tracer, retry),
        observer=TracedObserver,
        lookups=partial(TracedLookups, export.tracer),
        close=export.close,
    )


@dataclass
class Scene:
    """A worker of stand-ins whose spans go to a collector."""

    collected: Collected
    world: World = field(default_factory=World)

    async def work(self) -> None:
        """Carry out one job that a producer traces, and stop."""
        tracing = seams(open_export("1.2.3"))
        worker = FakeWorker(self.world, tracing=tracing)
        job = delivery(
            Lane.SEND,
            send_job(NUMBER, text=TEXT, dnd="filter"),
            traceparent=f"00-{TRACE}-{PRODUCER}-01",
        )
        await tracing.jobs(worker.dispatch())(job)
        await tracing.close(5)


class TestExport:
    """What a collector gets."""

    async def test_the_spans_of_a_job_arrive_below_its_producers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the endpoint, with the headers and the resource that the variables name."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={KEY}")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        with otlp_collector() as collected:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            scene = Scene(collected)
            await scene.work()
        (job,) = collected.named("process")
        steps = [span for span in collected.spans if span is not job]
        assert (TRACE, PRODUCER) == (job.trace_id.hex(), job.parent_span_id.hex())
        assert ["check_DNDnumber", "publish iton.results.send", "sendSMS"] == sorted(
            span.name for span in steps
        )
        assert {job.span_id} == {span.parent_span_id for span in steps}
        assert {KEY} == set(collected.keys)
        assert ("iton-worker", "1.2.3", "test") == tuple(
            collected.resources[name]
            for name in ("service.name", "service.version", "deployment.environment.name")
        )
        (result,) = scene.world.publisher.results
        published = next(span for span in steps if span.name.startswith("publish"))
        assert f"00-{TRACE}-{published.span_id.hex()}-01" == result.traceparent

    async def test_no_number_text_or_key_is_on_the_wire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Anywhere in what was sent."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={KEY}")
        with otlp_collector() as collected:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            await Scene(collected).work()
        assert collected.raw
        everything = b"\n".join(collected.raw)
        assert [] == [one for one in (NUMBER, NUMBER[2:], TEXT, KEY) if one.encode() in everything]

    async def test_a_service_name_of_the_operators_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """OTEL_SERVICE_NAME."""
        monkeypatch.setenv("OTEL_SERVICE_NAME", "sms-eu")
        with otlp_collector() as collected:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            await Scene(collected).work()
        assert "sms-eu" == collected.resources["service.name"]

    async def test_a_disabled_sdk_makes_no_spans_and_passes_the_trace_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """OTEL_SDK_DISABLED."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        with otlp_collector() as collected:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            scene = Scene(collected)
            await scene.work()
        assert [] == collected.spans
        assert f"00-{TRACE}-{PRODUCER}-01" == scene.world.publisher.results[0].traceparent
