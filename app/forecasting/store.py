"""Queries behind the corridor now: trucks seen, trucks inside, declared trips, speeds. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.dispatch.vocabulary import OrderKind, OrderStatus, RecipientStatus
from app.trips.vocabulary import Direction, PlaceKind, Stage


@dataclass(frozen=True)
class TruckSeen:
    """A truck's last position, with its open trip and until when it waits by order: for the end of a hold, or for its
    turn to be let go."""

    vehicle_id: int
    time: datetime
    road_id: int | None
    offset_m: float | None
    speed_mps: float | None
    km: float | None
    trip_id: int | None
    gate_id: str | None
    perishable: bool
    goods_class: str | None
    regime: str | None
    trip_direction: str | None
    created_at: datetime | None
    organisation_id: int | None
    driver_id: int | None
    hold_until: datetime | None
    site_id: str | None = None
    """The geofence around it."""
    by_gps: bool = True
    """Its place is that of its GPS, not where others saw it."""
    channel: str | None = None
    """Customs' channel of its trip, where it has one."""
    facts: Mapping[str, object] | None = None
    """What its declaration says of it beside the class of its goods."""


@dataclass(frozen=True)
class TruckInside:
    """A truck in a yard since `entered_at`, with its open trip if it has one."""

    yard_id: str
    vehicle_id: int | None
    entered_at: datetime
    trip_id: int | None
    gate_id: str | None
    perishable: bool


@dataclass(frozen=True)
class TruckAtGate:
    """A truck of an open export trip before or between the barriers of its gate; `by_gps` if GPS alone shows it."""

    vehicle_id: int
    kind: str
    by_gps: bool
    trip_id: int
    gate_id: str
    perishable: bool
    goods_class: str
    regime: str
    created_at: datetime
    organisation_id: int
    driver_id: int | None
    since: datetime | None = None
    """When it came to where it stands."""
    facts: Mapping[str, object] | None = None


@dataclass(frozen=True)
class DeclaredTrip:
    """An export trip whose truck is not on the road yet."""

    trip_id: int
    vehicle_id: int
    gate_id: str
    perishable: bool
    goods_class: str
    regime: str
    planned_arrival: datetime
    created_at: datetime
    organisation_id: int
    driver_id: int | None
    facts: Mapping[str, object] | None = None


def trucks_seen(session: Session, *, since: datetime, now: datetime) -> list[TruckSeen]:
    """Trucks with a position since `since`, each with its open trip, stay in a yard and standing hold order.

    Trucks that finished a trip within the last day and have no other are left out: they are over the border.
    """
    rows = session.execute(
        text(
            """
            SELECT p.vehicle_id, p.time, p.road_id, p.offset_m, p.speed_mps, p.km, t.trip_id, t.gate_id,
                   coalesce(t.perishable, false), t.goods_class, t.regime, t.direction, t.created_at,
                   t.organisation_id, t.driver_id, h.hold_until, p.site_id, true, t.channel, t.facts
            FROM ingest.last_position p
            LEFT JOIN app.trip t ON t.vehicle_id = p.vehicle_id
                AND t.trip_id IN (SELECT trip_id FROM app.current_trip)
            LEFT JOIN LATERAL (
                SELECT max(coalesce(r.release_at, o.valid_to)) AS hold_until
                FROM app.order_recipient r JOIN app.dispatch_order o USING (order_id)
                WHERE r.vehicle_id = p.vehicle_id AND r.status = ANY(:active_statuses)
                    AND (o.kind = :hold OR (o.kind = :proceed AND r.release_at > :now))
                    AND o.status = :active AND o.valid_from <= :now
            ) h ON true
            WHERE p.time >= :since AND (t.trip_id IS NOT NULL OR NOT EXISTS (
                SELECT FROM app.trip f
                WHERE f.vehicle_id = p.vehicle_id AND f.stage = :out AND f.stage_since > :now - interval '1 day'))
            ORDER BY p.vehicle_id
            """
        ),
        {
            "since": since,
            "now": now,
            "out": Stage.OUT,
            "hold": OrderKind.HOLD,
            "proceed": OrderKind.PROCEED,
            "active": OrderStatus.ACTIVE,
            "active_statuses": list(RecipientStatus.active()),
        },
    )
    return [TruckSeen(*row) for row in rows]


def trucks_inside(session: Session) -> list[TruckInside]:
    """Trucks inside yards now."""
    rows = session.execute(
        text(
            """
            SELECT s.yard_id, s.vehicle_id, s.entered_at, t.trip_id, t.gate_id,
                   coalesce(t.perishable, false)
            FROM capacity.presence s
            LEFT JOIN app.trip t ON t.vehicle_id = s.vehicle_id
                AND t.trip_id IN (SELECT trip_id FROM app.current_trip)
            WHERE s.left_at IS NULL AND s.entered_at IS NOT NULL
            ORDER BY s.yard_id, s.entered_at
            """
        )
    )
    return [TruckInside(*row) for row in rows]


def trucks_at_gates(session: Session) -> list[TruckAtGate]:
    """Trucks that stand before or between the barriers of their gate and in no yard, by whoever saw them there."""
    rows = session.execute(
        text(
            """
            SELECT t.vehicle_id, w.kind, coalesce(w.source = :gps, false), t.trip_id, t.gate_id, t.perishable,
                   t.goods_class, t.regime, t.created_at, t.organisation_id, t.driver_id, w.began_at, t.facts
            FROM app.trip_place w JOIN app.trip t USING (trip_id)
            WHERE w.ended_at IS NULL AND w.kind = ANY(:kinds) AND w.gate_id = t.gate_id
                AND t.trip_id IN (SELECT trip_id FROM app.current_trip) AND t.direction = :export
            ORDER BY t.vehicle_id
            """
        ),
        {
            "gps": "gps",
            "kinds": [PlaceKind.QUEUED, PlaceKind.GATE_AREA],
            "export": Direction.EXPORT,
        },
    )
    return [TruckAtGate(*row) for row in rows]


def declared_trips(session: Session, *, earliest: datetime, latest: datetime) -> list[DeclaredTrip]:
    """Export trips planned to arrive in a span of time whose truck was seen nowhere yet."""
    rows = session.execute(
        text(
            """
            SELECT t.trip_id, t.vehicle_id, t.gate_id, t.perishable, t.goods_class, t.regime, t.planned_arrival,
                   t.created_at, t.organisation_id, t.driver_id, t.facts
            FROM app.trip t
            WHERE t.stage = :planned AND t.direction = :export AND t.planned_arrival BETWEEN :earliest AND :latest
            ORDER BY t.trip_id
            """
        ),
        {"earliest": earliest, "latest": latest, "planned": Stage.PLANNED, "export": Direction.EXPORT},
    )
    return [DeclaredTrip(*row) for row in rows]


def live_speeds(session: Session, *, since: datetime, now: datetime) -> dict[int, float]:
    """Median speed (m/s) by road piece, where at least two trucks reported since."""
    rows = session.execute(
        text(
            """
            SELECT road_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY speed_mps) AS speed_mps
            FROM ingest.fix
            WHERE time > :since AND time <= :now AND road_id IS NOT NULL AND speed_mps IS NOT NULL
            GROUP BY road_id HAVING count(DISTINCT vehicle_id) >= 2
            """
        ),
        {"since": since, "now": now},
    )
    return {row.road_id: float(row.speed_mps) for row in rows}
