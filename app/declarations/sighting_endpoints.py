"""The plates that ring at the support desk, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from app.accounts.authorisation import allow
from app.declarations import sightings
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["declarations"])


class RingingOut(BaseModel):
    """A plate that a camera read at the gate and nobody declared; its picture is that of the plate read `read_id`."""

    model_config = ConfigDict(from_attributes=True)

    sighting_id: int
    plate: str
    read_id: int
    has_picture: bool
    camera: str
    seen_at: datetime


class RingingList(BaseModel):
    """Plates that ring, newest first."""

    items: list[RingingOut]


@router.get("/undeclared-plates", responses=problems())
def list_undeclared_plates(
    session: SessionDep, clock: ClockDep, principal: Annotated[Principal, Depends(allow("undeclared.write"))]
) -> RingingList:
    """The plates at the caller's gate that nobody declared and that the desk has still to act on."""
    ringing = sightings.list_ringing(session, principal, now=clock.now())
    return RingingList(items=[RingingOut.model_validate(sighting) for sighting in ringing])
