"""Trips: amend, cancel. Both ask how the trip's sheet stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from app.accounts.authorisation import acting
from app.declarations import amending
from app.declarations.service import DeclarationAction
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep
from app.platform.errors import problems
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.trips import service as trips
from app.trips.endpoints import TripId
from app.trips.schemas import TripChange, TripDetail
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/trips", tags=["trips"])


def get_action(
    action: Annotated[ActionContext, Depends(acting("trips.write"))], corridor: CorridorDep, sheets: SheetsDep
) -> DeclarationAction:
    """Who acts, when, on which corridor and sheets."""
    return DeclarationAction(
        action.session, action.principal, action.now, action.address, corridor=corridor, sheets=sheets
    )


WriterAction = Annotated[DeclarationAction, Depends(get_action)]


@router.patch("/{trip_id}", responses=problems(404, 409, 412, 428))
def amend_trip(
    trip_id: TripId,
    body: TripChange,
    response: Response,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> TripDetail:
    """Change a trip, as far as sheet and whereabouts allow; what agencies vouched for is refused or open again."""
    amending.amend_trip(action, trip_id, expected_version, body)
    return with_etag(response, trips.get_trip(action.session, action.actor, trip_id))


@router.post("/{trip_id}/cancel", responses=problems(404, 409, 412, 428))
def cancel_trip(
    trip_id: TripId, response: Response, action: WriterAction, expected_version: ExpectedVersion
) -> TripDetail:
    """Take back a trip that no agency has acted on and that has not reached the queue."""
    amending.cancel_trip(action, trip_id, expected_version)
    return with_etag(response, trips.get_trip(action.session, action.actor, trip_id))
