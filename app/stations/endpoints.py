"""What stations do beside the steps of a sheet: find a truck, set customs' channel."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Response

from app.accounts.authorisation import acting, allow
from app.declarations import desk
from app.declarations.service import DeclarationAction
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.sheets.schemas import SheetOut
from app.stations import channel, closed, elsewhere, turning_back
from app.stations.elsewhere import find_elsewhere
from app.stations.schemas import (
    ChannelIn,
    ChannelOut,
    ClosedList,
    FoundList,
    LedAsideIn,
    LedAsideOut,
    PlateIn,
    ReasonIn,
)
from app.stations.search import search, written_plate
from app.trips.codes import MAX_TEXT_LENGTH, find_code
from app.trips.endpoints import TripId
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("inspections.read"))]
TakerAction = Annotated[ActionContext, Depends(acting("trips.take_over"))]
TurnerAction = Annotated[ActionContext, Depends(acting("trips.turn_back"))]
CustomsAction = Annotated[ActionContext, Depends(acting("channels.set"))]


def get_leading(
    action: Annotated[ActionContext, Depends(acting("undeclared.register"))], corridor: CorridorDep, sheets: SheetsDep
) -> DeclarationAction:
    """Who leads a truck aside that nobody declared, when, on which corridor and sheets."""
    return DeclarationAction(
        action.session, action.principal, action.now, action.address, corridor=corridor, sheets=sheets
    )


LeaderAction = Annotated[DeclarationAction, Depends(get_leading)]


@router.get("/stations/search", responses=problems())
def search_trips(
    session: SessionDep,
    principal: ReaderDep,
    text: Annotated[PlainText, Query(min_length=1, max_length=MAX_TEXT_LENGTH, examples=["29C-123.45"])],
) -> FoundList:
    """The open trips at your gate with this plate (or one that looks like it), a part of it, or this trip code.

    `elsewhere` says of a truck that came to the wrong gate where it is declared for.
    """
    others = find_elsewhere(session, principal, code=find_code(text), signs=written_plate(text))
    return FoundList(items=search(session, principal, text), elsewhere=others)


@router.post("/stations/elsewhere/{trip_id}/send-on", status_code=204, responses=problems(404, 409))
def send_on(trip_id: TripId, body: PlateIn, action: TakerAction) -> None:
    """The truck stands here and is declared for another gate: tell its driver. Sent twice, told once."""
    elsewhere.send_on(action, trip_id, body.plate)


@router.post("/stations/elsewhere/{trip_id}/take-over", responses=problems(404, 409))
def take_over(
    trip_id: TripId, body: PlateIn, response: Response, action: TakerAction, sheets: SheetsDep, corridor: CorridorDep
) -> SheetOut:
    """The truck stands here and goes on here: its trip, sheet, fee and yard place come to this gate."""
    elsewhere.take_over(action, sheets, trip_id, body.plate, corridor)
    return with_etag(response, sheets.answer_sheet(action.session, action.actor, trip_id))


@router.post("/stations/temporary-yard", status_code=201, responses=problems(409))
def lead_to_temporary_yard(
    body: LedAsideIn, action: LeaderAction, idempotency_key: IdempotencyKey = None
) -> LedAsideOut:
    """A truck that nobody declared is led to the temporary yard of your gate; the support desk is told."""
    register = partial(desk.register, action, plate=body.plate, note=body.note)
    idempotency.once(action, "undeclared.register", idempotency_key, [body], register)
    return LedAsideOut.model_validate(desk.find_waiting(action.session, body.plate))


@router.post(
    "/trips/{trip_id}/temporary-yard", operation_id="sheets_lead_to_temporary_yard", responses=problems(404, 409)
)
def lead_trip_to_temporary_yard(trip_id: TripId, response: Response, action: LeaderAction) -> SheetOut:
    """The truck of an undeclared trip is led to the temporary yard; its time there begins. Sent twice, once."""
    desk.lead_aside(action, trip_id)
    return with_etag(response, action.sheets.answer_sheet(action.session, action.actor, trip_id, now=action.now))


@router.post("/trips/{trip_id}/turn-back", responses=problems(404, 409, 412, 428))
def turn_back(
    trip_id: TripId,
    body: ReasonIn,
    response: Response,
    action: TurnerAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> SheetOut:
    """The truck goes away from the gate without crossing: end its trip, with a reason. Sent again, nothing changes."""
    turning_back.turn_back(action, sheets, trip_id, body.reason, expected_version=expected_version)
    return with_etag(response, sheets.answer_sheet(action.session, action.actor, trip_id))


@router.get("/stations/closed", responses=problems())
def find_closed(
    session: SessionDep,
    principal: ReaderDep,
    text: Annotated[PlainText, Query(max_length=MAX_TEXT_LENGTH, examples=["29C-123.45"])] = "",
    since: Annotated[Moment | None, Query(description="Ended at or after this time.")] = None,
    until: Annotated[Moment | None, Query(description="Ended before this time.")] = None,
) -> ClosedList:
    """Trips that are over and that your agency acted on: by plate, trailer, driver, code, declaration number, dates."""
    return ClosedList(items=closed.find_closed(session, principal, text, since=since, until=until))


@router.put("/trips/{trip_id}/channel", responses=problems(404, 409, 412, 428))
def set_channel(
    trip_id: TripId,
    body: ChannelIn,
    response: Response,
    action: CustomsAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> ChannelOut:
    """Customs: give a trip its channel. Green releases at once where the procedure says so."""
    version = channel.set_channel(
        action, sheets, trip_id, body.channel, expected_version=expected_version, reason=body.reason
    )
    return with_etag(response, ChannelOut(trip_id=trip_id, channel=body.channel, version=version))
