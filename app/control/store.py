"""What control reads across the packages: trucks, their trips and orders, speeds, passages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, text
from sqlalchemy.orm import Session

from app.trips.tables import OPEN_STAGES, Trip


def trucks_seen(session: Session, *, since: datetime, now: datetime) -> Sequence[Row[Any]]:
    """Trucks with a position since `since`, each with its open trip, stay in a yard and standing hold order.

    Trucks that finished a trip within the last day and have no other are left out: they are over the border.
    """
    return session.execute(
        text(
            """
            SELECT p.vehicle_id, p.road_id, p.offset_m, p.speed_mps, p.km, p.direction, p.motion, p.site_id, p.time,
                   t.trip_id, t.gate_id, t.perishable, t.goods_class, t.direction AS trip_direction, t.stage,
                   t.created_at, t.organisation_id, t.driver_id, h.hold_until
            FROM ingest.last_position p
            LEFT JOIN app.trip t ON t.vehicle_id = p.vehicle_id
                AND t.stage IN ('planned', 'on_the_road', 'queued', 'in_the_yard')
            LEFT JOIN LATERAL (
                SELECT max(coalesce(r.release_at, o.valid_to)) AS hold_until
                FROM app.order_recipient r JOIN app.dispatch_order o USING (order_id)
                WHERE r.vehicle_id = p.vehicle_id AND r.status IN ('sent', 'delivered', 'acknowledged')
                    AND o.kind = 'hold' AND o.status = 'active' AND o.valid_from <= :now
            ) h ON true
            WHERE p.time >= :since AND (t.trip_id IS NOT NULL OR NOT EXISTS (
                SELECT FROM app.trip f
                WHERE f.vehicle_id = p.vehicle_id AND f.stage = 'out' AND f.stage_since > :now - interval '1 day'))
            ORDER BY p.vehicle_id
            """
        ),
        {"since": since, "now": now},
    ).all()


def stays(session: Session) -> Sequence[Row[Any]]:
    """Trucks inside yards now, with the open trip if there is one."""
    return session.execute(
        text(
            """
            SELECT s.yard_id, s.vehicle_id, s.entered_at, t.trip_id, t.gate_id,
                   coalesce(t.perishable, false) AS perishable
            FROM capacity.presence s
            LEFT JOIN app.trip t ON t.vehicle_id = s.vehicle_id
                AND t.stage IN ('planned', 'on_the_road', 'queued', 'in_the_yard')
            WHERE s.left_at IS NULL AND s.entered_at IS NOT NULL
            ORDER BY s.yard_id, s.entered_at
            """
        )
    ).all()


def declared_trips(session: Session, *, earliest: datetime, latest: datetime) -> Sequence[Row[Any]]:
    """Export trips planned to arrive in a span of time that are not on the road yet."""
    return session.execute(
        text(
            """
            SELECT trip_id, vehicle_id, gate_id, perishable, goods_class, planned_arrival, created_at,
                   organisation_id, driver_id
            FROM app.trip
            WHERE stage = 'planned' AND direction = 'export' AND planned_arrival BETWEEN :earliest AND :latest
            ORDER BY trip_id
            """
        ),
        {"earliest": earliest, "latest": latest},
    ).all()


def live_speeds(session: Session, *, since: datetime, now: datetime) -> Sequence[Row[Any]]:
    """Median speed (m/s) on each road piece on which at least two trucks reported since."""
    return session.execute(
        text(
            """
            SELECT road_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY speed_mps) AS speed_mps
            FROM ingest.fix
            WHERE time > :since AND time <= :now AND road_id IS NOT NULL AND speed_mps IS NOT NULL
            GROUP BY road_id HAVING count(DISTINCT vehicle_id) >= 2
            """
        ),
        {"since": since, "now": now},
    ).all()


def passages_after(session: Session, event_id: int) -> Sequence[Row[Any]]:
    """Entries to and exits from yards later in the feed than `event_id`, oldest first, each with the plate."""
    return session.execute(
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
    ).all()


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
                WHERE s.left_at IS NULL AND t.stage = 'out' AND t.stage_since > s.entered_at
                """
            )
        )
    )


def waiting_events(session: Session) -> int:
    """Events that no relay has sent yet."""
    return int(session.execute(text("SELECT count(*) FROM app.outbox WHERE relayed_at IS NULL")).scalar_one())


def expected_trucks(session: Session, yard_id: str, *, limit: int) -> Sequence[Row[Any]]:
    """Trucks the newest plan sends to a yard that are not inside it, next first."""
    return session.execute(
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
    ).all()


def open_trip_ids(session: Session, visible: ColumnElement[bool], trip_id: int | None) -> list[int]:
    """Trips among `visible` that are not over; only `trip_id` if given."""
    query = select(Trip.trip_id).where(visible, Trip.stage.in_(OPEN_STAGES))
    if trip_id is not None:
        query = query.where(Trip.trip_id == trip_id)
    return list(session.scalars(query))


def try_lead(connection: Connection, key: int) -> bool:
    """Try to take the advisory lock of leadership; it is held as long as the connection lives."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())


def still_connected(connection: Connection) -> None:
    """Ask the server something trivial; raises if the connection, and with it the lock, is gone."""
    connection.execute(text("SELECT 1"))
