"""Scales: the door of the devices, and what was weighed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import allow
from app.equipment import reports, service
from app.equipment.camera_endpoints import read_key
from app.equipment.reports import Subject
from app.equipment.schemas import WeighingList, WeighingOut
from app.equipment.store import DeviceReport
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.permissions import Principal
from app.sheets.dependencies import SheetsDep
from app.web.routers import ApiRouter

router = ApiRouter(tags=["equipment"])


class SubjectIn(BaseModel):
    """What a device reports about: a name of its own for the report, so that a repeat is known, and the truck.

    Without a plate or trip code, the truck whose plate was last read at the device's station is meant.
    """

    model_config = ConfigDict(extra="forbid")

    ref: PlainText = Field(min_length=1, max_length=120)
    time: Moment | None = None
    plate: PlainText | None = Field(None, max_length=40)
    trip_code: PlainText | None = Field(None, max_length=20)

    def subject(self) -> Subject:
        """As the service takes it."""
        return Subject(self.ref, self.time, self.plate, self.trip_code)


class WeighingIn(SubjectIn):
    """A truck on the scale."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ref": "2026-000123", "plate": "29C-123.45", "gross_kg": 38120, "tare_kg": 15900}]
        }
    )

    gross_kg: int = Field(ge=1, le=200_000)
    tare_kg: int | None = Field(None, ge=1, le=200_000)


@router.post("/equipment/weighings", responses=problems())
def report_weighing(
    body: WeighingIn, request: Request, session: SessionDep, clock: ClockDep, sheets: SheetsDep
) -> WeighingOut:
    """A scale reports a weighing, with its key."""
    device = service.authenticate(session, read_key(request), kind="scale")
    row = reports.weigh(
        session,
        device,
        body.subject(),
        gross_kg=body.gross_kg,
        tare_kg=body.tare_kg,
        sheets=sheets,
        now=clock.now(),
    )
    return WeighingOut.of(DeviceReport(row, device))


@router.get("/api/v1/weighings", responses=problems())
def list_weighings(
    session: SessionDep,
    principal: Annotated[Principal, Depends(allow("equipment.read"))],
    before: Annotated[Moment | None, Query(description="Weighed before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> WeighingList:
    """The newest weighings on scales of the caller's gate."""
    return WeighingList(items=reports.list_weighings(session, principal, before=before, limit=limit))
