"""Trips: enter, list, read. What changes or cancels one asks its sheet first: `app.declarations.trip_endpoints`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Response

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import with_etag
from app.trips import service
from app.trips.declaration import Declaration
from app.trips.schemas import DriverToCall, TripDetail, TripIn, TripPage
from app.trips.store import TripFilter
from app.trips.vocabulary import Stage
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/trips", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("trips.read"))]
TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]
WriterAction = Annotated[ActionContext, Depends(acting("trips.write"))]


@router.post("", status_code=201, responses=problems(409))
def create_trip(
    body: TripIn,
    response: Response,
    action: WriterAction,
    corridor: CorridorDep,
    idempotency_key: IdempotencyKey = None,
) -> TripDetail:
    """Enter a trip. The truck is known by its plate; its next trips may be entered ahead. It opens no sight of it."""
    make = partial(service.create_trip, action, Declaration(**body.model_dump()), corridor)
    trip_id = idempotency.once(action, "trips.create", idempotency_key, [body], make)
    response.headers["Location"] = f"/api/v1/trips/{trip_id}"
    return with_etag(response, service.get_trip(action.session, action.actor, trip_id))


@router.get("", responses=problems())
def list_trips(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    stage: Annotated[list[Stage] | None, Query(description="One or several stages.")] = None,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
    since: Annotated[Moment | None, Query(description="Planned to arrive at or after this time.")] = None,
    plate: Annotated[str | None, Query(max_length=40, examples=["29C-123.45"])] = None,
    q: Annotated[PlainText, Query(max_length=100, description="Words in any order, without accents.")] = "",
) -> TripPage:
    """Trips the caller may see, newest first."""
    wanted = TripFilter(stages=tuple(stage or ()), gate_id=gate, since=since, plate=plate, query=q)
    return TripPage.model_validate(answer(service.list_trips(session, principal, wanted, page)))


@router.get("/{trip_id}", responses=problems(404))
def get_trip(trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep) -> TripDetail:
    """One trip with its timeline and devices."""
    return with_etag(response, service.get_trip(session, principal, trip_id))


@router.get("/{trip_id}/driver", responses=problems(404))
def read_driver(trip_id: TripId, action: Annotated[ActionContext, Depends(acting("drivers.call"))]) -> DriverToCall:
    """Who drives, and the telephone to call; who read it is audited."""
    return service.call_driver(action, trip_id)
