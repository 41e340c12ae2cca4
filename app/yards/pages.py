"""The yard operator's page: how full, who is inside, who comes next; entry and exit by one tap; counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import allow
from app.accounts.service import account_names
from app.bookings.service import NamedBooking, list_of_yard
from app.bookings.vocabulary import BookingState
from app.forecasting.places_ahead import places_ahead
from app.forecasting.service import FORECAST_WITHIN, find_yard_forecast
from app.forecasting.skill import Fallback, list_fallbacks
from app.forecasting.skill_endpoints import wording_of
from app.forecasting.stay_learning import find_estimate
from app.forecasting.stays import StayEstimate
from app.gates.vocabulary import KIND_NAMES
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.platform.permissions import Principal, Scope
from app.trip_eta.service import enter_times
from app.trip_eta.turns import Turn, turn_of
from app.web.pages import render
from app.yards import store
from app.yards.service import fill_now
from app.yards.store import ExpectedTruck
from app.yards.zone_fill import ZoneFill
from capacity import count_store, difference_store
from capacity import store as capacity_store
from capacity.count_store import Count
from capacity.difference_store import OddTruck
from capacity.ledger import Flag, YardState
from capacity.reconciling import Occupancy
from capacity.store import Inside
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import NotFoundError
from ingest.plates import display_plate
from routing.store import YardForecast
from routing.yard_places import PlacesFrom

router = APIRouter(include_in_schema=False)

Operator = Annotated[Principal, Depends(allow("pages.yard"))]

LONG_STAY = timedelta(hours=24)
"""A truck inside for longer is pointed out: its exit may have been missed."""
LISTED = 300
NEXT = 30
BAND = (0.1, 0.5, 0.9)
"""The quantiles drawn: the band from the first to the last, the line in the middle."""

CONTRADICTIONS = {
    "left_never_entered": N_("Left, but never seen entering: %(trucks_veh)s (%(plates)s)"),
    "entered_twice": N_("Entered twice without leaving in between: %(trucks_veh)s (%(plates)s)"),
    "left_unseen": N_("Seen elsewhere, so they left without being seen: %(trucks_veh)s (%(plates)s)"),
    "count_differs": N_("The count of %(counted_at)s found %(counted_veh)s inside, the records had %(expected_veh)s."),
    "below_zero": N_("More trucks left than were inside (%(inside_veh)s)."),
    "over_capacity": N_("%(inside_veh)s are inside, %(over_veh)s more than there are places."),
}


ODD: Final[Mapping[Flag, str]] = {
    Flag.LEFT_NEVER_ENTERED: N_("left, but nobody saw it enter"),
    Flag.ENTERED_TWICE: N_("entered twice; nobody saw it leave in between"),
    Flag.LEFT_UNSEEN: N_("was seen elsewhere, so it left; nobody saw it leave"),
}
SOURCES: Final = {
    "gps": N_("by GPS"),
    "camera": N_("by camera"),
    "act": N_("by an act at the station"),
    "manual": N_("by hand"),
}


@dataclass(frozen=True)
class Chart:
    """The forecast: data as `<fan-chart>` takes it, its peak (time, median, low, high) to say in words, the places that
    the yard has then, when it was made."""

    fan: JsonObject
    peak: tuple[datetime, float, float, float]
    places_veh: float
    made_at: datetime


@dataclass(frozen=True)
class YardBoard:
    """One yard on the page."""

    state: YardState
    name: dict[str, str]
    inside: Sequence[tuple[Inside, timedelta]]
    expected: Sequence[tuple[ExpectedTruck, Turn]]
    bookings: Sequence[NamedBooking]
    """Today's, by their hour."""
    chart: Chart | None
    contradictions: Sequence[tuple[str, str, JsonObject]]
    odd: Sequence[OddTruck]
    fallbacks: Sequence[Fallback]
    counts: Sequence[Count]
    counted_by: str | None
    occupancy: Occupancy | None
    zones: Sequence[ZoneFill]
    stay: StayEstimate | None
    """How long exports stay in the yards of the gate, learned or assumed; None for a yard of undeclared trucks."""

    @property
    def share(self) -> float:
        """How full the yard is, 0 to 1 and beyond."""
        return self.state.inside_veh / max(self.state.capacity_veh, 1)

    @property
    def long_stays(self) -> int:
        """How many of those listed have been inside for long."""
        return sum(stay > LONG_STAY for _, stay in self.inside)


@router.get("/yard")
def show_yard(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Operator
) -> Response:
    """The page of a yard operator: all yards of the own gate; of every gate for who reads them all."""
    return _render(request, "yards/yard.html", boards=_visible_boards(session, corridor, principal, clock.now()))


@router.get("/yard/{yard_id}/board")
def show_board(
    yard_id: str, request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Operator
) -> Response:
    """The moving part of one yard alone."""
    for board in _visible_boards(session, corridor, principal, clock.now()):
        if board.state.yard_id == yard_id:
            return _render(request, "yards/board.html", board=board)
    raise NotFoundError("There is no yard {yard_id} at your gate.", yard_id=yard_id)


def _render(request: Request, template: str, **context: Any) -> Response:
    wording = wording_of(request)
    return render(
        request,
        template,
        shown_plate=display_plate,
        long_stay=LONG_STAY,
        kinds=KIND_NAMES,
        odd_names=ODD,
        sources=SOURCES,
        say_fallback=wording.fallback,
        booking_states=BookingState.by_name(),
        **context,
    )


def _visible_boards(session: Session, corridor: Corridor, principal: Principal, now: datetime) -> list[YardBoard]:
    sees_all = principal.scope("pages.yard") is Scope.ALL
    gates = [gate.site_id for gate in corridor.gates()] if sees_all else [principal.gate_id]
    return [board for gate_id in gates for board in yard_boards(session, corridor, gate_id, now)]


def yard_boards(session: Session, corridor: Corridor, gate_id: str | None, now: datetime) -> list[YardBoard]:
    """The boards of a gate's yards."""
    if gate_id is None:
        return []
    states = capacity_store.yard_states(session, now, gate_id=gate_id)
    return [_board(session, corridor, state, now) for state in states]


def _expected(session: Session, state: YardState, now: datetime) -> list[tuple[ExpectedTruck, Turn]]:
    """Who comes next, with the turn that everybody is told; who is beyond the forecast's reach comes last."""
    trucks = store.expected_trucks(session, state.yard_id, made_since=now - FORECAST_WITHIN, limit=LISTED)
    enter_at = enter_times(session, [truck.trip_id for truck in trucks], now)
    turns = [
        (truck, turn_of(truck, enter_at.get(truck.trip_id), is_own=truck.gate_id == state.gate_id)) for truck in trucks
    ]
    turns.sort(key=lambda each: (each[1].is_beyond, each[1].in_place_at or each[1].free_at, each[0].trip_id))
    return turns[:NEXT]


def _board(session: Session, corridor: Corridor, state: YardState, now: datetime) -> YardBoard:
    site = corridor.sites.get(state.yard_id)
    forecast = find_yard_forecast(session, state.yard_id, now)
    inside = capacity_store.list_inside(session, state.yard_id, limit=LISTED)
    counts = count_store.list_counts(session, state.yard_id, limit=1)
    counted_by = counts[0].counted_by if counts else None
    today = now.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return YardBoard(
        state=state,
        name=site.name if site else {"vi": state.yard_id, "en": state.yard_id, "zh": state.yard_id},
        inside=[(truck, now - truck.entered_at) for truck in inside],
        expected=_expected(session, state, now),
        bookings=list_of_yard(session, state.yard_id, today, today + timedelta(days=1)),
        chart=draw(forecast, state, _places_ahead(session, forecast)) if forecast else None,
        contradictions=[
            (contradiction.code, CONTRADICTIONS[contradiction.code], _words(contradiction.values))
            for contradiction in state.contradictions
        ],
        odd=difference_store.list_odd(session, state.yard_id, now),
        fallbacks=list_fallbacks(session, [state.yard_id]),
        counts=counts,
        counted_by=account_names(session, [counted_by]).get(counted_by) if counted_by is not None else None,
        occupancy=count_store.find_occupancy(session, state.yard_id, now),
        zones=fill_now(session, state, now),
        stay=find_estimate(session, state.gate_id) if state.kind == "yard" else None,
    )


def _places_ahead(session: Session, forecast: YardForecast) -> Sequence[PlacesFrom]:
    """The places that a yard has from when a forecast was made to its end."""
    horizon_s = forecast.step_s * (forecast.occupancy_veh.shape[1] - 1)
    found = places_ahead(session, forecast.made_at, timedelta(seconds=horizon_s))[forecast.yard_id]
    return [each for each in found if each.from_s < horizon_s]


def draw(forecast: YardForecast, state: YardState, places: Sequence[PlacesFrom]) -> Chart:
    """The forecast as the data of a fan chart, with the places of the yard, closures ahead too, and what is inside."""
    low, middle, high = (forecast.occupancy_veh[forecast.quantiles.index(q)] for q in BAND)
    peak = int(middle.argmax())
    fan: JsonObject = {
        "made_at": forecast.made_at.isoformat(),
        "step_s": forecast.step_s,
        "quantiles": BAND,
        "fans": [{"values": [curve.round(1).tolist() for curve in (low, middle, high)]}],
        "level": [[each.from_s / 3600.0, each.places_veh] for each in places],
        "counted": state.inside_veh,
    }
    peak_at = forecast.made_at + timedelta(seconds=peak * forecast.step_s)
    then = [each.places_veh for each in places if each.from_s <= peak * forecast.step_s]
    places_veh = then[-1] if then else state.capacity_veh
    return Chart(fan, (peak_at, float(middle[peak]), float(low[peak]), float(high[peak])), places_veh, forecast.made_at)


def _words(values: Mapping[str, Any]) -> JsonObject:
    """The numbers of a contradiction, ready for its sentence."""
    words = dict(values)
    if "plates" in words:
        more = "…" if words["trucks_veh"] > len(words["plates"]) else ""
        words["plates"] = ", ".join(display_plate(plate) for plate in words["plates"]) + more
    if "counted_at" in words:
        words["counted_at"] = datetime.fromisoformat(words["counted_at"])
    return words
