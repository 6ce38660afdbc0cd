"""A worker of stand-ins whose spans end up in a list."""

from collections.abc import Mapping
from functools import partial

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker.bootstrap.tracing import Tracing
from worker.tracing import TracedJobs, TracedLookups, TracedObserver, TracedPublisher, TracedSending


class Spans:
    """Collects ended spans.

    Attributes:
        tracing: the seams that make them, as a running worker has them.
    """

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        tracer = provider.get_tracer("test")
        self.tracing = Tracing(
            jobs=lambda handle: TracedJobs(tracer, handle, "iton"),
            publisher=lambda publisher: TracedPublisher(tracer, publisher, "iton"),
            sending=lambda retry: TracedSending(tracer, retry),
            observer=TracedObserver,
            lookups=partial(TracedLookups, tracer),
        )

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        """Every span, in the order of their ends."""
        return self._memory.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name."""
        return [span for span in self.all if span.name == name]

    def tree(self) -> list[tuple[str, str]]:
        """Each span's name and its parent's, ``remote`` for one from elsewhere, empty for none."""
        names = {span.context.span_id: span.name for span in self.all if span.context}
        return [
            (span.name, names.get(span.parent.span_id, "remote") if span.parent else "") for span in self.all
        ]


def told(span: ReadableSpan) -> Mapping[str, object]:
    """A span's attributes."""
    return dict(span.attributes or {})
