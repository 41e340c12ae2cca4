"""Work lists of the stations: who is here, who comes next."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.sheets import service
from app.sheets.stations import STATIONS

router = APIRouter(prefix="/api/v1/inspections", tags=["sheets"])

InspectorDep = Annotated[Principal, Depends(allow("inspections.read"))]
StationName = Annotated[
    str,
    Query(
        description="A step of the procedure, or the support desk.",
        json_schema_extra={"enum": list(STATIONS)},
    ),
]


class Entry(BaseModel):
    """A trip on a work list. `eta` is forecast (`eta_is_forecast`) or, without a forecast, planned."""

    trip_id: int
    code: str
    version: int
    plate: str
    trailer_plate: str | None
    organisation: str
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    channel: str | None
    collector: str | None
    stage: str
    status: str
    since: datetime
    planned_arrival: datetime
    arrived_at: datetime | None
    eta: datetime
    eta_is_forecast: bool
    position_time: datetime | None
    km: float | None
    site_id: str | None
    simulated: bool


class NextEntry(Entry):
    """A trip that comes later: whether its truck is at the gate already, and the steps it waits for."""

    is_here: bool
    waits_for: list[str]


class WorkList(BaseModel):
    """A station's work; `undeclared` are trucks at the gate for the temporary yard."""

    station: str
    gate_id: str
    as_of: datetime
    here: list[Entry]
    next: list[NextEntry]
    undeclared: list[Entry]


@router.get("", response_model=WorkList, responses=problems())
def get_work_list(
    principal: InspectorDep,
    session: SessionDep,
    clock: ClockDep,
    station: StationName,
) -> Any:
    """The work list of a station at the caller's gate."""
    return service.work_list(session, principal, station, now=clock.now())
