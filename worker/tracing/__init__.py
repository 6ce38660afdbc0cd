"""Spans of jobs, by OpenTelemetry. Needs the extra ``otel``; nothing else may import that library."""

from worker.tracing.export import SpanExport, WrongTracingError, open_export
from worker.tracing.lookups import TracedLookups
from worker.tracing.traced import TracedJobs, TracedObserver, TracedPublisher, TracedSending

__all__ = [
    "SpanExport",
    "TracedJobs",
    "TracedLookups",
    "TracedObserver",
    "TracedPublisher",
    "TracedSending",
    "WrongTracingError",
    "open_export",
]
