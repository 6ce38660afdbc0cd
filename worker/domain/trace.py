"""The trace that the present task works for, for whoever writes about it."""

from contextvars import ContextVar

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""W3C trace context (``00-TRACE_ID-SPAN_ID-FLAGS``) of the job that the present task works on.

Every delivery has a task of its own, so nobody takes it back. None: the job named no trace.
"""


def trace_ids(traceparent: str) -> tuple[str, str]:
    """Return the trace id and the span id of a well-formed *traceparent*."""
    return traceparent[3:35], traceparent[36:52]
