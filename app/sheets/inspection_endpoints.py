"""Work lists of the stations: who is here, who comes next."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.sheets import service
from app.sheets.schemas import WorkList
from app.sheets.stations import STATIONS
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/inspections", tags=["sheets"])

InspectorDep = Annotated[Principal, Depends(allow("inspections.read"))]
StationName = Annotated[
    str,
    Query(
        description="A step of the procedure, or the support desk.",
        json_schema_extra={"enum": list(STATIONS)},
    ),
]


@router.get("", responses=problems())
def get_work_list(
    principal: InspectorDep,
    session: SessionDep,
    clock: ClockDep,
    station: StationName,
) -> WorkList:
    """The work list of a station at the caller's gate."""
    return service.work_list(session, principal, station, now=clock.now())
