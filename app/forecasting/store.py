"""Queries behind the state of the corridor: trucks seen, stays, declared trips, speeds. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session


def trucks_seen(session: Session, *, since: datetime, now: datetime) -> Sequence[Row[Any]]:
    """Trucks with a position since `since`, each with its open trip, stay in a yard and standing hold order.

    Trucks that finished a trip within the last day and have no other are left out: they are over the border.
    """
    return session.execute(
        text(
            """
            SELECT p.vehicle_id, p.road_id, p.offset_m, p.speed_mps, p.km, p.direction, p.motion, p.site_id, p.time,
                   t.trip_id, t.gate_id, t.perishable, t.goods_class, t.regime, t.direction AS trip_direction, t.stage,
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
            SELECT trip_id, vehicle_id, gate_id, perishable, goods_class, regime, planned_arrival, created_at,
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
