"""A collector on a free port: takes OTLP/HTTP and remembers the spans."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collected:
    """What arrived.

    Attributes:
        url: for OTEL_EXPORTER_OTLP_ENDPOINT.
        keys: the ``x-key`` header of each request.
        raw: the bodies.
        resources: attributes of the resources, by name.
    """

    url: str = ""
    keys: list[str | None] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)

    def named(self, start: str) -> list[Span]:
        """The spans whose names begin so."""
        return [span for span in list(self.spans) if span.name.startswith(start)]

    def take(self, body: bytes, key: str | None) -> None:
        """Remember a request."""
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources |= {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                self.spans.extend(scope.spans)
        self.keys.append(key)
        self.raw.append(body)


@contextmanager
def otlp_collector() -> Iterator[Collected]:
    """Run a collector while the block lasts."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collected.take(self.rfile.read(int(self.headers["Content-Length"])), self.headers["x-key"])
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collected.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collected
        server.shutdown()
