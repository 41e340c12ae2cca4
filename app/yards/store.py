"""Queries of the yards: trucks expected, passages not yet taken in. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from app.trips.service import Trip
from app.trips.vocabulary import Stage


@dataclass(frozen=True)
class YardPassage:
    """A truck that came into or left a yard, as a position or a camera showed; `event_id` is its place in the feed."""

    event_id: int
    vehicle_id: int
    yard_id: str
    kind: str
    time: datetime
    source: str
    plate_norm: str | None


@dataclass(frozen=True)
class ExpectedTruck:
    """A truck that the newest plan sends to a yard."""

    trip_id: int
    plate_norm: str
    arrive_at: datetime
    place_free_at: datetime
    wait_s: float
    goods: str
    perishable: bool
    stage: str


def passages_after(session: Session, event_id: int) -> list[YardPassage]:
    """Entries to and exits from yards later in the feed than `event_id`, oldest first."""
    rows = session.execute(
        text(
            """
            SELECT e.event_id, e.vehicle_id, e.site_id, e.kind, e.time, e.source, v.plate_norm
            FROM ingest.site_event e
            JOIN capacity.yard y ON y.yard_id = e.site_id
            LEFT JOIN ingest.vehicle v ON v.vehicle_id = e.vehicle_id
            WHERE e.event_id > :event_id
                AND NOT EXISTS (SELECT FROM capacity.movement m
                                WHERE m.source = e.source AND m.source_ref = CAST(e.event_id AS text))
            ORDER BY e.time, e.event_id
            """
        ),
        {"event_id": event_id},
    )
    return [YardPassage(*row) for row in rows]


def newest_passage(session: Session) -> int:
    """The identifier of the newest passage; 0 if there is none."""
    return int(session.execute(text("SELECT coalesce(max(event_id), 0) FROM ingest.site_event")).scalar_one())


def gone_but_inside(session: Session) -> list[int]:
    """Vehicles that the ledger has inside a yard although their last trip is over and they have no other."""
    return list(
        session.scalars(
            text(
                """
                SELECT DISTINCT s.vehicle_id FROM capacity.presence s
                JOIN app.trip t ON t.vehicle_id = s.vehicle_id
                WHERE s.left_at IS NULL AND t.stage = :out AND t.stage_since > s.entered_at
                """
            ),
            {"out": Stage.OUT},
        )
    )


def expected_trucks(session: Session, yard_id: str, *, limit: int) -> list[ExpectedTruck]:
    """Trucks the newest plan sends to a yard that are not inside it, next first."""
    rows = session.execute(
        text(
            """
            SELECT a.trip_id, v.plate_norm, a.arrive_at, a.place_free_at, a.wait_s, t.goods, t.perishable, t.stage
            FROM capacity.assignment a
            JOIN app.trip t USING (trip_id)
            JOIN ingest.vehicle v ON v.vehicle_id = a.vehicle_id
            WHERE a.plan_id = (SELECT max(plan_id) FROM capacity.plan) AND a.yard_id = :yard_id
                AND NOT EXISTS (SELECT FROM capacity.presence s
                                WHERE s.vehicle_id = a.vehicle_id AND s.left_at IS NULL)
            ORDER BY a.place_free_at, a.trip_id
            LIMIT :limit
            """
        ),
        {"yard_id": yard_id, "limit": limit},
    )
    return [ExpectedTruck(*row) for row in rows]


def open_trip_ids(session: Session, visible: ColumnElement[bool], trip_id: int | None) -> list[int]:
    """Trips among `visible` that are not over; only `trip_id` if given."""
    query = select(Trip.trip_id).where(visible, Trip.stage.in_(Stage.open()))
    if trip_id is not None:
        query = query.where(Trip.trip_id == trip_id)
    return list(session.scalars(query))
