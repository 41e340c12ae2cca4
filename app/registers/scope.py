"""Whose a vehicle is, as SQL conditions: the one place that says what a proof opens.

What belongs to the parties of a trip comes on top in `app.trips.scope`, which asks here first.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, and_, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.accounts.service import Account
from app.platform.permissions import Principal, Scope
from app.platform.personal_fields import digest
from app.registers.tables import RegisteredDriver, VehicleClaim, VehicleHolding
from app.registers.vocabulary import ClaimStatus
from ingest.tables import Device

VehicleColumn = ColumnElement[int] | InstrumentedAttribute[int]


def held_by(vehicle_id: VehicleColumn, organisation_ids: Collection[int]) -> ColumnElement[bool]:
    """The condition on a column of vehicles for those that one of some organisations has proven."""
    if not organisation_ids:
        return false()
    return vehicle_id.in_(
        select(VehicleHolding.vehicle_id).where(
            VehicleHolding.organisation_id.in_(organisation_ids), VehicleHolding.ended_at.is_(None)
        )
    )


def is_held_by(
    vehicle_id: VehicleColumn, organisation_id: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
) -> ColumnElement[bool]:
    """The condition that the organisation in one column has proven the vehicle in another."""
    holding = aliased(VehicleHolding)
    return (
        select(holding.holding_id)
        .where(
            holding.vehicle_id == vehicle_id,
            holding.organisation_id == organisation_id,
            holding.ended_at.is_(None),
        )
        .exists()
    )


def has_driver_number(
    account_id: InstrumentedAttribute[int | None], organisation_id: InstrumentedAttribute[int], written: str
) -> ColumnElement[bool]:
    """The condition on a driver's account and an enterprise that it has the driver on file with a number.

    That of the telephone, of the licence or of a paper, typed whole.
    """
    return (
        select(RegisteredDriver.entry_id)
        .where(
            RegisteredDriver.account_id == account_id,
            RegisteredDriver.organisation_id == organisation_id,
            RegisteredDriver.removed_at.is_(None),
            RegisteredDriver.number_digests.contains([digest(written)]),
        )
        .exists()
    )


def holder_of(vehicle_id: VehicleColumn) -> ScalarSelect[int]:
    """The organisation that proved a vehicle first, of those that hold it; null if nobody does."""
    query = (
        select(VehicleHolding.organisation_id)
        .where(VehicleHolding.vehicle_id == vehicle_id, VehicleHolding.ended_at.is_(None))
        .order_by(VehicleHolding.holding_id)
        .limit(1)
    )
    return query.scalar_subquery()


def proven_since(
    vehicle_id: VehicleColumn, organisation_id: InstrumentedAttribute[int], moment: InstrumentedAttribute[datetime]
) -> ColumnElement[bool]:
    """The condition that somebody else than `organisation_id` proved a vehicle after a moment, and still holds it."""
    holding = aliased(VehicleHolding)
    return (
        select(holding.holding_id)
        .where(
            holding.vehicle_id == vehicle_id,
            holding.organisation_id != organisation_id,
            holding.ended_at.is_(None),
            holding.begun_at > moment,
        )
        .exists()
    )


def own_vehicles(principal: Principal, act: str, vehicle_id: VehicleColumn) -> ColumnElement[bool]:
    """The condition on a column of vehicles for those that are the caller's own to do `act` with, trips left aside.

    An enterprise has what it has proven, and what those have proven whose power of attorney it holds; a driver the
    vehicle that an administrator or its holder gave to the account.
    """
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN_ORGANISATION:
        return held_by(vehicle_id, principal.organisation_ids)
    if scope is Scope.OWN and principal.vehicle_id is not None:
        return vehicle_id == principal.vehicle_id
    return false()


def held_since(session: Session, principal: Principal, vehicle_id: int) -> datetime | None:
    """Since when one of the caller's organisations has held a vehicle without an end; `None` if none does."""
    if not principal.organisation_ids:
        return None
    return session.scalar(
        select(func.min(VehicleHolding.begun_at)).where(
            VehicleHolding.vehicle_id == vehicle_id,
            VehicleHolding.organisation_id.in_(principal.organisation_ids),
            VehicleHolding.ended_at.is_(None),
        )
    )


def own_devices(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `Device` for those of the caller's own vehicles, and those that its own people enrolled."""
    own = own_vehicles(principal, act, Device.vehicle_id)
    scope = principal.scope(act)
    if scope is Scope.OWN_ORGANISATION and principal.organisation_ids:
        people = select(Account.account_id).where(Account.organisation_id.in_(principal.organisation_ids))
        return or_(own, Device.created_by.in_(people))
    if scope is Scope.OWN:
        return or_(own, Device.created_by == principal.account_id)
    return own


def visible_claims(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `VehicleClaim` for what the caller may do `act` with.

    `claims.read` shows an enterprise its own claims; `claims.answer` the claims of others to what it holds, or to the
    vehicle that a driver drives. Nobody answers the claim of an organisation that they act for themselves.
    """
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if act == "claims.answer":
        own = own_vehicles(principal, act, VehicleClaim.vehicle_id)
        waits = VehicleClaim.status == ClaimStatus.OPEN
        if scope is Scope.OWN_ORGANISATION:
            return and_(own, waits, VehicleClaim.organisation_id.not_in(principal.organisation_ids))
        return and_(own, waits)
    if scope is Scope.OWN_ORGANISATION and principal.organisation_ids:
        return VehicleClaim.organisation_id.in_(principal.organisation_ids)
    if scope is Scope.OWN:
        return and_(own_vehicles(principal, act, VehicleClaim.vehicle_id), VehicleClaim.status == ClaimStatus.OPEN)
    return false()
