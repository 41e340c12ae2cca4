"""The doors of GPS clients over HTTP: one for each format of `ingest.formats.registry`.

The identifier in a message is its credential; IMEIs count only with a gateway's token. How each client is answered:

- 2xx: kept, or refused for a reason the client cannot mend (no position in it, faked, in the future, older than the
  retention): stock clients repeat anything else for ever, and behind such a message everything newer would wait.
- 400 unreadable, 404 unknown device, 422 not on earth or encrypted: somebody must mend the client or enrol it.
- 503 with `Retry-After`: not kept now, send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from app.platform.errors import problems
from app.tracking.fix_intake import open_fix_intake
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.registry import GPS_FORMATS
from ingest.intake import FixIntake


def make_router(formats: Iterable[GpsFormat]) -> APIRouter:
    """A route for each format."""
    router = APIRouter(tags=["gps"])
    for gps_format in formats:
        router.add_api_route(
            gps_format.path,
            _make_endpoint(gps_format),
            methods=list(gps_format.methods),
            name=f"{gps_format.name}_door",
            summary=gps_format.title,
            description=gps_format.description,
            responses=problems(400, 404, 413, 503),
        )
    return router


def _make_endpoint(gps_format: GpsFormat) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        message = RawMessage(
            payload=await _body(request, gps_format.max_bytes) if request.method == "POST" else b"",
            query=request.scope["query_string"],
            headers=request.headers,
            gateway_token=_gateway_token(request),
        )
        result = await _intake(request).receive(gps_format, message)
        return Response(gps_format.answer(result), media_type=gps_format.answer_type)

    return receive


def _intake(request: Request) -> FixIntake:
    """The intake of this process and event loop, opened by the first message."""
    state = request.app.state
    loop = asyncio.get_running_loop()
    opened: tuple[object, FixIntake] | None = getattr(state, "fix_intake", None)
    if opened is None or opened[0] is not loop:
        state.fix_intake = opened = (loop, open_fix_intake(state.runtime))
    return opened[1]


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, refused before it is read if it is larger than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gateway_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


router = make_router(GPS_FORMATS.values())
