"""Traces by OpenTelemetry, where they are wanted: of requests, of queries, of commands to Redis.

Spans leave with what is listed here and nothing else: no path, no parameter, no statement, no address, no message of an
error may carry a plate, a position or a name out of the platform. Imported only where an endpoint is
configured; its libraries are of the group `traces`, which nobody else needs to install.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status
from sqlalchemy import Engine

from app.settings import OperationsSettings

ALLOWED: Final = frozenset(
    {
        "http.route",
        "http.method",
        "http.request.method",
        "http.status_code",
        "http.response.status_code",
        "http.scheme",
        "http.flavor",
        "db.system",
        "db.operation",
        "db.redis.args_length",
        "asgi.event.type",
        "error.type",
        "exception.type",
    }
)
"""The attributes that leave the platform."""
VERB: Final = re.compile(r"[A-Z]{2,20}(?![^ ])")
"""What an SQL statement or a command to Redis begins with."""
UNTRACED: Final = "healthz,readyz,metrics,api/v1/events,static/.*,vendor/.*"


class ScrubbedExporter(SpanExporter):
    """Passes spans on with their allowed attributes alone."""

    def __init__(self, onward: SpanExporter) -> None:
        self.onward = onward

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what is allowed of some spans."""
        return self.onward.export([scrub(span) for span in spans])

    def shutdown(self) -> None:
        """Stop."""
        self.onward.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self.onward.force_flush(timeout_millis)


def scrub(span: ReadableSpan) -> ReadableSpan:
    """A span without anything that could name a person or a thing of theirs."""
    attributes = {name: value for name, value in (span.attributes or {}).items() if name in ALLOWED}
    events = [
        Event(event.name, {n: v for n, v in (event.attributes or {}).items() if n in ALLOWED}, event.timestamp)
        for event in span.events
    ]
    return ReadableSpan(
        name=_name(span, attributes),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=(),
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _name(span: ReadableSpan, attributes: Mapping[str, object]) -> str:
    """What the span did, put together from what is allowed: its own name may hold a path or part of a statement."""
    method = attributes.get("http.request.method") or attributes.get("http.method")
    if span.kind is SpanKind.SERVER:
        return f"{method or 'HTTP'} {attributes.get('http.route', '')}".strip()
    if "db.system" in attributes:
        verb = VERB.match(span.name)
        return f"{attributes['db.system']} {verb[0] if verb else ''}".strip()
    return str(attributes.get("asgi.event.type", "internal"))


def trace(
    app: FastAPI, engine: Engine, operations: OperationsSettings, exporter: SpanExporter | None = None
) -> TracerProvider:
    """Trace an application, its database and its Redis; spans go to the configured endpoint, or to `exporter`."""
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: "cuakhau-web", SERVICE_INSTANCE_ID: socket.gethostname()}),
        sampler=ParentBased(TraceIdRatioBased(operations.trace_share)),
    )
    onward = exporter or OTLPSpanExporter(endpoint=operations.otlp_endpoint)
    provider.add_span_processor(BatchSpanProcessor(ScrubbedExporter(onward)))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=UNTRACED)
    # It declares itself for SQLAlchemy before 2.1, whose events, all that it uses, are the same.
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=provider, skip_dep_check=True)
    RedisInstrumentor().instrument(tracer_provider=provider)
    return provider
