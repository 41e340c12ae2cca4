"""Queries of the yards: trucks expected, passages not yet taken in. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from app.procedures.steps import Step
from app.trips.presence_rules import PresenceRules
from app.trips.service import Trip
from app.trips.vocabulary import Stage

RULES = PresenceRules()


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
class TripAtYard:
    """The trip that a truck at a yard's gate is on; `fee_status` is that of its step of the fee, if it has one."""

    trip_id: int
    gate_id: str
    fee_status: str | None


@dataclass(frozen=True)
class InsideKind:
    """Trucks inside a yard of whose trips the same is declared; `transshipment` is the status of that step, if any."""

    goods_class: str | None
    chilled: bool
    transshipment: str | None
    trucks_veh: int
    hazard_class: Sequence[str] = ()


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
    zone_id: str | None
    gate_id: str


def passages_after(session: Session, event_id: int) -> list[YardPassage]:
    """Entries to and exits from yards later in the feed than `event_id`, oldest first; none of trucks on a trip.

    GPS alone fills no yard: an entry that only a device reports counts once the device was seen on the approach, by
    the rules that hold for trips (`app.trips.presence_rules`), an exit if the truck is inside. What does not count yet
    stays in the feed and is looked at again.
    """
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
                AND NOT EXISTS (SELECT FROM app.trip t
                                WHERE t.vehicle_id = e.vehicle_id AND t.stage <> ALL(:ended) AND t.created_at <= e.time
                                    AND (t.stage <> :out OR e.time <= t.stage_since))
                AND CASE WHEN e.source <> 'gps' THEN true
                    WHEN e.kind = 'leave' THEN EXISTS (
                        SELECT FROM capacity.presence p WHERE p.yard_id = e.site_id AND p.vehicle_id = e.vehicle_id
                            AND p.left_at IS NULL)
                    ELSE EXISTS (
                        SELECT FROM ingest.fix f JOIN geo.site s ON s.site_id = e.site_id
                        LEFT JOIN geo.geofence g ON g.site_id = e.site_id
                        WHERE f.vehicle_id = e.vehicle_id AND f.time BETWEEN e.time - :within AND e.time - :lead
                            AND NOT coalesce(ST_Covers(g.geom, f.geom), false)
                            AND ST_DWithin(CAST(f.geom AS geography), CAST(s.geom AS geography), :approach_m)) END
            ORDER BY e.time, e.event_id
            """
        ),
        {
            "event_id": event_id,
            "out": Stage.OUT,
            "ended": list(Stage.without_crossing()),
            "within": RULES.approach_within,
            "lead": RULES.approach_lead,
            "approach_m": RULES.approach_m,
        },
    )
    return [YardPassage(*row) for row in rows]


def count_unapproached(session: Session, since: datetime) -> int:
    """How many entries into yards that GPS reports since a moment the ledger does not count: nothing bears them out."""
    query = """
        SELECT count(*) FROM ingest.site_event e JOIN capacity.yard y ON y.yard_id = e.site_id
        WHERE e.source = 'gps' AND e.kind = 'enter' AND e.time >= :since
            AND NOT EXISTS (
                SELECT FROM capacity.movement m WHERE m.yard_id = e.site_id AND m.vehicle_id = e.vehicle_id
                    AND m.kind = 'enter' AND m.time BETWEEN e.time - :within AND e.time + :within)
        """
    bound = {"since": since, "within": RULES.approach_within}
    return int(session.execute(text(query), bound).scalar_one())


def newest_passage(session: Session) -> int:
    """The identifier of the newest passage; 0 if there is none."""
    return int(session.execute(text("SELECT coalesce(max(event_id), 0) FROM ingest.site_event")).scalar_one())


def expected_trucks(session: Session, yard_id: str, *, made_since: datetime, limit: int) -> list[ExpectedTruck]:
    """Trucks that the newest plan, made since a time, sends to a yard and that are not inside it, next first."""
    rows = session.execute(
        text(
            """
            SELECT a.trip_id, v.plate_norm, a.arrive_at, a.place_free_at, a.wait_s, t.goods, t.perishable, t.stage,
                a.zone_id, t.gate_id
            FROM capacity.assignment a
            JOIN app.trip t USING (trip_id)
            JOIN ingest.vehicle v ON v.vehicle_id = a.vehicle_id
            WHERE a.plan_id = (SELECT max(plan_id) FROM capacity.plan WHERE made_at >= :made_since)
                AND a.yard_id = :yard_id
                AND NOT EXISTS (SELECT FROM capacity.presence s
                                WHERE s.vehicle_id = a.vehicle_id AND s.left_at IS NULL)
            ORDER BY a.place_free_at, a.trip_id
            LIMIT :limit
            """
        ),
        {"yard_id": yard_id, "made_since": made_since, "limit": limit},
    )
    return [ExpectedTruck(*row) for row in rows]


def inside_kinds(session: Session, yard_id: str) -> list[InsideKind]:
    """What is declared of the trucks known inside a yard, those alike counted together."""
    rows = session.execute(
        text(
            """
            SELECT t.goods_class, coalesce(t.facts ->> 'chilled' = 'true', false), s.status, count(*),
                coalesce(t.facts -> 'hazard_class', '[]')
            FROM capacity.presence p
            LEFT JOIN app.current_trip c ON c.vehicle_id = p.vehicle_id
            LEFT JOIN app.trip t ON t.trip_id = c.trip_id
            LEFT JOIN app.trip_step s ON s.trip_id = t.trip_id AND s.step = :transshipment
            WHERE p.yard_id = :yard_id AND p.left_at IS NULL
            GROUP BY 1, 2, 3, 5
            """
        ),
        {"yard_id": yard_id, "transshipment": Step.TRANSSHIPMENT},
    )
    return [InsideKind(*row) for row in rows]


def find_trip_at_yard(session: Session, plate_norm: str) -> TripAtYard | None:
    """The trip that the truck of a plate is on now; `None` if it is on none."""
    row = session.execute(
        text(
            """
            SELECT t.trip_id, t.gate_id, s.status
            FROM ingest.vehicle v JOIN app.current_trip c USING (vehicle_id) JOIN app.trip t USING (trip_id)
            LEFT JOIN app.trip_step s ON s.trip_id = t.trip_id AND s.step = :fee
            WHERE v.plate_norm = :plate
            """
        ),
        {"plate": plate_norm, "fee": Step.FEE},
    ).first()
    return None if row is None else TripAtYard(*row)


def open_trip_gates(session: Session, visible: ColumnElement[bool], trip_id: int | None) -> dict[int, str]:
    """The gates of trips among `visible` that are not over, by trip; only `trip_id` if given."""
    query = select(Trip.trip_id, Trip.gate_id).where(visible, Trip.stage.in_(Stage.open()))
    if trip_id is not None:
        query = query.where(Trip.trip_id == trip_id)
    return {row.trip_id: row.gate_id for row in session.execute(query)}
