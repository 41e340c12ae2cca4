"""Shift handovers of a station: begin with what is open, hand over, take over."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.notices.endpoints import Naming, NamingDep
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import link_next
from app.platform.permissions import Principal
from app.sheets.stations import get_station
from app.stations import handover
from app.stations.handover import MAX_OPEN, PAGE, HandoverList, OpenPoints, Point, Wording
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/handovers", tags=["sheets"])

ReaderDep = Annotated[Principal, Depends(allow("handovers.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("handovers.write"))]
Station = Annotated[PlainText | None, Query(max_length=40, description="Your first station if left out.")]
HandoverId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class HandoverIn(BaseModel):
    """What stays open, and a note; `others`: all that is open at the station besides is handed over too."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"points": [{"kind": "other", "text": "Chờ chứng thư gốc"}], "note": ""}]},
    )

    points: list[Point] = Field(default_factory=list, max_length=200)
    others: bool = False
    note: PlainText = Field(default="", max_length=5000)


class TakeIn(BaseModel):
    """What the next officer remarks."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"remark": "Đã nhận"}]})

    remark: PlainText = Field(default="", max_length=5000)


@router.get("", responses=problems(404))
def list_handovers(principal: ReaderDep, session: SessionDep, station: Station = None) -> HandoverList:
    """The handovers of your station, newest first."""
    return handover.list_handovers(session, principal, station)


@router.get("/open-points", responses=problems(404))
def get_open_points(
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    request: Request,
    response: Response,
    naming: NamingDep,
    station: Station = None,
    after: Annotated[int, Query(ge=0, le=MAX_OPEN, description="As `next_after` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = PAGE,
) -> OpenPoints:
    """What is open at your station now, in pages: bans and outages, alarms, what was done otherwise, who waits."""
    points = handover.open_points(session, principal, station, clock.now(), wording_of(request, naming))
    page = OpenPoints.of(get_station(principal, station).name, points, after, limit)
    if page.next_after is not None:
        link_next(request, response, after=page.next_after)
    return page


def wording_of(request: Request, naming: Naming) -> Wording:
    """How points are written in the language of a request."""
    return Wording(partial(request.app.state.gettext, request), lambda notice: naming(notice).text)


@router.post("", status_code=201, responses=problems(404, 409))
def hand_over(
    body: HandoverIn,
    action: WriterAction,
    request: Request,
    naming: NamingDep,
    station: Station = None,
    idempotency_key: IdempotencyKey = None,
) -> HandoverList:
    """Hand your station over to the next officer."""
    others: list[Point] = []
    if body.others:
        found = handover.open_points(action.session, action.actor, station, action.now, wording_of(request, naming))
        others = [point for point in found if point not in body.points]
    make = partial(handover.hand_over, action, station, body.points, body.note, others)
    idempotency.once(action, "handovers.give", idempotency_key, [station or "", body], make)
    return handover.list_handovers(action.session, action.actor, station)


@router.post("/{handover_id}/take", responses=problems(404, 409))
def take_handover(handover_id: HandoverId, body: TakeIn, action: WriterAction, station: Station = None) -> HandoverList:
    """Take a station over with its open points."""
    handover.take_over(action, handover_id, body.remark)
    return handover.list_handovers(action.session, action.actor, station)
