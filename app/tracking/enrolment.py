"""Who may enrol, list and revoke which devices; the rest is `ingest.devices`."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app.platform.permissions import Principal, Scope
from app.trips.scope import visible_vehicles
from geo.errors import ForbiddenError
from ingest import devices, store
from ingest.formats import osmand
from ingest.formats.registry import GPS_FORMATS
from ingest.tables import Device, Vehicle


def enrol(
    session: Session,
    principal: Principal,
    plate: str,
    kind: devices.DeviceKind,
    *,
    imei: str | None,
    now: datetime,
) -> devices.Enrolment:
    """Enrol a device: administrators for any plate, enterprises for their own or a new one, drivers for their truck.

    Raises
    ------
    ForbiddenError
        If the plate is not the caller's.
    InvalidInputError, ConflictError
        As `ingest.devices.enrol`.
    """
    scope = principal.require("devices.enrol")
    if scope is Scope.OWN_ORGANISATION and principal.organisation_id is None:
        raise ForbiddenError("Your account belongs to no organisation.")
    if scope is Scope.OWN and principal.vehicle_id is None:
        raise ForbiddenError("Your account has no vehicle.")
    return devices.enrol(
        session,
        plate,
        kind,
        now=now,
        imei=imei,
        created_by=principal.account_id,
        organisation_id=principal.organisation_id if scope is Scope.OWN_ORGANISATION else None,
        own_only=scope is Scope.OWN_ORGANISATION,
        only_vehicle_id=principal.vehicle_id if scope is Scope.OWN else None,
    )


def list_devices(
    session: Session, principal: Principal, *, now: datetime, after: int, limit: int
) -> list[store.ListedDevice]:
    """Devices of the vehicles the principal may see, oldest first, each with when it last reported."""
    visible = visible_vehicles(principal, "devices.read", Device.vehicle_id, now=now)
    return store.list_devices(session, visible, limit=limit, after=after)


def revoke(session: Session, principal: Principal, identifier: str, *, now: datetime) -> None:
    """End a device of a vehicle that is the principal's.

    Raises
    ------
    NotFoundError
        If there is no such device, or not for this principal.
    """
    scope = principal.require("devices.enrol")

    def mine(vehicle: Vehicle) -> bool:
        if scope is Scope.ALL:
            return True
        if scope is Scope.OWN_ORGANISATION:
            return vehicle.organisation_id is not None and vehicle.organisation_id == principal.organisation_id
        return vehicle.vehicle_id == principal.vehicle_id

    devices.revoke(session, identifier, now=now, visible=mine)


def gps_urls(base_url: str, identifier: str) -> dict[str, str]:
    """Where GPS clients send, and the link that sets up Traccar Client by a tap."""
    base = base_url.rstrip("/")
    urls = {gps_format.name: base + gps_format.path for gps_format in GPS_FORMATS.values()}
    query = urlencode({"id": identifier, "url": base + osmand.FORMAT.path})
    return urls | {"traccar_client": f"https://www.traccar.org/client?{query}"}
