"""Queries on what devices told beside positions. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.tracking.tables import DeviceEvent
from app.tracking.vocabulary import DeviceEventKind
from geo.database import values_of
from ingest.tables import Vehicle


@dataclass(frozen=True)
class NewEvent:
    """What a device told, to be kept."""

    device_id: int
    vehicle_id: int
    kind: str
    time: datetime
    received_at: datetime
    lat: float | None
    lon: float | None
    detail: str


@dataclass(frozen=True)
class ConcernedVehicle:
    """A vehicle, and the open trip that it is on by the word of who may say so."""

    vehicle_id: int
    plate: str
    trip_id: int | None
    organisation_id: int | None
    driver_id: int | None


@dataclass(frozen=True)
class ListedEvent:
    """An event in a list, with its vehicle's plate."""

    event_id: int
    kind: str
    vehicle_id: int
    plate: str
    time: datetime
    received_at: datetime
    lat: float | None
    lon: float | None
    detail: str
    seen_at: datetime | None


def has_alike(session: Session, event: NewEvent, within_s: int) -> bool:
    """Whether the device told the same within `within_s` of it."""
    margin = timedelta(seconds=within_s)
    query = select(DeviceEvent.event_id).where(
        DeviceEvent.device_id == event.device_id,
        DeviceEvent.kind == event.kind,
        DeviceEvent.time.between(event.time - margin, event.time + margin),
    )
    return session.execute(query.limit(1)).first() is not None


def last_kind(session: Session, device_id: int, kinds: Collection[str], before: datetime) -> str | None:
    """Which of `kinds` the device told last before a time."""
    query = (
        select(DeviceEvent.kind)
        .where(DeviceEvent.device_id == device_id, DeviceEvent.kind.in_(kinds), DeviceEvent.time < before)
        .order_by(DeviceEvent.time.desc())
        .limit(1)
    )
    return session.scalar(query)


def insert_event(session: Session, event: NewEvent) -> int | None:
    """Keep an event; its number, `None` if it was there already."""
    query = insert(DeviceEvent).values(values_of(event)).on_conflict_do_nothing().returning(DeviceEvent.event_id)
    return session.scalar(query)


def concerned_vehicles(session: Session, vehicle_ids: Collection[int]) -> dict[int, ConcernedVehicle]:
    """Vehicles with the trips that they are on."""
    query = text(
        "SELECT v.vehicle_id, v.plate, t.trip_id, t.organisation_id, t.driver_id FROM ingest.vehicle v "
        "LEFT JOIN app.current_trip c ON c.vehicle_id = v.vehicle_id AND c.is_agreed "
        "LEFT JOIN app.trip t ON t.trip_id = c.trip_id WHERE v.vehicle_id = ANY(CAST(:ids AS integer[]))"
    )
    rows = session.execute(query, {"ids": sorted(set(vehicle_ids))}) if vehicle_ids else ()
    return {row.vehicle_id: ConcernedVehicle(*row) for row in rows}


def list_events(
    session: Session,
    visible: ColumnElement[bool],
    sight: ColumnElement[bool],
    *,
    kinds: Sequence[str] = (),
    unseen_only: bool = False,
    since: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[ListedEvent]:
    """Up to `limit` events that the condition on `DeviceEvent.vehicle_id` lets through, newest first.

    Where it was is said of those that the condition `sight` on `DeviceEvent` opens.
    """
    query = (
        select(
            DeviceEvent.event_id,
            DeviceEvent.kind,
            DeviceEvent.vehicle_id,
            Vehicle.plate,
            DeviceEvent.time,
            DeviceEvent.received_at,
            case((sight, DeviceEvent.lat)),
            case((sight, DeviceEvent.lon)),
            DeviceEvent.detail,
            DeviceEvent.seen_at,
        )
        .join(Vehicle, Vehicle.vehicle_id == DeviceEvent.vehicle_id)
        .where(visible)
        .order_by(DeviceEvent.event_id.desc())
        .limit(limit)
    )
    if kinds:
        query = query.where(DeviceEvent.kind.in_(kinds))
    if unseen_only:
        query = query.where(DeviceEvent.seen_at.is_(None))
    if since is not None:
        query = query.where(DeviceEvent.received_at >= since)
    if before is not None:
        query = query.where(DeviceEvent.event_id < before)
    return [ListedEvent(*tuple(row)) for row in session.execute(query)]


def mark_seen(
    session: Session, event_id: int, visible: ColumnElement[bool], *, account_id: int, now: datetime
) -> DeviceEvent | None:
    """Note that somebody saw an emergency; the event, `None` if there is no such one."""
    query = select(DeviceEvent).where(
        DeviceEvent.event_id == event_id, DeviceEvent.kind.in_(DeviceEventKind.emergencies()), visible
    )
    event = session.scalars(query.with_for_update()).one_or_none()
    if event is not None and event.seen_at is None:
        session.execute(
            update(DeviceEvent)
            .where(DeviceEvent.event_id == event_id)
            .values(seen_at=now, seen_by=account_id)
            .execution_options(synchronize_session=False)
        )
    return event


def prune(session: Session, before: datetime) -> None:
    """Forget events older than `before`."""
    session.execute(delete(DeviceEvent).where(DeviceEvent.time < before))
