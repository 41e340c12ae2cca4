"""Queries of what lies ahead of trips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from geoalchemy2.functions import ST_X, ST_Y
from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.trip_eta.tables import OutlookRow
from app.trips.tables import Trip
from app.trips.vocabulary import Stage
from capacity.tables import AssignmentRow, PlanRow
from geo.tables import RoadRow
from ingest.tables import LastPosition, Vehicle


def list_outlooks(
    session: Session, visible: ColumnElement[bool], *, out_since: datetime | None, limit: int = 5000
) -> Sequence[Row[Any]]:
    """Open trips among `visible`, and those that went out since `out_since`, each with all that is known ahead of it.

    One row a trip: the trip, its plate, last position, expected arrival, and place in the newest yard plan; parts that
    are not there are null. Nearest planned arrival first.
    """
    newest_plan = select(func.max(PlanRow.plan_id)).scalar_subquery()
    wanted: ColumnElement[bool] = Trip.stage.in_(Stage.open())
    if out_since is not None:
        wanted = or_(wanted, and_(Trip.stage == Stage.OUT, Trip.stage_since >= out_since))
    return session.execute(
        select(
            Trip,
            Vehicle.plate,
            LastPosition.time,
            ST_X(LastPosition.geom).label("lon"),
            ST_Y(LastPosition.geom).label("lat"),
            LastPosition.speed_mps,
            LastPosition.heading_deg,
            LastPosition.km,
            LastPosition.motion,
            LastPosition.site_id,
            RoadRow.road,
            OutlookRow.made_at,
            OutlookRow.arrive_at,
            OutlookRow.enter_at,
            OutlookRow.wait_s,
            AssignmentRow.yard_id,
            AssignmentRow.arrive_at.label("yard_arrive_at"),
            AssignmentRow.place_free_at,
            AssignmentRow.reason,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .outerjoin(LastPosition, LastPosition.vehicle_id == Trip.vehicle_id)
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .outerjoin(OutlookRow, OutlookRow.trip_id == Trip.trip_id)
        .outerjoin(AssignmentRow, and_(AssignmentRow.trip_id == Trip.trip_id, AssignmentRow.plan_id == newest_plan))
        .where(visible, wanted)
        .order_by(Trip.planned_arrival, Trip.trip_id)
        .limit(limit)
    ).all()


def replace_outlooks(session: Session, rows: Sequence[Mapping[str, Any]], *, made_at: datetime) -> None:
    """Put the outlooks of one forecast in place of those before: `rows` have the columns of `OutlookRow`."""
    if rows:
        statement = insert(OutlookRow)
        columns = ("made_at", "arrive_at", "enter_at", "wait_s")
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[OutlookRow.trip_id], set_={name: statement.excluded[name] for name in columns}
            ),
            list(rows),
        )
    session.execute(delete(OutlookRow).where(OutlookRow.made_at < made_at))
