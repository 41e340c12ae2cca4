"""Queries on commands to devices. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.tracking.tables import DeviceCommand
from app.tracking.vocabulary import CommandStatus
from geo.database import values_of


@dataclass(frozen=True)
class NewCommand:
    """An order's text for a truck's device, to be fetched before it expires."""

    order_id: int
    vehicle_id: int
    text: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class TakenCommand:
    """A command that is on its way to a device now, and nobody else's to send."""

    command_id: int
    vehicle_id: int
    text: str


@dataclass(frozen=True)
class CommandLine:
    """How a command stands."""

    command_id: int
    order_id: int
    vehicle_id: int
    status: str
    protocol: str | None
    created_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None


def with_device(session: Session, vehicle_ids: Collection[int]) -> set[int]:
    """Those of the vehicles that have a device."""
    query = text(
        "SELECT DISTINCT vehicle_id FROM ingest.device "
        "WHERE vehicle_id = ANY(CAST(:ids AS integer[])) AND revoked_at IS NULL"
    )
    return set(session.scalars(query, {"ids": sorted(vehicle_ids)})) if vehicle_ids else set()


def insert_commands(session: Session, commands: Sequence[NewCommand]) -> int:
    """Queue commands that are not there yet; how many were new."""
    if not commands:
        return 0
    query = insert(DeviceCommand).on_conflict_do_nothing().returning(DeviceCommand.command_id)
    return len(session.scalars(query, [values_of(command) for command in commands]).all())


def expire(session: Session, standing: Collection[tuple[int, int]], now: datetime) -> None:
    """End what waits and is no longer wanted: its time is over, or order and truck are not in `standing`."""
    key = tuple_(DeviceCommand.order_id, DeviceCommand.vehicle_id)
    unwanted = or_(DeviceCommand.expires_at <= now, key.not_in(sorted(standing)))
    session.execute(
        update(DeviceCommand)
        .where(DeviceCommand.status == CommandStatus.WAITING, unwanted)
        .values(status=CommandStatus.EXPIRED, answered_at=now)
        .execution_options(synchronize_session=False)
    )


def waiting_vehicles(session: Session) -> set[int]:
    """The vehicles for which something waits."""
    query = select(DeviceCommand.vehicle_id).where(DeviceCommand.status == CommandStatus.WAITING).distinct()
    return set(session.scalars(query))


def take(session: Session, vehicle_ids: Collection[int], protocol: str, now: datetime) -> list[TakenCommand]:
    """What waits for these vehicles, marked as sent by `protocol`: nobody else will send it again."""
    chosen = (
        select(DeviceCommand.command_id)
        .where(
            DeviceCommand.status == CommandStatus.WAITING,
            DeviceCommand.vehicle_id.in_(sorted(vehicle_ids)),
            DeviceCommand.expires_at > now,
        )
        .order_by(DeviceCommand.command_id)
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(DeviceCommand)
        .where(DeviceCommand.command_id.in_(chosen))
        .values(status=CommandStatus.SENT, protocol=protocol, sent_at=now)
        .returning(DeviceCommand.command_id, DeviceCommand.vehicle_id, DeviceCommand.text)
        .execution_options(synchronize_session=False)
    )
    return sorted((TakenCommand(*row) for row in rows), key=lambda command: command.command_id)


def answer(session: Session, command_id: int, status: CommandStatus, now: datetime) -> tuple[int, int] | None:
    """Note what a device answered; order and vehicle if it is news."""
    row = session.execute(
        update(DeviceCommand)
        .where(DeviceCommand.command_id == command_id, DeviceCommand.status == CommandStatus.SENT)
        .values(status=status, answered_at=now)
        .returning(DeviceCommand.order_id, DeviceCommand.vehicle_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def list_of_order(session: Session, order_id: int) -> list[CommandLine]:
    """The commands of an order, by vehicle."""
    query = (
        select(
            DeviceCommand.command_id,
            DeviceCommand.order_id,
            DeviceCommand.vehicle_id,
            DeviceCommand.status,
            DeviceCommand.protocol,
            DeviceCommand.created_at,
            DeviceCommand.sent_at,
            DeviceCommand.answered_at,
        )
        .where(DeviceCommand.order_id == order_id)
        .order_by(DeviceCommand.vehicle_id)
    )
    return [CommandLine(*row) for row in session.execute(query)]


def prune(session: Session, before: datetime) -> None:
    """Forget commands older than `before`."""
    session.execute(delete(DeviceCommand).where(DeviceCommand.created_at < before))
