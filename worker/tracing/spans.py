"""Spans that hold closed sets, counts and job ids, and never what an exception says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from worker.domain.errors import WorkerError

Attributes = Mapping[str, str | int]


@contextmanager
def span_of(
    tracer: Tracer, name: str, attributes: Attributes, *, kind: SpanKind, parent: Context | None = None
) -> Iterator[Span]:
    """Open the span of a step, below *parent* or the present one.

    An error that leaves the block is named by its code or type: its words, and the traceback that the
    library would record, may hold numbers and texts.
    """
    with tracer.start_as_current_span(
        name,
        parent,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", error.code if isinstance(error, WorkerError) else _kind(error))
            raise


def in_a_trace() -> bool:
    """Tell whether a step belongs to a job; the worker's own looks and probes have no spans."""
    return trace.get_current_span().get_span_context().is_valid


def parent_of(traceparent: str | None) -> Context:
    """Return what a span continues that a message with *traceparent*, well-formed, has led to."""
    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    remote = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return trace.set_span_in_context(NonRecordingSpan(remote), Context())


def traceparent_of(span: Span) -> str | None:
    """Return the W3C trace context of *span*; None where the SDK is disabled."""
    own = span.get_span_context()
    if not own.is_valid:
        return None
    return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"


def _kind(error: BaseException) -> str:
    return type(error).__name__
