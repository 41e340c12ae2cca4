"""How far a permission reaches, as SQL filters: the one place that turns a scope into rows of trips and vehicles.

Whose a vehicle is, the registers say; what belongs to the parties of a trip comes on top here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.platform.permissions import Principal, Scope
from app.registers.service import is_held_by, own_vehicles, proven_since
from app.trips.tables import Trip, TripParty, TripVehicleAnswer
from app.trips.vocabulary import PartyRole, Stage
from ingest.tables import LastPosition


@dataclass(frozen=True)
class Sight:
    """What a reader sees of the vehicle of a trip, as conditions on `Trip`: that it is this one, and where it is."""

    vehicle: ColumnElement[bool]
    position: ColumnElement[bool]


STATION_SIGHT_KM: Final = 60.0
"""How far from the border stations see trucks: an hour's drive, so that a work list can be prepared."""
PLANNED_SIGHT: Final = timedelta(days=3)
"""The way from the far end of the country: before that a planned trip is no reason to see where a truck is."""


def visible_trips(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `Trip` for what `principal` may do `act` with.

    An enterprise has the trips of the organisations it acts for, and reads those in which it has a role; a driver
    those given to them (or to their truck while no driver is named), a station those of its gate that are not yet out.
    """
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN_ORGANISATION and principal.organisation_ids:
        own = Trip.organisation_id.in_(principal.organisation_ids)
        roles = [role for role in PartyRole if act in role.reads]
        return or_(own, Trip.trip_id.in_(_with_role(principal, roles))) if roles else own
    if scope is Scope.OWN_GATE and principal.gate_id is not None:
        return and_(Trip.gate_id == principal.gate_id, Trip.stage.in_(Stage.open()))
    if scope is Scope.OWN:
        return _own_trips(principal)
    return false()


def visible_vehicles(
    principal: Principal, act: str, vehicle_id: ColumnElement[int] | InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """The condition on the column `vehicle_id` for the vehicles that `principal` may do `act` with.

    An enterprise has what it has proven, and the vehicles of its trips while they last, if their holder or driver
    agreed to the trip; a driver the own truck and, likewise, that of the own open trip; a station the vehicles of the
    trips of its gate that are not yet out. Typing a plate into a trip opens nothing.
    """
    scope = principal.scope(act)
    own = own_vehicles(principal, act, vehicle_id)
    if scope is Scope.OWN_ORGANISATION and principal.organisation_ids:
        concerned = or_(
            Trip.organisation_id.in_(principal.organisation_ids),
            Trip.trip_id.in_(_with_role(principal, list(PartyRole))),
        )
        return or_(own, vehicle_id.in_(_travelling(concerned)))
    if scope is Scope.OWN_GATE:
        return vehicle_id.in_(select(Trip.vehicle_id).where(visible_trips(principal, act)))
    if scope is Scope.OWN:
        return or_(own, vehicle_id.in_(_travelling(Trip.driver_id == principal.account_id)))
    return own


def visible_positions(
    principal: Principal, vehicle_id: ColumnElement[int] | InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """The condition on the column `vehicle_id` for the vehicles whose positions `principal` may see: by purpose.

    As `visible_vehicles`, but an enterprise sees a truck during trips, whether it has proven it or only sends goods
    with it: between two trips a position shows where the driver is, and nothing that the platform is for. A trip that
    is only planned opens it `PLANNED_SIGHT` before the planned arrival, so that nobody declares far ahead to look on.
    A station sees a truck when it is near: within `STATION_SIGHT_KM` of the border by the road, or at the gate.
    """
    visible = visible_vehicles(principal, "positions.read", vehicle_id)
    scope = principal.scope("positions.read")
    if scope is Scope.OWN_ORGANISATION:
        near_in_time = select(LastPosition.vehicle_id).where(
            LastPosition.vehicle_id == Trip.vehicle_id, LastPosition.time >= Trip.planned_arrival - PLANNED_SIGHT
        )
        under_way = or_(Trip.stage != Stage.PLANNED, near_in_time.exists())
        return and_(visible, vehicle_id.in_(select(Trip.vehicle_id).where(Trip.stage.in_(Stage.open()), under_way)))
    if scope is not Scope.OWN_GATE:
        return visible
    at_gate = and_(visible_trips(principal, "positions.read"), Trip.stage.in_(Stage.at_gate()))
    near = select(LastPosition.vehicle_id).where(LastPosition.km <= STATION_SIGHT_KM)
    return and_(visible, or_(vehicle_id.in_(near), vehicle_id.in_(select(Trip.vehicle_id).where(at_gate))))


def visible_sight(principal: Principal) -> Sight:
    """What the caller sees of the vehicle of a trip, as conditions on `Trip`."""
    return Sight(
        visible_vehicles(principal, "positions.read", Trip.vehicle_id), visible_positions(principal, Trip.vehicle_id)
    )


def station_sees() -> ColumnElement[bool]:
    """The condition on `LastPosition` and `Trip` that the trip's station sees where its truck is."""
    return or_(LastPosition.km <= STATION_SIGHT_KM, Trip.stage.in_(Stage.at_gate()))


def during_trip(
    vehicle_id: ColumnElement[int] | InstrumentedAttribute[int],
    moment: ColumnElement[datetime] | InstrumentedAttribute[datetime],
) -> ColumnElement[bool]:
    """The condition that a vehicle was on a trip at a moment, both columns: from its declaration to its end.

    Of a trip that is planned, or was, from `PLANNED_SIGHT` before the planned arrival.
    """
    trip = aliased(Trip)
    is_under_way = trip.stage.in_([stage for stage in Stage.open() if stage is not Stage.PLANNED])
    return exists().where(
        trip.vehicle_id == vehicle_id,
        trip.created_at <= moment,
        or_(is_under_way, moment >= trip.planned_arrival - PLANNED_SIGHT),
        or_(trip.stage.in_(Stage.open()), trip.stage_since >= moment),
    )


def visible_past(
    principal: Principal | None,
    act: str,
    vehicle_id: ColumnElement[int] | InstrumentedAttribute[int],
    moment: ColumnElement[datetime] | InstrumentedAttribute[datetime],
) -> ColumnElement[bool]:
    """The condition on where vehicles were that `principal` may see it, of a vehicle that is open to `act`.

    An enterprise sees the time of trips, as `visible_positions`. Without a `principal` the operator asks.
    """
    if principal is not None and principal.scope(act) is Scope.OWN_ORGANISATION:
        return during_trip(vehicle_id, moment)
    return true()


def vehicle_is_agreed() -> ColumnElement[bool]:
    """The condition on `Trip` that its vehicle makes this trip by the word of who may say so.

    Either the trip's enterprise has proven the vehicle, or another holder said yes to the trip and still holds it, or
    its driver said yes and nobody else has proven the vehicle since.
    """
    agreed = exists().where(
        TripVehicleAnswer.trip_id == Trip.trip_id,
        TripVehicleAnswer.vehicle_id == Trip.vehicle_id,
        TripVehicleAnswer.agreed,
        or_(
            is_held_by(Trip.vehicle_id, TripVehicleAnswer.organisation_id),
            and_(
                TripVehicleAnswer.organisation_id.is_(None),
                ~proven_since(Trip.vehicle_id, Trip.organisation_id, TripVehicleAnswer.answered_at),
            ),
        ),
    )
    return or_(is_held_by(Trip.vehicle_id, Trip.organisation_id), agreed)


def _travelling(concerned: ColumnElement[bool]) -> Select[int]:
    """The vehicles of open trips that somebody is concerned by, as far as that opens them."""
    return select(Trip.vehicle_id).where(concerned, Trip.stage.in_(Stage.open()), vehicle_is_agreed())


def _with_role(principal: Principal, roles: list[PartyRole]) -> Select[int]:
    """Trips in which the caller's own organisation has one of some roles that it was given by name.

    A role that came with a power of attorney is left out: the power itself opens those trips, while it lasts.
    """
    return select(TripParty.trip_id).where(
        TripParty.organisation_id == principal.organisation_id, TripParty.role.in_(roles), ~TripParty.by_power
    )


def _own_trips(principal: Principal) -> ColumnElement[bool]:
    given = Trip.driver_id == principal.account_id
    if principal.vehicle_id is None:
        return given
    return or_(given, and_(Trip.driver_id.is_(None), Trip.vehicle_id == principal.vehicle_id))
