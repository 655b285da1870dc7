"""An OTLP/HTTP collector for tests: takes what a process exports, and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span as it arrived; ids are hex, `parent_id` is empty for the first of a trace."""

    process: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


class Collector:
    """Answers at `url` until it is stopped."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def trace(self, trace_id: str) -> dict[str, Seen]:
        """The spans of one trace by name; of a name that came twice, the last."""
        return {span.name: span for span in list(self.spans) if span.trace_id == trace_id}

    def stop(self) -> None:
        """From now on nobody answers there."""
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    self.spans.append(Seen(names["service.name"], span.name, *ids))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:
                """Says nothing."""

        return Handler


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector while the block runs."""
    collector = Collector()
    yield collector
    collector.stop()


def traced_to(collector: Collector) -> dict[str, str]:
    """The environment of a process that exports to it, soon; nothing is traced but what the caller wants traced."""
    return {"BANYAN_OTLP_URL": collector.url, "BANYAN_TRACE_SHARE": "0", "OTEL_BSP_SCHEDULE_DELAY": "200"}
