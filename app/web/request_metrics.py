"""How long requests take, by route, how the doors of devices answer, how many event streams are open.

Figures of this process for `/metrics`; where several share a port, the library gathers them in files.

A route is its template, such as `/api/v1/trips/{trip_id}`: never the path, which names people's things and has no end
of values.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DURATIONS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNMATCHED: Final = "unmatched"


class RequestFigures:
    """Figures of requests, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.durations = Histogram(
            "cuakhau_request_duration_s",
            "Time from a request to the end of its answer, by route.",
            ("method", "route"),
            buckets=DURATIONS_S,
            registry=self.registry,
        )
        self.answers = Counter(
            "cuakhau_requests", "Requests answered, by route and status.", ("route", "status"), registry=self.registry
        )
        self.streams = Gauge(
            "cuakhau_sse_connections", "Open event streams.", registry=self.registry, multiprocess_mode="livesum"
        )


class RequestMetrics:
    """Measures requests; pure ASGI. Event streams, which last, are only counted."""

    def __init__(
        self, app: ASGIApp, *, figures: RequestFigures, doors: Collection[str], lasting: Collection[str]
    ) -> None:
        self.app, self.figures, self.doors, self.lasting = app, figures, frozenset(doors), frozenset(lasting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and measure it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, lasts = time.perf_counter(), 500, scope["path"] in self.lasting
        if lasts:
            self.figures.streams.inc()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            route = self.route_of(scope)
            self.figures.answers.labels(route, str(status)).inc()
            if lasts:
                self.figures.streams.dec()
            else:
                self.figures.durations.labels(scope["method"], route).observe(time.perf_counter() - started)

    def route_of(self, scope: Scope) -> str:
        """The template of the route that answered; of doors, which answer before all routes, their path."""
        path = scope["path"]
        if path in self.doors:
            return str(path)
        template = getattr(scope.get("route"), "path", None)
        return str(template or scope.get("root_path") or UNMATCHED)  # files are mounted by the beginning of their path
