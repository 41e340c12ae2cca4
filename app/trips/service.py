"""What can be done with a trip: enter, amend, cancel it. Its stage follows its truck (`app.trips.presence_keeping`).

Published for reading and joining: `IS_OPEN`, `NamedTrip`, `Trip`, `TripEvent`, `holds`, `TripPlace` and
`stage_of_place`, what a place means; to which of its vehicle's trips belongs what is seen: `is_current`,
`PREVIOUS_END`, `begin_and_until`; for trips made or ended otherwise: `begin_places`, `end_places`; for acts of other
features on a trip: `find_trip`, `lock_trip`, `update_trip`, and `insert_events`, which writes lines of the timeline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Protocol, TypedDict

from sqlalchemy.orm import Session

from app.gates.service import profiles
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal, Role, Scope
from app.registers.claims import holders_of, known_vehicle, organisation_of
from app.registers.service import find_telephone
from app.trips import ahead, parties, place_store, store
from app.trips import declaration as checks
from app.trips.codes import new_code
from app.trips.declaration import Declaration
from app.trips.handing_on import hand_to_next
from app.trips.place_need import hazards_of
from app.trips.place_store import begin_places as begin_places
from app.trips.place_store import end_places as end_places
from app.trips.place_store import is_handled as is_handled
from app.trips.place_store import list_stages as list_stages
from app.trips.place_store import may_reopen as may_reopen
from app.trips.place_store import stage_of_place as stage_of_place
from app.trips.presence import SheetState, stage_at
from app.trips.presence_rules import PLANNED
from app.trips.presence_store import PREVIOUS_END as PREVIOUS_END
from app.trips.presence_store import begin_and_until as begin_and_until
from app.trips.presence_tables import TripPlace as TripPlace
from app.trips.schemas import (
    DeviceOut,
    DriverToCall,
    PartOut,
    PositionOut,
    TimelineOut,
    TripChange,
    TripColumns,
    TripDetail,
    TripOut,
)
from app.trips.scope import visible_sight, visible_trips
from app.trips.store import NamedTrip as NamedTrip
from app.trips.store import events_of as events_of
from app.trips.store import find_trip as find_trip
from app.trips.store import holds as holds
from app.trips.store import insert_events as insert_events
from app.trips.store import is_current as is_current
from app.trips.store import is_on_now as is_on_now
from app.trips.store import lock_trip as lock_trip
from app.trips.store import update_trip as update_trip
from app.trips.tables import IS_OPEN as IS_OPEN
from app.trips.tables import Trip as Trip
from app.trips.tables import TripEvent as TripEvent
from app.trips.timeline import TimelineEntry, TripParties, audience_of
from app.trips.vocabulary import Regime, Stage
from geo.corridor import Corridor
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest import plates
from ingest.tables import Vehicle

OPENING_ROLES = (str(Role.TRAFFIC_POLICE),)


class BeforeAfter(TypedDict):
    """What a column was and what it became."""

    before: object
    after: object


class TripStanding(TripParties, Protocol):
    """A trip as its event tells it: the columns of `Trip` that say where it stands, and whose it is."""

    @property
    def trip_id(self) -> int: ...
    @property
    def gate_id(self) -> str: ...
    @property
    def stage(self) -> str: ...


# Entering, amending, cancelling


def create_trip(action: ActionContext, declared: Declaration, corridor: Corridor, *, simulated: bool = False) -> int:
    """Enter a trip; its id.

    The truck is made known if it is new; it belongs to nobody by that, and the trip opens no sight of it. Its next
    trips may be declared ahead, see `app.trips.ahead`.

    Raises
    ------
    InvalidInputError
        If a field cannot be accepted.
    ForbiddenError
        If the trip would belong to another enterprise or pass another gate than the caller may act for.
    ConflictError
        If the truck has this trip already, declared by this enterprise for about the same time, or the driver is on
        another then.
    """
    gates = profiles(action.session, action.now, corridor)
    gate_id = checks.check_gate(declared.gate_id, gates)
    organisation_id = _organisation_of(action.actor, declared.organisation_id, gate_id)
    checks.check_arrival(declared.planned_arrival, action.now)
    checked = checks.check_fields(declared, gates)
    checks.check_taken(checked, gates)
    checks.check_bans(checked, gates, action.now)
    values = {
        **_columns_of(checked),
        "code": new_code(),
        "organisation_id": organisation_id,
        "stage": Stage.PLANNED,
        "stage_since": action.now,
        "simulated": simulated,
        "created_by": action.actor.account_id,
        "created_at": action.now,
    }
    vehicle = _find_truck(action.session, declared.plate, action.now)
    planned = PlannedFor(vehicle, organisation_id, declared.planned_arrival)
    _check_apart(action, planned)
    driver_id = _bind_driver(action, declared.driver_id, planned)
    trip = store.insert_trip(action.session, {**values, "vehicle_id": vehicle.vehicle_id, "driver_id": driver_id})
    parties.begin(action, trip)
    place_store.begin_places(action.session, [trip.trip_id])
    timeline = TimelineEntry(trip.trip_id, "created")
    action.record("trips.create", "trip", trip.trip_id, None, summary(trip), event=event_row(trip), timeline=timeline)
    return trip.trip_id


def amend_trip(action: ActionContext, trip: Trip, changes: TripChange, *, corridor: Corridor) -> dict[str, BeforeAfter]:
    """Change fields of a locked trip, those of `Declaration` but the truck; before and after of what changed.

    Whether they may be changed now is the caller's to ask (`app.procedures.changes`).

    Raises
    ------
    ConflictError, InvalidInputError, ForbiddenError
        If the driver is on another trip, or a value cannot be accepted or is not the caller's to give.
    """
    gates = profiles(action.session, action.now, corridor)
    asked = replace(_fields_of(trip), **changes)
    if "goods_class" in changes and "perishable" not in changes:
        asked = replace(asked, perishable=None)
    if "regime" in changes and "direction" not in changes:
        fixed = Regime.require(asked.regime, "regime").direction
        asked = replace(asked, direction=fixed or asked.direction)
    wanted = checks.check_fields(asked, gates)
    if any(getattr(wanted, name) != getattr(trip, name) for name in ("gate_id", "regime", "goods_class")):
        checks.check_taken(wanted, gates)
    if any(getattr(wanted, name) != getattr(trip, name) for name in _ASKED_OF_BANS):
        checks.check_bans(wanted, gates, action.now)
    _organisation_of(action.actor, trip.organisation_id, wanted.gate_id)
    if "planned_arrival" in changes:
        checks.check_arrival(wanted.planned_arrival, action.now)
        own = action.session.get_one(Vehicle, trip.vehicle_id)
        _check_apart(action, PlannedFor(own, trip.organisation_id, wanted.planned_arrival, trip.trip_id))
    if wanted.driver_id != trip.driver_id:
        vehicle = action.session.get_one(Vehicle, trip.vehicle_id)
        planned = PlannedFor(vehicle, trip.organisation_id, wanted.planned_arrival, trip.trip_id)
        wanted = replace(wanted, driver_id=_bind_driver(action, wanted.driver_id, planned))
    before = summary(trip)
    different = _differing(trip, {**_columns_of(wanted), "driver_id": wanted.driver_id})
    if not different:
        return {}
    store.update_trip(action.session, trip.trip_id, different)
    after = summary(trip)
    changed = _differences(different, before, after)
    timeline = TimelineEntry(trip.trip_id, "amended", {"changed": changed})
    action.record("trips.amend", "trip", trip.trip_id, before, after, event=event_row(trip), timeline=timeline)
    return changed


def cancel_trip(action: ActionContext, trip: Trip) -> None:
    """Take a locked trip back. Whether it may be is the caller's to ask (`app.procedures.changes`)."""
    before = summary(trip)
    stage = stage_at(PLANNED, SheetState(trip.gate_id, is_cancelled=True))
    store.update_trip(action.session, trip.trip_id, {"stage": stage, "stage_since": action.now})
    place_store.end_places(action.session, [trip.trip_id], action.now)
    hand_to_next(action.session, trip.vehicle_id)
    timeline = TimelineEntry(trip.trip_id, "cancelled")
    action.record("trips.cancel", "trip", trip.trip_id, before, summary(trip), event=event_row(trip), timeline=timeline)


def align_trip(
    action: ActionContext, trip: Trip, declared: Declaration, *, corridor: Corridor
) -> dict[str, BeforeAfter]:
    """Make a locked open trip say what was declared of it, the truck included: before and after of what changed.

    The caller writes the timeline and the audit log, since it knows the whole declaration.

    Raises
    ------
    InvalidInputError, ForbiddenError, ConflictError
        If a value cannot be accepted, is not the caller's to give, or truck or driver are on another open trip.
    """
    gates = profiles(action.session, action.now, corridor)
    checked = checks.check_fields(declared, gates)
    checks.check_taken(checked, gates)
    wanted = _columns_of(checked)
    _organisation_of(action.actor, trip.organisation_id, checked.gate_id)
    if declared.planned_arrival != trip.planned_arrival:
        checks.check_arrival(declared.planned_arrival, action.now)
    vehicle = action.session.get_one(Vehicle, trip.vehicle_id)
    if vehicle.plate_norm != plates.normalise_plate(declared.plate):
        vehicle = _find_truck(action.session, declared.plate, action.now)
        wanted["vehicle_id"] = vehicle.vehicle_id
    planned = PlannedFor(vehicle, trip.organisation_id, checked.planned_arrival, trip.trip_id)
    if "vehicle_id" in wanted or checked.planned_arrival != trip.planned_arrival:
        _check_apart(action, planned)
    if declared.driver_id is not None and declared.driver_id != trip.driver_id:
        wanted["driver_id"] = _bind_driver(action, declared.driver_id, planned)
    before = summary(trip)
    different = _differing(trip, wanted)
    if different:
        store.update_trip(action.session, trip.trip_id, different)
        if "vehicle_id" in different:
            parties.ask_holders(action, trip)
        action.publish_event(event_row(trip))
    return _differences(different, before, summary(trip))


# Reading


def lock_version(session: Session, principal: Principal, trip_id: int, expected_version: int) -> Trip:
    """A trip that the caller may change, locked, at the version that the caller saw.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is no such trip for the caller, it was changed since, or goods changed vehicles on it.
    """
    trip = store.lock_trip(session, visible_trips(principal, "trips.write"), trip_id)
    if trip is None:
        raise _no_trip(trip_id)
    check_version(trip.version, expected_version)
    if trip.facts.get("vehicle_role", "carrier") != "carrier":
        raise ConflictError(
            "Goods changed vehicles on the trip {code}; it is neither changed nor cancelled here any more.",
            code=trip.code,
        )
    return trip


def get_trip(session: Session, principal: Principal, trip_id: int) -> TripDetail:
    """A trip the caller may see, with its timeline and devices.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    found = store.find_trip(session, visible_trips(principal, "trips.read"), trip_id, visible_sight(principal))
    if found is None:
        raise _no_trip(trip_id)
    devices = store.devices_of(session, found.trip.vehicle_id) if found.is_seen else []
    return TripDetail(
        **dict(describe(found)),
        timeline=[TimelineOut.of(line, principal) for line in events_of(session, trip_id)],
        devices=[DeviceOut.model_validate(device) for device in devices],
        parties=[PartOut.model_validate(part) for part in parties.parties_of(session, trip_id)],
        vehicle_agreed=found.is_seen,
        hazard_classes=sorted(hazards_of(found.trip.facts)),
    )


def call_driver(action: ActionContext, trip_id: int) -> DriverToCall:
    """Who drives a trip, and the telephone; that it was looked at stands in the audit log.

    Raises
    ------
    NotFoundError
        If there is no such trip for this caller, or nobody is named as its driver.
    """
    found = store.find_trip(action.session, visible_trips(action.actor, "drivers.call"), trip_id)
    if found is None:
        raise _no_trip(trip_id)
    if found.trip.driver_id is None or found.driver is None:
        raise NotFoundError("The trip {trip_id} names no driver.", trip_id=trip_id)
    telephone = find_telephone(action.session, found.trip.organisation_id, found.trip.driver_id)
    action.record("drivers.call", "trip", trip_id)
    return DriverToCall(driver=found.driver, telephone=telephone)


def list_trips(session: Session, principal: Principal, wanted: store.TripFilter, page: PageRequest) -> Page[TripOut]:
    """A page of trips the caller may see, newest first."""
    wanted = replace(wanted, by_number=principal.scope("drivers.call") is Scope.ALL)
    if wanted.plate is not None:
        wanted = replace(wanted, plate=plates.normalise_plate(wanted.plate))
    visible = visible_trips(principal, "trips.read")
    sight = visible_sight(principal)
    found = store.list_trips(session, visible, wanted, sight=sight, before=page.before, limit=page.fetch)
    return paginate(found, page, "trip_id", describe)


def describe(found: NamedTrip) -> TripOut:
    """A trip for people and programs, its plates as people write them."""
    columns = dict(TripColumns.model_validate(found.trip))
    if found.trip.trailer_plate:
        columns["trailer_plate"] = plates.display_plate(found.trip.trailer_plate)
    return TripOut(
        **columns,
        plate=found.plate,
        organisation=found.organisation,
        driver=found.driver,
        position=PositionOut.model_validate(found.position) if found.position else None,
    )


def summary(trip: Trip) -> JsonObject:
    """A trip's own columns as the audit log keeps them."""
    values = {name: getattr(trip, name) for name in _TOLD}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


# Pieces

_TOLD = tuple(
    column.key
    for column in Trip.__mapper__.columns
    if column.key not in {"created_by", "procedure_id", "channel", "facts", "arrived_at"}
)
"""The columns that the audit log keeps."""
_ASKED_OF_BANS = ("gate_id", "regime", "goods_class", "planned_arrival")
_AMENDABLE_FIELDS = tuple(each.name for each in fields(Declaration) if each.name not in {"plate", "organisation_id"})


def _fields_of(trip: Trip) -> Declaration:
    """What a trip's columns say of what was declared; of its truck and enterprise nothing, they stay."""
    return Declaration(plate="", **{name: getattr(trip, name) for name in _AMENDABLE_FIELDS})


def _columns_of(declared: Declaration) -> dict[str, object]:
    """The columns of a trip that a checked declaration gives: those of its name, but for the driver."""
    return {name: getattr(declared, name) for name in _AMENDABLE_FIELDS if name != "driver_id"}


def _differing(trip: Trip, wanted: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in wanted.items() if value != getattr(trip, name)}


def _differences(names: Iterable[str], before: JsonObject, after: JsonObject) -> dict[str, BeforeAfter]:
    return {name: {"before": before[name], "after": after[name]} for name in names}


def event_row(trip: TripStanding) -> Event:
    data = {"trip_id": trip.trip_id, "vehicle_id": trip.vehicle_id, "gate_id": trip.gate_id, "stage": trip.stage}
    return Event("trip", audience_of(trip, OPENING_ROLES), data)


def _organisation_of(principal: Principal, named: int | None, gate_id: str) -> int:
    scope = principal.require("trips.write")
    if scope is Scope.OWN_ORGANISATION:
        return organisation_of(principal, named)
    if scope is Scope.OWN_GATE and gate_id != principal.gate_id:
        raise ForbiddenError("Your desk serves another gate than {gate_id}.", field="gate_id", gate_id=gate_id)
    if named is None:
        raise InvalidInputError("Name the enterprise that the trip belongs to.", field="organisation_id")
    return named


def _find_truck(session: Session, written: str, now: datetime) -> Vehicle:
    norm = plates.normalise_plate(written)
    if plates.vehicle_kind(norm) == "trailer":
        raise InvalidInputError(
            "{plate} is the plate of a trailer; give the truck's plate here and the trailer's beside it.",
            field="plate",
            plate=plates.display_plate(norm),
        )
    return known_vehicle(session, norm, now)


@dataclass(frozen=True)
class PlannedFor:
    """For what a truck is wanted: a trip of an enterprise at a time; `trip_id` its own, `None` of one that is new."""

    vehicle: Vehicle
    organisation_id: int
    planned_arrival: datetime
    trip_id: int | None = None


def _bind_driver(action: ActionContext, driver_id: int | None, planned: PlannedFor) -> int | None:
    """The driver of a trip, who drives the truck from now on; of a trip that is ahead, when its turn comes."""
    session, vehicle = action.session, planned.vehicle
    is_proven = planned.organisation_id in holders_of(session, vehicle.vehicle_id)
    if driver_id is None:
        return store.find_driver_of_vehicle(session, vehicle.vehicle_id) if is_proven else None
    driver = store.find_driver(session, driver_id)
    if driver is None or driver.organisation_id not in {None, planned.organisation_id}:
        raise InvalidInputError(
            "Your enterprise has no driver {driver_id}; choose one of its drivers or leave it out.",
            field="driver_id",
            driver_id=driver_id,
        )
    own = store.open_trips_of_driver(session, driver_id)
    others = [each for each in own if each.vehicle_id != vehicle.vehicle_id]
    busy = ahead.find_same(others, planned.planned_arrival, action.now)
    if busy is not None:
        raise ConflictError(
            "The driver {name} is on the open trip {code} with another truck; choose another driver.",
            field="driver_id",
            name=driver.full_name,
            code=busy.code,
        )
    current = store.find_open_trip(session, vehicle.vehicle_id)
    is_ahead = current is not None and current.trip_id != planned.trip_id
    if driver.vehicle_id != vehicle.vehicle_id and is_proven and not is_ahead and not others:
        store.bind_driver(session, driver_id, vehicle.vehicle_id)
    return driver_id


def _check_apart(action: ActionContext, planned: PlannedFor) -> None:
    """That the enterprise has no open trip of a truck so near in time that this would be the same; else ConflictError.

    Nobody else declares one for the truck until the transaction ends.
    """
    vehicle = planned.vehicle
    store.lock_vehicle(action.session, vehicle.vehicle_id)
    known = store.open_trips_of(action.session, vehicle.vehicle_id, planned.organisation_id)
    others = [each for each in known if each.trip_id != planned.trip_id]
    same = ahead.find_same(others, planned.planned_arrival, action.now)
    if same is not None:
        raise ConflictError(
            "The truck {plate} is on the open trip {code} ({stage}) at that time; change or cancel that trip, or plan "
            "this one at least {hours} h from it.",
            field="plate",
            plate=vehicle.plate,
            code=same.code,
            stage=same.stage,
            trip_id=same.trip_id,
            hours=round(ahead.MIN_APART.total_seconds() / 3600),
        )


def _no_trip(trip_id: int) -> NotFoundError:
    return NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
