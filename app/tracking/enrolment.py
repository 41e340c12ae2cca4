"""Who may enrol, list and revoke which devices; the rest is `ingest.devices`."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy import or_
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.registers.claims import VehicleListener, holders_of
from app.registers.device_access import check_enrol, check_quota, has_foreign_devices
from app.registers.scope import own_devices
from app.trips import parties
from app.trips import store as trip_store
from app.trips.scope import visible_vehicles
from geo.errors import ForbiddenError, NotFoundError
from ingest import devices, plates, store, trait_store
from ingest.formats import osmand
from ingest.formats.registry import GPS_FORMATS
from ingest.speeds import SpeedUnit, factor_of
from ingest.store import find_vehicle
from ingest.tables import Device, Vehicle


def enrol(
    session: Session,
    principal: Principal,
    plate: str,
    kind: devices.DeviceKind,
    *,
    imei: str | None,
    now: datetime,
    follow: VehicleListener,
) -> devices.Enrolment:
    """Enrol a device: administrators for any plate, enterprises for what they may speak for, drivers for their truck.

    Raises
    ------
    ForbiddenError
        If the vehicle is not the caller's to speak for.
    InvalidInputError, ConflictError
        As `ingest.devices.enrol`.
    """
    scope = principal.require("devices.enrol")
    agrees = False
    if scope is Scope.OWN_ORGANISATION:
        check_enrol(session, principal, plate)
        check_quota(session, principal, plate)
    elif scope is Scope.OWN:
        agrees = _check_driver(session, principal, plate)
    made = devices.enrol(session, plate, kind, now=now, imei=imei, created_by=principal.account_id)
    action = ActionContext(session, principal, now)
    after = {"vehicle_id": made.vehicle.vehicle_id, "kind": made.device.kind}
    action.record("devices.enrol", "device", made.device.device_id, None, after)
    if agrees:
        parties.agree_by_sharing(action, made.vehicle.vehicle_id, follow=follow)
    return made


def _check_driver(session: Session, principal: Principal, plate: str) -> bool:
    """Whether a driver who may let the own phone report for a plate agrees by it that the truck makes their trip.

    So it is for the truck of an open trip of theirs that nobody has proven and nobody else reports for.

    Raises
    ------
    ForbiddenError
        If it is neither the driver's own truck nor such a one.
    """
    norm = plates.normalise_plate(plate)
    vehicle = find_vehicle(session, norm)
    if vehicle is not None and vehicle.vehicle_id == principal.vehicle_id:
        return False
    trip = (
        None if vehicle is None else trip_store.find_trip_of_driver(session, principal.account_id, vehicle.vehicle_id)
    )
    if vehicle is not None and trip is not None:
        holders = holders_of(session, vehicle.vehicle_id)
        if trip.organisation_id in holders:
            return False
        if not holders and not has_foreign_devices(session, [trip.organisation_id], vehicle.vehicle_id):
            return True
    if principal.vehicle_id is None and trip is None:
        raise ForbiddenError("Your account has no vehicle.")
    raise ForbiddenError("Plate {plate} is not your vehicle.", field="plate", plate=plates.display_plate(norm))


def list_devices(session: Session, principal: Principal, *, after: int, limit: int) -> list[store.ListedDevice]:
    """Devices of the vehicles the principal may see, oldest first, each with when it last reported."""
    visible = or_(
        visible_vehicles(principal, "devices.read", Device.vehicle_id), own_devices(principal, "devices.read")
    )
    return store.list_devices(session, visible, limit=limit, after=after)


def list_own(session: Session, principal: Principal) -> list[store.ListedDevice]:
    """The devices in use that the principal may enrol and end, the first thousand."""
    found = store.list_devices(session, own_devices(principal, "devices.enrol"), limit=1000)
    return [listed for listed in found if listed.device.revoked_at is None]


def revoke(session: Session, principal: Principal, identifier: str, *, now: datetime) -> None:
    """End a device of a vehicle that is the principal's, or one that its own people enrolled.

    Raises
    ------
    NotFoundError
        If there is no such device, or not for this principal.
    """
    own = own_devices(principal, "devices.enrol")

    def mine(device: Device, _vehicle: Vehicle) -> bool:
        return store.has_device(session, own, device.device_id)

    revoked = devices.revoke(session, identifier, now=now, visible=mine)
    action = ActionContext(session, principal, now)
    action.record("devices.revoke", "device", revoked.device_id, None, {"vehicle_id": revoked.vehicle_id})


def set_speed_unit(action: ActionContext, number: int, unit: SpeedUnit | None) -> None:
    """Say in which unit a device of the caller's reports its speed; `None` lets the platform learn it again.

    Raises
    ------
    NotFoundError
        If there is no such device, or not for this caller.
    """
    if not store.has_device(action.session, own_devices(action.actor, "devices.enrol"), number):
        raise NotFoundError("There is no device {value}.", value=number)
    factor = factor_of(unit or SpeedUnit.PROTOCOL)
    trait_store.set_speed_factor(action.session, number, factor, is_set=unit is not None, now=action.now)
    action.record("devices.set_speed_unit", "device", number, after={"unit": unit})


def gps_urls(base_url: str, identifier: str) -> dict[str, str]:
    """Where GPS clients send, and the link that sets up Traccar Client by a tap."""
    base = base_url.rstrip("/")
    urls = {
        gps_format.name: f"{base}{gps_format.path}/{identifier}" if gps_format.takes_path else base + gps_format.path
        for gps_format in GPS_FORMATS.values()
    }
    query = urlencode({"id": identifier, "url": base + osmand.FORMAT.path})
    return urls | {"traccar_client": f"https://www.traccar.org/client?{query}"}
