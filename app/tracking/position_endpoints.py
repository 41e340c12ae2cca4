"""Where every vehicle is now."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.tracking import positions
from app.web.routers import ApiRouter
from geo.clock import parse_time

router = ApiRouter(prefix="/api/v1", tags=["map"])
GEOJSON = "application/geo+json"


@router.get("/positions", summary="Last position of every vehicle", response_class=Response)
def list_positions(
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    principal: Annotated[Principal, Depends(allow("positions.read"))],
    gate: Annotated[str | None, Query(description="Only trips to this gate")] = None,
    bbox: Annotated[str | None, Query(description="west,south,east,north", examples=["106.5,21.8,106.9,22.1"])] = None,
    since: Annotated[str | None, Query(description="Only positions newer than this RFC 3339 time")] = None,
) -> Response:
    """GeoJSON of the vehicles the caller may see."""
    body = positions.current(
        session,
        principal,
        corridor,
        now=clock.now(),
        gate_id=gate,
        bbox=None if bbox is None else positions.parse_bbox(bbox),
        since=None if since is None else parse_time(since, field="since"),
    )
    return Response(body, media_type=GEOJSON)
