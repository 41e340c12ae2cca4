"""The parties of a trip, and the yes or no of its vehicle's holder or driver."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.accounts import powers
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.registers.claim_endpoints import VehicleListenerDep
from app.trips import parties
from app.trips.endpoints import TripId
from app.trips.schemas import PartOut
from app.trips.vocabulary import PartyRole
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["trips"])

AnswerAction = Annotated[ActionContext, Depends(acting("vehicles.answer"))]


class PartyIn(BaseModel):
    """Who has a part in the trip: by number or whole name; neither takes the part away."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"organisation_id": 7}]})

    organisation_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    name: Annotated[PlainText, Field(max_length=200)] = ""


class VehicleAnswer(BaseModel):
    """Whether the vehicle makes the trip."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"agreed": True}]})

    agreed: bool


class AskedTripOut(BaseModel):
    """An open trip that others declared for a vehicle of the caller; `agreed` is `null` until it is answered."""

    model_config = ConfigDict(from_attributes=True)

    trip_id: int
    code: str
    plate: str
    organisation: str
    gate_id: str
    planned_arrival: datetime
    agreed: bool | None


@router.get("/asked-trips", summary="Trips that others declared for one's own vehicles")
def list_asked(
    session: SessionDep, principal: Annotated[Principal, Depends(allow("vehicles.answer"))]
) -> list[AskedTripOut]:
    """Open ones, those not answered yet before the others."""
    return [AskedTripOut.model_validate(trip) for trip in parties.list_asked(session, principal)]


@router.post(
    "/trips/{trip_id}/vehicle-answer",
    status_code=204,
    summary="Say whether a vehicle makes a trip",
    responses=problems(404),
)
def answer_vehicle(trip_id: TripId, body: VehicleAnswer, action: AnswerAction, follow: VehicleListenerDep) -> None:
    """A yes opens the vehicle to the parties of the trip while it lasts; a no closes it."""
    parties.answer_vehicle(action, trip_id, agreed=body.agreed, follow=follow)


@router.put("/trips/{trip_id}/parties/{role}", summary="Give a part in a trip", responses=problems(404, 409))
def name_party(
    trip_id: TripId,
    role: Annotated[PartyRole, Path()],
    body: PartyIn,
    action: Annotated[ActionContext, Depends(acting("trips.write"))],
) -> list[PartOut]:
    """Name the consignor, carrier or customs agent of a trip of one's own; the parties it has then."""
    named = body.organisation_id
    if named is None and body.name:
        named = powers.get_company(action.session, body.name).organisation_id
    parties.name_party(action, trip_id, role, named)
    return [PartOut.model_validate(party) for party in parties.parties_of(action.session, trip_id)]
