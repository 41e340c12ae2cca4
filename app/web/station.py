"""The station page: what agencies without a page of their own can see so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.permissions import Principal
from app.deps import ClockDep, CorridorDep, SessionDep, allow
from app.web.pages import render
from capacity.ledger import YardState
from capacity.store import yard_states
from geo.corridor import Corridor, Site
from routing.store import GateForecast, QueueObservation, latest_forecast, queue_observations

router = APIRouter(include_in_schema=False)

Station = Annotated[Principal, Depends(allow("pages.station"))]
RECENT = timedelta(minutes=10)
LOOK_AHEAD_S = (3600.0, 10_800.0)


@dataclass(frozen=True)
class Ahead:
    """The forecast for one moment ahead: quantiles 0.1, 0.5, 0.9."""

    at: datetime
    queue_veh: tuple[float, float, float]
    wait_s: tuple[float, float, float]


@dataclass(frozen=True)
class GateBoard:
    """One gate on the board: the measured queue, the forecast, the yards."""

    gate: Site
    queue: QueueObservation | None
    forecast_at: datetime | None
    ahead: Sequence[Ahead]
    yards: Sequence[YardState]


@router.get("/station")
def show_station(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Station
) -> Response:
    """The page of a station: yards, queues, and what is not there yet."""
    boards = gate_boards(session, corridor, principal.gate_id, now=clock.now())
    return render(request, "station.html", boards=boards, sites=corridor.sites)


@router.get("/station/board")
def show_board(
    request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Station
) -> Response:
    """The moving part of the page alone."""
    boards = gate_boards(session, corridor, principal.gate_id, now=clock.now())
    return render(request, "station_board.html", boards=boards, sites=corridor.sites)


def gate_boards(session: Session, corridor: Corridor, own_gate: str | None, *, now: datetime) -> list[GateBoard]:
    """The boards of all gates, the own one first."""
    gates = sorted(corridor.gates(), key=lambda gate: gate.site_id != own_gate)
    return [_board(session, gate, now) for gate in gates]


def _board(session: Session, gate: Site, now: datetime) -> GateBoard:
    observed = queue_observations(session, gate.site_id, now - RECENT, now + timedelta(seconds=1))
    forecast = latest_forecast(session, gate.site_id)
    return GateBoard(
        gate=gate,
        queue=observed[-1] if observed else None,
        forecast_at=forecast.made_at if forecast else None,
        ahead=[_ahead(forecast, ahead_s) for ahead_s in LOOK_AHEAD_S] if forecast else [],
        yards=yard_states(session, now, gate_id=gate.site_id),
    )


def _ahead(forecast: GateForecast, ahead_s: float) -> Ahead:
    step = min(round(ahead_s / forecast.step_s), forecast.queue_veh.shape[1] - 1)
    rows = [forecast.quantiles.index(quantile) for quantile in (0.1, 0.5, 0.9)]
    queue, wait = forecast.queue_veh[rows, step], forecast.wait_s[rows, step]
    return Ahead(
        at=forecast.made_at + timedelta(seconds=step * forecast.step_s),
        queue_veh=(float(queue[0]), float(queue[1]), float(queue[2])),
        wait_s=(float(wait[0]), float(wait[1]), float(wait[2])),
    )
