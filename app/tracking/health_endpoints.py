"""How devices fare, and in which unit a device reports its speed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.tracking import enrolment, health
from app.web.routers import ApiRouter
from ingest.formats.report import RefusalReason
from ingest.speeds import SpeedUnit

router = ApiRouter(prefix="/api/v1/devices", tags=["devices"])


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class RefusedOut(_FromRow):
    """Reports of a device refused for a reason."""

    reason: RefusalReason
    count: int
    first_at: datetime
    last_at: datetime
    detail: str


class GapsOut(_FromRow):
    """The gaps between a device's fixes of the last 24 hours, and how many break the limits of the regulation."""

    fixes: int
    median_s: float | None
    p95_s: float | None
    longest_s: float | None
    moving: int
    standing: int
    relay: int


class DeviceHealthOut(_FromRow):
    """How a device fares now."""

    number: int
    hint: str
    kind: str
    vehicle_id: int
    plate: str
    heard_at: datetime | None
    kept_at: datetime | None
    refused: RefusalReason | None
    refusals: list[RefusedOut]
    gaps: GapsOut | None
    battery: float | None
    clock_offset_s: float | None
    clock_shift_s: int
    weeks_rolled: bool
    speed_unit: SpeedUnit
    speed_unit_set: bool
    overdue_s: float | None
    is_doubtful: bool


class SpeedUnitIn(BaseModel):
    """In which unit a device reports its speed; `null` lets the platform learn it again."""

    unit: SpeedUnit | None = Field(examples=["mps_for_knots"])


@router.get("/health", summary="How devices fare")
def list_health(
    request: Request,
    response: Response,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("device_health.read"))],
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[DeviceHealthOut]:
    """Devices in use by number: an enterprise's own, all for officers; `Link` leads to the next page."""
    found = health.list_health(session, principal, clock.now(), after=after, limit=limit)
    if len(found) == limit:
        response.headers["Link"] = f'<{request.url.include_query_params(after=found[-1].number)}>; rel="next"'
    return [DeviceHealthOut.model_validate(device) for device in found]


@router.put("/{number}/speed-unit", status_code=204, summary="Set a device's unit of speed", responses=problems(404))
def set_speed_unit(
    number: Annotated[int, Path(ge=1, lt=2**63)],
    unit: SpeedUnitIn,
    action: Annotated[ActionContext, Depends(acting("devices.enrol"))],
) -> None:
    """Say in which unit a device reports its speed; workers know within 30 seconds."""
    enrolment.set_speed_unit(action, number, unit.unit)
