"""Queries on vehicles, devices and gateways. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ingest.keys import hash_key
from ingest.tables import Device, Gateway, LastPosition, Vehicle


@dataclass(frozen=True, slots=True)
class DeviceBinding:
    """What the intake needs to know of a device: its number and its vehicle's."""

    device_id: int
    vehicle_id: int


class ListedDevice(NamedTuple):
    """A device in a list: its vehicle, and when it last reported."""

    device: Device
    vehicle: Vehicle
    last_seen_at: datetime | None


def find_vehicle(session: Session, plate_norm: str) -> Vehicle | None:
    """The vehicle with this normalised plate."""
    return session.scalar(select(Vehicle).where(Vehicle.plate_norm == plate_norm))


def get_or_add_vehicle(
    session: Session, plate_norm: str, *, plate: str, kind: str, organisation_id: int | None, now: datetime
) -> Vehicle:
    """The vehicle with this normalised plate, created if it is new."""
    found = find_vehicle(session, plate_norm)
    return found or add_vehicle(session, plate_norm, plate=plate, kind=kind, organisation_id=organisation_id, now=now)


def add_vehicle(
    session: Session, plate_norm: str, *, plate: str, kind: str, organisation_id: int | None, now: datetime
) -> Vehicle:
    """A new vehicle; if another transaction was quicker, that one's."""
    session.execute(
        insert(Vehicle)
        .values(plate=plate, plate_norm=plate_norm, kind=kind, organisation_id=organisation_id, created_at=now)
        .on_conflict_do_nothing(index_elements=["plate_norm"])
    )
    return session.scalars(select(Vehicle).where(Vehicle.plate_norm == plate_norm)).one()


def find_imei(session: Session, imei: str) -> int | None:
    """The device enrolled with this IMEI."""
    return session.scalar(select(Device.device_id).where(Device.imei == imei))


def find_device(session: Session, key_hash: bytes, device_id: int | None) -> tuple[Device, Vehicle] | None:
    """The device with this hash or number, and its vehicle."""
    named = Device.key_hash == key_hash
    if device_id is not None and device_id < 2**63:
        named = or_(named, Device.device_id == device_id)
    row = session.execute(select(Device, Vehicle).join(Vehicle).where(named).limit(1)).first()
    return None if row is None else (row[0], row[1])


def find_devices(session: Session, key_hashes: Sequence[bytes]) -> dict[bytes, DeviceBinding]:
    """The devices with these hashes that may report, by hash."""
    query = text(
        "SELECT key_hash, device_id, vehicle_id FROM ingest.device "
        "WHERE key_hash = ANY(CAST(:hashes AS bytea[])) AND revoked_at IS NULL"
    )
    rows = session.execute(query, {"hashes": list(key_hashes)}) if key_hashes else ()
    return {bytes(key_hash): DeviceBinding(device_id, vehicle_id) for key_hash, device_id, vehicle_id in rows}


def find_imeis(session: Session, imeis: Sequence[str]) -> dict[str, DeviceBinding]:
    """The devices with these IMEIs that may report, by IMEI."""
    query = text(
        "SELECT imei, device_id, vehicle_id FROM ingest.device "
        "WHERE imei = ANY(CAST(:imeis AS text[])) AND revoked_at IS NULL"
    )
    rows = session.execute(query, {"imeis": list(imeis)}) if imeis else ()
    return {imei: DeviceBinding(device_id, vehicle_id) for imei, device_id, vehicle_id in rows}


def list_devices(session: Session, visible: ColumnElement[bool], *, limit: int, after: int = 0) -> list[ListedDevice]:
    """Up to `limit` devices after number `after`, oldest first, that the condition on `Device.vehicle_id` lets through.

    With each comes when it last reported, as far as it sent its vehicle's last position.
    """
    query = (
        select(Device, Vehicle, LastPosition.received_at)
        .join(Vehicle)
        .outerjoin(LastPosition, LastPosition.device_id == Device.device_id)
        .where(Device.device_id > after, visible)
        .order_by(Device.device_id)
        .limit(limit)
    )
    rows = session.execute(query)
    return [ListedDevice(device, vehicle, seen or device.last_seen_at) for device, vehicle, seen in rows]


def add_gateway(session: Session, name: str, token: str, *, now: datetime) -> int:
    """A gateway that proves itself by `token`; one of this name gets the new token instead. Its number."""
    gateway = session.scalar(select(Gateway).where(Gateway.name == name))
    if gateway is None:
        gateway = Gateway(name=name, token_hash=hash_key(token), created_at=now)
        session.add(gateway)
    else:
        gateway.token_hash, gateway.revoked_at = hash_key(token), None
    session.flush()
    return gateway.gateway_id


def is_gateway(session: Session, token_hash: bytes) -> bool:
    """Whether a gateway that is not revoked has this token."""
    query = select(Gateway.gateway_id).where(Gateway.token_hash == token_hash, Gateway.revoked_at.is_(None))
    return session.scalar(query) is not None
