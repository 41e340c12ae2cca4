"""Queries on equipment and on what it reported. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, false, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.equipment.reads import AFTERGLOW
from app.equipment.tables import BarrierCommand, Equipment, PlateReadRow, Scan, SealEvent, Weighing
from app.equipment.vocabulary import CommandStatus
from app.gates.vocabulary import EquipmentKind
from app.platform.json import JsonObject
from app.trips.service import IS_OPEN, PREVIOUS_END, Trip
from ingest.tables import Vehicle

Reported = TypeVar("Reported", PlateReadRow, Weighing, Scan, SealEvent)


@dataclass(frozen=True)
class DeviceReport(Generic[Reported]):
    """What a device reported, and the device."""

    report: Reported
    device: Equipment


@dataclass(frozen=True)
class CommandLine:
    """A command and its barrier."""

    command: BarrierCommand
    barrier: Equipment


@dataclass(frozen=True)
class Spot:
    """Where a camera stands, degrees."""

    lon: float
    lat: float


@dataclass(frozen=True)
class TripRow:
    """A trip with the plates of its truck and trailer; it `began_at` when it was entered, or its truck seen before."""

    trip_id: int
    code: str
    vehicle_id: int
    organisation_id: int
    driver_id: int | None
    gate_id: str
    stage: str
    planned_arrival: datetime
    plate_norm: str
    plate: str
    trailer_plate: str | None
    is_declared: bool
    began_at: datetime

    @property
    def plates(self) -> tuple[str, ...]:
        """Those that a camera may read."""
        return (self.plate_norm, self.trailer_plate) if self.trailer_plate else (self.plate_norm,)


@dataclass(frozen=True)
class TripNear(TripRow):
    """A trip whose plate is like one that was read: how far off its truck was last seen (m), and how long ago (s).

    `ended_at` is when it was over.
    """

    ended_at: datetime | None
    distance_m: float | None
    fix_age_s: float | None


@dataclass(frozen=True)
class TripTitle:
    """What people know a trip by."""

    trip_id: int
    code: str
    plate: str
    goods: str


# Equipment


def insert_equipment(session: Session, device: Equipment) -> Equipment:
    """A new device, with its number."""
    session.add(device)
    session.flush()
    return device


def find_keyless(session: Session, kind: str) -> Equipment | None:
    """The device of a kind that has no key, the oldest: it stands for others behind it."""
    return session.scalars(
        select(Equipment)
        .where(Equipment.kind == kind, Equipment.key_hash.is_(None))
        .order_by(Equipment.equipment_id)
        .limit(1)
    ).one_or_none()


def find_by_key(session: Session, key_hash: bytes) -> Equipment | None:
    """The device that bears this credential and is in use."""
    return session.scalars(
        select(Equipment).where(Equipment.key_hash == key_hash, Equipment.disabled_at.is_(None))
    ).one_or_none()


def find_camera(session: Session, vendor: str, camera_id: str) -> Equipment | None:
    """The camera that a vendor's own messages call `camera_id`."""
    return session.scalars(
        select(Equipment)
        .where(
            Equipment.kind == EquipmentKind.PLATE_CAMERA,
            Equipment.vendor == vendor,
            Equipment.config["camera_id"].astext == camera_id,
            Equipment.disabled_at.is_(None),
        )
        .order_by(Equipment.equipment_id)
        .limit(1)
    ).one_or_none()


def find_barrier(session: Session, gate_id: str, station: str) -> Equipment | None:
    """The automatic barrier of a station."""
    return session.scalars(
        select(Equipment)
        .where(
            Equipment.kind == EquipmentKind.BARRIER,
            Equipment.gate_id == gate_id,
            Equipment.station == station,
            Equipment.disabled_at.is_(None),
        )
        .order_by(Equipment.equipment_id)
        .limit(1)
    ).one_or_none()


def find_equipment(session: Session, visible: ColumnElement[bool], equipment_id: int) -> Equipment | None:
    """A device among the visible ones."""
    return session.scalars(select(Equipment).where(Equipment.equipment_id == equipment_id, visible)).one_or_none()


def lock_equipment(session: Session, equipment_id: int) -> Equipment:
    """A device, locked until the transaction ends: what one device reports is judged one after the other."""
    return session.scalars(
        select(Equipment)
        .where(Equipment.equipment_id == equipment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def list_equipment(session: Session, visible: ColumnElement[bool]) -> Sequence[Equipment]:
    """Visible devices, by gate, kind and name."""
    return session.scalars(
        select(Equipment)
        .where(visible)
        .order_by(Equipment.gate_id.nulls_last(), Equipment.kind, Equipment.name, Equipment.equipment_id)
    ).all()


def of_gate(gate_id: str | None, column: InstrumentedAttribute[str | None] = Equipment.gate_id) -> ColumnElement[bool]:
    """The condition for one gate; nothing for an account without one."""
    return false() if gate_id is None else column == gate_id


def in_use(session: Session) -> Sequence[Equipment]:
    """Devices that should report."""
    return session.scalars(
        select(Equipment).where(Equipment.disabled_at.is_(None)).order_by(Equipment.equipment_id)
    ).all()


# Reports


def insert_report(session: Session, table: type[Reported], values: Mapping[str, object]) -> Reported | None:
    """A new report of a device; `None` if it came before."""
    statement = pg_insert(table).values(**values).on_conflict_do_nothing().returning(table)
    return session.scalars(statement).one_or_none()


def find_report(session: Session, table: type[Reported], equipment_id: int, source_ref: str) -> Reported | None:
    """What a device reported under a name."""
    return session.scalars(
        select(table).where(table.equipment_id == equipment_id, table.source_ref == source_ref)
    ).one_or_none()


def reports_of_trip(session: Session, table: type[Reported], trip_id: int) -> list[DeviceReport[Reported]]:
    """What was reported of a trip, oldest first."""
    rows = session.execute(
        select(table, Equipment)
        .join(Equipment, Equipment.equipment_id == table.equipment_id)
        .where(table.trip_id == trip_id)
        .order_by(table.time, *table.__mapper__.primary_key)
    )
    return [DeviceReport(*row) for row in rows]


def list_reports(
    session: Session, table: type[Reported], visible: ColumnElement[bool], *, limit: int, before: datetime | None = None
) -> list[DeviceReport[Reported]]:
    """The newest reports of visible devices."""
    query = select(table, Equipment).join(Equipment, Equipment.equipment_id == table.equipment_id).where(visible)
    if before is not None:
        query = query.where(table.time < before)
    return [DeviceReport(*row) for row in session.execute(query.order_by(table.time.desc()).limit(limit))]


def newest_seal_event(session: Session, seal_number: str) -> SealEvent | None:
    """What a seal reported last."""
    return session.scalars(
        select(SealEvent).where(SealEvent.seal_number == seal_number).order_by(SealEvent.event_id.desc()).limit(1)
    ).one_or_none()


# Trips


_TRIP_COLUMNS = f"""
    t.trip_id, t.code, t.vehicle_id, t.organisation_id, t.driver_id, t.gate_id, t.stage, t.planned_arrival,
    v.plate_norm, v.plate, t.trailer_plate, t.procedure_id IS NOT NULL AS is_declared,
    greatest(LEAST(t.created_at, t.arrived_at), {PREVIOUS_END}) AS began_at
"""
_KEY = "translate({column}, 'DOQBISZG', '00081526')"
"""`ingest.plates.lookalike_key` of a normal form, in SQL."""


def trips_like(
    session: Session, heads: Sequence[str], tails: Sequence[str], spot: Spot | None, moment: datetime
) -> list[TripNear]:
    """Trips that are open or were just over at `moment`, whose truck or trailer begins or ends like a lookalike key.

    With each comes the distance from `spot` to the truck's last fix (m) and that fix's age at `moment` (s).
    """
    truck, trailer = _KEY.format(column="v.plate_norm"), _KEY.format(column="t.trailer_plate")
    rows = session.execute(
        text(
            f"""
            SELECT {_TRIP_COLUMNS},
                   CASE WHEN t.stage = 'out' THEN t.stage_since END AS ended_at,
                   ST_DistanceSphere(p.geom, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)) AS distance_m,
                   CAST(abs(extract(epoch FROM CAST(:moment AS timestamptz) - p.time)) AS float8) AS fix_age_s
            FROM (
                SELECT * FROM app.trip WHERE trip_id IN (SELECT trip_id FROM app.current_trip)
                UNION ALL
                SELECT * FROM app.trip WHERE stage = 'out' AND stage_since >= :over_since
            ) t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
            LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
            WHERE (
                left({truck}, 4) = ANY(:heads) OR right({truck}, 4) = ANY(:tails)
                OR left({trailer}, 4) = ANY(:heads) OR right({trailer}, 4) = ANY(:tails))
            """  # noqa: S608 - constants of this package
        ),
        {
            "heads": list(heads),
            "tails": list(tails),
            "moment": moment,
            "over_since": moment - AFTERGLOW,
            "lon": spot.lon if spot else None,
            "lat": spot.lat if spot else None,
        },
    )
    return [TripNear(*row) for row in rows]


def find_trip(session: Session, trip_id: int) -> TripRow | None:
    """A trip."""
    row = session.execute(
        text(
            f"SELECT {_TRIP_COLUMNS} FROM app.trip t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id "  # noqa: S608
            "WHERE t.trip_id = :trip_id"
        ),
        {"trip_id": trip_id},
    ).one_or_none()
    return None if row is None else TripRow(*row)


def lock_trips(session: Session, trip_ids: Sequence[int]) -> None:
    """Lock trips until the transaction ends, in the order given."""
    if trip_ids:
        session.execute(select(Trip.trip_id).where(Trip.trip_id.in_(trip_ids)).order_by(Trip.trip_id).with_for_update())


def find_open_trip(session: Session, plate_norm: str) -> int | None:
    """The open trip of a truck or trailer with this plate."""
    query = text(
        f"SELECT t.trip_id FROM app.trip t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id "  # noqa: S608
        f"WHERE t.{IS_OPEN} AND (v.plate_norm = :plate OR t.trailer_plate = :plate) "
        "ORDER BY (v.plate_norm = :plate) DESC, (t.trip_id IN (SELECT trip_id FROM app.current_trip)) DESC, "
        "t.planned_arrival LIMIT 1"
    )
    return session.execute(query, {"plate": plate_norm}).scalar_one_or_none()


def describe_trips(session: Session, trip_ids: Sequence[int]) -> dict[int, TripTitle]:
    """Code, plate and goods of trips, by trip."""
    query = (
        select(Trip.trip_id, Trip.code, Vehicle.plate, Trip.goods)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Trip.trip_id.in_(trip_ids))
    )
    return {row.trip_id: TripTitle(*row) for row in session.execute(query)}


def find_trip_by_code(session: Session, code: str) -> int | None:
    """The trip with a code."""
    return session.scalars(select(Trip.trip_id).where(Trip.code == code)).one_or_none()


def step_status(session: Session, trip_id: int, step: str) -> str | None:
    """How far a step of a trip's sheet is."""
    query = text("SELECT status FROM app.trip_step WHERE trip_id = :trip_id AND step = :step")
    return session.execute(query, {"trip_id": trip_id, "step": step}).scalar_one_or_none()


def declared_data(session: Session, trip_id: int) -> JsonObject | None:
    """The declaration in force of a trip."""
    query = text(
        "SELECT data FROM app.declaration WHERE trip_id = :trip_id AND status = 'submitted' "
        "ORDER BY revision DESC LIMIT 1"
    )
    found: JsonObject | None = session.execute(query, {"trip_id": trip_id}).scalar_one_or_none()
    return found


# Barrier commands


def insert_command(session: Session, command: BarrierCommand) -> BarrierCommand:
    """A new command, with its number."""
    session.add(command)
    session.flush()
    return command


def newest_command(session: Session, equipment_id: int, trip_id: int | None = None) -> BarrierCommand | None:
    """The last command to a barrier (for a trip)."""
    query = select(BarrierCommand).where(BarrierCommand.equipment_id == equipment_id)
    if trip_id is not None:
        query = query.where(BarrierCommand.trip_id == trip_id)
    return session.scalars(query.order_by(BarrierCommand.command_id.desc()).limit(1)).one_or_none()


def find_command(session: Session, command_id: int) -> BarrierCommand | None:
    """One command."""
    return session.get(BarrierCommand, command_id)


def settle_command(
    session: Session, command_id: int, status: str, detail: str, answered_at: datetime
) -> BarrierCommand | None:
    """Enter how a command ended; `None` if it had ended before."""
    statement = (
        update(BarrierCommand)
        .where(BarrierCommand.command_id == command_id, BarrierCommand.status == CommandStatus.SENT)
        .values(status=status, detail=detail[:300], answered_at=answered_at)
        .returning(BarrierCommand)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).one_or_none()


def unanswered_commands(session: Session, before: datetime) -> Sequence[BarrierCommand]:
    """Commands sent before a time that nobody answered."""
    return session.scalars(
        select(BarrierCommand)
        .where(BarrierCommand.status == CommandStatus.SENT, BarrierCommand.requested_at < before)
        .with_for_update(skip_locked=True)
    ).all()


def list_commands(
    session: Session, visible: ColumnElement[bool], *, trip_id: int | None, limit: int
) -> list[CommandLine]:
    """The newest commands to visible barriers."""
    query = (
        select(BarrierCommand, Equipment)
        .join(Equipment, Equipment.equipment_id == BarrierCommand.equipment_id)
        .where(visible, BarrierCommand.trip_id == trip_id if trip_id is not None else true())
    )
    return [CommandLine(*row) for row in session.execute(query.order_by(BarrierCommand.command_id.desc()).limit(limit))]
