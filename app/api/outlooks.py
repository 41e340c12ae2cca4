"""What lies ahead of trips: expected arrival, wait, yard."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from app.accounts.permissions import Principal
from app.deps import ClockDep, CorridorDep, SessionDep, allow
from app.outlook.service import list_outlooks
from app.trips.places import Places

router = APIRouter(prefix="/api/v1/outlooks", tags=["trips"])


@router.get("")
def get_outlooks(
    principal: Annotated[Principal, Depends(allow("trips.read"))],
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
) -> dict[str, Any]:
    """The trips the caller may see, open or out within 24 h, each with position, expected arrival, wait and yard."""
    outlooks = list_outlooks(session, principal, Places.of(corridor), now=clock.now())
    return {"items": [outlook.to_record() for outlook in outlooks]}
