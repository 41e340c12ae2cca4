"""Traces: spans of requests, queries and Redis, without anything of a person; nothing is loaded where they are off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from app.bootstrap import web
from app.ops.tracing import ALLOWED, trace
from app.platform.runtime import Runtime
from app.settings import OperationsSettings
from tests.app.serving import note_posts

ROOT = Path(__file__).parents[2]
PRIVATE = ("12C-34567", "Nguyen", "1234567890", "198.51.100.7", "traveller", "whoever")


@pytest.fixture
def collector() -> Iterator[tuple[list[ExportTraceServiceRequest], str]]:
    """A receiver of OTLP over HTTP on this machine."""
    import gzip

    taken: list[ExportTraceServiceRequest] = []

    def take(headers: dict[str, str], body: bytes) -> int:
        body = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        taken.append(ExportTraceServiceRequest.FromString(body))
        return 200

    with note_posts(take) as port:
        yield taken, f"http://127.0.0.1:{port}/v1/traces"


def requests_traced(runtime: Runtime, operations: OperationsSettings, exporter: SpanExporter | None = None) -> None:
    """Requests that hold what nobody else may know, traced."""
    app = web(runtime)
    provider = trace(app, runtime.engine, operations, exporter)
    try:
        with TestClient(app, client=("198.51.100.7", 50000), headers={"User-Agent": "whoever/1"}) as client:
            client.post("/api/v1/tokens", data={"username": "traveller", "password": "Nguyen"})
            client.get("/api/v1/trips/1234567890?plate=12C-34567", headers={"X-Forwarded-For": "198.51.100.7"})
            client.get("/gps/osmand?id=1234567890&lat=21.9&lon=106.7&timestamp=1")
            client.get("/no/such/12C-34567")
            client.get("/healthz")
        provider.force_flush()
    finally:
        FastAPIInstrumentor.uninstrument_app(app)
        SQLAlchemyInstrumentor().uninstrument()
        RedisInstrumentor().uninstrument()
        provider.shutdown()


def test_spans_tell_what_was_done_and_nothing_of_people(runtime: Runtime) -> None:
    exporter = InMemorySpanExporter()
    requests_traced(runtime, OperationsSettings(trace_share=1.0), exporter)
    spans = exporter.get_finished_spans()
    names = {span.name for span in spans}
    assert {"POST /api/v1/tokens", "GET /api/v1/trips/{trip_id}"} <= names
    assert "postgresql SELECT" in names
    assert any(name.startswith("redis ") for name in names), names
    assert not any("healthz" in name for name in names)
    for span in spans:
        assert set(span.attributes or {}) <= ALLOWED
        assert span.status.description is None
        text = span.to_json()
        for private in PRIVATE:
            assert private not in text, text
    failed = [span for span in spans if span.status.status_code is StatusCode.ERROR]
    assert all(span.status.description is None for span in failed)


def test_spans_arrive_by_otlp(runtime: Runtime, collector) -> None:
    taken, endpoint = collector
    requests_traced(runtime, OperationsSettings(trace_share=1.0, otlp_endpoint=endpoint))
    resources = [each for request in taken for each in request.resource_spans]
    named = {span.name for each in resources for scope in each.scope_spans for span in scope.spans}
    assert "POST /api/v1/tokens" in named
    services = {
        attribute.value.string_value
        for each in resources
        for attribute in each.resource.attributes
        if attribute.key == "service.name"
    }
    assert services == {"cuakhau-web"}
    for private in PRIVATE:
        assert private.encode() not in b"".join(request.SerializeToString() for request in taken)


def test_nothing_is_loaded_where_traces_are_off() -> None:
    # Clients of Redis look for the SDK by themselves; what makes, scrubs and sends spans is another matter.
    code = (
        "import sys, app.main, app.bootstrap, app.ops.keeping\n"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.instrumentation', 'opentelemetry.exporter'))])\n"
        "print([m for m in sys.modules if m == 'app.ops.tracing'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
