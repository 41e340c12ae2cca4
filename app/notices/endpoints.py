"""Intake bans and outages of gates: announced, changed, ended, read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Self

from fastapi import Depends, Path, Query, Request, Response

from app.accounts.authorisation import acting, allow
from app.gates.notice import GateNotice
from app.gates.service import gate_ids, gate_name, get_gate_id
from app.notices import service as notices
from app.notices.schemas import (
    BanIn,
    ConcernedTripOut,
    ConcernedTrips,
    NoticeChangeIn,
    NoticeEndIn,
    NoticeList,
    NoticeOut,
    OutageIn,
)
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["gates"])

ReaderDep = Annotated[Principal, Depends(allow("notices.read"))]
TripReaderDep = Annotated[Principal, Depends(allow("trips.read"))]
BanAction = Annotated[ActionContext, Depends(acting("bans.write"))]
OutageAction = Annotated[ActionContext, Depends(acting("outages.write"))]
GateId = Annotated[str, Path(max_length=60, examples=["huu-nghi"])]
NoticeId = Annotated[int, Path(ge=1, le=2**31 - 1)]
TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class Naming:
    """Puts announcements in the caller's language."""

    def __init__(self, request: Request, corridor: CorridorDep, clock: ClockDep) -> None:
        self._request, self._corridor, self._now = request, corridor, clock.now()

    @classmethod
    def of(cls, request: Request) -> Self:
        """The same without being asked for as a dependency."""
        runtime = request.app.state.runtime
        return cls(request, runtime.corridor, runtime.clock)

    def __call__(self, notice: GateNotice) -> NoticeOut:
        """An announcement as it is answered."""
        gettext, language = self.gettext, self._request.app.state.pages.language(self._request)
        return NoticeOut.of(notice, self._now, gate_name(self._corridor, notice.gate_id, language), gettext)

    @property
    def gettext(self) -> Callable[[str], str]:
        """What translates into the caller's language."""
        return partial(self._request.app.state.gettext, self._request)


NamingDep = Annotated[Naming, Depends(Naming)]


@router.get("/gate-notices", responses=problems(404))
def list_notices(
    _principal: ReaderDep,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    naming: NamingDep,
    gate: Annotated[PlainText | None, Query(max_length=60)] = None,
    with_over: Annotated[bool, Query(description="Also those that ended in the last week.")] = False,
) -> NoticeList:
    """Intake bans and outages in force or to come."""
    gate_id = None if gate is None else get_gate_id(corridor, gate)
    found = notices.list_notices(session, clock.now(), gate_id=gate_id, with_over=with_over)
    return NoticeList(items=[naming(notice) for notice in found])


@router.get("/gate-notices/{notice_id}", responses=problems(404))
def get_notice(
    notice_id: NoticeId, response: Response, _principal: ReaderDep, session: SessionDep, naming: NamingDep
) -> NoticeOut:
    """One announcement; the ETag is its version."""
    return with_etag(response, naming(notices.get_notice(session, notice_id)))


@router.get("/gate-notices/{notice_id}/trips", responses=problems(404))
def list_trips(notice_id: NoticeId, principal: TripReaderDep, session: SessionDep, clock: ClockDep) -> ConcernedTrips:
    """The open trips that an announcement is about, as far as you may see them."""
    notice = notices.get_notice(session, notice_id)
    found = notices.trips_of(session, principal, notice, clock.now())
    return ConcernedTrips(items=[ConcernedTripOut.model_validate(trip) for trip in found])


@router.post("/gates/{gate_id}/bans", status_code=201, responses=problems(404))
def set_ban(
    gate_id: GateId,
    body: BanIn,
    response: Response,
    action: BanAction,
    corridor: CorridorDep,
    naming: NamingDep,
    idempotency_key: IdempotencyKey = None,
) -> NoticeOut:
    """Ban goods from a gate for a time; trips on their way there are told."""
    new = notices.NewBan(gate_id=gate_id, **body.model_dump())
    make = partial(notices.set_ban, action, new, gate_ids(corridor))
    notice_id = idempotency.once(action, "bans.create", idempotency_key, [gate_id, body], make)
    return with_etag(response, naming(notices.get_notice(action.session, notice_id)))


@router.post("/gates/{gate_id}/outages", status_code=201, responses=problems(404))
def report_outage(
    gate_id: GateId,
    body: OutageIn,
    response: Response,
    action: OutageAction,
    corridor: CorridorDep,
    naming: NamingDep,
    idempotency_key: IdempotencyKey = None,
) -> NoticeOut:
    """Announce what is out at a gate, now or at a time to come, with cause and expected end."""
    new = notices.NewOutage(gate_id=gate_id, **body.model_dump())
    make = partial(notices.report_outage, action, new, gate_ids(corridor))
    notice_id = idempotency.once(action, "outages.create", idempotency_key, [gate_id, body], make)
    return with_etag(response, naming(notices.get_notice(action.session, notice_id)))


@router.put("/bans/{notice_id}", responses=problems(404, 409, 412, 428))
def change_ban(
    notice_id: NoticeId,
    body: NoticeChangeIn,
    response: Response,
    action: BanAction,
    naming: NamingDep,
    expected_version: ExpectedVersion,
) -> NoticeOut:
    """Give a ban another cause or end."""
    return with_etag(response, naming(notices.change_notice(action, notice_id, expected_version, **body.model_dump())))


@router.put("/outages/{notice_id}", responses=problems(404, 409, 412, 428))
def change_outage(
    notice_id: NoticeId,
    body: NoticeChangeIn,
    response: Response,
    action: OutageAction,
    naming: NamingDep,
    expected_version: ExpectedVersion,
) -> NoticeOut:
    """Give an outage another cause or expected end, or say whether paper may be used."""
    return with_etag(response, naming(notices.change_notice(action, notice_id, expected_version, **body.model_dump())))


@router.post("/bans/{notice_id}/end", responses=problems(404, 409, 412, 428))
def end_ban(
    notice_id: NoticeId,
    body: NoticeEndIn,
    response: Response,
    action: BanAction,
    naming: NamingDep,
    expected_version: ExpectedVersion,
) -> NoticeOut:
    """Cancel a ban before its end, with the reason."""
    return with_etag(response, naming(notices.end_notice(action, notice_id, expected_version, **body.model_dump())))


@router.post("/outages/{notice_id}/end", responses=problems(404, 409, 412, 428))
def end_outage(
    notice_id: NoticeId,
    body: NoticeEndIn,
    response: Response,
    action: OutageAction,
    naming: NamingDep,
    expected_version: ExpectedVersion,
) -> NoticeOut:
    """Say that an outage is over, and why."""
    return with_etag(response, naming(notices.end_notice(action, notice_id, expected_version, **body.model_dump())))


@router.get("/trips/{trip_id}/gate-notices", responses=problems(404))
def list_notices_of_trip(
    trip_id: TripId, principal: TripReaderDep, session: SessionDep, clock: ClockDep, naming: NamingDep
) -> NoticeList:
    """What is announced of the gate of a trip that is about that trip, in force first."""
    found = notices.notices_of_own_trip(session, principal, trip_id, clock.now())
    return NoticeList(items=[naming(announced.notice) for announced in found])
