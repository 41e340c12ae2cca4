"""Trips: enter, list, read, amend, cancel."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.trips import service
from app.trips.declaration import Declaration
from app.trips.places import Places
from app.trips.store import TripFilter
from app.trips.vocabulary import Direction, Regime, Stage

router = APIRouter(prefix="/api/v1/trips", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("trips.read"))]
TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]
WriterAction = Annotated[ActionContext, Depends(acting("trips.write"))]

EXAMPLE: dict[str, JsonValue] = {
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "goods": "Thanh long tươi",
    "goods_class": "fresh_fruit",
    "regime": "export",
    "gate_id": "huu-nghi",
    "planned_arrival": "2026-03-02T15:00:00+07:00",
}


class TripIn(BaseModel):
    """A trip to enter. `perishable` follows the goods class unless given; `direction` follows the regime if it can."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    plate: str = Field(min_length=1, max_length=40)
    trailer_plate: str | None = Field(default=None, max_length=40)
    driver_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    organisation_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    goods: PlainText = Field(max_length=1000)
    goods_class: str = Field(max_length=60)
    perishable: bool | None = None
    regime: Regime
    direction: Direction | None = None
    gate_id: str = Field(max_length=60)
    planned_arrival: Moment


class TripChange(BaseModel):
    """What to change of a trip. What is left out stays; the defaults here are never used."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"planned_arrival": "2026-03-02T17:00:00+07:00"}]}
    )

    trailer_plate: str | None = Field(default=None, max_length=40)
    driver_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    goods: PlainText = Field("", max_length=1000)
    goods_class: str = Field("", max_length=60)
    perishable: bool = False
    regime: Regime = Regime.EXPORT
    direction: Direction = Direction.EXPORT
    gate_id: str = Field("", max_length=60)
    planned_arrival: Moment = datetime(1970, 1, 1, tzinfo=UTC)


class PositionOut(BaseModel):
    """Where the trip's truck was last, degrees and kilometre from the border."""

    time: datetime
    lon: float
    lat: float
    km: float | None
    edge_id: str | None
    speed_mps: float | None
    heading_deg: float | None
    site: str | None


class TripOut(BaseModel):
    """A trip."""

    trip_id: int
    code: str
    vehicle_id: int
    plate: str
    trailer_plate: str | None
    driver_id: int | None
    driver: str | None
    organisation_id: int
    organisation: str
    goods: str
    goods_class: str
    perishable: bool
    regime: Regime
    direction: Direction
    gate_id: str
    planned_arrival: datetime
    stage: Stage
    stage_since: datetime
    simulated: bool
    created_at: datetime
    version: int
    position: PositionOut | None


class TimelineOut(BaseModel):
    """One line of a trip's timeline; `actor` is `null` where the platform saw it."""

    at: datetime
    kind: str
    data: dict[str, Any]
    actor: str | None


class DeviceOut(BaseModel):
    """What reports for the trip's truck."""

    kind: str
    key_hint: str
    last_seen_at: datetime | None


class TripPage(BaseModel):
    """A page of trips, newest first; the header `Link` points to the next."""

    items: list[TripOut]


class TripDetail(TripOut):
    """A trip with its timeline and devices."""

    timeline: list[TimelineOut]
    devices: list[DeviceOut]


@router.post("", status_code=201, response_model=TripDetail, responses=problems(409))
def create_trip(
    body: TripIn,
    response: Response,
    action: WriterAction,
    corridor: CorridorDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Enter a trip. The truck is known by its plate; one open trip a truck."""
    make = partial(service.create_trip, action, Declaration(**body.model_dump()), Places.of(corridor))
    trip_id = idempotency.once(action, "trips.create", idempotency_key, [body], make)
    response.headers["Location"] = f"/api/v1/trips/{trip_id}"
    return with_etag(response, service.get_trip(action.session, action.actor, trip_id))


@router.get("", response_model=TripPage, responses=problems())
def list_trips(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    stage: Annotated[list[Stage] | None, Query(description="One or several stages.")] = None,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
    since: Annotated[Moment | None, Query(description="Planned to arrive at or after this time.")] = None,
    plate: Annotated[str | None, Query(max_length=40, examples=["29C-123.45"])] = None,
) -> Any:
    """Trips the caller may see, newest first."""
    wanted = TripFilter(stages=tuple(stage or ()), gate_id=gate, since=since, plate=plate)
    return answer(service.list_trips(session, principal, wanted, page))


@router.get("/{trip_id}", response_model=TripDetail, responses=problems(404))
def get_trip(trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep) -> Any:
    """One trip with its timeline and devices."""
    return with_etag(response, service.get_trip(session, principal, trip_id))


@router.patch("/{trip_id}", response_model=TripDetail, responses=problems(404, 409, 412, 428))
def amend_trip(
    trip_id: TripId,
    body: TripChange,
    response: Response,
    action: WriterAction,
    corridor: CorridorDep,
    expected_version: ExpectedVersion,
) -> Any:
    """Change a trip that has not reached the queue."""
    changes = body.model_dump(exclude_unset=True)
    service.amend_trip(action, trip_id, expected_version, changes, places=Places.of(corridor))
    return with_etag(response, service.get_trip(action.session, action.actor, trip_id))


@router.post("/{trip_id}/cancel", response_model=TripDetail, responses=problems(404, 409, 412, 428))
def cancel_trip(trip_id: TripId, response: Response, action: WriterAction, expected_version: ExpectedVersion) -> Any:
    """Take back a trip that has not reached the queue."""
    service.cancel_trip(action, trip_id, expected_version)
    return with_etag(response, service.get_trip(action.session, action.actor, trip_id))
