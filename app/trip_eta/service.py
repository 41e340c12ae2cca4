"""What lies ahead of a trip, put together for those who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.trip_eta import store
from app.trip_eta.reasons import Wording
from app.trips.scope import visible_trips

RECENT = timedelta(hours=24)
"""How long a trip that is out stays on the lists."""


@dataclass(frozen=True)
class Outlook:
    """One trip and what is known ahead of it; times aware UTC, quantiles 0.1, 0.5, 0.9."""

    trip_id: int
    code: str
    plate: str
    vehicle_id: int
    gate_id: str
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    simulated: bool
    stage: str
    stage_since: datetime
    planned_arrival: datetime
    position: dict[str, Any] | None
    to_gate_km: float | None
    forecast_at: datetime | None
    arrive_at: list[datetime | None] | None
    enter_at: list[datetime | None] | None
    wait_s: list[float | None] | None
    yard: dict[str, Any] | None

    def to_record(self) -> dict[str, Any]:
        """As plain JSON values, times in RFC 3339."""
        return {name: _plain(value) for name, value in self.__dict__.items()}


def list_outlooks(session: Session, principal: Principal, wording: Wording) -> list[Outlook]:
    """The outlooks of the trips `principal` may see: open, and out within the last day."""
    rows = store.list_outlooks(session, visible_trips(principal, "trips.read"), out_since=wording.now - RECENT)
    return [_outlook(row, wording) for row in rows]


def find_current(session: Session, principal: Principal, wording: Wording) -> Outlook | None:
    """The open trip of a driver, the earliest if there were several; `None` if there is none."""
    rows: Sequence[Row[Any]] = store.list_outlooks(
        session, visible_trips(principal, "trips.read"), out_since=None, limit=1
    )
    return _outlook(rows[0], wording) if rows else None


def _outlook(row: Row[Any], wording: Wording) -> Outlook:
    trip = row.Trip
    position = None
    if row.time is not None:
        position = {
            "time": row.time,
            "lon": row.lon,
            "lat": row.lat,
            "speed_mps": row.speed_mps,
            "heading_deg": row.heading_deg,
            "road": row.road,
            "km": row.km,
            "motion": row.motion,
            "site": row.site_id,
        }
    yard = None
    if row.yard_arrive_at is not None:
        yard = {
            "yard_id": row.yard_id,
            "arrive_at": row.yard_arrive_at,
            "place_free_at": row.place_free_at,
            "reason": wording.reason(row.reason),
        }
    gate = wording.places.gates.get(trip.gate_id)
    return Outlook(
        trip_id=trip.trip_id,
        code=trip.code,
        plate=row.plate,
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
        position=position,
        to_gate_km=gate.distance_km(row.road, row.km) if gate else None,
        forecast_at=row.made_at,
        arrive_at=row.arrive_at,
        enter_at=row.enter_at,
        wait_s=row.wait_s,
        yard=yard,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value
