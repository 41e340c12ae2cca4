"""Who has a part in a trip, and whether the vehicle's holder or driver agrees that it makes the trip.

Anybody may declare a trip for a plate: that asks for nothing and stops nobody. Who holds the vehicle is asked whether
the trip is its own; only a yes opens the vehicle to the parties of the trip, for as long as the trip lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.accounts import store as account_store
from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Scope
from app.registers.claims import EVENT, VehicleListener, drivers_of, holders_of
from app.registers.service import is_held_by, own_vehicles
from app.trips import party_store
from app.trips.party_store import AskedTrip, NamedParty
from app.trips.scope import visible_trips
from app.trips.tables import Trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import PartyRole, Stage
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from ingest.tables import Vehicle


@dataclass(frozen=True)
class Part:
    """The part of an organisation in a trip."""

    role: PartyRole
    organisation_id: int
    organisation: str


def begin(action: ActionContext, trip: Trip) -> None:
    """Note the parts that follow from who declared a new trip, and ask who holds its vehicle.

    The enterprise the trip belongs to is its consignor, or its customs agent if it is one; an agent who declares under
    a power of attorney is the customs agent; an enterprise that has proven the vehicle is the carrier.
    """
    owner = account_store.find_organisation(action.session, trip.organisation_id)
    is_agent = owner is not None and owner.kind == "customs_agent"
    own_role = PartyRole.CUSTOMS_AGENT if is_agent else PartyRole.CONSIGNOR
    party_store.set_party(action.session, trip.trip_id, own_role, trip.organisation_id)
    declarant = action.principal.organisation_id if action.principal is not None else None
    acts = action.principal is not None and trip.organisation_id in action.principal.acts_for
    if acts and declarant is not None and not is_agent:
        party_store.set_party(action.session, trip.trip_id, PartyRole.CUSTOMS_AGENT, declarant, by_power=True)
    holders = holders_of(action.session, trip.vehicle_id)
    if trip.organisation_id in holders:
        party_store.set_party(action.session, trip.trip_id, PartyRole.CARRIER, trip.organisation_id)
    else:
        _ask(action, trip, holders)


def ask_holders(action: ActionContext, trip: Trip) -> None:
    """Ask who holds the vehicle of a trip that another enterprise declared, and its drivers, whether it makes the trip.

    Where the one who declares holds it, that is a yes.
    """
    holders = holders_of(action.session, trip.vehicle_id)
    if trip.organisation_id not in holders:
        _ask(action, trip, holders)


def _ask(action: ActionContext, trip: Trip, holders: Sequence[int]) -> None:
    drivers = drivers_of(action.session, trip.vehicle_id)
    if not (holders or drivers):
        return
    actor = action.principal
    if actor is not None and not actor.organisation_ids.isdisjoint(holders):
        _settle(action, trip, agreed=True)
        return
    data = {
        "kind": "trip_asked",
        "trip_id": trip.trip_id,
        "plate": action.session.get_one(Vehicle, trip.vehicle_id).plate,
        "organisation": _name(action.session, trip.organisation_id),
        "asked_at": action.now.isoformat(),
    }
    action.publish_event(Event(EVENT, Audience(organisations=tuple(holders), accounts=tuple(drivers)), data))


def answer_vehicle(action: ActionContext, trip_id: int, *, agreed: bool, follow: VehicleListener) -> None:
    """Say as who holds a vehicle, or as its driver, whether it makes a trip that another enterprise declared.

    A yes opens the vehicle to the parties of the trip while it lasts, and makes the holder its carrier; a no, also a
    later one, closes it again. The trip itself stands either way.

    Raises
    ------
    NotFoundError
        If there is no such open trip of a vehicle of the caller.
    """
    own = own_vehicles(action.actor, "vehicles.answer", Trip.vehicle_id)
    trip = party_store.lock_open_trip(action.session, own, trip_id)
    if trip is None:
        raise NotFoundError("There is no open trip {trip_id} of a vehicle of yours.", trip_id=trip_id)
    _settle(action, trip, agreed=agreed)
    follow(action, [trip.vehicle_id])


def agree_by_sharing(action: ActionContext, vehicle_id: int, *, follow: VehicleListener) -> None:
    """Take it for a yes that the driver of a trip lets the own phone report for its vehicle.

    For a vehicle that nobody has proven and nobody else reports for, which the caller has made sure of.
    """
    for trip in party_store.trips_of_driver(action.session, action.actor.account_id, vehicle_id):
        _settle(action, trip, agreed=True)
    follow(action, [vehicle_id])


def list_asked(session: Session, principal: Principal) -> list[AskedTrip]:
    """Open trips that others declared for the caller's own vehicles, those not answered yet before the others."""
    own = own_vehicles(principal, "vehicles.answer", Trip.vehicle_id)
    is_driver = principal.require("vehicles.answer") is Scope.OWN
    closed = ~is_held_by(Trip.vehicle_id, Trip.organisation_id)
    return party_store.asked_trips(session, and_(own, closed), () if is_driver else principal.organisation_ids)


def name_party(action: ActionContext, trip_id: int, role: PartyRole, organisation_id: int | None) -> None:
    """Give an organisation a part in a trip of the caller's enterprise, in place of who had it; `None`: nobody.

    A carrier named so has the papers of the trip, not the sight of a vehicle that it has not proven.

    Raises
    ------
    NotFoundError, InvalidInputError, ConflictError
        If there is no such trip or organisation for the caller, or the trip is over.
    """
    trip = party_store.lock_trip(action.session, visible_trips(action.actor, "trips.write"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    if trip.stage not in Stage.open():
        raise ConflictError("The trip {code} is over.", code=trip.code)
    if organisation_id is not None:
        organisation = account_store.find_organisation(action.session, organisation_id)
        if organisation is None or organisation.kind not in account_store.COMPANY_KINDS:
            message = "There is no enterprise or customs agent {value}."
            raise InvalidInputError(message, field="organisation_id", value=organisation_id)
    before = {str(part.role): part.organisation_id for part in parties_of(action.session, trip_id)}
    party_store.set_party(action.session, trip_id, role, organisation_id)
    after = {str(part.role): part.organisation_id for part in parties_of(action.session, trip_id)}
    if after != before:
        timeline = TimelineEntry(trip_id, "party", {"role": str(role), "organisation_id": organisation_id})
        action.record("trips.name_party", "trip", trip_id, before, after, timeline=timeline)


def parties_of(session: Session, trip_id: int) -> list[Part]:
    """The parts that organisations have in a trip, in the order of the roles."""
    found: dict[str, NamedParty] = {party.role: party for party in party_store.parties(session, trip_id)}
    return [
        Part(role, found[role].organisation_id, found[role].organisation) for role in PartyRole if str(role) in found
    ]


def party_ids(session: Session, trip_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The organisations that were given a part in each of some trips by name."""
    return party_store.party_ids(session, trip_ids)


def _settle(action: ActionContext, trip: Trip, *, agreed: bool) -> None:
    actor = action.actor
    before = party_store.find_answer(action.session, trip.trip_id)
    known = None if before is None or before.vehicle_id != trip.vehicle_id else before.agreed
    if known is agreed:
        return
    held_for = actor.organisation_ids.intersection(holders_of(action.session, trip.vehicle_id))
    is_holder = actor.scope("vehicles.answer") is Scope.OWN_ORGANISATION and bool(held_for)
    holder_id = min(held_for) if is_holder else None
    party_store.set_answer(
        action.session,
        trip.trip_id,
        trip.vehicle_id,
        holder_id=holder_id,
        agreed=agreed,
        by=action.actor_id,
        now=action.now,
    )
    has_carrier = any(part.role is PartyRole.CARRIER for part in parties_of(action.session, trip.trip_id))
    if agreed and is_holder and not has_carrier:
        party_store.set_party(action.session, trip.trip_id, PartyRole.CARRIER, holder_id)
    kind = "vehicle_agreed" if agreed else "vehicle_refused"
    data = {"kind": f"trip_{'agreed' if agreed else 'refused'}", "trip_id": trip.trip_id, "at": _stamp(action.now)}
    event = Event(EVENT, Audience(organisations=(trip.organisation_id,)), data)
    action.record(
        "trips.answer_vehicle",
        "trip",
        trip.trip_id,
        {"agreed": known},
        {"agreed": agreed, "vehicle_id": trip.vehicle_id},
        event=event,
        timeline=TimelineEntry(trip.trip_id, kind),
    )


def _name(session: Session, organisation_id: int) -> str:
    organisation = account_store.find_organisation(session, organisation_id)
    return organisation.name if organisation is not None else ""


def _stamp(moment: datetime) -> str:
    return moment.isoformat()
