"""Queries on vehicles, devices and gateways. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from ingest.keys import HASH_BYTES, hash_key
from ingest.tables import Device, DeviceRefusal, DeviceTrait, Gateway, LastPosition, Vehicle


@dataclass(frozen=True, slots=True)
class DeviceBinding:
    """What the intake needs to know of a device: its number, its vehicle's, how many seconds its clock is ahead."""

    device_id: int
    vehicle_id: int
    clock_shift_s: int = 0


class ListedDevice(NamedTuple):
    """A device in a list: its vehicle, when it was last heard, and why its last report was refused if it was."""

    device: Device
    vehicle: Vehicle
    last_seen_at: datetime | None
    refused: str | None


def _kept_at() -> ColumnElement[datetime | None]:
    """When the last report of a `Device` that was kept was received."""
    position, trait = aliased(LastPosition), aliased(DeviceTrait)
    newest = select(position.received_at).where(
        position.vehicle_id == Device.vehicle_id, position.device_id == Device.device_id
    )
    saved = select(trait.last_received_at).where(trait.device_id == Device.device_id)
    return func.greatest(newest.correlate(Device).scalar_subquery(), saved.correlate(Device).scalar_subquery())


def heard_at() -> ColumnElement[datetime | None]:
    """When a `Device` was last heard, whether what it sent was kept or refused; null if never."""
    refusal = aliased(DeviceRefusal)
    refused = select(func.max(refusal.last_at)).where(refusal.device_id == Device.device_id).correlate(Device)
    return func.greatest(_kept_at(), refused.scalar_subquery(), Device.last_seen_at)


def refused_as() -> ScalarSelect[str]:
    """Why the last report of a `Device` was refused; null if it was kept."""
    refusal, since = aliased(DeviceRefusal), _kept_at()
    return (
        select(refusal.reason)
        .where(refusal.device_id == Device.device_id, or_(since.is_(None), refusal.last_at > since))
        .order_by(refusal.last_at.desc(), refusal.reason)
        .limit(1)
        .correlate(Device)
        .scalar_subquery()
    )


def find_vehicle(session: Session, plate_norm: str) -> Vehicle | None:
    """The vehicle with this normalised plate."""
    return session.scalar(select(Vehicle).where(Vehicle.plate_norm == plate_norm))


def get_or_add_vehicle(session: Session, plate_norm: str, *, plate: str, kind: str, now: datetime) -> Vehicle:
    """The vehicle with this normalised plate, created if it is new."""
    found = find_vehicle(session, plate_norm)
    return found or add_vehicle(session, plate_norm, plate=plate, kind=kind, now=now)


def add_vehicle(session: Session, plate_norm: str, *, plate: str, kind: str, now: datetime) -> Vehicle:
    """A new vehicle; if another transaction was quicker, that one's."""
    session.execute(
        insert(Vehicle)
        .values(plate=plate, plate_norm=plate_norm, kind=kind, created_at=now)
        .on_conflict_do_nothing(index_elements=["plate_norm"])
    )
    return session.scalars(select(Vehicle).where(Vehicle.plate_norm == plate_norm)).one()


def count_devices(session: Session) -> int:
    """How many devices are enrolled and not revoked."""
    return session.scalar(select(func.count()).select_from(Device).where(Device.revoked_at.is_(None))) or 0


def newest_position_at(session: Session) -> datetime | None:
    """When the newest last position of any vehicle was taken; `None` if none was ever kept."""
    return session.scalar(select(func.max(LastPosition.time)))


def find_binding(session: Session, visible: ColumnElement[bool], device_id: int) -> DeviceBinding | None:
    """The device with this number if it may report and the condition on `Device` lets it through."""
    query = (
        select(Device.device_id, Device.vehicle_id, func.coalesce(DeviceTrait.clock_shift_s, 0))
        .outerjoin(DeviceTrait, DeviceTrait.device_id == Device.device_id)
        .where(Device.device_id == device_id, Device.revoked_at.is_(None), visible)
    )
    row = session.execute(query).first()
    return None if row is None else DeviceBinding(*row)


def find_imei(session: Session, imei: str) -> int | None:
    """The device enrolled with this IMEI or number, whatever zeros stand before it."""
    return session.scalar(select(Device.device_id).where(func.ltrim(Device.imei, "0") == imei.lstrip("0")))


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
        "SELECT key_hash, device_id, vehicle_id, coalesce(clock_shift_s, 0) FROM ingest.device "
        "LEFT JOIN ingest.device_trait USING (device_id) WHERE revoked_at IS NULL AND key_hash = ANY(ARRAY("
        "SELECT substring(hashes FROM place FOR :size) FROM (SELECT CAST(:hashes AS bytea) AS hashes) AS asked, "
        "generate_series(1, :length, :size) AS place))"
    )
    values = {"hashes": b"".join(key_hashes), "size": HASH_BYTES, "length": HASH_BYTES * len(key_hashes)}
    # one parameter, however many: each as a parameter of its own costs more than to find it
    rows = session.execute(query, values) if key_hashes else ()
    return {bytes(key_hash): DeviceBinding(*binding) for key_hash, *binding in rows}


def find_imeis(session: Session, imeis: Sequence[str]) -> dict[str, DeviceBinding]:
    """The devices with these IMEIs or numbers that may report, by the number as asked for."""
    query = text(
        "SELECT ltrim(imei, '0'), device_id, vehicle_id, coalesce(clock_shift_s, 0) FROM ingest.device "
        "LEFT JOIN ingest.device_trait USING (device_id) "
        "WHERE ltrim(imei, '0') = ANY(CAST(:numbers AS text[])) AND revoked_at IS NULL"
    )
    numbers = {imei: imei.lstrip("0") for imei in imeis}
    rows = session.execute(query, {"numbers": list(set(numbers.values()))}) if numbers else ()
    found = {number: DeviceBinding(*binding) for number, *binding in rows}
    return {imei: found[number] for imei, number in numbers.items() if number in found}


def list_devices(session: Session, visible: ColumnElement[bool], *, limit: int, after: int = 0) -> list[ListedDevice]:
    """Up to `limit` devices after number `after`, oldest first, that the condition on `Device.vehicle_id` lets through.

    With each comes when it was last heard, and why its last report was refused if it was.
    """
    query = (
        select(Device, Vehicle, heard_at(), refused_as())
        .join(Vehicle)
        .where(Device.device_id > after, visible)
        .order_by(Device.device_id)
        .limit(limit)
    )
    rows = session.execute(query)
    return [ListedDevice(*row) for row in rows]


def has_device(session: Session, visible: ColumnElement[bool], device_id: int) -> bool:
    """Whether a condition on `Device` lets a device through."""
    return session.scalar(select(Device.device_id).where(Device.device_id == device_id, visible)) is not None


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
