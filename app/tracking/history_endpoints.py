"""The past day on the map, and where a vehicle was."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.tracking import positions, traces
from app.web.routers import ApiRouter
from geo.clock import parse_time

router = ApiRouter(prefix="/api/v1", tags=["map"])
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
    corridor: CorridorDep,
    action: Annotated[ActionContext, Depends(acting("traces.read"))],
    vehicle_id: Annotated[int, Path(ge=1, lt=2**31)],
    begin: Annotated[str, Query(alias="from")],
    end: Annotated[str, Query(alias="to")],
    trace_format: Annotated[
        str | None, Query(alias="format", description="gpx, geojson, csv or parquet: a file of points", max_length=20)
    ] = None,
) -> Response:
    """The vehicle's fixes from `from` to `to`, as one GeoJSON Feature or a file of a format; who read it is audited."""
    action.actor.check_session("traces.read", is_change=False, is_export=trace_format is not None)
    since, until = parse_time(begin, field="from"), parse_time(end, field="to")
    if trace_format is None:
        _, since = traces.visible_vehicle(action.session, action.actor, vehicle_id, since)
        traces.note_reading(action, vehicle_id, since, until)
        body = positions.track(action.session, action.actor, corridor, vehicle_id, since, until)
        return Response(body, media_type="application/geo+json")
    file = traces.export(action, vehicle_id, since, until, trace_format)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)
