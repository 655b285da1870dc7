"""Spans, figures and structured logs of every process; a trace goes from HTTP through RPC and event to the effect."""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict, Processor

from banyan.kernel.refusal import Refused
from banyan.runtime.host.settings import Settings

_W3C = TraceContextTextMapPropagator()
SAMPLED = "-01"
EXPORT_S, END_S = 3, 2
"""How long one batch of spans is tried, and how long all that wait are when the process ends."""
COMMAND_SECONDS = Histogram("banyan_command_seconds", "Seconds of a command or question in the bus", ["method"])
REFUSED = Counter("banyan_refused_total", "Refusals by code", ["method", "code"])
POSITION = Gauge("banyan_stream_position", "Last position given by the relay", ["stream"])
CURSOR = Gauge("banyan_cursor_position", "Last position applied", ["subscription", "stream"])
PARKED = Gauge("banyan_parked", "Events parked, to be looked at", ["subscription"])
UNSEALED_SECONDS = Gauge("banyan_audit_unsealed_seconds", "Age of the oldest audit row without a seal", ["service"])


@dataclass(frozen=True, slots=True)
class Span:
    """What later steps need of the present span."""

    traceparent: str | None
    trace_id: str


def start(settings: Settings, process: str) -> None:
    """Sets up traces (to a collector where one is set) and logs as JSON lines with the trace id."""
    sampler = ParentBased(TraceIdRatioBased(settings.trace_share / 100))
    provider = TracerProvider(resource=Resource.create({"service.name": process}), sampler=sampler)
    if settings.otlp_url:
        # A bounded queue and a thread of its own: a collector that is dead or slow costs spans, never a call.
        provider.add_span_processor(BatchSpanProcessor(_exporter(settings.otlp_url)))
    trace.set_tracer_provider(provider)
    _start_logs()


def _exporter(url: str) -> SpanExporter:
    """Brings spans to a collector; what is still waiting when the process ends is tried for END_S and then given up."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class Exporter(OTLPSpanExporter):
        ends_s = float("inf")

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.FAILURE if time.monotonic() > self.ends_s else super().export(spans)

        def end_soon(self) -> None:
            self.ends_s = time.monotonic() + END_S

    exporter = Exporter(endpoint=url, timeout=EXPORT_S)
    atexit.register(exporter.end_soon)  # runs before the provider's own, which was registered earlier
    return exporter


def _start_logs() -> None:
    """JSON lines of our own loggers and of the libraries' alike, on standard output."""
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_trace_id,
        structlog.processors.format_exc_info,
    ]
    json_line = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(processors=[*chain, json_line])
    libraries = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *chain],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, json_line],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(libraries)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def with_trace_id(_logger: object, _method: str, line: EventDict) -> EventDict:
    """What is logged within a span names its trace."""
    known = trace.get_current_span().get_span_context()
    if known.is_valid:
        line.setdefault("trace_id", f"{known.trace_id:032x}")
    return line


@contextmanager
def spans(name: str, traceparents: Iterable[str | None]) -> Iterator[None]:
    """A span under each that is sampled: for what is done to many at once."""
    started = [
        _tracer().start_span(name, context=_W3C.extract({"traceparent": parent}))
        for parent in traceparents
        if parent is not None and parent.endswith(SAMPLED)
    ]
    try:
        yield
    finally:
        for one in started:
            one.end()


@cache
def _tracer() -> trace.Tracer:
    return trace.get_tracer("banyan")


@contextmanager
def span(name: str, traceparent: str | None) -> Iterator[Span]:
    """A span under the caller's; its duration and refusal are counted whether it is sampled or not."""
    parent = _W3C.extract({"traceparent": traceparent}) if traceparent else None
    with COMMAND_SECONDS.labels(name).time(), _tracer().start_as_current_span(name, context=parent) as current:
        known = current.get_span_context()
        trace_id = f"{known.trace_id:032x}"
        header = f"00-{trace_id}-{known.span_id:016x}-{int(known.trace_flags):02x}" if known.is_valid else traceparent
        try:
            yield Span(header, trace_id)
        except Refused as refused:
            REFUSED.labels(name, refused.code).inc()
            raise
