"""The doors of GPS clients. The identifier in a message is its credential; IMEIs count only with a gateway's token.

How each client is answered:

- 2xx: kept, or refused for a reason the client cannot mend (no position in it, faked, in the future, older than the
  retention): stock clients repeat anything else for ever, and behind such a message everything newer would wait.
- 400 unreadable, 404 unknown device, 422 not on earth or encrypted: somebody must mend the client or enrol it.
- 503 with `Retry-After`: not kept now, send again.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from app.platform.errors import problems
from app.platform.runtime import Runtime
from geo.errors import InvalidInputError, MalformedError
from ingest.devices import DeviceDirectory
from ingest.doors import Doors
from ingest.formats import batch, osmand, owntracks, traccar
from ingest.formats.report import Report
from ingest.stream import FixWriter

router = APIRouter(tags=["gps"])

MAX_MESSAGE_BYTES = 64 * 1024
MAX_BATCH_BYTES = 8 * 2**20
_IN_THREAD_FROM_BYTES = 256 * 1024

DOOR = problems(400, 404, 413, 503)

_KEPT = b'{"accepted":true}'


@router.api_route("/gps/osmand", methods=["GET", "POST"], summary="OsmAnd and Traccar Client", responses=DOOR)
async def osmand_door(request: Request) -> Response:
    """One position as query, form or JSON. 200 when it is durable, or refused for good (see the module)."""
    doors = _doors(request)
    body = await _body(request, MAX_MESSAGE_BYTES) if request.method == "POST" else b""
    try:
        query = request.scope["query_string"]
        reports = osmand.decode(query, body, request.headers.get("content-type", ""))
    except MalformedError:
        await doors.refuse("malformed")
        raise
    return await _accept(doors, request, reports)


@router.post("/gps/owntracks", summary="OwnTracks over HTTP", responses=DOOR)
async def owntracks_door(request: Request) -> Response:
    """One OwnTracks message; the answer is an empty JSON array: there are no commands for the phone."""
    doors = _doors(request)
    body = await _body(request, MAX_MESSAGE_BYTES)
    try:
        report = owntracks.decode(body, device_header=request.headers.get("x-limit-d"))
    except MalformedError:
        await doors.refuse("malformed")
        raise
    except InvalidInputError:
        await doors.refuse("encrypted")
        raise
    if report is not None:
        await doors.accept(report, _gateway_token(request))
    return Response(b"[]", media_type="application/json")


@router.post("/gps/traccar", summary="Position forwarding of a Traccar server", responses=DOOR)
async def traccar_door(request: Request) -> Response:
    """One forwarded position. Traccar repeats what is not answered 2xx; a repeat is kept once."""
    doors = _doors(request)
    body = await _body(request, MAX_MESSAGE_BYTES)
    try:
        report = traccar.decode(body)
    except MalformedError:
        await doors.refuse("malformed")
        raise
    return await _accept(doors, request, [report])


@router.post("/gps/batch", summary="Many fixes as NDJSON", responses=DOOR)
async def batch_door(request: Request) -> Response:
    """NDJSON of `{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`.

    Good lines are kept; `refused` names each bad one by line, reason and value.
    """
    doors = _doors(request)
    body = await _body(request, MAX_BATCH_BYTES)
    large = len(body) > _IN_THREAD_FROM_BYTES
    decoded = await asyncio.to_thread(batch.decode, body) if large else batch.decode(body)
    accepted, errors = await doors.accept_batch(decoded, _gateway_token(request))
    answer = {"accepted": accepted, "refused": [asdict(error) for error in errors]}
    return Response(orjson.dumps(answer), media_type="application/json")


async def _accept(doors: Doors, request: Request, reports: list[Report]) -> Response:
    token = _gateway_token(request)
    reasons = [await doors.accept(report, token) for report in reports]
    refused = next((reason for reason in reasons if reason is not None), None)
    body = _KEPT if refused is None else orjson.dumps({"accepted": False, "refused": refused})
    return Response(body, media_type="application/json")


def _doors(request: Request) -> Doors:
    """The doors of this process, opened by the first message."""
    state = request.app.state
    loop = asyncio.get_running_loop()
    opened: tuple[object, Doors] | None = getattr(state, "doors", None)
    if opened is None or opened[0] is not loop:
        runtime: Runtime = state.runtime
        settings = runtime.settings
        doors = Doors(
            writer=FixWriter(runtime.async_redis, settings.ingest_shards),
            directory=DeviceDirectory(),
            sessions=runtime.sessions,
            clock=runtime.clock,
            retention_days=settings.fix_retention_days,
            future_tolerance_s=settings.fix_future_tolerance_s,
        )
        state.doors = opened = (loop, doors)
    return opened[1]


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, refused before it is read if it is larger than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")
    body = b""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")
        parts.append(part)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return body


def _gateway_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
