"""The pages of a station: who is here and who comes next, the sheet of one trip, search, and the gates' board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.checkpoints.vocabulary import CHECKPOINTS, Part, SeenBy, Verdict, WarningKind
from app.declarations.declared import read
from app.fees.vocabulary import FeeStatus
from app.forecasting.service import gate_now
from app.forecasting.skill import Fallback
from app.forecasting.skill_endpoints import wording_of
from app.gates.hazards import HazardClass
from app.gates.profile import GateProfile
from app.gates.service import get_gate_id, profiles
from app.gates.vocabulary import GoodsClass, HistoryReason, PriorityClass, ScanResult, SealState, WeighingVerdict
from app.notices.endpoints import Naming
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal, Scope
from app.procedures.steps import StepStatus
from app.sheets.dependencies import SheetsDep
from app.sheets.service import Sheets
from app.sheets.stations import Station, get_station, stations_of
from app.sheets.vocabulary import CorrectionKind, CorrectionStatus
from app.stations import view
from app.stations.closed import find_closed
from app.stations.elsewhere import find_elsewhere
from app.stations.search import search, written_plate
from app.stations.undeclared import find_stranger, is_trailer
from app.trips.codes import MAX_TEXT_LENGTH, find_code
from app.trips.vocabulary import Channel
from app.web.pages import render
from capacity import zone_store
from capacity.ledger import YardState
from capacity.zones import Closure
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor, Site
from geo.errors import InvalidInputError, NotFoundError
from ingest.plates import display_plate
from routing.store import GateForecast, QueueObservation

router = APIRouter(include_in_schema=False, prefix="/station")

GateQuery = Annotated[str | None, Query(max_length=60, description="Whose pages who reads all gates looks at.")]


def stand_at(
    corridor: CorridorDep, principal: Annotated[Principal, Depends(allow("pages.station"))], gate: GateQuery = None
) -> Principal:
    """The caller as somebody at a gate: officers at their own; who reads those of all gates at one of them."""
    if principal.scope("pages.station") is not Scope.ALL:
        return principal
    first, *_ = corridor.gates()
    return replace(principal, gate_id=first.site_id if gate is None else get_gate_id(corridor, gate))


StationDep = Annotated[Principal, Depends(stand_at)]
AtQuery = Annotated[str | None, Query(max_length=40)]
TripQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
DateQuery = Annotated[str, Query(max_length=10)]
LOOK_AHEAD_S = (3600.0, 10_800.0)


@dataclass(frozen=True)
class Ahead:
    """The forecast for one moment ahead: quantiles 0.1, 0.5, 0.9; an infinite wait is beyond the forecast's end."""

    at: datetime
    queue_veh: tuple[float, float, float]
    wait_s: tuple[float, float, float]


@dataclass(frozen=True)
class GateBoard:
    """One gate on the board: the measured queue, the forecast, with the wait now (as `Ahead`), the yards."""

    gate: Site
    profile: GateProfile
    queue: QueueObservation | None
    forecast: GateForecast | None
    wait_s: tuple[float, float, float] | None
    ahead: Sequence[Ahead]
    yards: Sequence[YardState]
    closures: Sequence[Closure]
    fallbacks: Sequence[Fallback]


@router.get("")
def show_station(
    request: Request,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: StationDep,
    at: AtQuery = None,
    trip: TripQuery = None,
) -> Response:
    """The page of a station with its work list, and one trip's sheet if one is asked for."""
    station, now = get_station(principal, at), clock.now()
    work = view.view_work(session, principal, station, now=now) if principal.gate_id else None
    found = _find_sheet(session, sheets, principal, trip, station, now)
    return _render(
        request,
        corridor,
        principal,
        "stations/station.html",
        stations=stations_of(principal),
        station=station,
        work=work,
        view=found,
        trip_id=trip,
        now=now,
    )


@router.get("/work")
def show_work(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: StationDep,
    at: AtQuery = None,
) -> Response:
    """The work list alone."""
    station, now = get_station(principal, at), clock.now()
    work = view.view_work(session, principal, station, now=now)
    return _render(
        request, corridor, principal, "stations/work.html", station=station, work=work, now=now, trip_id=None
    )


@router.get("/sheet/{trip_id}")
def show_sheet(
    trip_id: int,
    request: Request,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: StationDep,
    at: AtQuery = None,
) -> Response:
    """The sheet of a trip alone."""
    station, now = get_station(principal, at), clock.now()
    found = view.view_sheet(session, sheets, principal, trip_id, station, now=now)
    return _render(request, corridor, principal, "stations/sheet.html", station=station, view=found, now=now)


@router.get("/find")
def find_trips(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    principal: StationDep,
    text: Annotated[str, Query(max_length=MAX_TEXT_LENGTH)] = "",
    at: AtQuery = None,
) -> Response:
    """What a plate, a part of one or a scanned code may mean."""
    station = get_station(principal, at)
    written = text.replace("\x00", "")
    try:
        found, is_short = search(session, principal, written), False
        others = find_elsewhere(session, principal, code=find_code(written), signs=written_plate(written))
    except InvalidInputError:
        found, others, is_short = [], [], True
    return _render(
        request,
        corridor,
        principal,
        "stations/found.html",
        station=station,
        found=found,
        elsewhere=others,
        stranger=find_stranger(session, principal, written, found, others),
        is_trailer=is_trailer(written),
        may_take_over=principal.may("trips.take_over"),
        may_lead=principal.may("undeclared.register"),
        gate_here={name: value for name, value in here_of(principal, station).items() if name == "gate"},
        text=text,
        is_short=is_short,
    )


@router.get("/closed")
def show_closed(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    principal: StationDep,
    text: Annotated[str, Query(max_length=MAX_TEXT_LENGTH)] = "",
    since: DateQuery = "",
    until: DateQuery = "",
    at: AtQuery = None,
) -> Response:
    """Trips that are over, found again by plate, driver, code, declaration number or dates."""
    begins, ends = at_midnight(since), at_midnight(until, after=timedelta(days=1))
    try:
        found, is_short = find_closed(session, principal, text.replace("\x00", ""), since=begins, until=ends), False
    except InvalidInputError:
        found, is_short = [], bool(text)
    return _render(
        request,
        corridor,
        principal,
        "stations/closed.html",
        stations=stations_of(principal),
        station=get_station(principal, at),
        found=found,
        is_short=is_short,
        asked={"text": text, "since": since, "until": until},
    )


@router.get("/gates")
def show_gates(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: StationDep
) -> Response:
    """Queues, forecasts and yards of all gates."""
    now = clock.now()
    return render(
        request,
        "stations/gates.html",
        boards=gate_boards(session, corridor, principal.gate_id, now=now),
        now=now,
        sites=corridor.sites,
        stations=stations_of(principal),
        here={} if principal.scope("pages.station") is not Scope.ALL else {"gate": principal.gate_id},
        wording=wording_of(request),
    )


@router.get("/board")
def show_board(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: StationDep
) -> Response:
    """The moving part of the gates' page alone."""
    now = clock.now()
    boards = gate_boards(session, corridor, principal.gate_id, now=now)
    wording = wording_of(request)
    return render(request, "stations/board.html", boards=boards, now=now, sites=corridor.sites, wording=wording)


def gate_boards(session: Session, corridor: Corridor, own_gate: str | None, *, now: datetime) -> list[GateBoard]:
    """The boards of all gates, the own one first."""
    gates = sorted(corridor.gates(), key=lambda gate: gate.site_id != own_gate)
    known = profiles(session, now, corridor)
    return [_board(session, gate, known[gate.site_id], now) for gate in gates]


def at_midnight(written: str, *, after: timedelta = timedelta(0)) -> datetime | None:
    """The begin of a day at the border, or of one so long after it; `None` for what is no date."""
    try:
        day = date.fromisoformat(written) + after
    except (ValueError, OverflowError):
        return None
    return datetime.combine(day, time.min, LOCAL_ZONE)


def _find_sheet(
    session: Session, sheets: Sheets, principal: Principal, trip_id: int | None, station: Station, now: datetime
) -> view.StationSheet | None:
    """The sheet asked for; a trip that has left or is at another gate is none."""
    if trip_id is None:
        return None
    try:
        return view.view_sheet(session, sheets, principal, trip_id, station, now=now)
    except NotFoundError:
        return None


def _render(
    request: Request, corridor: Corridor, principal: Principal, template: str, *, station: Station, **context: Any
) -> Response:
    """Answer with a page, or a part of it, that shows a work list or a sheet; links lead back by `here`."""
    return render(
        request,
        template,
        principal=principal,
        station=station,
        here=here_of(principal, station),
        gates=corridor.gates(),
        naming=Naming.of(request),
        step_statuses=StepStatus.by_name(),
        channels=Channel.by_name(),
        fee_labels={str(status): status.payer_label for status in FeeStatus},
        verdict_labels=WeighingVerdict.labels(),
        differing_verdicts=WeighingVerdict.differing(),
        scan_labels=ScanResult.labels(),
        history_reasons=HistoryReason.labels(),
        shown_plate=display_plate,
        seal_labels=SealState.labels(),
        warning_kinds=WarningKind.by_name(),
        part_specs=Part.by_name(),
        seen_by_labels=SeenBy.labels(),
        verdict_specs=Verdict.by_name(),
        priority_classes=PriorityClass.by_name(),
        checkpoints=CHECKPOINTS,
        correction_statuses=CorrectionStatus.by_name(),
        correction_kinds=tuple(CorrectionKind),
        read=read,
        goods_classes=GoodsClass.by_name(),
        hazards=HazardClass.labels(),
        sites=corridor.sites,
        **context,
    )


def here_of(principal: Principal, station: Station) -> dict[str, str]:
    """What leads back to where one is: the station, and of who reads those of all gates the gate."""
    here = {"at": station.name}
    if principal.scope("pages.station") is Scope.ALL:
        here["gate"] = str(principal.gate_id)
    return here


def _board(session: Session, gate: Site, profile: GateProfile, now: datetime) -> GateBoard:
    known = gate_now(session, gate.site_id, now)
    forecast = known.current_forecast(now)
    return GateBoard(
        gate=gate,
        profile=profile,
        queue=known.queue,
        forecast=forecast,
        wait_s=forecast.at(forecast.wait_s, now) if forecast else None,
        ahead=[_ahead(forecast, now + timedelta(seconds=lead_s)) for lead_s in LOOK_AHEAD_S] if forecast else [],
        yards=known.yards,
        closures=zone_store.closures_of_gates(session, now, [gate.site_id]),
        fallbacks=known.fallbacks,
    )


def _ahead(forecast: GateForecast, at: datetime) -> Ahead:
    return Ahead(at, forecast.at(forecast.queue_veh, at), forecast.at(forecast.wait_s, at))
