"""What a transshipment does to sheets: the step, the receiving vehicle's sheet, the emptied vehicle's way home.

The caller has locked the trips and checked who may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord
from app.procedures.steps import Step, StepStatus, VehicleRole
from app.procedures.vehicle_roles import carried_over, procedure_of
from app.sheets import guards, store
from app.sheets.service import Sheets, load_sheet
from app.sheets.store import NamedStep
from app.trips.service import Trip
from geo.errors import ConflictError
from ingest.plates import display_plate


@dataclass(frozen=True)
class Origin:
    """Where a receiving vehicle's goods come from: the giving trip, its code, and its truck's plate in normal form."""

    trip: Trip
    plate: str
    is_emptied: bool

    def to_record(self) -> JsonObject:
        """As a sheet keeps it."""
        return {
            "trip_id": self.trip.trip_id,
            "code": self.trip.code,
            "plate": display_plate(self.plate),
            "emptied": self.is_emptied,
        }


def set_transshipment(action: ActionContext, sheets: Sheets, trip: Trip, status: StepStatus) -> int:
    """A transshipment of a trip was registered (`ready`), or taken back: `not_needed`, or `done` if an earlier one was.

    The trip's version.
    """
    sheet = load_sheet(action.session, trip)
    facts = replace(sheet.facts, transshipment=status != StepStatus.NOT_NEEDED)
    after = sheet.with_facts(facts).open_again([Step.TRANSSHIPMENT])
    if status == StepStatus.DONE:
        after = after.carry_over({Step.TRANSSHIPMENT: StepRecord(StepStatus.DONE)})
    if after.facts == sheet.facts and after.state() == sheet.state():
        return trip.version
    actor = action.by_platform() if status == StepStatus.DONE else action
    return sheets.write_act(
        actor, trip, sheet, after, "transshipment", Step.TRANSSHIPMENT, {"transshipment": facts.transshipment}
    )


def open_receiver(action: ActionContext, sheets: Sheets, trip: Trip, origin: Origin, share: Facts) -> int:
    """Open the sheet of a vehicle that takes over goods, under the procedure of the sheet that they come from.

    What that sheet vouches for of the goods stands on the new one, done by whom and when it was done there. What
    belongs to a vehicle is open. The trip's version.

    Arguments: `share`, the facts that the declaration of the vehicle's share gives.
    """
    given = load_sheet(action.session, origin.trip)
    whole = _procedure_of_gate(action.session, origin.trip)
    own = procedure_of(whole, VehicleRole.RECEIVER)
    facts = replace(
        given.facts,
        goods_class=share.goods_class,
        perishable=share.perishable,
        chilled=share.chilled,
        forty_foot=share.forty_foot,
        hazard_class=share.hazard_class,
        transshipment=True,
        fee_due=True,
        collector=None,
        undeclared=False,
        vehicle_role=VehicleRole.RECEIVER.value,
    )
    vouched = _vouched(action.session, origin.trip, whole)
    records = {name: StepRecord(StepStatus.DONE, step.since) for name, step in vouched.items()}
    blank = Sheet(own, facts, records)
    state = blank.state()
    store.insert_steps(
        action.session, [_step_row(trip, name, status, vouched, origin, action) for name, status in state.items()]
    )
    trip.procedure_id = origin.trip.procedure_id
    declared = blank.confirm(Step.DECLARATION)
    data = {"procedure_id": trip.procedure_id, "received_from": origin.to_record()}
    return sheets.write_act(action, trip, blank, declared, "received", Step.TRANSSHIPMENT, data)


def add_received(action: ActionContext, sheets: Sheets, trip: Trip, origin: Origin, load: Facts) -> int:
    """More goods came onto a receiving vehicle: what looked at its load is open again, but for what both sheets vouch
    for; customs choose the channel again where the two differ. The trip's version.

    Arguments: `load`, the facts of all that it carries now.

    Raises
    ------
    ConflictError
        If the vehicle's sheet is over, or was returned and is not declared again.
    """
    guards.check_open(action.session, trip)
    sheet = load_sheet(action.session, trip)
    if sheet.state()[Step.DECLARATION] != StepStatus.DONE:
        raise ConflictError(
            "The sheet {code} of the receiving vehicle was returned; declare it again before more goods come onto it.",
            code=trip.code,
        )
    given = load_sheet(action.session, origin.trip)
    whole = _procedure_of_gate(action.session, origin.trip)
    channel = sheet.facts.channel if sheet.facts.channel == given.facts.channel else None
    facts = replace(
        sheet.facts,
        goods_class=load.goods_class,
        perishable=load.perishable,
        chilled=load.chilled,
        forty_foot=load.forty_foot,
        hazard_class=load.hazard_class,
        channel=channel,
        transshipment=True,
    )
    own, theirs = sheet.state(), given.state()
    vouched = {
        name: step
        for name, step in _vouched(action.session, origin.trip, whole).items()
        if own[name] in StepStatus.over() and theirs[name] in StepStatus.over()
    }
    kept = {name for name in carried_over(whole) if own[name] == StepStatus.DONE and theirs[name] in StepStatus.over()}
    records = {name: StepRecord(StepStatus.DONE) for name in kept | set(vouched)}
    after = sheet.with_facts(facts, {"goods", "customs"}).carry_over(records)
    data = {"changed": ["customs", "goods"], "received_from": origin.to_record()}
    version = sheets.write_act(action, trip, sheet, after, "received", Step.TRANSSHIPMENT, data)
    for name, step in vouched.items():
        if own[name] != StepStatus.DONE:
            store.update_step(action.session, trip.trip_id, name, _done_there(step, origin))
    return version


def go_home_empty(action: ActionContext, sheets: Sheets, trip: Trip, role: VehicleRole) -> int:
    """Let an emptied vehicle go home by the short way that is left to it; the trip's version."""
    sheet = load_sheet(action.session, trip)
    own = procedure_of(_procedure_of_gate(action.session, trip), role)
    data = {"vehicle_role": role.value, "exit": own.exit}
    return sheets.write_act(action, trip, sheet, sheet.of_role(own, role), "emptied", Step.TRANSSHIPMENT, data)


def _procedure_of_gate(session: Session, trip: Trip) -> Procedure:
    assert trip.procedure_id is not None
    return procedures.get_procedure(session, trip.procedure_id)


def _vouched(session: Session, giver: Trip, procedure: Procedure) -> dict[str, NamedStep]:
    """The steps that are done on the giver's sheet and hold for the goods in any vehicle."""
    own = carried_over(procedure)
    steps = store.steps_of(session, giver.trip_id)
    return {step.step: step for step in steps if step.step in own and step.status == StepStatus.DONE}


def _step_row(
    trip: Trip,
    name: str,
    status: StepStatus,
    vouched: Mapping[str, NamedStep],
    origin: Origin,
    action: ActionContext,
) -> JsonObject:
    row: JsonObject = {"trip_id": trip.trip_id, "step": name, "status": status, "since": action.now, "data": {}}
    done = _done_there(vouched[name], origin) if name in vouched else {"done_at": None, "done_by": None}
    return {**row, **done}


def _done_there(step: NamedStep, origin: Origin) -> JsonObject:
    return {"done_at": step.done_at, "done_by": step.done_by, "data": {**step.data, "carried_over": origin.to_record()}}
