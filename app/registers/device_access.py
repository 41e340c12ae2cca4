"""Which devices an enterprise or a driver may let report for a vehicle, sees, and may end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.registers import claim_store
from app.registers.claim_store import ListedDevice
from app.registers.scope import own_devices
from geo.errors import ConflictError, ForbiddenError
from ingest import devices, plates
from ingest.devices import DeviceKind, Enrolment
from ingest.store import find_vehicle
from ingest.tables import Device

MAX_UNPROVEN: Final = 20
"""Devices of an enterprise on vehicles that it has not proven, in use at once."""


def may_enrol(session: Session, organisation_ids: Collection[int], vehicle_id: int) -> bool:
    """Whether the people of some organisations may let devices report for a vehicle.

    They may for what one of those has proven, and for a vehicle that nobody has proven and that nobody else's device
    reports for: such a device opens nothing before the vehicle is proven, and ends when somebody else proves it.
    """
    holders = claim_store.holders_of(session, vehicle_id)
    if holders:
        return not set(organisation_ids).isdisjoint(holders)
    return not has_foreign_devices(session, organisation_ids, vehicle_id)


def has_foreign_devices(session: Session, organisation_ids: Collection[int], vehicle_id: int) -> bool:
    """Whether devices report for a vehicle that other people than those of some organisations enrolled."""
    return claim_store.foreign_devices(session, vehicle_id, organisation_ids) > 0


def check_enrol(session: Session, principal: Principal, plate: str) -> None:
    """Refuse to let a device of an enterprise report for a vehicle that is not its to speak for.

    Raises
    ------
    ForbiddenError, InvalidInputError
        If somebody else has proven the vehicle or reports for it; if the plate is none.
    """
    norm = plates.normalise_plate(plate)
    if principal.organisation_id is None:
        raise ForbiddenError("Your account belongs to no organisation.")
    vehicle = find_vehicle(session, norm)
    if vehicle is not None and not may_enrol(session, principal.organisation_ids, vehicle.vehicle_id):
        raise ForbiddenError(
            "Your enterprise has not proven {plate}; claim the vehicle first, or let its carrier enrol the device.",
            field="plate",
            plate=plates.display_plate(norm),
        )


def check_quota(session: Session, principal: Principal, plate: str) -> None:
    """Refuse one more device for a vehicle that nobody has proven, of an enterprise that has many such.

    Raises
    ------
    ConflictError
        If its people let `MAX_UNPROVEN` devices report for vehicles that it has not proven.
    """
    vehicle = find_vehicle(session, plates.normalise_plate(plate))
    if vehicle is not None and claim_store.holders_of(session, vehicle.vehicle_id):
        return
    if claim_store.count_unproven_devices(session, principal.organisation_ids) >= MAX_UNPROVEN:
        raise ConflictError(
            "{max} devices of your enterprise report for vehicles that it has not proven; claim those first.",
            max=MAX_UNPROVEN,
        )


def enrol_device(action: ActionContext, plate: str, kind: DeviceKind, *, imei: str | None) -> Enrolment:
    """Let a new device report for a vehicle of the caller's enterprise.

    Raises
    ------
    ForbiddenError, InvalidInputError, ConflictError
        As `check_enrol` and `ingest.devices.enrol`.
    """
    check_enrol(action.session, action.actor, plate)
    check_quota(action.session, action.actor, plate)
    made = devices.enrol(action.session, plate, kind, now=action.now, imei=imei, created_by=action.actor_id)
    after = {"vehicle_id": made.vehicle.vehicle_id, "kind": made.device.kind}
    action.record("devices.enrol", "device", made.device.device_id, None, after)
    return made


def list_devices(session: Session, principal: Principal) -> list[ListedDevice]:
    """The devices of the caller's own vehicles, and those that its own people enrolled, by plate."""
    return claim_store.list_devices(session, own_devices(principal, "devices.read"))


def revoke_device(action: ActionContext, number: int) -> Device:
    """End a device of the caller's own.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    mine = {device.number for device in list_devices(action.session, action.actor)}
    revoked = devices.revoke(
        action.session, str(number), now=action.now, visible=lambda device, _vehicle: device.device_id in mine
    )
    action.record("devices.revoke", "device", number, None, {"vehicle_id": revoked.vehicle_id})
    return revoked
