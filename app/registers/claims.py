"""How an enterprise proves a vehicle, and how it lets go of one: claim, decision, yes of carrier or driver, hand-on.

Typing a plate proves nothing. While nobody has proven a vehicle, nobody sees it but the state and the parties of its
trips. Several enterprises may hold a vehicle at a time: who owns it, and who drives with it under a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy.orm import Session

from app.accounts import persons
from app.accounts import store as account_store
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role, Scope
from app.registers import claim_store
from app.registers.claim_store import ListedClaim, ListedHolding
from app.registers.scope import visible_claims
from app.registers.tables import VehicleClaim
from app.registers.vocabulary import ClaimStatus, Proof
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from ingest import plates
from ingest.store import find_vehicle, get_or_add_vehicle
from ingest.tables import Vehicle

NOTE_LENGTH: Final = 500
MAX_WAITING: Final = 50
"""Claims of an enterprise that wait at once: each rings at desks, and at whoever holds the vehicle."""
EVENT: Final = "register"
"""The type of the events that the bell shows of the registers; `kind` in their data says what happened."""
VehicleListener: TypeAlias = "Callable[[ActionContext, Collection[int]], None]"
"""Called in the transaction of an act that changes whose some vehicles are, or whether they make a trip."""
DESK_ROLES: Final = (str(Role.SUPPORT), str(Role.ADMINISTRATOR))


# Claiming


def file_claim(
    action: ActionContext, plate: str, *, paper_number: str = "", note: str = "", organisation_id: int | None = None
) -> VehicleClaim:
    """Say that a vehicle is one of the caller's enterprise; nothing opens before somebody has answered.

    A second claim while the first one waits is the first one.

    Raises
    ------
    InvalidInputError
        If the plate is none, or a text is too long.
    ForbiddenError, ConflictError
        If the caller cannot act for that enterprise, it holds the vehicle already, or has too many claims that wait.
    """
    owner = organisation_of(action.actor, organisation_id)
    norm = plates.normalise_plate(plate)
    paper, tidy = " ".join(paper_number.split()), " ".join(note.split())
    if len(paper) > 60 or len(tidy) > NOTE_LENGTH:
        raise InvalidInputError(
            "The text takes {length} characters; shorten it to {limit}.",
            field="paper_number" if len(paper) > 60 else "note",
            length=max(len(paper), len(tidy)),
            limit=60 if len(paper) > 60 else NOTE_LENGTH,
        )
    vehicle = known_vehicle(action.session, norm, action.now)
    if owner in claim_store.holders_of(action.session, vehicle.vehicle_id):
        raise ConflictError("Your enterprise has proven {plate} already.", field="plate", plate=vehicle.plate)
    if claim_store.count_waiting(action.session, owner, but=vehicle.vehicle_id) >= MAX_WAITING:
        raise ConflictError(
            "{max} claims of your enterprise wait for an answer; wait, or withdraw some.",
            field="plate",
            max=MAX_WAITING,
        )
    claim = claim_store.insert_claim(
        action.session,
        vehicle_id=vehicle.vehicle_id,
        organisation_id=owner,
        paper_number=paper,
        note=tidy,
        claimed_by=action.actor_id,
        now=action.now,
    )
    if claim is None:
        waiting = claim_store.find_open_claim(action.session, vehicle.vehicle_id, owner)
        assert waiting is not None  # the unique index refused the new one because of it
        return waiting
    event = _event(action.session, claim, vehicle, "claimed", to=_answerers(action.session, vehicle.vehicle_id))
    action.record("claims.file", "vehicle_claim", claim.claim_id, None, _record(claim), event=event)
    return claim


def withdraw_claim(action: ActionContext, claim_id: int) -> VehicleClaim:
    """Take back a claim that waits.

    Raises
    ------
    NotFoundError, ConflictError
        If there is none of the caller, or it is answered already.
    """
    claim = _lock(action, "claims.read", claim_id)
    if action.actor.scope("claims.file") is None or claim.organisation_id not in action.actor.organisation_ids:
        raise NotFoundError("There is no claim {value} that you may see.", value=claim_id)
    return _settle(action, claim, ClaimStatus.WITHDRAWN, None, "")


def decide(
    action: ActionContext,
    claim_id: int,
    *,
    accept: bool,
    reason: str,
    follow: VehicleListener,
    ends_others: bool = False,
) -> VehicleClaim:
    """Decide a claim at a desk, with the registration certificate in hand.

    Arguments: `ends_others`: what other enterprises hold of the vehicle ends, because it was sold or never theirs.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is no such claim, it is answered already, or a refusal or an ending is given no reason.
    """
    claim = _lock(action, "claims.decide", claim_id)
    persons.check_other_person(action, claim.claimed_by)
    tidy = _reason(reason)
    if not tidy and (not accept or ends_others):
        raise InvalidInputError("Say why; the enterprises are told the reason.", field="reason")
    if not accept:
        return _settle(action, claim, ClaimStatus.REFUSED, None, tidy)
    if ends_others:
        others = set(claim_store.holders_of(action.session, claim.vehicle_id)) - {claim.organisation_id}
        _end(action, claim.vehicle_id, others, "claims.end_holding")
    accepted = _settle(action, claim, ClaimStatus.ACCEPTED, Proof.DESK, tidy)
    follow(action, [claim.vehicle_id])
    return accepted


def answer(
    action: ActionContext, claim_id: int, *, accept: bool, follow: VehicleListener, reason: str = ""
) -> VehicleClaim:
    """Answer the claim of another enterprise as who holds the vehicle, or as its driver.

    A yes opens the vehicle to the other one beside the present holder; a no is told to it, and the claim goes on
    waiting for a desk: who stands on the wrong side of a sale must not have the last word.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such claim for the caller, or it is answered already.
    """
    claim = _lock(action, "claims.answer", claim_id)
    tidy = _reason(reason)
    if accept:
        proof = Proof.DRIVER if action.actor.require("claims.answer") is Scope.OWN else Proof.CARRIER
        accepted = _settle(action, claim, ClaimStatus.ACCEPTED, proof, tidy)
        follow(action, [claim.vehicle_id])
        return accepted
    before = _record(claim)
    claim.reason = tidy
    action.session.flush()
    vehicle = action.session.get_one(Vehicle, claim.vehicle_id)
    event = _event(action.session, claim, vehicle, "disputed", to=Audience(organisations=(claim.organisation_id,)))
    action.record("claims.dispute", "vehicle_claim", claim_id, before, _record(claim), event=event)
    return claim


# Letting go


def release(
    action: ActionContext, vehicle_id: int, *, follow: VehicleListener, organisation_id: int | None = None
) -> None:
    """End what the caller's enterprise holds of a vehicle; its drivers and the devices it enrolled go with it.

    Raises
    ------
    NotFoundError
        If it holds no such vehicle.
    """
    owner = organisation_of(action.actor, organisation_id)
    if not _end(action, vehicle_id, [owner], "vehicles.release"):
        raise NotFoundError("Your enterprise has not proven a vehicle {value}.", value=vehicle_id)
    follow(action, [vehicle_id])


def hand_on(
    action: ActionContext, vehicle_id: int, to_id: int, *, follow: VehicleListener, organisation_id: int | None = None
) -> None:
    """Give a vehicle to another enterprise: the holding of the caller's ends, that of the other begins.

    Raises
    ------
    NotFoundError, InvalidInputError
        If the caller's enterprise holds no such vehicle, or there is no such other enterprise.
    """
    owner = organisation_of(action.actor, organisation_id)
    other = account_store.find_organisation(action.session, to_id)
    if other is None or other.kind not in account_store.COMPANY_KINDS or to_id == owner:
        raise InvalidInputError("There is no other enterprise {value}.", field="to_id", value=to_id)
    if not _end(action, vehicle_id, [owner], "vehicles.hand_on"):
        raise NotFoundError("Your enterprise has not proven a vehicle {value}.", value=vehicle_id)
    vehicle = action.session.get_one(Vehicle, vehicle_id)
    waiting = claim_store.find_open_claim(action.session, vehicle_id, to_id)
    if waiting is not None:
        _settle(action, waiting, ClaimStatus.ACCEPTED, Proof.HANDED_ON, "")
    else:
        _begin(action, vehicle_id, to_id, Proof.HANDED_ON, None)
        data: JsonObject = {"kind": "handed_on", "plate": vehicle.plate, "vehicle_id": vehicle_id, "at": _stamp(action)}
        action.publish_event(Event(EVENT, Audience(organisations=(to_id,)), dict(data)))
    follow(action, [vehicle_id])


def carry_over(session: Session, rows: Collection[tuple[int, int]], now: datetime) -> None:
    """Let enterprises hold vehicles by the platform's own word: `(vehicle_id, organisation_id)` each."""
    claim_store.carry_over(session, list(rows), now)


# Asking


def holders_of(session: Session, vehicle_id: int) -> list[int]:
    """The organisations that have proven a vehicle, the first before the others."""
    return claim_store.holders_of(session, vehicle_id)


def drivers_of(session: Session, vehicle_id: int) -> list[int]:
    """The accounts of the drivers to whom a vehicle was given."""
    return claim_store.drivers_of(session, vehicle_id)


def list_claims(
    session: Session, principal: Principal, act: str, *, open_only: bool = False, query: str = ""
) -> list[ListedClaim]:
    """Claims that the caller may do `act` with, newest first."""
    statuses = (ClaimStatus.OPEN,) if open_only else ()
    return claim_store.list_claims(session, visible_claims(principal, act), statuses=statuses, query=query)


def list_holdings(session: Session, principal: Principal, query: str = "") -> list[ListedHolding]:
    """The vehicles that the caller's organisations have proven, by plate."""
    return claim_store.list_holdings(session, principal.organisation_ids, query)


def organisation_of(principal: Principal, named: int | None) -> int:
    """The organisation that the caller acts for: the one named, or the own.

    Raises
    ------
    ForbiddenError
        If it is neither the own nor one whose power of attorney the own holds.
    """
    wanted = principal.organisation_id if named is None else named
    if wanted is None or wanted not in principal.organisation_ids:
        raise ForbiddenError("You can act for your own enterprise, and for those whose power of attorney you hold.")
    return wanted


def known_vehicle(session: Session, plate_norm: str, now: datetime) -> Vehicle:
    """The vehicle of a plate in its normal form, made known if it is new. It belongs to nobody by that."""
    found = find_vehicle(session, plate_norm)
    kind, shown = plates.vehicle_kind(plate_norm), plates.display_plate(plate_norm)
    return found or get_or_add_vehicle(session, plate_norm, plate=shown, kind=kind, now=now)


# Pieces


def _lock(action: ActionContext, act: str, claim_id: int) -> VehicleClaim:
    claim = claim_store.lock_claim(action.session, visible_claims(action.actor, act), claim_id)
    if claim is None:
        raise NotFoundError("There is no claim {value} that you may see.", value=claim_id)
    if claim.status != ClaimStatus.OPEN:
        raise ConflictError("The claim is {status} already.", status=ClaimStatus.get(claim.status))
    return claim


def _settle(
    action: ActionContext, claim: VehicleClaim, status: ClaimStatus, proof: Proof | None, reason: str
) -> VehicleClaim:
    before = _record(claim)
    claim.status, claim.proof, claim.reason = status, proof, reason
    claim.decided_by, claim.decided_at = action.actor_id, action.now
    action.session.flush()
    if proof is not None:
        _begin(action, claim.vehicle_id, claim.organisation_id, proof, claim.claim_id)
    vehicle = action.session.get_one(Vehicle, claim.vehicle_id)
    event = None
    if status is not ClaimStatus.WITHDRAWN:
        event = _event(action.session, claim, vehicle, str(status), to=Audience(organisations=(claim.organisation_id,)))
    verb = {ClaimStatus.ACCEPTED: "accept", ClaimStatus.REFUSED: "refuse"}.get(status, "withdraw")
    action.record(f"claims.{verb}", "vehicle_claim", claim.claim_id, before, _record(claim), event=event)
    return claim


def _begin(action: ActionContext, vehicle_id: int, organisation_id: int, proof: Proof, claim_id: int | None) -> None:
    claim_store.begin_holding(
        action.session,
        vehicle_id=vehicle_id,
        organisation_id=organisation_id,
        proof=proof,
        claim_id=claim_id,
        begun_by=action.actor_id,
        now=action.now,
    )
    keep = claim_store.holders_of(action.session, vehicle_id)
    revoked = claim_store.revoke_devices(action.session, vehicle_id, keep=keep, now=action.now)
    after = {"organisation_id": organisation_id, "proof": str(proof), "devices_revoked": revoked}
    action.record("vehicles.prove", "vehicle", vehicle_id, None, after)


def _end(action: ActionContext, vehicle_id: int, organisation_ids: Collection[int], verb: str) -> bool:
    ended = claim_store.end_holdings(action.session, vehicle_id, organisation_ids, by=action.actor_id, now=action.now)
    if not ended:
        return False
    drivers = claim_store.unbind_drivers(action.session, vehicle_id, ended)
    keep = claim_store.holders_of(action.session, vehicle_id)
    revoked = claim_store.revoke_devices(action.session, vehicle_id, keep=keep, now=action.now)
    after = {"ended": True, "drivers": drivers, "devices_revoked": revoked}
    action.record(verb, "vehicle", vehicle_id, {"organisation_ids": ended}, after)
    others = tuple(organisation_id for organisation_id in ended if organisation_id not in action.actor.organisation_ids)
    if others:
        plate = action.session.get_one(Vehicle, vehicle_id).plate
        data = {"kind": "ended", "plate": plate, "vehicle_id": vehicle_id, "at": _stamp(action)}
        action.publish_event(Event(EVENT, Audience(organisations=others), data))
    return True


def _answerers(session: Session, vehicle_id: int) -> Audience:
    drivers = claim_store.drivers_of(session, vehicle_id)
    holders = tuple(claim_store.holders_of(session, vehicle_id))
    return Audience(roles=DESK_ROLES, organisations=holders, accounts=tuple(drivers))


def _event(session: Session, claim: VehicleClaim, vehicle: Vehicle, kind: str, *, to: Audience) -> Event:
    organisation = account_store.find_organisation(session, claim.organisation_id)
    data = {
        "kind": kind,
        "claim_id": claim.claim_id,
        "plate": vehicle.plate,
        "organisation": organisation.name if organisation else "",
        "reason": claim.reason,
    }
    return Event(EVENT, to, data)


def _reason(written: str) -> str:
    tidy = " ".join(written.split())
    if len(tidy) > NOTE_LENGTH:
        raise InvalidInputError(
            "The text takes {length} characters; shorten it to {limit}.",
            field="reason",
            length=len(tidy),
            limit=NOTE_LENGTH,
        )
    return tidy


def _stamp(action: ActionContext) -> str:
    return action.now.isoformat()


def _record(claim: VehicleClaim) -> JsonObject:
    return {
        "vehicle_id": claim.vehicle_id,
        "organisation_id": claim.organisation_id,
        "status": str(claim.status),
        "proof": None if claim.proof is None else str(claim.proof),
        "reason": claim.reason,
    }
