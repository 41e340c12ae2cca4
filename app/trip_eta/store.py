"""Queries of what lies ahead of trips."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geoalchemy2.functions import ST_X, ST_Y
from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.trip_eta.tables import OutlookRow
from app.trips.service import Trip, is_on_now
from app.trips.vocabulary import Stage
from capacity.tables import AssignmentRow, PlanRow
from geo.database import values_of
from geo.tables import RoadRow
from ingest.tables import LastPosition, Vehicle


@dataclass(frozen=True)
class TripEta:
    """When a trip's truck reaches the queue of its gate and is through the entrance: a row of `app.outlook`.

    Quantiles 0.1, 0.5, 0.9; `None` where one lies beyond the forecast's horizon.
    """

    trip_id: int
    made_at: datetime
    arrive_at: list[datetime | None]
    enter_at: list[datetime | None]
    wait_s: list[float | None]


@dataclass(frozen=True)
class LastSeen:
    """A truck's last position; `site_id`, if it stands at a site."""

    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    road: str | None
    km: float | None
    motion: str
    site_id: str | None


@dataclass(frozen=True)
class YardPlace:
    """A trip's place in the newest yard plan; `yard_id` `None`: none is free."""

    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    reason: Mapping[str, Any]
    zone_id: str | None
    place_kind: str | None


@dataclass(frozen=True)
class TripAhead:
    """A trip and what is known ahead of it."""

    trip: Trip
    plate: str
    position: LastSeen | None
    eta: TripEta | None
    place: YardPlace | None


def trips_ahead(
    session: Session,
    visible: ColumnElement[bool],
    *,
    sight: ColumnElement[bool],
    out_since: datetime | None,
    made_since: datetime,
    limit: int = 5000,
) -> list[TripAhead]:
    """Open trips among `visible`, and those that went out since `out_since`, each with all that is known ahead of it.

    Nearest planned arrival first. What follows from where the truck is comes only with those that `sight` opens; what
    was forecast or planned before `made_since` does not come.
    """
    is_on_it = or_(is_on_now(), Trip.stage == Stage.OUT)  # on a trip ahead its truck is nowhere yet
    sight = and_(sight, is_on_it)
    newest_plan = select(func.max(PlanRow.plan_id)).where(PlanRow.made_at >= made_since).scalar_subquery()
    wanted: ColumnElement[bool] = Trip.stage.in_(Stage.open())
    if out_since is not None:
        wanted = or_(wanted, and_(Trip.stage == Stage.OUT, Trip.stage_since >= out_since))
    rows = session.execute(
        select(
            Trip,
            Vehicle.plate,
            LastPosition.time,
            ST_X(LastPosition.geom),
            ST_Y(LastPosition.geom),
            LastPosition.speed_mps,
            LastPosition.heading_deg,
            RoadRow.road,
            LastPosition.km,
            LastPosition.motion,
            LastPosition.site_id,
            OutlookRow,
            AssignmentRow,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .outerjoin(LastPosition, and_(LastPosition.vehicle_id == Trip.vehicle_id, sight))
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .outerjoin(OutlookRow, and_(OutlookRow.trip_id == Trip.trip_id, OutlookRow.made_at >= made_since, sight))
        .outerjoin(
            AssignmentRow,
            and_(AssignmentRow.trip_id == Trip.trip_id, AssignmentRow.plan_id == newest_plan, sight),
        )
        .where(visible, wanted)
        .order_by(Trip.planned_arrival, Trip.trip_id)
        .limit(limit)
    )
    return [
        TripAhead(
            trip,
            plate,
            LastSeen(*seen) if seen[0] is not None else None,
            _eta(eta) if eta is not None else None,
            _place(place) if place is not None else None,
        )
        for trip, plate, *seen, eta, place in rows
    ]


def _place(row: AssignmentRow) -> YardPlace:
    return YardPlace(row.yard_id, row.arrive_at, row.place_free_at, row.reason, row.zone_id, row.place_kind)


def _eta(row: OutlookRow) -> TripEta:
    return TripEta(row.trip_id, row.made_at, row.arrive_at, row.enter_at, row.wait_s)


def enter_times(
    session: Session, trip_ids: Collection[int], *, made_since: datetime
) -> dict[int, list[datetime | None]]:
    """When trips are expected through the entrance, quantiles 0.1, 0.5, 0.9, by forecasts since a time."""
    rows = session.execute(
        select(OutlookRow.trip_id, OutlookRow.enter_at).where(
            OutlookRow.trip_id.in_(trip_ids), OutlookRow.made_at >= made_since
        )
    )
    return {trip_id: enter_at for trip_id, enter_at in rows}


def replace_etas(session: Session, etas: Sequence[TripEta], *, made_at: datetime) -> None:
    """Put what one forecast says of trips in place of what the ones before said."""
    if etas:
        statement = insert(OutlookRow)
        columns = ("made_at", "arrive_at", "enter_at", "wait_s")
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[OutlookRow.trip_id], set_={name: statement.excluded[name] for name in columns}
            ),
            [values_of(eta) for eta in etas],
        )
    session.execute(delete(OutlookRow).where(OutlookRow.made_at < made_at))
