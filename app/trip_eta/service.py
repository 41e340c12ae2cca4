"""What lies ahead of a trip, put together for those who may see it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from app.forecasting.service import FORECAST_WITHIN
from app.platform.permissions import Principal
from app.trip_eta import store
from app.trip_eta.reasons import Wording
from app.trip_eta.schemas import PositionOut, TripOutlook, YardPlaceOut
from app.trip_eta.store import TripAhead, TripEta, YardPlace
from app.trip_eta.turns import turn_of
from app.trips.scope import visible_positions, visible_trips
from app.trips.service import Trip, holds
from app.trips.vocabulary import Stage
from capacity.vocabulary import ZoneKind

RECENT = timedelta(hours=24)
"""How long a trip that is out stays on the lists."""


def list_outlooks(
    session: Session, principal: Principal, wording: Wording, query: str = "", *, trip_id: int | None = None
) -> list[TripOutlook]:
    """The outlooks of the trips `principal` may see: open, and out within the last day.

    Narrowed by words to search, or to one trip.
    """
    visible = _narrowed(principal, query, trip_id)
    made_since = wording.now - FORECAST_WITHIN
    found = store.trips_ahead(
        session, visible, sight=_sight(principal), out_since=wording.now - RECENT, made_since=made_since
    )
    return [_outlook(ahead, wording) for ahead in found]


def find_current(
    session: Session, principal: Principal, wording: Wording, query: str = "", *, trip_id: int | None = None
) -> TripOutlook | None:
    """The open trip of a driver, the earliest if there were several; `None` if there is none.

    Narrowed as `list_outlooks` for who sees more than the own.
    """
    visible = _narrowed(principal, query, trip_id)
    made_since = wording.now - FORECAST_WITHIN
    found = store.trips_ahead(session, visible, sight=_sight(principal), out_since=None, made_since=made_since, limit=1)
    return _outlook(found[0], wording) if found else None


def enter_times(session: Session, trip_ids: Collection[int], now: datetime) -> dict[int, list[datetime | None]]:
    """When trips are through the entrance of their gate, quantiles 0.1, 0.5, 0.9, as far as it is forecast now."""
    return store.enter_times(session, trip_ids, made_since=now - FORECAST_WITHIN)


def _narrowed(principal: Principal, query: str, trip_id: int | None) -> ColumnElement[bool]:
    visible = visible_trips(principal, "trips.read")
    if trip_id is not None:
        visible = and_(visible, Trip.trip_id == trip_id)
    return and_(visible, holds(query)) if query else visible


def _sight(principal: Principal) -> ColumnElement[bool]:
    return visible_positions(principal, Trip.vehicle_id)


def _outlook(ahead: TripAhead, wording: Wording) -> TripOutlook:
    trip, seen, eta = ahead.trip, ahead.position, ahead.eta
    gate = wording.places.gates.get(trip.gate_id)
    road, km = (seen.road, seen.km) if seen else (None, None)
    return TripOutlook(
        trip_id=trip.trip_id,
        code=trip.code,
        plate=ahead.plate,
        vehicle_id=trip.vehicle_id,
        gate_id=trip.gate_id,
        direction=trip.direction,
        regime=trip.regime,
        goods=trip.goods,
        goods_class=trip.goods_class,
        perishable=trip.perishable,
        simulated=trip.simulated,
        stage=trip.stage,
        stage_since=trip.stage_since,
        planned_arrival=trip.planned_arrival,
        position=PositionOut.model_validate(seen) if seen else None,
        to_gate_km=gate.distance_km(road, km) if gate else None,
        forecast_at=eta.made_at if eta else None,
        arrive_at=_arrive_at(trip, eta),
        enter_at=eta.enter_at if eta else None,
        wait_s=eta.wait_s if eta else None,
        yard=_yard(ahead.place, trip, eta, wording) if ahead.place else None,
    )


def _arrive_at(trip: Trip, eta: TripEta | None) -> list[datetime | None] | None:
    """When the trip reaches the queue; of who stands in it, when that was."""
    if eta is None:
        return None
    return [trip.stage_since] * 3 if trip.stage == Stage.QUEUED else eta.arrive_at


def _yard(place: YardPlace, trip: Trip, eta: TripEta | None, wording: Wording) -> YardPlaceOut:
    enter_at = None if eta is None else eta.enter_at
    turn = turn_of(place, enter_at, is_own=not wording.is_of_another_gate(place, trip.gate_id))
    return YardPlaceOut(
        yard_id=place.yard_id,
        arrive_at=place.arrive_at,
        place_free_at=place.place_free_at,
        in_place_at=None if place.yard_id is None else turn.in_place_at,
        text="" if place.yard_id is None else wording.turn(turn),
        reason=wording.reason(place, trip.gate_id, turn, is_in_line=trip.stage == Stage.QUEUED),
        is_of_another_gate=wording.is_of_another_gate(place, trip.gate_id),
        zone_id=place.zone_id,
        place_kind=None if place.place_kind is None else ZoneKind(place.place_kind),
    )
