"""A trip goes on elsewhere: under another procedure, or to another gate, with all that hangs on it, in one transaction.

What other features keep of a trip by its gate (its fee and who collects it, its place in a yard) follows by listeners
of the sheet: the act is `moved`, its data `reason before after`, and what else the mover says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.gates.hazards import find_class
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.permissions import Role
from app.procedures import service as procedures
from app.procedures.changes import Change
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord
from app.procedures.steps import Step, StepStatus
from app.procedures.vehicle_roles import procedure_of
from app.sheets import acts, guards, standing, store
from app.sheets.service import Sheets, load_sheet
from app.trips import service as trips
from app.trips.place_need import hazards_of
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from geo.corridor import Corridor
from geo.errors import InvalidInputError, RefusedError

OF_THE_GATE: Final = frozenset({"collector", "equipment", "channel", "fee_due"})
"""Facts that were found at one gate and are found again at another."""
OF_THE_CROSSING: Final = frozenset({"channel"})
"""Facts that were found for one regime and direction."""


@dataclass(frozen=True)
class TripMover:
    """Moves trips to other gates; what follows an order that diverts is given to dispatch as this."""

    sheets: Sheets

    def divert(self, action: ActionContext, trip_id: int, gate_id: str, *, order_id: int, corridor: Corridor) -> None:
        """Let a trip follow an order to another gate, because its driver confirmed it.

        Raises
        ------
        ConflictError, RefusedError
            If its truck stands at its gate or the trip is over, or the gate takes regime or goods no more.
        """
        said = {"order_id": order_id}
        move_trip(action, self.sheets, trip_id, gate_id, Change.DIVERT, corridor=corridor, said=said)


def move_trip(
    action: ActionContext,
    sheets: Sheets,
    trip_id: int,
    gate_id: str,
    change: Change,
    *,
    corridor: Corridor,
    said: Mapping[str, object],
) -> None:
    """Take a trip to another gate: trip, procedure, fee, collector and yard place. The caller has checked who may.

    Arguments: `change`, `DIVERT` or `TAKE_OVER`; `said`, what the timeline says beside it.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such trip, the table of changes refuses it, or no procedure is published for the gate.
    RefusedError
        If the gate does not take regime or goods, or a ban keeps them out.
    """
    trip = trips.lock_trip(action.session, true(), trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    if trip.gate_id == gate_id:
        return
    standing.check_changes(action.session, trip, {change}, fields={change: "gate_id"})
    coming_at = action.now if change is Change.TAKE_OVER else max(action.now, trip.planned_arrival)
    if refused := refusals_at(action.session, action.now, trip, gate_id, coming_at, corridor):
        raise RefusedError(refused)
    before, left = trips.summary(trip), trip.gate_id
    trips.update_trip(action.session, trip_id, {"gate_id": gate_id, "arrived_at": None})
    TimelineEntry(trip_id, "gate_changed", {"before": left, "after": gate_id, **said}).write(action)
    act = action.without_address()
    told = trips.event_row(trip)
    told = replace(told, data={**told.data, "moved_to": gate_id, "at": action.now.isoformat()})
    act.record("trips.redirect", "trip", trip_id, before, trips.summary(trip), event=told)
    _tell_gates(action, trip, left)
    data = {"reason": change.value, "before": left, "after": gate_id, **said}
    if trip.procedure_id is not None:
        restart(act, sheets, trip, data, without=OF_THE_GATE, left=left)
    else:
        kept = {name: value for name, value in trip.facts.items() if name not in OF_THE_GATE}
        trips.update_trip(action.session, trip_id, {"facts": kept})
        sheets.settle_moved(act, trip, data)


def restart(
    action: ActionContext,
    sheets: Sheets,
    trip: Trip,
    data: Mapping[str, Any],
    *,
    without: frozenset[str] = OF_THE_CROSSING,
    left: str | None = None,
) -> int:
    """Begin the sheet of a locked trip again under the procedure in force for its gate, direction and regime.

    Every step is open again but the declaration, which stands as it stood; agencies that had acted are told. The
    trip's version.

    Arguments: `without`, facts to be found again; `left`, the gate that the trip came from.
    """
    old = load_sheet(action.session, trip)
    row = procedures.get_current(action.session, (trip.gate_id, trip.direction, trip.regime), action.now)
    found = {name: value for name, value in trip.facts.items() if name not in without}
    trip.facts = {**found, "direction": trip.direction, "regime": trip.regime}
    facts = Facts.from_record(trip.facts)
    blank = Sheet(procedure_of(Procedure.from_definition(row.definition), facts.vehicle_role), facts)
    kept = next(step for step in store.steps_of(action.session, trip.trip_id) if step.step == Step.DECLARATION)
    is_kept = kept.status in (StepStatus.DONE, StepStatus.RETURNED)
    sheet = replace(blank, steps={Step.DECLARATION: StepRecord(kept.status)}) if is_kept else blank
    steps = [
        {"trip_id": trip.trip_id, "step": step, "status": status, "since": action.now, "data": {}}
        for step, status in blank.state().items()
    ]
    store.replace_steps(action.session, trip.trip_id, steps)
    trip.procedure_id = row.procedure_id
    said = {**data, "procedure_id": row.procedure_id, "version": row.version}
    version = sheets.write_act(action, trip, blank, sheet, "moved", Step.DECLARATION, said)
    if is_kept:
        record = {"done_at": kept.done_at, "done_by": kept.done_by, "data": kept.data}
        store.update_step(action.session, trip.trip_id, Step.DECLARATION, record)
    acts.publish_open_again(action, trip, old, sheet, version, gate_id=left or trip.gate_id)
    return version


def refusals_at(
    session: Session,
    now: datetime,
    trip: Trip,
    gate_id: str,
    coming_at: datetime,
    corridor: Corridor | None = None,
) -> list[InvalidInputError]:
    """Why a gate does not take the trip's regime or a class of its goods when it comes, by profile or by ban; empty if
    it does. `corridor` as of `app.gates.service.profiles`.
    """
    profile = profiles(session, now, corridor)[gate_id]
    named = trip.facts.get("goods_class")
    classes = sorted(str(each) for each in named) if isinstance(named, list) and named else [trip.goods_class]
    refused = list(profile.refusals(gate_id, trip.regime, {"goods_class": classes[0]}))
    for other in classes[1:]:
        refused += profile.refusals(gate_id, None, {"goods_class": other})
    for hazard in sorted(hazards_of(trip.facts)):
        refused += profile.refusals(gate_id, None, {}, {"hazard_class": find_class(hazard)})
    bans = (profile.ban_refusal(gate_id, trip.regime, goods_class, coming_at) for goods_class in classes)
    return [*refused, *(ban for ban in bans if ban is not None)]


def _tell_gates(action: ActionContext, trip: Trip, left: str) -> None:
    """The stations of both gates see the trip go and come."""
    roles = [str(role) for role in Role if role.is_at_gate]
    told = Audience(roles=tuple(roles), gates=(left, trip.gate_id))
    action.publish_event(replace(trips.event_row(trip), audience=told))
