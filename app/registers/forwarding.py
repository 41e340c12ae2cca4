"""The owner's word on forwarding: positions of a vehicle go to somebody else's server only while its owner agrees.

Agreed is to one receiver, the one that settings name; where it is another one later, it is asked for again.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.registers import forwarding_store as store
from app.registers.claims import organisation_of
from app.registers.forwarding_store import AgreedVehicle as AgreedVehicle
from app.registers.forwarding_store import ListedForwarding
from geo.errors import ConflictError, NotFoundError


def list_forwarding(session: Session, principal: Principal) -> dict[int, ListedForwarding]:
    """What the caller's enterprises agreed to, by vehicle."""
    found = store.list_forwarding(session, principal.organisation_ids)
    return {each.forwarding.vehicle_id: each for each in found}


def agree(action: ActionContext, vehicle_id: int, receiver: str, *, organisation_id: int | None = None) -> None:
    """Let the positions of a vehicle go to `receiver` from now on; a second time changes nothing.

    Raises
    ------
    ConflictError
        If no receiver is set, or what the enterprise holds of the vehicle is no ownership: others proved it before.
    NotFoundError
        If the caller's enterprise holds no such vehicle.
    """
    action.actor.require("vehicles.forward")
    owner = organisation_of(action.actor, organisation_id)
    if not receiver:
        raise ConflictError("Positions are forwarded to nobody here.")
    found = store.find_owner(action.session, vehicle_id)
    if found is None:
        raise NotFoundError("Your enterprise has not proven a vehicle {value}.", value=vehicle_id)
    if found != owner:
        raise ConflictError("Only the enterprise that proved the vehicle first can agree to that.")
    standing = store.lock_forwarding(action.session, vehicle_id, owner)
    if standing is not None and standing.receiver == receiver:
        return
    if standing is not None:
        standing.ended_at, standing.ended_by = action.now, action.actor_id
        action.session.flush()
    number = store.insert_forwarding(
        action.session,
        vehicle_id=vehicle_id,
        organisation_id=owner,
        receiver=receiver,
        account_id=action.actor.account_id,
        now=action.now,
    )
    if number is not None:
        after = {"vehicle_id": vehicle_id, "receiver": receiver}
        action.record("vehicles.forward", "position_forwarding", number, None, after)


def end(action: ActionContext, vehicle_id: int, *, organisation_id: int | None = None) -> None:
    """Take it back: from now on nothing of the vehicle goes out, not even what waits to.

    Raises
    ------
    NotFoundError
        If the caller's enterprise agreed to nothing for this vehicle.
    """
    action.actor.require("vehicles.forward_end")
    owner = organisation_of(action.actor, organisation_id)
    standing = store.lock_forwarding(action.session, vehicle_id, owner)
    if standing is None:
        raise NotFoundError("Your enterprise agreed to no forwarding of the vehicle {value}.", value=vehicle_id)
    standing.ended_at, standing.ended_by = action.now, action.actor_id
    before = {"vehicle_id": vehicle_id, "receiver": standing.receiver}
    action.record("vehicles.forward_end", "position_forwarding", standing.forwarding_id, before, None)


def agreed_for(session: Session, receiver: str) -> list[AgreedVehicle]:
    """Vehicles whose owner agreed to a receiver and is their owner still, for what forwards."""
    return store.agreed_for(session, receiver)
