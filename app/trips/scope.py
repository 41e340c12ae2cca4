"""How far a permission reaches, as SQL filters: the one place that turns a scope into rows."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.platform.permissions import Principal, Scope
from app.trips.tables import Trip
from app.trips.vocabulary import Stage
from ingest.tables import Vehicle

AFTERGLOW = timedelta(hours=24)
"""How long an enterprise still sees the truck of a trip that is over."""


def visible_trips(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `Trip` for what `principal` may do `act` with.

    An enterprise has the trips of its organisation, a driver those given to them (or to their truck while no driver is
    named), a station those of its gate that are not yet out.
    """
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN_ORGANISATION and principal.organisation_id is not None:
        return Trip.organisation_id == principal.organisation_id
    if scope is Scope.OWN_GATE and principal.gate_id is not None:
        return and_(Trip.gate_id == principal.gate_id, Trip.stage.in_(Stage.open()))
    if scope is Scope.OWN:
        return _own_trips(principal)
    return false()


def visible_vehicles(
    principal: Principal,
    act: str,
    vehicle_id: ColumnElement[int] | InstrumentedAttribute[int],
    *,
    now: datetime,
) -> ColumnElement[bool]:
    """The condition on the column `vehicle_id` for the trucks that `principal` may do `act` with.

    An enterprise has the trucks registered to it and those of its trips until a day after they are over; a driver the
    own truck and that of the own open trip; a station the trucks of the trips of its gate that are not yet out.
    """
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN_ORGANISATION and principal.organisation_id is not None:
        registered = select(Vehicle.vehicle_id).where(Vehicle.organisation_id == principal.organisation_id)
        recent = and_(Trip.stage == Stage.OUT, Trip.stage_since > now - AFTERGLOW)
        travelling = select(Trip.vehicle_id).where(
            Trip.organisation_id == principal.organisation_id, or_(Trip.stage.in_(Stage.open()), recent)
        )
        return or_(vehicle_id.in_(registered), vehicle_id.in_(travelling))
    if scope is Scope.OWN_GATE:
        return vehicle_id.in_(select(Trip.vehicle_id).where(visible_trips(principal, act)))
    if scope is Scope.OWN:
        driven = select(Trip.vehicle_id).where(Trip.driver_id == principal.account_id, Trip.stage.in_(Stage.open()))
        own = vehicle_id == principal.vehicle_id if principal.vehicle_id is not None else false()
        return or_(own, vehicle_id.in_(driven))
    return false()


def _own_trips(principal: Principal) -> ColumnElement[bool]:
    given = Trip.driver_id == principal.account_id
    if principal.vehicle_id is None:
        return given
    return or_(given, and_(Trip.driver_id.is_(None), Trip.vehicle_id == principal.vehicle_id))
