"""Yards: capacity, occupancy, entries and exits; and which yard a trip gets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment
from app.platform.idempotency_key import IdempotencyKey
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.trip_eta.endpoints import WordingDep
from app.yards import assignments, service
from capacity import store as capacity_store
from geo.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["yards"])

Reader = Annotated[Principal, Depends(allow("yards.read"))]
OperatorAction = Annotated[ActionContext, Depends(acting("yards.move"))]


class Contradiction(BaseModel):
    """Something in the ledger that cannot be true; beside the code, the numbers it is about."""

    model_config = ConfigDict(extra="allow")

    code: Literal["left_never_entered", "entered_twice", "left_unseen", "count_differs", "below_zero", "over_capacity"]


class YardForecast(BaseModel):
    """Expected occupancy, vehicles [quantile][time]."""

    made_at: str
    step_s: float
    quantiles: list[float]
    occupancy_veh: list[list[float]]


class YardOut(BaseModel):
    """A yard as of now. free = capacity − inside; reserved are trucks on their way with a place in the plan."""

    yard_id: str
    gate_id: str
    kind: Literal["yard", "temporary_yard"]
    name: dict[str, str] = Field(default_factory=dict)
    capacity: int
    inside: int
    reserved: int
    free: int
    as_of: AwareDatetime
    version: int
    contradictions: list[Contradiction]
    forecast: YardForecast | None = None


class YardList(BaseModel):
    """All yards."""

    items: list[YardOut]


class MovementIn(BaseModel):
    """A truck that came or went, as somebody saw it. Without a time, now."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"plate": "29C-123.45", "kind": "enter"}]}
    )

    plate: str = Field(min_length=1, max_length=40)
    kind: Literal["enter", "leave"]
    time: Moment | None = None


class CountIn(BaseModel):
    """Vehicles counted inside. Without a time, now."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"inside": 212}]})

    inside: int = Field(ge=0, le=100_000)
    time: Moment | None = None


class CapacityIn(BaseModel):
    """How many vehicles a yard holds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"capacity": 450}]})

    capacity: int = Field(title=N_("Places for trucks"), ge=0, le=100_000)


class AssignmentOut(BaseModel):
    """A trip's place in the newest yard plan. Without a yard there is no place within the horizon."""

    trip_id: int
    vehicle_id: int
    yard_id: str | None
    arrive_at: AwareDatetime
    place_free_at: AwareDatetime
    wait_s: int
    reason: dict[str, Any]
    text: str
    made_at: AwareDatetime


class AssignmentList(BaseModel):
    """Places of the trips the caller may see."""

    items: list[AssignmentOut]


@router.get("/yards", response_model=YardList, responses=problems())
def list_yards(session: SessionDep, corridor: CorridorDep, clock: ClockDep, _principal: Reader) -> Any:
    """All yards as of now, with what contradicts in their ledgers and the forecast of their occupancy."""
    return {"items": assignments.describe_yards(session, corridor, clock.now())}


@router.get("/yards/{yard_id}", response_model=YardOut, responses=problems(404))
def read_yard(
    yard_id: str, response: Response, session: SessionDep, corridor: CorridorDep, clock: ClockDep, _principal: Reader
) -> Any:
    """One yard as of now."""
    found = assignments.describe_yards(session, corridor, clock.now())
    for yard in found:
        if yard["yard_id"] == yard_id:
            return with_etag(response, yard)
    raise NotFoundError("There is no yard {yard_id}.", yard_id=yard_id)


@router.patch("/yards/{yard_id}", response_model=YardOut, responses=problems(404, 412, 428))
def change_yard(
    yard_id: str,
    body: CapacityIn,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> Any:
    """Set a yard's capacity; send the ETag of the yard as If-Match."""
    service.change_capacity(action, yard_id, body.capacity, expected_version=expected_version)
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    return with_etag(response, service.describe_yard(state))


@router.post("/yards/{yard_id}/movements", status_code=201, response_model=YardOut, responses=problems(404))
def report_movement(
    yard_id: str, body: MovementIn, action: OperatorAction, idempotency_key: IdempotencyKey = None
) -> Any:
    """Report that a truck came or went; the yard after it."""
    state = service.move_by_hand(
        action,
        yard_id,
        plate=body.plate,
        kind=body.kind,
        time=body.time,
        key=idempotency_key,
        body=body.model_dump_json().encode(),
    )
    return service.describe_yard(state)


@router.post("/yards/{yard_id}/counts", status_code=201, response_model=YardOut, responses=problems(404, 409))
def report_count(yard_id: str, body: CountIn, action: OperatorAction, idempotency_key: IdempotencyKey = None) -> Any:
    """Enter a count of the vehicles inside; the ledger follows it and shows what differs."""
    state = service.count_by_hand(
        action,
        yard_id,
        inside_veh=body.inside,
        time=body.time,
        key=idempotency_key,
        body=body.model_dump_json().encode(),
    )
    return service.describe_yard(state)


@router.get("/assignments", response_model=AssignmentList, responses=problems())
def list_assignments(
    session: SessionDep,
    wording: WordingDep,
    principal: Annotated[Principal, Depends(allow("trips.read"))],
    trip_id: int | None = None,
) -> Any:
    """Which yard the caller's trips get, when a place frees up, and why, in the caller's language."""
    return {"items": assignments.visible_assignments(session, principal, wording, trip_id=trip_id)}
