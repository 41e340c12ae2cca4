"""A vehicle's day in figures, and recorded traces sent in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import Depends, File, Path, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problem, problems
from app.platform.permissions import Principal
from app.tracking import trace_upload, traces
from app.tracking.fix_intake import shared_intake
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["traces"])


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class StopOut(_FromRow):
    """Where a truck stood for at least five minutes."""

    begin: datetime
    end: datetime
    duration_s: float
    lon: float
    lat: float
    road: str | None
    km: float | None
    idle_s: float | None


class OverSpeedOut(_FromRow):
    """Driving above the limit of a road."""

    begin: datetime
    end: datetime
    road: str
    km: float | None
    limit_kmh: float
    max_kmh: float


class DrivingOut(_FromRow):
    """Driving without a break; more than four hours are too long."""

    since: datetime
    moved_at: datetime
    is_too_long: bool


class DayOut(_FromRow):
    """What a truck did on a day."""

    fixes: int
    first: datetime | None
    last: datetime | None
    distance_m: float
    stopped_s: float
    idle_s: float | None
    stops: list[StopOut]
    over_speeds: list[OverSpeedOut]
    drivings: list[DrivingOut]


class FaultOut(_FromRow):
    """A point that could not be read: its line or number in the file, its value, the reason."""

    line: int
    value: str
    reason: str


class TakenInOut(_FromRow):
    """What became of a recorded trace; `faults` are the first of `fault_count`."""

    read: int
    accepted: int
    refused: dict[str, int]
    faults: list[FaultOut]
    fault_count: int


@router.get("/vehicles/{vehicle_id}/day", summary="What a vehicle did on a day", responses=problems(404))
def get_day(
    session: SessionDep,
    corridor: CorridorDep,
    principal: Annotated[Principal, Depends(allow("traces.read"))],
    vehicle_id: Annotated[int, Path(ge=1, lt=2**31)],
    day: Annotated[date, Query(alias="date", examples=["2026-03-02"])],
) -> DayOut:
    """Distance, stops, idle times, over-speed and driving without a break, by the calendar of the border."""
    return DayOut.model_validate(traces.day_of(session, principal, corridor, vehicle_id, day)[1])


@router.post(
    "/devices/{number}/trace",
    summary="Send in a recorded trace",
    response_model=TakenInOut,
    responses=problems(404, 413),
)
async def send_trace(
    number: Annotated[int, Path(ge=1, lt=2**63)],
    action: Annotated[ActionContext, Depends(acting("devices.enrol"))],
    request: Request,
    file: Annotated[UploadFile, File(description="GPX, GeoJSON, KML, NMEA, CSV, NDJSON, Parquet, FIT or TCX.")],
) -> TakenInOut | JSONResponse:
    """Take in a trace that the caller's device recorded, as if it had sent it late; bad points cost no others.

    Where not one point was taken, the status is 422 and the problem has the members of the answer.
    """
    content = await file.read(trace_upload.MAX_FILE_BYTES + 1)
    result = await trace_upload.take_in(action, shared_intake(request.app.state), number, file.filename or "", content)
    taken = TakenInOut.model_validate(result)
    return taken if taken.accepted else problem(422, "Not one point was taken.", **taken.model_dump(mode="json"))
