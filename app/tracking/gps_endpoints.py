"""The doors of GPS clients over HTTP: one for each format of `ingest.formats.registry`.

The identifier in a message is its credential; IMEIs count only with a gateway's token. How each client is answered:

- 2xx: kept, or refused for a reason the client cannot mend (no position in it, faked, in the future, older than the
  retention): stock clients repeat anything else for ever, and behind such a message everything newer would wait.
- 400 unreadable, 404 unknown device, 422 not on earth or encrypted: somebody must mend the client or enrol it.
- 503 with `Retry-After`: not kept now, send again.

In service `app.tracking.gps_door` answers before the framework is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from app.platform.errors import problems
from app.tracking.gps_door import answer_message, names_device
from app.web.routers import ApiRouter
from ingest.formats.gps_format import GpsFormat
from ingest.formats.registry import GPS_FORMATS


class _QueryRoute(APIRoute):
    """A GET of the bare host that names a device is a client's message; any other is the start page's to answer."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is this route's."""
        if scope["type"] == "http" and scope["method"] != "POST" and not names_device(scope["query_string"]):
            return Match.NONE, {}
        return super().matches(scope)


def make_router(formats: Iterable[GpsFormat]) -> ApiRouter:
    """The routes of each format."""
    router = ApiRouter(tags=["gps"])
    for gps_format in formats:
        for path in gps_format.routes:
            router.add_api_route(
                path,
                _make_endpoint(gps_format),
                methods=list(gps_format.methods),
                name=f"{gps_format.name}_door",
                summary=gps_format.title,
                description=gps_format.description,
                responses=problems(400, 404, 413, 503),
                include_in_schema=path == gps_format.path,
                route_class_override=_QueryRoute if path == "/" else None,
            )
    return router


def _make_endpoint(gps_format: GpsFormat) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        return await answer_message(request, gps_format)

    return receive


router = make_router(GPS_FORMATS.values())
