"""Yards: capacity, occupancy, entries and exits; and which yard a trip gets."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request, Response

from app.accounts.authorisation import acting, allow
from app.gates.service import gate_name
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.trip_eta.endpoints import WordingDep
from app.web.routers import ApiRouter
from app.yards import assignments, service
from app.yards.schemas import (
    AssignmentList,
    CapacityIn,
    CountIn,
    CountList,
    CountOut,
    MovementIn,
    MovementOut,
    OccupancyOut,
    StopOut,
    YardList,
    YardOut,
)
from capacity import count_store
from capacity import store as capacity_store
from geo.errors import NotFoundError
from ingest.plates import display_plate, normalise_plate

router = ApiRouter(prefix="/api/v1", tags=["yards"])

Reader = Annotated[Principal, Depends(allow("yards.read"))]
OperatorAction = Annotated[ActionContext, Depends(acting("yards.move"))]


@router.get("/yards", responses=problems())
def list_yards(session: SessionDep, corridor: CorridorDep, clock: ClockDep, _principal: Reader) -> YardList:
    """All yards as of now, with what contradicts in their ledgers and the forecast of their occupancy."""
    return YardList(items=assignments.describe_yards(session, corridor, clock.now()))


@router.get("/yards/{yard_id}", responses=problems(404))
def read_yard(
    yard_id: str, response: Response, session: SessionDep, corridor: CorridorDep, clock: ClockDep, _principal: Reader
) -> YardOut:
    """One yard as of now."""
    found = assignments.describe_yards(session, corridor, clock.now())
    for yard in found:
        if yard.yard_id == yard_id:
            return with_etag(response, yard)
    raise NotFoundError("There is no yard {yard_id}.", yard_id=yard_id)


@router.patch("/yards/{yard_id}", responses=problems(404, 412, 428))
def change_yard(
    yard_id: str,
    body: CapacityIn,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> YardOut:
    """Set a yard's capacity; send the ETag of the yard as If-Match."""
    service.change_capacity(action, yard_id, body.capacity, body.opening_hours, expected_version=expected_version)
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    return with_etag(response, YardOut.of(state))


@router.post("/yards/{yard_id}/movements", status_code=201, responses=problems(404))
def report_movement(
    yard_id: str,
    body: MovementIn,
    request: Request,
    action: OperatorAction,
    sheets: SheetsDep,
    corridor: CorridorDep,
    idempotency_key: IdempotencyKey = None,
) -> MovementOut:
    """Report that a truck came or went; the yard after it, and why the truck is to be stopped, if it is."""
    state, stop = service.move_by_hand(
        action,
        yard_id,
        plate=body.plate,
        kind=body.kind,
        time=body.time,
        key=idempotency_key,
        body=body.model_dump_json().encode(),
        keeper=sheets.presence,
    )
    answer = MovementOut.of(state)
    if stop is not None:
        names = {"plate": display_plate(normalise_plate(body.plate))}
        if "gate" in stop.values:
            language = request.app.state.pages.language(request)
            names["gate"] = gate_name(corridor, stop.values["gate"], language)
        text = request.app.state.gettext(request, stop.message).format(**names)
        answer.stop = StopOut.model_validate({"code": stop.code, "text": text})
    return answer


@router.post("/yards/{yard_id}/counts", status_code=201, responses=problems(404, 409))
def report_count(
    yard_id: str, body: CountIn, action: OperatorAction, idempotency_key: IdempotencyKey = None
) -> YardOut:
    """Enter a count of the vehicles inside; the ledger follows it and shows what differs."""
    state = service.count_by_hand(
        action,
        yard_id,
        inside_veh=body.inside,
        time=body.time,
        is_confirmed=body.confirmed,
        key=idempotency_key,
        body=body.model_dump_json().encode(),
    )
    return YardOut.of(state)


@router.get("/yards/{yard_id}/counts", responses=problems(404))
def list_counts(
    yard_id: str, session: SessionDep, _principal: Annotated[Principal, Depends(allow("yards.move"))]
) -> CountList:
    """The last counts of a yard, newest first."""
    capacity_store.get_yard(session, yard_id)
    found = count_store.list_counts(session, yard_id)
    return CountList(items=[CountOut.model_validate(count) for count in found])


@router.post("/yards/{yard_id}/counts/{count_id}/undo", responses=problems(404, 409))
def undo_count(yard_id: str, count_id: int, action: OperatorAction) -> YardOut:
    """Take the last count of a yard back."""
    return YardOut.of(service.take_back_count(action, yard_id, count_id))


@router.post("/yards/{yard_id}/differences/{truck_key}/settle", responses=problems(404, 409))
def settle_truck(yard_id: str, truck_key: Annotated[PlainText, Path(max_length=80)], action: OperatorAction) -> YardOut:
    """What the ledger says of an odd truck is right: nothing is open about it any more."""
    return YardOut.of(service.settle_truck(action, yard_id, truck_key))


@router.get("/yards/{yard_id}/occupancy", responses=problems(404))
def read_occupancy(yard_id: str, session: SessionDep, clock: ClockDep, _principal: Reader) -> OccupancyOut:
    """How many are inside by all reads of the last week together, and how sure that is."""
    capacity_store.get_yard(session, yard_id)
    found = count_store.find_occupancy(session, yard_id, clock.now())
    if found is None:
        raise NotFoundError("Too little was read at the yard {yard_id} in the last week.", yard_id=yard_id)
    return OccupancyOut.model_validate(found, from_attributes=True)


@router.get("/assignments", responses=problems())
def list_assignments(
    session: SessionDep,
    wording: WordingDep,
    principal: Annotated[Principal, Depends(allow("trips.read"))],
    trip_id: int | None = None,
) -> AssignmentList:
    """Which yard the caller's trips get, when a place frees up, and why, in the caller's language."""
    return AssignmentList(items=assignments.visible_assignments(session, principal, wording, trip_id=trip_id))
