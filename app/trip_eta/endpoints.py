"""What lies ahead of trips: expected arrival, wait, yard."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.trip_eta import queue
from app.trip_eta.reasons import Wording
from app.trip_eta.schemas import QueuePlaceOut, TripOutlooks
from app.trip_eta.service import list_outlooks
from app.trips.places import Places
from app.web.routers import ApiRouter
from geo.corridor import Corridor

router = ApiRouter(prefix="/api/v1/outlooks", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("trips.read"))]


def get_wording(request: Request, corridor: CorridorDep, clock: ClockDep, _principal: ReaderDep) -> Wording:
    """How sentences are put for the caller."""
    return wording_of(request, corridor, clock.now())


def wording_of(request: Request, corridor: Corridor, now: datetime) -> Wording:
    """How sentences are put for whoever asks, signed in or not."""
    gettext = partial(request.app.state.gettext, request)
    return Wording(gettext, request.app.state.pages.language(request), Places.of(corridor), now)


WordingDep = Annotated[Wording, Depends(get_wording)]


@router.get("", response_model=TripOutlooks)
def get_outlooks(
    principal: ReaderDep,
    session: SessionDep,
    wording: WordingDep,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Of this trip alone.")] = None,
) -> Any:
    """The trips the caller may see, open or out within 24 h, each with position, expected arrival, wait and yard."""
    return TripOutlooks(items=list_outlooks(session, principal, wording, trip_id=trip_id))


@router.get("/{trip_id}/queue-place", responses=problems(404))
def get_queue_place(
    trip_id: Annotated[int, Path(ge=1, le=2**31 - 1)], principal: ReaderDep, session: SessionDep, wording: WordingDep
) -> QueuePlaceOut:
    """The place of a waiting truck in the queue of its gate: number, trucks ahead, expected time, why it moved."""
    return queue.get_place(session, principal, trip_id, wording)
