"""The past day on the map, and where a vehicle was."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.accounts.authorisation import allow
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.tracking import positions
from geo.clock import parse_time

router = APIRouter(prefix="/api/v1", tags=["map"])
Reader = Annotated[Principal, Depends(allow("history.read"))]
Moment = Annotated[str, Query(description="RFC 3339 time with offset", examples=["2026-03-02T10:00:00+07:00"])]


@router.get("/history/positions", summary="Where every vehicle was at a moment", response_class=Response)
def positions_at(session: SessionDep, corridor: CorridorDep, _: Reader, at: Moment) -> Response:
    """GeoJSON of each vehicle's last fix in the 20 minutes before `at`."""
    body = positions.at(session, corridor, parse_time(at, field="at"))
    return Response(body, media_type="application/geo+json")


@router.get("/history/frames", summary="Frames of a span of time, for a slider", response_class=Response)
def frames(
    session: SessionDep,
    _: Reader,
    begin: Annotated[str, Query(alias="from")],
    end: Annotated[str, Query(alias="to")],
    step_s: Annotated[float, Query(ge=5, le=3600)] = 60,
) -> Response:
    """Positions each `step_s` from `from` to `to`; a vehicle is in a frame only if it reported since the one before."""
    body = positions.frames(session, parse_time(begin, field="from"), parse_time(end, field="to"), step_s)
    return Response(body, media_type="application/json")


@router.get(
    "/vehicles/{vehicle_id}/track", summary="Where a vehicle was", response_class=Response, responses=problems(404)
)
def track(
    session: SessionDep,
    corridor: CorridorDep,
    _: Reader,
    vehicle_id: Annotated[int, Path(ge=1, lt=2**31)],
    begin: Annotated[str, Query(alias="from")],
    end: Annotated[str, Query(alias="to")],
) -> Response:
    """The vehicle's fixes from `from` to `to`, as one GeoJSON Feature."""
    times = parse_time(begin, field="from"), parse_time(end, field="to")
    body = positions.track(session, corridor, vehicle_id, *times)
    return Response(body, media_type="application/geo+json")
