"""Vehicles that came undeclared: led to the temporary yard, declared there by the support desk, the time taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from statistics import median
from typing import Any, Final

from sqlalchemy import ColumnElement, false, true
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts import store as account_store
from app.accounts.service import Organisation
from app.declarations import service, sightings, store
from app.declarations.form import Form
from app.declarations.service import DeclarationAction
from app.declarations.tables import UndeclaredArrival
from app.declarations.vocabulary import ArrivalStatus
from app.platform.permissions import Principal, Scope
from app.registers.claims import holders_of
from app.trips import ahead
from app.trips import service as trips
from app.trips.vocabulary import DeclarationStatus
from app.trips.yard_ledger import place_stranger
from capacity.ledger import LedgerTruck
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor, Site
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from ingest import plates
from ingest.store import find_vehicle

LATEST_NOTICE: Final = timedelta(days=3)
"""A vehicle that has stood for longer without being registered is most likely a slip in the date."""
NOTE_LENGTH: Final = 500
MAX_FOUND: Final = 20


@dataclass(frozen=True)
class Arrival:
    """A vehicle that came undeclared as the desk lists it.

    `stay_s` is how long it has stood undeclared, or stood until it was declared or left; `desk_s` how long it took to
    declare it. `code` and `organisation` are those of its trip.
    """

    arrival_id: int
    plate: str
    site_id: str
    arrived_at: datetime
    trip_id: int | None
    code: str | None
    organisation: str | None
    note: str
    status: ArrivalStatus
    stay_s: float
    desk_s: float | None


@dataclass(frozen=True)
class Waiting:
    """A vehicle that stands undeclared in the temporary yard `site_id` of a gate."""

    arrival_id: int
    plate: str
    gate_id: str
    site_id: str
    arrived_at: datetime


@dataclass(frozen=True)
class Figures:
    """How long vehicles stood undeclared: from arrival to submission, and from opening the form to submission."""

    waiting: int
    declared: int
    median_stay_s: float | None
    longest_stay_s: float | None
    median_desk_s: float | None


def register(
    action: DeclarationAction,
    *,
    plate: str,
    arrived_at: datetime | None = None,
    note: str = "",
    sighting_id: int | None = None,
) -> int:
    """Register an undeclared vehicle as standing in the temporary yard of the caller's gate; its arrival's id.

    Whoever finds it at the gate may: the desk is told, and the yard counts it. `sighting_id` is the plate that rang for
    it, which may have been misread.

    Raises
    ------
    ForbiddenError
        If the caller's role leads no truck aside.
    InvalidInputError
        If the plate is none, or the time cannot be.
    ConflictError
        If it stands there already, or is declared.
    """
    action.actor.require("undeclared.register")
    norm = plates.normalise_plate(plate)
    if plates.vehicle_kind(norm) == "trailer":
        raise InvalidInputError(
            "{plate} is the plate of a trailer; give the truck's plate here and the trailer's beside it.",
            field="plate",
            plate=plates.display_plate(norm),
        )
    arrived = arrived_at or action.now
    if not action.now - LATEST_NOTICE <= arrived <= action.now + timedelta(minutes=1):
        raise InvalidInputError(
            "The truck cannot have arrived at {value}; give the time at which it came, not later than now.",
            field="arrived_at",
            value=arrived.isoformat(),
        )
    if len(note) > NOTE_LENGTH:
        raise InvalidInputError(
            "The note takes {length} characters; shorten it to {limit}.",
            field="note",
            length=len(note),
            limit=NOTE_LENGTH,
        )
    site = temporary_yard(action.corridor, action.actor.gate_id)
    known = store.find_open_trip_by_plate(action.session, norm)
    trip = None if known is None else ahead.find_near([known], action.now)  # tomorrow's trip is not what it comes for
    rows = store.revisions_of(action.session, trip.trip_id) if trip is not None else []
    if trip is not None and any(row.status in DeclarationStatus.declared() for row in rows):
        raise ConflictError(
            "The truck {plate} is declared: trip {code}, gate {gate}. Let it go on to its checks.",
            field="plate",
            plate=plates.display_plate(norm),
            code=trip.code,
            gate=trip.gate_id,
        )
    is_drafted_here = trip is not None and bool(rows) and trip.gate_id == site.gate_id
    values = {
        "gate_id": site.gate_id,
        "site_id": site.site_id,
        "plate_norm": norm,
        "arrived_at": min(arrived, action.now),
        "registered_at": action.now,
        "registered_by": action.actor.account_id,
        "note": " ".join(note.split()),
        "trip_id": trip.trip_id if trip is not None and is_drafted_here else None,
    }
    arrival = store.insert_arrival(action.session, values)
    if arrival is None:
        raise ConflictError(
            "The truck {plate} is already registered and waits for its declaration.",
            field="plate",
            plate=plates.display_plate(norm),
        )
    action.record("undeclared.register", "undeclared_arrival", arrival.arrival_id, None, values)
    sightings.settle(action, arrival.arrival_id, arrival.gate_id, norm, sighting_id)
    sightings.tell_registered(action, arrival.arrival_id, arrival.gate_id)
    if trip is not None and trip.gate_id == arrival.gate_id:
        action.sheets.note_arrival(action, trip.trip_id, arrival.arrived_at)
    _settle_place(action, arrival)
    return arrival.arrival_id


def lead_aside(action: DeclarationAction, trip_id: int) -> None:
    """The truck of a trip is at the caller's gate; if nobody declared it, it stands in the temporary yard from now on.

    Said again it changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such trip at the caller's gate.
    """
    action.actor.require("undeclared.register")
    action.sheets.note_arrival(action, trip_id)
    trip = trips.find_trip(action.session, true(), trip_id)
    if trip is None or trip.trip.procedure_id is not None or find_waiting(action.session, trip.plate) is not None:
        return
    register(action, plate=trip.plate)


def find_waiting(session: Session, written: str) -> Waiting | None:
    """The vehicle with a plate as it stands undeclared in a temporary yard, of whatever gate."""
    norm = plates.find_plate(written)
    found = None if norm is None else store.find_waiting(session, norm)
    return None if found is None else _waiting(found)


def list_strangers(session: Session, gate_id: str) -> list[Waiting]:
    """Vehicles that stand undeclared in a gate's temporary yard and are on no open trip, longest first."""
    return [_waiting(row) for row in store.strangers(session, gate_id)]


def open_case(action: DeclarationAction, arrival_id: int) -> UndeclaredArrival:
    """Note that the desk begins to declare with a vehicle.

    Raises
    ------
    NotFoundError, ConflictError
        If no such vehicle waits at the desk's gate.
    """
    arrival = _lock(action.session, action.actor, arrival_id)
    if arrival.opened_at is None:
        store.update_arrival(action.session, arrival_id, {"opened_at": action.now})
    return arrival


def begin_form(action: DeclarationAction, arrival_id: int) -> tuple[UndeclaredArrival, Form]:
    """A vehicle that waits, and the form to begin with.

    Raises
    ------
    NotFoundError, ConflictError
        If no such vehicle waits at the desk's gate.
    """
    arrival = _lock(action.session, action.actor, arrival_id)
    plate = plates.display_plate(arrival.plate_norm)
    return arrival, Form(plate=plate, gate_id=arrival.gate_id, planned_arrival=arrival.arrived_at)


def owner_of(session: Session, arrival: UndeclaredArrival) -> int | None:
    """The organisation that has proven a waiting vehicle, the first of several."""
    vehicle = find_vehicle(session, arrival.plate_norm)
    holders = [] if vehicle is None else holders_of(session, vehicle.vehicle_id)
    return holders[0] if holders else None


def today_at(clock_time: str, now: datetime) -> datetime | None:
    """The last moment at which the clock at the border showed `HH:MM`; `None` if nothing is given.

    Raises
    ------
    InvalidInputError
        If it is no time of day.
    """
    if not clock_time.strip():
        return None
    try:
        of_day = time.fromisoformat(clock_time.strip().zfill(5))
    except ValueError:
        raise InvalidInputError(
            "{value} is no time of day; write it like 09:30.", field="arrived_at", value=clock_time[:10]
        ) from None
    local = now.astimezone(LOCAL_ZONE)
    moment = local.replace(hour=of_day.hour, minute=of_day.minute, second=0, microsecond=0)
    return (moment if moment <= local else moment - timedelta(days=1)).astimezone(UTC)


def declare(
    action: DeclarationAction,
    arrival_id: int,
    written: Mapping[str, Any],
    *,
    organisation_id: int | None,
    new_name: str,
    submit: bool,
) -> int:
    """Declare for a vehicle that waits, for a known organisation or a new one of the name given; the trip's id.

    Raises
    ------
    NotFoundError, ConflictError, RefusedError
        If no such vehicle waits, it is declared already, or the declaration cannot be accepted.
    """
    arrival = _lock(action.session, action.actor, arrival_id)
    if arrival.trip_id is not None:
        raise ConflictError("The declaration for this truck is begun; go on with it.", trip_id=arrival.trip_id)
    plate = plates.find_plate(str(written.get("plate", "")))
    if plate is not None and plate != arrival.plate_norm:
        raise InvalidInputError(
            "The truck that waits is {waiting}, not {plate}; register the other truck by itself.",
            field="plate",
            waiting=plates.display_plate(arrival.plate_norm),
            plate=plates.display_plate(plate),
        )
    owner = organisation_id
    if new_name.strip():  # typed by hand, so it counts more than what stood chosen
        organisation = accounts.create_organisation(action, name=new_name, kind="enterprise")
        owner = organisation.organisation_id
    trip_id = service.create(action, written, submit=False, organisation_id=owner)
    store.update_arrival(action.session, arrival_id, {"trip_id": trip_id, "opened_at": arrival.opened_at or action.now})
    store.mark_arrived(action.session, trip_id, arrival.arrived_at)
    action.sheets.presence.settle(action.by_platform(), [trip_id], is_new_version=False)
    action.record(
        "undeclared.declare", "undeclared_arrival", arrival_id, None, {"trip_id": trip_id, "organisation_id": owner}
    )
    if submit:
        service.submit(action, trip_id, 1)
    return trip_id


def send_away(action: DeclarationAction, arrival_id: int, note: str) -> None:
    """The vehicle left the temporary yard undeclared.

    Raises
    ------
    NotFoundError, InvalidInputError
        If no such vehicle waits, or nothing is said on why.
    """
    arrival = _lock(action.session, action.actor, arrival_id)
    tidy = " ".join(note.split())
    if not tidy or len(tidy) > NOTE_LENGTH:
        raise InvalidInputError("Say in a few words why the truck left undeclared.", field="note")
    values = {"left_at": action.now, "note": tidy}
    store.update_arrival(action.session, arrival_id, values)
    _settle_place(action, arrival, has_left=True)
    action.record("undeclared.send_away", "undeclared_arrival", arrival_id, {"note": arrival.note}, values)


def list_arrivals(
    session: Session, principal: Principal, *, now: datetime, days: int = 1
) -> tuple[list[Arrival], Figures]:
    """Vehicles that wait, longest first, then those of the last days that are done with; and the time it took."""
    rows = store.arrivals(session, _visible(principal), since=now - timedelta(days=days))
    listed = [_describe(row, now) for row in rows]
    done = [arrival for arrival in listed if arrival.status == ArrivalStatus.DECLARED]
    desk = [arrival.desk_s for arrival in done if arrival.desk_s is not None]
    return listed, Figures(
        waiting=sum(1 for arrival in listed if arrival.status in ArrivalStatus.open()),
        declared=len(done),
        median_stay_s=median(arrival.stay_s for arrival in done) if done else None,
        longest_stay_s=max((arrival.stay_s for arrival in done), default=None),
        median_desk_s=median(desk) if desk else None,
    )


def find_enterprises(session: Session, query: str) -> list[Organisation]:
    """Enterprises to declare for whose name holds the words asked for."""
    return list(account_store.search_enterprises(session, query, limit=MAX_FOUND))


def temporary_yard(corridor: Corridor, gate_id: str | None) -> Site:
    """The temporary yard of a gate.

    Raises
    ------
    ConflictError
        If the gate has none, or the desk no gate.
    """
    for site in corridor.sites.values():
        if site.kind == "temporary_yard" and site.gate_id == gate_id and gate_id is not None:
            return site
    raise ConflictError("No temporary yard is recorded for {gate}.", gate=gate_id or "–")


def _settle_place(action: DeclarationAction, arrival: UndeclaredArrival, *, has_left: bool = False) -> None:
    """Let the yard's ledger follow: by the judgement of its undeclared trip, or if it is on none by its plate."""
    trip = store.find_open_trip_by_plate(action.session, arrival.plate_norm)
    if trip is not None and trip.procedure_id is None:
        action.sheets.presence.settle(action.by_platform(), [trip.trip_id])
        return
    vehicle = find_vehicle(action.session, arrival.plate_norm)
    truck = LedgerTruck(vehicle.vehicle_id if vehicle else None, arrival.plate_norm)
    place_stranger(
        action.session,
        truck,
        arrival.site_id,
        action.now if has_left else arrival.arrived_at,
        action.now,
        has_left=has_left,
    )


def _waiting(row: UndeclaredArrival) -> Waiting:
    return Waiting(row.arrival_id, plates.display_plate(row.plate_norm), row.gate_id, row.site_id, row.arrived_at)


def _describe(named: store.NamedArrival, now: datetime) -> Arrival:
    arrival = named.arrival
    end = arrival.submitted_at or arrival.left_at
    status = (
        ArrivalStatus.DECLARED
        if arrival.submitted_at
        else ArrivalStatus.LEFT
        if arrival.left_at
        else ArrivalStatus.DECLARING
        if arrival.opened_at or arrival.trip_id
        else ArrivalStatus.WAITING
    )
    is_measured = arrival.submitted_at is not None and arrival.opened_at is not None
    return Arrival(
        arrival_id=arrival.arrival_id,
        plate=plates.display_plate(arrival.plate_norm),
        site_id=arrival.site_id,
        arrived_at=arrival.arrived_at,
        trip_id=arrival.trip_id,
        code=named.code,
        organisation=named.organisation,
        note=arrival.note,
        status=status,
        stay_s=((end or now) - arrival.arrived_at).total_seconds(),
        desk_s=_span_s(arrival.opened_at, arrival.submitted_at) if is_measured else None,
    )


def _span_s(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()


def _lock(session: Session, principal: Principal, arrival_id: int) -> UndeclaredArrival:
    arrival = store.lock_arrival(session, _visible(principal), arrival_id)
    if arrival is None:
        raise NotFoundError("No truck {arrival_id} is registered at your desk.", arrival_id=arrival_id)
    if arrival.submitted_at is not None or arrival.left_at is not None:
        raise ConflictError("The truck {plate} no longer waits here.", plate=plates.display_plate(arrival.plate_norm))
    return arrival


def _visible(principal: Principal) -> ColumnElement[bool]:
    scope = principal.scope("undeclared.write")
    if scope is Scope.OWN_GATE and principal.gate_id is not None:
        return UndeclaredArrival.gate_id == principal.gate_id
    return true() if scope is Scope.ALL else false()
