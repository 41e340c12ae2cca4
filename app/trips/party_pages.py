"""The page on which holders and drivers say whether a vehicle makes a trip, and the naming of parties."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import powers
from app.accounts.authorisation import acting
from app.accounts.viewpoints import of_enterprise
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from app.registers.claim_endpoints import VehicleListenerDep
from app.trips import parties
from app.trips.endpoints import TripId
from app.trips.vocabulary import PartyRole
from app.web.pages import render

router = APIRouter(include_in_schema=False)

AskedDep = Annotated[Principal, Depends(of_enterprise("/asked-trips", "pages.asked_trips"))]


@router.get("/asked-trips")
def show_asked(request: Request, session: SessionDep, principal: AskedDep) -> Response:
    """Trips that others declared for the caller's own vehicles."""
    return render(request, "trips/asked.html", asked=parties.list_asked(session, principal))


@router.post("/asked-trips/{trip_id}")
def answer(
    trip_id: TripId,
    action: Annotated[ActionContext, Depends(acting("vehicles.answer"))],
    follow: VehicleListenerDep,
    agreed: Annotated[str, Form()] = "",
) -> Response:
    """Say whether the vehicle makes the trip."""
    parties.answer_vehicle(action, trip_id, agreed=agreed == "yes", follow=follow)
    return RedirectResponse("/asked-trips", 303)


@router.post("/enterprise/trips/{trip_id}/parties")
def name_party(
    trip_id: TripId,
    action: Annotated[ActionContext, Depends(acting("trips.write"))],
    role: Annotated[str, Form()] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Name who has a part in a trip; no name takes the part away."""
    named = powers.get_company(action.session, name).organisation_id if name.strip() else None
    parties.name_party(action, trip_id, PartyRole.require(role, "role"), named)
    return RedirectResponse(f"/enterprise/trips/{trip_id}", 303)
