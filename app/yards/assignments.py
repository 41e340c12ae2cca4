"""Yards and places in them, as people are shown them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.forecasting.service import find_yard_forecast
from app.platform.permissions import Principal
from app.trip_eta.reasons import Wording
from app.trips.scope import visible_positions, visible_trips
from app.trips.service import Trip
from app.yards import store
from app.yards.schemas import AssignmentOut, YardForecast, YardOut
from capacity import store as capacity_store
from capacity import zone_store
from geo.corridor import Corridor


def describe_yards(session: Session, corridor: Corridor, now: datetime, *, gate_id: str | None = None) -> list[YardOut]:
    """All yards (of a gate) as of now, each with its names and the forecast of its occupancy if there is one."""
    closed = [closure for closure in zone_store.list_closures(session, now) if closure.holds_at(now)]
    return [
        YardOut.of(
            state,
            name=corridor.sites[state.yard_id].name if state.yard_id in corridor.sites else None,
            forecast=_forecast(session, state.yard_id, now),
            closures=[closure for closure in closed if closure.yard_id == state.yard_id],
        )
        for state in capacity_store.yard_states(session, now, gate_id=gate_id)
    ]


def _forecast(session: Session, yard_id: str, now: datetime) -> YardForecast | None:
    found = find_yard_forecast(session, yard_id, now)
    return None if found is None else YardForecast.of(found)


def visible_assignments(
    session: Session, principal: Principal, wording: Wording, *, trip_id: int | None = None
) -> list[AssignmentOut]:
    """Places of the trips that `principal` may see (of one trip), each with its reason in words."""
    sight = visible_positions(principal, Trip.vehicle_id)  # when it arrives tells where the truck is
    gates = store.open_trip_gates(session, and_(visible_trips(principal, "trips.read"), sight), trip_id)
    found = capacity_store.assignments(session, list(gates))
    in_order = sorted(found.values(), key=lambda truck: (truck.place_free_at, truck.trip_id))
    return [
        AssignmentOut.model_validate({**vars(truck), "text": wording.reason(truck, gates[truck.trip_id])})
        for truck in in_order
    ]
