"""Server-sent events: `/api/v1/events`."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.accounts.authorisation import allow
from app.platform.dependencies import client_address
from app.platform.permissions import Principal
from app.tracking.event_stream import Live, parse_id
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/events", tags=["events"])

KEEP_ALIVE_S = 15


@router.get("", summary="Everything that changes, as it changes", response_class=EventSourceResponse)
async def stream_events(
    request: Request,
    principal: Annotated[Principal, Depends(allow("events.read"))],
    last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
    after: Annotated[
        str | None, Query(alias="last_event_id", description="The same, for clients that cannot set headers.")
    ] = None,
) -> EventSourceResponse:
    """Server-sent events: `positions` at most five times a second, and `order`, `order_response`, `advisory`,
    `forecast`, `yard`, `trip`, `scenario` as they happen; only what the caller may see. `hello` comes first. `resync`
    means that events were lost: fetch the state again. `signed_out` ends the stream, and so
    does `locked`, until a proof unlocks the session; `moving` as well: its process stops, another one goes on after
    `after_ms`."""
    resume = last_event_id or after
    if resume:
        parse_id(resume)
    live = cast(Live, request.app.state.live)
    place = await live.places.take(principal.account_id, client_address(request))
    return EventSourceResponse(
        live.stream(principal, resume, place),
        headers={"X-Accel-Buffering": "no"},
        ping=KEEP_ALIVE_S,
        ping_message_factory=lambda: ServerSentEvent(event="ping", data="{}", comment="keep-alive"),
        send_timeout=30,
    )
