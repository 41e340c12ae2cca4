"""Who may act on a sheet, and the refusals of those who may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.checkpoints import service as checkpoints
from app.checkpoints import turns
from app.checkpoints.service import Confirmation
from app.checkpoints.vocabulary import CHECKPOINTS
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.procedures.procedure import Refusal, Sheet
from app.sheets import store
from app.sheets.store import NEAR_KM
from app.trips.place_store import find_handled
from app.trips.presence_keeping import PresenceKeeper
from app.trips.presence_rules import Contradiction
from app.trips.presence_store import load_trips
from app.trips.scope import visible_trips
from app.trips.service import Trip, TripEvent, may_reopen
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

MAX_REASONS: Final = 20
MAX_TEXT_LENGTH: Final = 2000


def at_own_gate(principal: Principal | None) -> ColumnElement[bool]:
    """Like `visible_trips`, but a trip that just ended still answers its gate: that it is over."""
    if principal is None:
        return true()
    if principal.require("steps.act") is Scope.OWN_GATE and principal.gate_id is not None:
        return Trip.gate_id == principal.gate_id
    return visible_trips(principal, "steps.act")


def acted_on(principal: Principal, act: str) -> ColumnElement[bool]:
    """Closed trips that the caller's agency at its gate had to do with: acted on, entered, or took the fee of."""
    if principal.require(act) is not Scope.OWN_GATE or principal.gate_id is None:
        return visible_trips(principal, act)
    own = and_(Account.role == str(principal.role), Account.gate_id == principal.gate_id)
    own_accounts = select(Account.account_id).where(own)
    acted = exists().where(TripEvent.trip_id == Trip.trip_id, TripEvent.actor_id.in_(own_accounts))
    collected = and_(Trip.gate_id == principal.gate_id, Trip.facts["collector"].astext == str(principal.role))
    return and_(Trip.stage.not_in(Stage.open()), or_(acted, Trip.created_by.in_(own_accounts), collected))


def check_owner(principal: Principal | None, sheet: Sheet, step: str) -> None:
    """Let pass the platform itself and who owns the step; raises NotFoundError, ForbiddenError."""
    known = sheet.procedure.steps.get(step)
    if known is None:
        raise NotFoundError("This trip's procedure has no step {step}.", step=step)
    if principal is None:
        return
    owners = known.owners_of(sheet.facts)
    if str(principal.role) not in owners:
        raise ForbiddenError(
            "The step {step} belongs to {owners}, not to you ({role}).",
            step=step,
            owners=", ".join(owners),
            role=str(principal.role),
        )
    if known.organisations and principal.organisation_id not in known.organisations:
        raise ForbiddenError("The step {step} belongs to another organisation.", step=step)


def is_open(session: Session, trip: Trip, sheet: Sheet | None = None) -> bool:
    """Whether a trip is not over, for whoever stands at its gate.

    One that only devices saw leave is not over for the officer who has its truck before the eyes: the phone may ride
    in another truck, and `sheet` is not finished. The act shows where the truck is.
    """
    if trip.stage in Stage.open():
        return True
    return trip.stage == Stage.OUT and sheet is not None and not sheet.is_finished and may_reopen(session, trip.trip_id)


def check_open(session: Session, trip: Trip, sheet: Sheet | None = None) -> None:
    """Let pass a trip that is not over, see `is_open`; raises ConflictError."""
    if not is_open(session, trip, sheet):
        raise over(trip)


def check_turn(action: ActionContext, trip: Trip) -> None:
    """Let pass a person who acts on a trip while an officer has its truck on no other one of the enterprise.

    Raises
    ------
    ConflictError
        If the truck is at a gate on another trip: that one ends first.
    """
    other = None if action.principal is None else find_handled(action.session, trip)
    if other is not None:
        raise ConflictError(
            "The truck is under way on the trip {code} ({stage}); that trip ends first.",
            code=other.code,
            stage=other.stage,
        )


def check(refusal: Refusal | None) -> None:
    """Raise what the sheet itself refuses, as a ConflictError."""
    if refusal is not None:
        raise ConflictError(refusal.message, **refusal.values)


def check_warnings(
    action: ActionContext,
    trip: Trip,
    sheet: Sheet,
    step: str,
    noted: Mapping[str, object],
    reason: str,
    presence: PresenceKeeper,
) -> None:
    """Ask the checkpoint what speaks against confirming a step, and keep whom the truck goes before; people only.

    Raises
    ------
    ConflictError
        If the step is the exit and something seen does not belong to the trip.
    InvalidInputError
        If the step is warned of something and no reason is given.
    """
    if action.principal is None:
        return
    session, now = action.session, action.now
    judge = partial(contradictions_of, session, trip.trip_id, presence, now)
    is_exit = step == sheet.procedure.exit
    checkpoints.check_confirm(action, trip, Confirmation(step, is_exit, noted, reason, judge))
    if step in CHECKPOINTS:
        waiting = store.waiting_at(session, trip.trip_id, trip.gate_id, step, near_km=NEAR_KM, limit=turns.MAX_WAITING)
        turns.log_jump(action, trip, step, waiting)


def contradictions_of(
    session: Session, trip_id: int, presence: PresenceKeeper, now: datetime
) -> Sequence[Contradiction]:
    """What presence knows of a trip's truck that cannot both be true."""
    seen = load_trips(session, [trip_id])
    judged = presence.judge_trips(session, seen, now)
    return judged[trip_id].contradictions if trip_id in judged else ()


def check_reasons(reasons: Sequence[str], text: str) -> None:
    """Let pass a return that says why; raises InvalidInputError if it does not, or says too much."""
    if not reasons and not text.strip():
        raise InvalidInputError("Say why the sheet is returned: choose a reason or write one.", field="reasons")
    if len(reasons) > MAX_REASONS or len(text) > MAX_TEXT_LENGTH:
        raise InvalidInputError(
            "Give at most {reasons} reasons and {length} characters.",
            field="reasons",
            reasons=MAX_REASONS,
            length=MAX_TEXT_LENGTH,
        )


def over(trip: Trip) -> ConflictError:
    """The refusal of an act on a trip that has ended."""
    return ConflictError("The trip {code} is {stage}; its sheet is closed.", code=trip.code, stage=trip.stage)


def check_reopened(trip: Trip) -> None:
    """Let pass a trip that goes on after its end was taken back; raises ConflictError if its truck is on another."""
    if trip.stage == Stage.OUT:
        raise ConflictError(
            "The truck of the trip {code} is on another trip since; the trip that ended cannot be opened again.",
            code=trip.code,
        )


def undeclared(trip: Trip) -> ConflictError:
    """The refusal of an act on a trip that nobody declared."""
    return ConflictError(
        "The trip {code} is not declared, and nobody may handle it so: lead the truck to the temporary yard; the "
        "support desk declares it there with the driver.",
        code=trip.code,
    )


def no_such_trip(trip_id: int) -> NotFoundError:
    """The refusal of a trip that the caller may not see, or that does not exist."""
    return NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
