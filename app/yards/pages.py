"""The yard operator's page: how full, who is inside, who comes next; entry and exit by one tap; counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.pages import render
from app.yards import store
from app.yards.store import ExpectedTruck
from capacity import store as capacity_store
from capacity.ledger import YardState
from capacity.store import Inside
from geo.corridor import Corridor
from geo.errors import NotFoundError
from ingest.plates import display_plate
from routing.store import YardForecast, latest_yard_forecast

router = APIRouter(include_in_schema=False)

Operator = Annotated[Principal, Depends(allow("pages.yard"))]

LONG_STAY = timedelta(hours=24)
"""A truck inside for longer is pointed out: its exit may have been missed."""
LISTED = 300
WIDTH, HEIGHT, LEFT, BOTTOM = 640.0, 200.0, 44.0, 24.0

CONTRADICTIONS = {
    "left_never_entered": N_("Left, but never seen entering: %(trucks_veh)s (%(plates)s)"),
    "entered_twice": N_("Entered twice without leaving in between: %(trucks_veh)s (%(plates)s)"),
    "left_unseen": N_("Seen elsewhere, so they left without being seen: %(trucks_veh)s (%(plates)s)"),
    "count_differs": N_("The count of %(counted_at)s found %(counted_veh)s inside, the records had %(expected_veh)s."),
    "below_zero": N_("More trucks left than were inside (%(inside_veh)s)."),
    "over_capacity": N_("%(inside_veh)s are inside, %(over_veh)s more than there are places."),
}


@dataclass(frozen=True)
class Chart:
    """A fan chart of the forecast in the units of its SVG view box, and the figures that say it in words."""

    band: str
    median: str
    capacity_y: float
    now_y: float
    hours: Sequence[tuple[float, datetime]]
    levels: Sequence[tuple[float, int]]
    peak: tuple[datetime, float, float, float]
    made_at: datetime
    is_over: bool


@dataclass(frozen=True)
class YardBoard:
    """One yard on the page."""

    state: YardState
    name: dict[str, str]
    inside: Sequence[tuple[Inside, timedelta]]
    expected: Sequence[ExpectedTruck]
    chart: Chart | None
    contradictions: Sequence[tuple[str, str, dict[str, Any]]]

    @property
    def share(self) -> float:
        """How full the yard is, 0 to 1 and beyond."""
        return self.state.inside_veh / max(self.state.capacity_veh, 1)


@router.get("/yard")
def show_yard(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Operator
) -> Response:
    """The page of a yard operator: all yards of the own gate."""
    boards = yard_boards(session, corridor, principal.gate_id, clock.now())
    return render(request, "yards/yard.html", boards=boards, shown_plate=display_plate, long_stay=LONG_STAY)


@router.get("/yard/{yard_id}/board")
def show_board(
    yard_id: str, request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Operator
) -> Response:
    """The moving part of one yard alone."""
    for board in yard_boards(session, corridor, principal.gate_id, clock.now()):
        if board.state.yard_id == yard_id:
            return render(request, "yards/board.html", board=board, shown_plate=display_plate, long_stay=LONG_STAY)
    raise NotFoundError("There is no yard {yard_id} at your gate.", yard_id=yard_id)


def yard_boards(session: Session, corridor: Corridor, gate_id: str | None, now: datetime) -> list[YardBoard]:
    """The boards of a gate's yards."""
    if gate_id is None:
        return []
    states = capacity_store.yard_states(session, now, gate_id=gate_id)
    return [_board(session, corridor, state, now) for state in states]


def _board(session: Session, corridor: Corridor, state: YardState, now: datetime) -> YardBoard:
    site = corridor.sites.get(state.yard_id)
    forecast = latest_yard_forecast(session, state.yard_id)
    inside = capacity_store.list_inside(session, state.yard_id, limit=LISTED)
    return YardBoard(
        state=state,
        name=site.name if site else {"vi": state.yard_id, "en": state.yard_id, "zh": state.yard_id},
        inside=[(one, now - one.entered_at) for one in inside],
        expected=store.expected_trucks(session, state.yard_id, limit=30),
        chart=draw(forecast, state) if forecast else None,
        contradictions=[(one.code, CONTRADICTIONS[one.code], _words(one.values)) for one in state.contradictions],
    )


def draw(forecast: YardForecast, state: YardState) -> Chart:
    """The forecast as a fan: quantiles 0.1 to 0.9 as a band, 0.5 as a line, capacity as a line across."""
    low, middle, high = (forecast.occupancy_veh[forecast.quantiles.index(q)] for q in (0.1, 0.5, 0.9))
    steps = len(middle)
    top = max(state.capacity_veh, float(high.max()), state.inside_veh, 1) * 1.08

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT) * step / max(steps - 1, 1), 1)

    def y(vehicles: float) -> float:
        return round((HEIGHT - BOTTOM) * (1.0 - vehicles / top), 1)

    there = [f"{x(i)},{y(float(v))}" for i, v in enumerate(high)]
    back = [f"{x(i)},{y(float(v))}" for i, v in reversed(list(enumerate(low)))]
    per_hour = 3600.0 / forecast.step_s
    peak = int(middle.argmax())
    return Chart(
        band="M" + " L".join([*there, *back]) + " Z",
        median="M" + " L".join(f"{x(i)},{y(float(v))}" for i, v in enumerate(middle)),
        capacity_y=y(state.capacity_veh),
        now_y=y(state.inside_veh),
        hours=[
            (x(hour * per_hour), forecast.made_at + timedelta(hours=hour)) for hour in range(int(steps // per_hour) + 1)
        ],
        levels=[(y(level), level) for level in (0, state.capacity_veh // 2, state.capacity_veh)],
        peak=(
            forecast.made_at + timedelta(seconds=peak * forecast.step_s),
            float(middle[peak]),
            float(low[peak]),
            float(high[peak]),
        ),
        made_at=forecast.made_at,
        is_over=bool(high.max() >= state.capacity_veh),
    )


def _words(values: Any) -> dict[str, Any]:
    """The numbers of a contradiction, ready for its sentence."""
    words = dict(values)
    if "plates" in words:
        more = "…" if words["trucks_veh"] > len(words["plates"]) else ""
        words["plates"] = ", ".join(display_plate(plate) for plate in words["plates"]) + more
    if "counted_at" in words:
        words["counted_at"] = datetime.fromisoformat(words["counted_at"])
    return words
