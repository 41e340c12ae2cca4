"""Queries of the demonstration: its trucks, devices, drivers and trips in bulk. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.accounts.service import Account, SessionRow
from app.dispatch.orders import DispatchOrder, OrderRecipient
from app.dispatch.vocabulary import OrderStatus, RecipientStatus
from app.platform.json import JsonObject
from app.procedures import service as _procedures  # noqa: F401 - a trip refers to a table of it
from app.sheets import service as sheets_service  # noqa: F401 - trip.procedure_id refers to a table of it
from app.trips.service import IS_OPEN, Trip, TripEvent
from app.trips.vocabulary import Stage
from ingest.tables import Device, Vehicle

SAME_JOURNEY = timedelta(hours=8)
"""Planned arrivals of one truck that lie nearer than this belong to one journey; its journeys are a day apart."""


def add_vehicles(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Vehicles that are not there yet; the number of each by its normalised plate."""
    session.execute(pg_insert(Vehicle).on_conflict_do_nothing(index_elements=["plate_norm"]), [dict(r) for r in rows])
    found = session.execute(
        select(Vehicle.plate_norm, Vehicle.vehicle_id).where(Vehicle.plate_norm.in_([r["plate_norm"] for r in rows]))
    )
    return {plate_norm: vehicle_id for plate_norm, vehicle_id in found}


def add_devices(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Devices that are not there yet, by the hash of their identifier."""
    session.execute(pg_insert(Device).on_conflict_do_nothing(index_elements=["key_hash"]), [dict(r) for r in rows])


def known_devices(session: Session, key_hashes: Sequence[bytes]) -> set[bytes]:
    """Which of these hashes belong to a device that is not revoked."""
    query = select(Device.key_hash).where(Device.key_hash.in_(key_hashes), Device.revoked_at.is_(None))
    return {bytes(key_hash) for key_hash in session.scalars(query)}


def add_drivers(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Accounts of drivers that are not there yet, by user name."""
    session.execute(pg_insert(Account).on_conflict_do_nothing(index_elements=["username"]), [dict(r) for r in rows])


def add_people(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Accounts of simulated people that are not there yet, by user name."""
    session.execute(pg_insert(Account).on_conflict_do_nothing(index_elements=["username"]), [dict(r) for r in rows])


def offices(session: Session) -> dict[str, int | None]:
    """The organisation of the demo account of each role, by role."""
    query = select(Account.role, Account.organisation_id).where(
        Account.username.like("demo.%"), Account.gate_id.is_not(None), Account.organisation_id.is_not(None)
    )
    return {row.role: row.organisation_id for row in session.execute(query)}


def accounts_by_name(session: Session, usernames: Sequence[str]) -> dict[str, int]:
    """The number of each account by its user name."""
    query = select(Account.username, Account.account_id).where(Account.username.in_(usernames))
    return {username: account_id for username, account_id in session.execute(query)}


def newest_arrivals(session: Session, vehicle_ids: Sequence[int]) -> dict[int, datetime]:
    """The latest planned arrival among all trips of each vehicle."""
    found = session.execute(
        text(
            "SELECT vehicle_id, max(planned_arrival) FROM app.trip "
            "WHERE vehicle_id = ANY(:vehicle_ids) GROUP BY vehicle_id"
        ),
        {"vehicle_ids": list(vehicle_ids)},
    )
    return {int(vehicle_id): arrival for vehicle_id, arrival in found}


def add_trips(session: Session, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """New trips with the first line of their timeline, where the truck is on no open one; how many."""
    if not rows:
        return 0
    query = (
        pg_insert(Trip)
        .on_conflict_do_nothing(index_elements=[Trip.vehicle_id], index_where=text(IS_OPEN))
        .returning(Trip.trip_id)
    )
    made = session.scalars(query, [dict(row) for row in rows]).all()
    if made:
        lines = [{"trip_id": trip_id, "at": now, "kind": "created", "data": {"simulated": True}} for trip_id in made]
        session.execute(insert(TripEvent), lines)
    return len(made)


def papers(session: Session, vehicle_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The open simulated trips of vehicles with all that simulated officers ask of them, in one query.

    `steps` maps each step to its status and since when; `revision declaration_version returns` are of the declaration,
    `arrival_id opened_at` of the support desk, `fee_…` and `transshipment…` of those; empty where there is none.
    """
    return session.execute(
        text(
            f"""
            SELECT t.trip_id, t.vehicle_id, v.plate, t.organisation_id, t.version, t.stage, t.gate_id, t.goods_class,
                   t.planned_arrival, t.channel, t.facts, t.arrived_at, t.procedure_id,
                   t.facts ->> 'collector' AS collector,
                   (SELECT jsonb_object_agg(s.step, jsonb_build_array(s.status, s.since))
                    FROM app.trip_step s WHERE s.trip_id = t.trip_id) AS steps,
                   d.revision, d.declaration_version, d.returns, a.arrival_id, a.opened_at,
                   f.fee_id, f.status AS fee_status, f.version AS fee_version, f.amount_vnd, f.reference,
                   coalesce((SELECT sum(p.applied_vnd) FROM app.payment p WHERE p.fee_id = f.fee_id), 0)::bigint
                       AS applied_vnd,
                   x.transshipment_id, x.status AS transshipment, x.version AS transshipment_version
            FROM app.trip t
            JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
            LEFT JOIN LATERAL (
                SELECT max(revision) AS revision, max(version) AS declaration_version,
                       count(*) FILTER (WHERE returned_at IS NOT NULL) AS returns
                FROM app.declaration WHERE trip_id = t.trip_id) d ON true
            LEFT JOIN LATERAL (
                SELECT u.arrival_id, u.opened_at FROM app.undeclared_arrival u
                WHERE u.plate_norm = v.plate_norm AND u.submitted_at IS NULL AND u.left_at IS NULL LIMIT 1) a ON true
            LEFT JOIN app.fee f ON f.trip_id = t.trip_id
            LEFT JOIN LATERAL (
                SELECT r.transshipment_id, r.status, r.version FROM app.transshipment r
                WHERE r.trip_id = t.trip_id ORDER BY r.transshipment_id DESC LIMIT 1) x ON true
            WHERE t.vehicle_id = ANY(:vehicle_ids) AND t.simulated AND t.{IS_OPEN}
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {"vehicle_ids": list(vehicle_ids)},
    ).all()


def end_forgotten_trips(session: Session, journeys: Mapping[int, datetime], now: datetime) -> list[int]:
    """End simulated trips that were still open when their journey was over; their vehicles.

    Arguments: `journeys`, for each vehicle the planned arrival of its present or next journey. Such trips remain where
    the demonstration stood still and the truck's last fixes were never sent.
    """
    rows = session.execute(
        text(
            f"""
            UPDATE app.trip t
            SET stage = CASE t.stage WHEN :planned THEN :cancelled ELSE :out END,
                stage_since = :now, version = t.version + 1
            FROM unnest(CAST(:vehicle_ids AS integer[]), CAST(:arrivals AS timestamptz[])) AS j (vehicle_id, arrival)
            WHERE t.vehicle_id = j.vehicle_id AND t.simulated AND t.{IS_OPEN} AND t.planned_arrival < j.arrival
            RETURNING t.trip_id, t.vehicle_id
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {
            "planned": Stage.PLANNED,
            "cancelled": Stage.CANCELLED,
            "out": Stage.OUT,
            "vehicle_ids": list(journeys),
            "arrivals": [arrival - SAME_JOURNEY for arrival in journeys.values()],
            "now": now,
        },
    ).all()
    if rows:
        data = {"reason": "demo_journey_over"}
        lines = [{"trip_id": row.trip_id, "at": now, "kind": "stage", "data": data} for row in rows]
        session.execute(insert(TripEvent), lines)
    return [int(row.vehicle_id) for row in rows]


def bind_vehicle(session: Session, username: str, vehicle_id: int, organisation_id: int) -> None:
    """Let an account drive a vehicle, unless it already drives one."""
    session.execute(
        update(Account)
        .where(Account.username == username, Account.vehicle_id.is_(None))
        .values(vehicle_id=vehicle_id, organisation_id=organisation_id)
    )


@dataclass(frozen=True)
class StandingOrder:
    """An order in force for a driver, and how the driver answered it."""

    order_id: int
    kind: str
    parameters: JsonObject
    valid_to: datetime
    vehicle_id: int
    driver_id: int
    release_at: datetime | None
    status: str


def standing_orders(session: Session, account_ids: Sequence[int], now: datetime) -> list[StandingOrder]:
    """Orders in force for drivers."""
    rows = session.execute(
        select(
            DispatchOrder.order_id,
            DispatchOrder.kind,
            DispatchOrder.parameters,
            DispatchOrder.valid_to,
            OrderRecipient.vehicle_id,
            OrderRecipient.driver_id,
            OrderRecipient.release_at,
            OrderRecipient.status,
        )
        .join(OrderRecipient, OrderRecipient.order_id == DispatchOrder.order_id)
        .where(
            DispatchOrder.status == OrderStatus.ACTIVE,
            DispatchOrder.valid_to > now,
            OrderRecipient.status.in_(RecipientStatus.active()),
            OrderRecipient.driver_id.in_(account_ids),
        )
        .order_by(DispatchOrder.order_id, OrderRecipient.vehicle_id)
    )
    return [StandingOrder(*row) for row in rows]


def add_token(session: Session, values: Mapping[str, Any]) -> None:
    """A bearer token's session."""
    session.add(SessionRow(**values))
    session.flush()


def open_trips_of(session: Session, vehicle_ids: Sequence[int]) -> int:
    """How many of these vehicles are on an open trip."""
    query = select(Trip.trip_id).where(Trip.vehicle_id.in_(vehicle_ids), Trip.stage.in_(Stage.open()))
    return len(session.scalars(query).all())
