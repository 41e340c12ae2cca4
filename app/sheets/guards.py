"""Who may act on a sheet, and the refusals of those who may not."""

from __future__ import annotations

from sqlalchemy import ColumnElement, true

from app.platform.permissions import Principal, Scope
from app.procedures.procedure import Refusal, Sheet
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, NotFoundError


def at_own_gate(principal: Principal | None) -> ColumnElement[bool]:
    """Like `visible_trips`, but a trip that just ended still answers its gate: that it is over."""
    if principal is None:
        return true()
    if principal.require("steps.act") is Scope.OWN_GATE and principal.gate_id is not None:
        return Trip.gate_id == principal.gate_id
    return visible_trips(principal, "steps.act")


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


def check_open(trip: Trip) -> None:
    """Let pass a trip that is not over; raises ConflictError."""
    if trip.stage not in Stage.open():
        raise over(trip)


def check(refusal: Refusal | None) -> None:
    """Raise what the sheet itself refuses, as a ConflictError."""
    if refusal is not None:
        raise ConflictError(refusal.message, **refusal.values)


def over(trip: Trip) -> ConflictError:
    """The refusal of an act on a trip that has ended."""
    return ConflictError("The trip {code} is {stage}; its sheet is closed.", code=trip.code, stage=trip.stage)


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
