"""What can be done with a trip: enter, amend, cancel it, and move it through its stages by what is seen.

Published for reading and joining: `IS_OPEN`, `Trip`, `TripEvent`; for writing lines of the timeline: `insert_events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext, Event
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal, Role, Scope
from app.trips import declaration as checks
from app.trips import store
from app.trips.declaration import Declaration
from app.trips.places import Places
from app.trips.scope import visible_trips
from app.trips.store import insert_events as insert_events
from app.trips.tables import IS_OPEN as IS_OPEN
from app.trips.tables import Trip as Trip
from app.trips.tables import TripEvent as TripEvent
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Regime, Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest import plates
from ingest.store import get_or_add_vehicle
from ingest.tables import Vehicle

OPENING_ROLES = (str(Role.TRAFFIC_POLICE),)


# Entering, amending, cancelling


def create_trip(action: ActionContext, declared: Declaration, places: Places, *, simulated: bool = False) -> int:
    """Enter a trip; its id.

    The truck is created if it is new and given to the enterprise if nobody has it; the driver is bound to it.

    Raises
    ------
    InvalidInputError
        If a field cannot be accepted.
    ForbiddenError
        If the trip would belong to another enterprise or pass another gate than the caller may act for.
    ConflictError
        If the truck or the driver is on an open trip.
    """
    gate_id = checks.check_gate(declared.gate_id, places.gates)
    organisation_id = _organisation_of(action.actor, declared.organisation_id, gate_id)
    checks.check_arrival(declared.planned_arrival, action.now)
    values: dict[str, Any] = {
        **_columns_of(declared, places),
        "code": checks.new_code(),
        "organisation_id": organisation_id,
        "stage": Stage.PLANNED,
        "stage_since": action.now,
        "simulated": simulated,
        "created_by": action.actor.account_id,
        "created_at": action.now,
    }
    vehicle = _claim_truck(action.session, declared.plate, organisation_id, action.now)
    driver_id = _bind_driver(action.session, declared.driver_id, vehicle, organisation_id)
    trip = store.insert_trip(action.session, {**values, "vehicle_id": vehicle.vehicle_id, "driver_id": driver_id})
    if trip is None:
        raise _truck_is_busy(action.session, vehicle, organisation_id)
    timeline = TimelineEntry(trip.trip_id, "created")
    action.record("trips.create", "trip", trip.trip_id, None, summary(trip), event=event_row(trip), timeline=timeline)
    return trip.trip_id


def amend_trip(
    action: ActionContext, trip_id: int, expected_version: int, changes: Mapping[str, Any], *, places: Places
) -> None:
    """Change fields of a trip that has not reached the queue: those of `Declaration` but the truck.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip for the caller, it was changed since, is too far, or a value cannot be accepted.
    """
    trip = _lock(action.session, action.actor, trip_id, expected_version)
    asked = {name: changes[name] for name in changes if name in _AMENDABLE_FIELDS}
    merged = {name: asked.get(name, getattr(trip, name)) for name in _AMENDABLE_FIELDS}
    goods_class_is_new = "goods_class" in asked and "perishable" not in asked
    merged["goods"], merged["perishable"] = checks.check_goods(
        merged["goods"], merged["goods_class"], None if goods_class_is_new else merged["perishable"]
    )
    if "regime" in asked and "direction" not in asked:
        merged["direction"] = Regime.require(merged["regime"], "regime").direction or merged["direction"]
    merged["direction"] = checks.check_direction(merged["regime"], merged["direction"])
    merged["gate_id"] = checks.check_gate(merged["gate_id"], places.gates)
    _organisation_of(action.actor, trip.organisation_id, merged["gate_id"])
    if "planned_arrival" in asked:
        checks.check_arrival(merged["planned_arrival"], action.now)
    if "trailer_plate" in asked:
        merged["trailer_plate"] = _trailer_plate(merged["trailer_plate"])
    if "driver_id" in asked and merged["driver_id"] != trip.driver_id:
        vehicle = action.session.get_one(Vehicle, trip.vehicle_id)
        merged["driver_id"] = _bind_driver(action.session, merged["driver_id"], vehicle, trip.organisation_id)
    before = summary(trip)
    different = {name: value for name, value in merged.items() if value != getattr(trip, name)}
    if not different:
        return
    store.update_trip(action.session, trip_id, different)
    after = summary(trip)
    changed = {name: {"before": before[name], "after": after[name]} for name in different}
    timeline = TimelineEntry(trip_id, "amended", {"changed": changed})
    action.record("trips.amend", "trip", trip_id, before, after, event=event_row(trip), timeline=timeline)


def cancel_trip(action: ActionContext, trip_id: int, expected_version: int) -> None:
    """Take back a trip that has not reached the queue.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is no such trip for the caller, it was changed since, or is too far.
    """
    trip = _lock(action.session, action.actor, trip_id, expected_version)
    before = summary(trip)
    store.update_trip(action.session, trip_id, {"stage": Stage.CANCELLED, "stage_since": action.now})
    timeline = TimelineEntry(trip_id, "cancelled")
    action.record("trips.cancel", "trip", trip_id, before, summary(trip), event=event_row(trip), timeline=timeline)


def align_trip(
    action: ActionContext, trip: Trip, declared: Declaration, *, places: Places
) -> dict[str, dict[str, Any]]:
    """Make a locked open trip say what was declared of it, the truck included: before and after of what changed.

    The caller writes the timeline and the audit log, since it knows the whole declaration.

    Raises
    ------
    InvalidInputError, ForbiddenError, ConflictError
        If a value cannot be accepted, is not the caller's to give, or truck or driver are on another open trip.
    """
    wanted = _columns_of(declared, places)
    _organisation_of(action.actor, trip.organisation_id, wanted["gate_id"])
    if declared.planned_arrival != trip.planned_arrival:
        checks.check_arrival(declared.planned_arrival, action.now)
    vehicle = action.session.get_one(Vehicle, trip.vehicle_id)
    if vehicle.plate_norm != plates.normalise_plate(declared.plate):
        vehicle = _claim_truck(action.session, declared.plate, trip.organisation_id, action.now)
        if store.find_open_trip(action.session, vehicle.vehicle_id) is not None:
            raise _truck_is_busy(action.session, vehicle, trip.organisation_id)
        wanted["vehicle_id"] = vehicle.vehicle_id
    if declared.driver_id is not None and declared.driver_id != trip.driver_id:
        wanted["driver_id"] = _bind_driver(action.session, declared.driver_id, vehicle, trip.organisation_id)
    before = summary(trip)
    different = {name: value for name, value in wanted.items() if value != getattr(trip, name)}
    if different:
        store.update_trip(action.session, trip.trip_id, different)
        action.publish_event(event_row(trip))
    after = summary(trip)
    return {name: {"before": before[name], "after": after[name]} for name in different}


def redirect_trip(action: ActionContext, trip_id: int, *, gate_id: str, order_id: int) -> None:
    """Let an open trip follow an order to another gate, because its driver confirmed it."""
    trip = store.lock_trip(action.session, Trip.stage.in_(Stage.before_yard()), trip_id)
    if trip is None or trip.gate_id == gate_id:
        return
    before = summary(trip)
    store.update_trip(action.session, trip_id, {"gate_id": gate_id})
    data = {"before": before["gate_id"], "after": gate_id, "order_id": order_id}
    timeline = TimelineEntry(trip_id, "gate_changed", data)
    action.without_address().record(
        "trips.redirect", "trip", trip_id, before, summary(trip), event=event_row(trip), timeline=timeline
    )


# Reading


def get_trip(session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
    """A trip the caller may see, with its timeline and devices.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    row = store.find_trip(session, visible_trips(principal, "trips.read"), trip_id)
    if row is None:
        raise _no_trip(trip_id)
    timeline = [
        {"at": event.at, "kind": event.kind, "data": event.data, "actor": event.actor}
        for event in store.events_of(session, trip_id)
    ]
    devices = [
        {"kind": device.kind, "key_hint": device.key_hint, "last_seen_at": device.last_seen_at}
        for device in store.devices_of(session, row.Trip.vehicle_id)
    ]
    return {**describe(row), "timeline": timeline, "devices": devices}


def list_trips(
    session: Session, principal: Principal, wanted: store.TripFilter, page: PageRequest
) -> Page[dict[str, Any]]:
    """A page of trips the caller may see, newest first."""
    if wanted.plate is not None:
        wanted = replace(wanted, plate=plates.normalise_plate(wanted.plate))
    visible = visible_trips(principal, "trips.read")
    rows = store.list_trips(session, visible, wanted, before=page.before, limit=page.fetch)
    return paginate(rows, page, "trip_id", describe)


def describe(row: Any) -> dict[str, Any]:
    """A described trip (see `store`) as a record for people and programs."""
    position = None
    if row.position_time is not None:
        position = {
            "time": row.position_time,
            "lon": row.lon,
            "lat": row.lat,
            "km": row.km,
            "edge_id": row.edge_id,
            "speed_mps": row.speed_mps,
            "heading_deg": row.heading_deg,
            "site": row.site_id,
        }
    trip: Trip = row.Trip
    return {
        **summary(trip),
        "plate": row.plate,
        "trailer_plate": plates.display_plate(trip.trailer_plate) if trip.trailer_plate else None,
        "organisation": row.organisation,
        "driver": row.driver,
        "position": position,
    }


def summary(trip: Trip) -> dict[str, Any]:
    """A trip's own columns as plain values."""
    values = {name: getattr(trip, name) for name in _TOLD}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


# Pieces

_TOLD = tuple(
    column.key
    for column in Trip.__mapper__.columns
    if column.key not in {"created_by", "procedure_id", "channel", "facts", "arrived_at"}
)
"""The columns that those who may see a trip are told, and that the audit log keeps."""
_AMENDABLE_FIELDS = tuple(each.name for each in fields(Declaration) if each.name not in {"plate", "organisation_id"})


def _columns_of(declared: Declaration, places: Places) -> dict[str, Any]:
    """The columns of a trip that a declaration gives, checked: those of its name, but for truck, driver, enterprise.

    Raises
    ------
    InvalidInputError
        If a value cannot be accepted.
    """
    goods, perishable = checks.check_goods(declared.goods, declared.goods_class, declared.perishable)
    return {
        **{name: getattr(declared, name) for name in _AMENDABLE_FIELDS if name != "driver_id"},
        "goods": goods,
        "perishable": perishable,
        "direction": checks.check_direction(declared.regime, declared.direction),
        "gate_id": checks.check_gate(declared.gate_id, places.gates),
        "trailer_plate": _trailer_plate(declared.trailer_plate),
    }


def event_row(trip: Any) -> Event:
    data = {"trip_id": trip.trip_id, "vehicle_id": trip.vehicle_id, "gate_id": trip.gate_id, "stage": trip.stage}
    return Event("trip", audience_of(trip, OPENING_ROLES), data)


def _organisation_of(principal: Principal, named: int | None, gate_id: str) -> int:
    scope = principal.require("trips.write")
    if scope is Scope.OWN_ORGANISATION:
        if principal.organisation_id is None or named not in {None, principal.organisation_id}:
            raise ForbiddenError("You can act for your own enterprise only.")
        return principal.organisation_id
    if scope is Scope.OWN_GATE and gate_id != principal.gate_id:
        raise ForbiddenError("Your desk serves another gate than {gate_id}.", field="gate_id", gate_id=gate_id)
    if named is None:
        raise InvalidInputError("Name the enterprise that the trip belongs to.", field="organisation_id")
    return named


def _trailer_plate(written: str | None) -> str | None:
    if not written:
        return None
    try:
        return plates.normalise_plate(written)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="trailer_plate", **error.values) from None


def _claim_truck(session: Session, written: str, organisation_id: int, now: datetime) -> Vehicle:
    norm = plates.normalise_plate(written)
    if plates.vehicle_kind(norm) == "trailer":
        raise InvalidInputError(
            "{plate} is the plate of a trailer; give the truck's plate here and the trailer's beside it.",
            field="plate",
            plate=plates.display_plate(norm),
        )
    vehicle = get_or_add_vehicle(
        session, norm, plate=plates.display_plate(norm), kind="truck", organisation_id=organisation_id, now=now
    )
    if store.claim_vehicle(session, vehicle.vehicle_id, organisation_id) != organisation_id:
        raise ConflictError(
            "The truck {plate} belongs to another enterprise; check the plate, or let them enter the trip.",
            field="plate",
            plate=vehicle.plate,
        )
    return vehicle


def _bind_driver(session: Session, driver_id: int | None, vehicle: Vehicle, organisation_id: int) -> int | None:
    if driver_id is None:
        return store.find_driver_of_vehicle(session, vehicle.vehicle_id)
    driver = store.find_driver(session, driver_id)
    if driver is None or driver.organisation_id not in {None, organisation_id}:
        raise InvalidInputError(
            "Your enterprise has no driver {driver_id}; choose one of its drivers or leave it out.",
            field="driver_id",
            driver_id=driver_id,
        )
    busy = store.find_open_trip_of_driver(session, driver_id)
    if busy is not None and busy.vehicle_id != vehicle.vehicle_id:
        raise ConflictError(
            "The driver {name} is on the open trip {code} with another truck; choose another driver.",
            field="driver_id",
            name=driver.full_name,
            code=busy.code,
        )
    if driver.vehicle_id != vehicle.vehicle_id:
        store.bind_driver(session, driver_id, vehicle.vehicle_id)
    return driver_id


def _truck_is_busy(session: Session, vehicle: Vehicle, organisation_id: int) -> ConflictError:
    open_trip = store.find_open_trip(session, vehicle.vehicle_id)
    if open_trip is not None and open_trip.organisation_id == organisation_id:
        return ConflictError(
            "The truck {plate} is on the open trip {code} ({stage}); end or cancel that trip first.",
            field="plate",
            plate=vehicle.plate,
            code=open_trip.code,
            stage=open_trip.stage,
            trip_id=open_trip.trip_id,
        )
    return ConflictError(
        "The truck {plate} is on an open trip of another enterprise.", field="plate", plate=vehicle.plate
    )


def _lock(session: Session, principal: Principal, trip_id: int, expected_version: int) -> Trip:
    trip = store.lock_trip(session, visible_trips(principal, "trips.write"), trip_id)
    if trip is None:
        raise _no_trip(trip_id)
    check_version(trip.version, expected_version)
    if trip.stage not in Stage.before_queue():
        raise ConflictError(
            "The trip {code} is {stage}; it can be changed or cancelled only before it reaches the queue.",
            code=trip.code,
            stage=trip.stage,
        )
    return trip


def _no_trip(trip_id: int) -> NotFoundError:
    return NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
