"""Queries of the demonstration: its trucks, devices, drivers and trips in bulk. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.accounts.service import Account, SessionRow
from app.dispatch.orders import DispatchOrder, OrderRecipient
from app.dispatch.records import ParametersRecord
from app.dispatch.vocabulary import OrderStatus, RecipientStatus
from app.platform.json import JsonObject
from app.procedures import service as _procedures  # noqa: F401 - a trip refers to a table of it
from app.procedures.steps import VehicleRole
from app.sheets import service as sheets_service  # noqa: F401 - trip.procedure_id refers to a table of it
from app.trips.service import IS_OPEN, Trip, TripEvent, begin_places, end_places
from app.trips.vocabulary import Stage
from geo.database import records
from ingest.tables import Device, Vehicle

SAME_JOURNEY = timedelta(hours=8)
"""Planned arrivals of one truck that lie nearer than this belong to one journey; its journeys are a day apart."""


@dataclass(frozen=True)
class NewVehicle:
    """A truck; `plate_norm` is its plate in normalised form."""

    plate: str
    plate_norm: str


@dataclass(frozen=True)
class NewDevice:
    """A device of a vehicle, known by the hash of its identifier; `key_hint` is the identifier's end."""

    key_hash: bytes
    key_hint: str
    vehicle_id: int
    kind: str


@dataclass(frozen=True)
class NewAccount:
    """A simulated person at a gate, in an enterprise or in a truck."""

    username: str
    full_name: str
    role: str
    organisation_id: int | None
    gate_id: str | None = None
    vehicle_id: int | None = None


@dataclass(frozen=True)
class NewTrip:
    """A simulated trip, declared at `created_at`, its stage as it stands since `stage_since`."""

    code: str
    vehicle_id: int
    driver_id: int
    organisation_id: int
    goods: str
    goods_class: str
    perishable: bool
    regime: str
    direction: str
    gate_id: str
    planned_arrival: datetime
    stage: str
    stage_since: datetime
    created_at: datetime


@dataclass(frozen=True)
class StepPapers:
    """How a step of a trip's sheet stands, and since when."""

    status: str
    since: datetime


@dataclass(frozen=True)
class DeclarationPapers:
    """The newest revision of a trip's declaration, and the version to edit."""

    revision: int
    version: int


@dataclass(frozen=True)
class ArrivalPapers:
    """A truck that came undeclared, at the support desk; `opened_at` is when its case was taken up."""

    arrival_id: int
    opened_at: datetime | None


@dataclass(frozen=True)
class FeePapers:
    """A trip's fee; `amount_vnd` is `None` while it is an open question, `applied_vnd` what came in for it."""

    fee_id: int
    status: str
    version: int
    amount_vnd: int | None
    reference: str
    applied_vnd: int


@dataclass(frozen=True)
class TransshipmentPapers:
    """A trip's newest transshipment."""

    transshipment_id: int
    status: str
    version: int


@dataclass(frozen=True)
class TripPapers:
    """An open simulated trip with all that simulated officers ask of it; `None` where there is none.

    `steps` are those of its sheet by name, in no order; `returns` counts the returned revisions of its declaration.
    """

    trip_id: int
    vehicle_id: int
    plate: str
    organisation_id: int
    version: int
    stage: str
    gate_id: str
    goods_class: str
    planned_arrival: datetime
    channel: str | None
    facts: JsonObject
    arrived_at: datetime | None
    procedure_id: int | None
    collector: str | None
    steps: Mapping[str, StepPapers]
    declaration: DeclarationPapers | None
    returns: int
    arrival: ArrivalPapers | None
    fee: FeePapers | None
    transshipment: TransshipmentPapers | None


def add_vehicles(session: Session, vehicles: Sequence[NewVehicle], now: datetime) -> dict[str, int]:
    """Vehicles that are not there yet; the number of each by its normalised plate."""
    session.execute(
        pg_insert(Vehicle).on_conflict_do_nothing(index_elements=["plate_norm"]),
        [{**asdict(vehicle), "kind": "truck", "created_at": now} for vehicle in vehicles],
    )
    found = session.execute(
        select(Vehicle.plate_norm, Vehicle.vehicle_id).where(
            Vehicle.plate_norm.in_([vehicle.plate_norm for vehicle in vehicles])
        )
    )
    return {plate_norm: vehicle_id for plate_norm, vehicle_id in found}


def add_devices(session: Session, devices: Sequence[NewDevice], now: datetime) -> None:
    """Devices that are not there yet, by the hash of their identifier."""
    session.execute(
        pg_insert(Device).on_conflict_do_nothing(index_elements=["key_hash"]),
        [{**asdict(device), "created_at": now} for device in devices],
    )


def known_devices(session: Session, key_hashes: Sequence[bytes]) -> set[bytes]:
    """Which of these hashes belong to a device that is not revoked."""
    query = select(Device.key_hash).where(Device.key_hash.in_(key_hashes), Device.revoked_at.is_(None))
    return {bytes(key_hash) for key_hash in session.scalars(query)}


def add_accounts(session: Session, accounts: Sequence[NewAccount], password_hash: str, now: datetime) -> None:
    """Accounts of simulated people that are not there yet, by user name."""
    session.execute(
        pg_insert(Account).on_conflict_do_nothing(index_elements=["username"]),
        [{**asdict(account), "password_hash": password_hash, "created_at": now} for account in accounts],
    )


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


def add_trips(session: Session, trips: Sequence[NewTrip], now: datetime) -> int:
    """New trips with the first line of their timeline, where the truck is on no open one; how many."""
    if not trips:
        return 0
    vehicle_ids = [trip.vehicle_id for trip in trips]
    query = select(Trip.vehicle_id, Trip.organisation_id).where(text(IS_OPEN), Trip.vehicle_id.in_(vehicle_ids))
    busy = {tuple(row) for row in session.execute(query)}
    free = {(trip.vehicle_id, trip.organisation_id): trip for trip in reversed(trips)}
    values = [{**asdict(trip), "simulated": True} for key, trip in free.items() if key not in busy]
    made = session.scalars(insert(Trip).returning(Trip.trip_id), values).all() if values else []
    if made:
        lines = [{"trip_id": trip_id, "at": now, "kind": "created", "data": {"simulated": True}} for trip_id in made]
        session.execute(insert(TripEvent), lines)
        begin_places(session, made)
    return len(made)


def papers(session: Session, vehicle_ids: Sequence[int]) -> list[TripPapers]:
    """The open simulated trips of vehicles with all that simulated officers ask of them, in one query."""
    rows = session.execute(
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
    )
    return [
        TripPapers(
            trip_id=row.trip_id,
            vehicle_id=row.vehicle_id,
            plate=row.plate,
            organisation_id=row.organisation_id,
            version=row.version,
            stage=row.stage,
            gate_id=row.gate_id,
            goods_class=row.goods_class,
            planned_arrival=row.planned_arrival,
            channel=row.channel,
            facts=row.facts,
            arrived_at=row.arrived_at,
            procedure_id=row.procedure_id,
            collector=row.collector,
            steps={
                step: StepPapers(status, datetime.fromisoformat(since))
                for step, (status, since) in (row.steps or {}).items()
            },
            declaration=None if row.revision is None else DeclarationPapers(row.revision, row.declaration_version),
            returns=row.returns,
            arrival=None if row.arrival_id is None else ArrivalPapers(row.arrival_id, row.opened_at),
            fee=None
            if row.fee_id is None
            else FeePapers(row.fee_id, row.fee_status, row.fee_version, row.amount_vnd, row.reference, row.applied_vnd),
            transshipment=None
            if row.transshipment_id is None
            else TransshipmentPapers(row.transshipment_id, row.transshipment, row.transshipment_version),
        )
        for row in rows
    ]


def receiving_vehicles(session: Session) -> list[int]:
    """The vehicles of open simulated trips that received their load in a transshipment."""
    query = text(
        f"SELECT t.vehicle_id FROM app.trip t WHERE t.{IS_OPEN} AND t.simulated "  # noqa: S608 - a constant of app.trips
        "AND t.facts ->> 'vehicle_role' = :receiver ORDER BY t.trip_id"
    )
    return list(session.scalars(query, {"receiver": VehicleRole.RECEIVER}))


def forget_trips(session: Session, journeys: Mapping[int, datetime], now: datetime) -> list[int]:
    """Cancel simulated trips that were still open when their journey was over; their vehicles.

    Arguments: `journeys`, for each vehicle the planned arrival of its present or next journey. Such trips remain where
    the demonstration stood still: the truck's last fixes were never sent, so that nobody saw it leave.
    """
    rows = session.execute(
        text(
            f"""
            UPDATE app.trip t SET stage = :cancelled, stage_since = :now, version = t.version + 1
            FROM unnest(CAST(:vehicle_ids AS integer[]), CAST(:arrivals AS timestamptz[])) AS j (vehicle_id, arrival)
            WHERE t.vehicle_id = j.vehicle_id AND t.simulated AND t.{IS_OPEN} AND t.planned_arrival < j.arrival
            RETURNING t.trip_id, t.vehicle_id
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {
            "cancelled": Stage.CANCELLED,
            "vehicle_ids": list(journeys),
            "arrivals": [arrival - SAME_JOURNEY for arrival in journeys.values()],
            "now": now,
        },
    ).all()
    if rows:
        data = {"after": Stage.CANCELLED.value, "reason": "demo_journey_over"}
        lines = [{"trip_id": row.trip_id, "at": now, "kind": "stage", "data": data} for row in rows]
        session.execute(insert(TripEvent), lines)
        end_places(session, [row.trip_id for row in rows], now)
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
    parameters: ParametersRecord
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
    return records(StandingOrder, rows)


def add_token(
    session: Session, account_id: int, session_hash: bytes, csrf_token: str, now: datetime, until: datetime
) -> None:
    """The session of a simulated driver's bearer token, which holds to `until`."""
    session.add(
        SessionRow(
            session_hash=session_hash,
            account_id=account_id,
            kind="token",
            csrf_token=csrf_token,
            created_at=now,
            last_seen_at=now,
            expires_at=until,
            ends_at=until,
            idle_s=int((until - now).total_seconds()),
            active_at=now,
            proved_at=now,
            user_agent="demo driver (simulated)",
        )
    )
    session.flush()


def open_trips_of(session: Session, vehicle_ids: Sequence[int]) -> int:
    """How many of these vehicles are on an open trip."""
    query = select(Trip.trip_id).where(Trip.vehicle_id.in_(vehicle_ids), Trip.stage.in_(Stage.open()))
    return len(session.scalars(query).all())
