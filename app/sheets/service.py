"""The sheet of a trip in service: opened by a declaration, moved on by whoever owns a step, ended at the exit.

Each act is one transaction with its line in the timeline, its audit line and its events; `trip.version` is the
version of the sheet. What other features do when a sheet changes, and what they show on it, is given to `Sheets`.
`TripStepRow` is published here for those who read and join it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role
from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord, plain
from app.procedures.steps import Step, StepStatus
from app.sheets import guards, store, view
from app.sheets.tables import TripStepRow as TripStepRow
from app.trips import store as trips_store
from app.trips.scope import visible_trips
from app.trips.tables import Trip
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Stage
from geo.errors import InvalidInputError
from geo.versions import check_version

DECLARED_FACTS: Final = ("direction", "regime", "goods_class", "perishable", "chilled")
"""Facts that the declaration gives; the others belong to whoever finds them and survive a new declaration."""
MAX_REASONS: Final = 20
MAX_TEXT_LENGTH: Final = 2000


@dataclass(frozen=True)
class SheetChange:
    """What an act did to a sheet; given to the listeners inside the transaction, the trip locked.

    `act` is `opened confirm return redeclare facts undeclared`; `before` and `after` the states of the steps; `data`
    what came with the act, for a return `to reasons text`.
    """

    trip: Trip
    act: str
    step: str
    principal: Principal | None
    before: Mapping[str, str]
    after: Mapping[str, str]
    data: Mapping[str, Any]
    now: datetime


SheetListener: TypeAlias = "Callable[[Session, Sheets, SheetChange], None]"
SheetReader: TypeAlias = Callable[[Session, Principal, Trip], Any]


@dataclass(frozen=True)
class _Act:
    """What is done on which step, with what came with it."""

    name: str
    step: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Sheets:
    """The sheets of a process: every act and every reading of one goes through this object.

    It carries what other features take part with, so that nobody acts on a sheet without them; `app.bootstrap` makes
    the one of the platform.
    """

    listeners: tuple[SheetListener, ...]
    """Called in order after each act, before the commit; one that raises undoes the act, one may act in turn."""
    readers: Mapping[str, SheetReader]
    """What others show on a sheet, by name (`declaration`, `fee`, …); each decides what the reader may see."""

    # Declaring

    def open_sheet(self, action: ActionContext, trip_id: int, facts: Facts, *, changed: Collection[str] = ()) -> int:
        """A declaration was submitted: open the trip's sheet, or mend the one that was returned; the trip's version.

        The first time, the sheet begins under the procedure in force for the trip's gate, and its declaration is done.
        Later, `changed` are the parts of the declaration that differ (`procedure.DECLARED_PARTS`): steps that vouched
        for them are open again, and customs choose the channel again if it was the goods or the customs declaration.
        Of `facts` the `DECLARED_FACTS` count then. The caller has checked who may declare.

        Raises
        ------
        NotFoundError, ConflictError
            If there is no such trip, it is over, or no procedure is published for it.
        """
        trip = _lock(action.session, true(), trip_id)
        if trip.stage not in Stage.open():
            raise guards.over(trip)
        if trip.procedure_id is None:
            return self._open(action, trip, replace(facts, undeclared=False))
        sheet = load_sheet(action.session, trip)
        declared = {name: getattr(facts, name) for name in DECLARED_FACTS} | {"undeclared": False}
        if {"goods", "customs"} & set(changed):
            declared["channel"] = None
        merged = replace(sheet.facts, **declared)
        after = sheet.with_facts(merged, changed)
        act_name = "facts"
        if after.may(Step.DECLARATION, "redeclare") is None:
            after, act_name = after.redeclare(), "redeclare"
        elif after.may(Step.DECLARATION, "confirm") is None:
            after, act_name = after.confirm(Step.DECLARATION), "redeclare"
        return self._apply(action, trip, sheet, after, _Act(act_name, Step.DECLARATION, {"changed": sorted(changed)}))

    def note_arrival(self, action: ActionContext, trip_id: int) -> int:
        """The truck was seen at the gate area; once is enough. The trip's version.

        If the trip is not declared, its time in the temporary yard begins, and the support desk is told.
        """
        trip = _lock(action.session, guards.at_own_gate(action.principal), trip_id)
        if trip.arrived_at is not None and (trip.procedure_id is not None or "undeclared_since" in trip.facts):
            return trip.version
        values: dict[str, Any] = {"arrived_at": trip.arrived_at or action.now}
        if trip.procedure_id is not None:
            return trips_store.update_trip(action.session, trip_id, values)
        act = _Act("undeclared", Step.DECLARATION, {})
        values["facts"] = {**trip.facts, "undeclared_since": action.now.isoformat()}
        version = trips_store.update_trip(action.session, trip_id, values)
        audience = _audience(trip, (str(Role.SUPPORT), str(Role.BORDER_GUARD)))
        action.record(
            "sheets.undeclared",
            "trip",
            trip_id,
            None,
            values["facts"],
            event=_step_event(trip, Step.DECLARATION, "undeclared", version, audience),
            timeline=_timeline_entry(trip, act, {}),
        )
        self._notify(action, trip, act, {}, {})
        return trip.version

    # Acting on steps

    def confirm_step(
        self,
        action: ActionContext,
        trip_id: int,
        step: str,
        *,
        expected_version: int | None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Confirm a step; the trip's version. The same officer's second tap changes nothing.

        The platform itself (a transfer that came in) needs no version.

        Raises
        ------
        NotFoundError, ForbiddenError
            If there is no such trip at the caller's gate, or the step is somebody else's.
        StaleError
            If the sheet was changed since `expected_version`.
        ConflictError
            If the trip came undeclared, or the step is not ready.
        """
        trip = _lock(action.session, guards.at_own_gate(action.principal), trip_id)
        if trip.procedure_id is None:
            self._open_undeclared(action, trip, expected_version)
            expected_version = None
        sheet = load_sheet(action.session, trip)
        guards.check_owner(action.principal, sheet, step)
        if _is_done_by(action.session, trip_id, sheet, step, action.principal):
            return trip.version
        check_version(trip.version, expected_version)
        guards.check_open(trip)
        guards.check(sheet.may(step, "confirm"))
        act = _Act("confirm", step, dict(data or {}))
        return self._apply(action, trip, sheet, sheet.confirm(step), act)

    def return_step(
        self,
        action: ActionContext,
        trip_id: int,
        step: str,
        *,
        expected_version: int | None,
        to: str = Step.DECLARATION,
        reasons: Sequence[str],
        text: str = "",
    ) -> int:
        """Send the sheet back from a step to an earlier one, as a rule to be declared again; the trip's version.

        Raises
        ------
        NotFoundError, ForbiddenError, StaleError, ConflictError
            As `confirm_step`.
        InvalidInputError
            If neither a reason nor a text is given, or too much of them.
        """
        if not reasons and not text.strip():
            raise InvalidInputError("Say why the sheet is returned: choose a reason or write one.", field="reasons")
        if len(reasons) > MAX_REASONS or len(text) > MAX_TEXT_LENGTH:
            raise InvalidInputError(
                "Give at most {reasons} reasons and {length} characters.",
                field="reasons",
                reasons=MAX_REASONS,
                length=MAX_TEXT_LENGTH,
            )
        trip = _lock(action.session, guards.at_own_gate(action.actor), trip_id)
        if trip.procedure_id is None:
            raise guards.undeclared(trip)
        sheet = load_sheet(action.session, trip)
        guards.check_owner(action.actor, sheet, step)
        data = {"to": to, "reasons": list(reasons), "text": text.strip()}
        if sheet.state().get(to) == StepStatus.RETURNED and _was_returned_so(
            action.session, trip_id, step, action.actor, data
        ):
            return trip.version
        check_version(trip.version, expected_version)
        guards.check_open(trip)
        guards.check(sheet.may(step, "return", to))
        return self._apply(action, trip, sheet, sheet.return_(step, to), _Act("return", step, data))

    def update_facts(self, action: ActionContext, trip_id: int, facts: Mapping[str, Any]) -> int:
        """Set facts by name (`channel`, `fee_due`, `collector`, `transshipment`, `equipment` …); the trip's version.

        Steps that are no longer needed fall away, new ones appear, a green channel releases at once. Before the trip is
        declared the facts are kept for its sheet. The caller has checked who may.

        Raises
        ------
        NotFoundError, InvalidInputError
            If there is no such trip, or no such fact.
        """
        unknown = set(facts) - set(Facts.__dataclass_fields__)
        if unknown:
            raise InvalidInputError("There is no fact {name}.", field="facts", name=min(unknown))
        trip = _lock(action.session, true(), trip_id)
        if trip.procedure_id is None:
            kept = {**trip.facts, **plain(facts)}
            if kept == trip.facts:
                return trip.version
            return trips_store.update_trip(action.session, trip_id, {"facts": kept})
        sheet = load_sheet(action.session, trip)
        after = sheet.with_facts(Facts.from_record({**sheet.facts.to_record(), **plain(facts)}))
        if after.facts == sheet.facts:
            return trip.version
        return self._apply(action, trip, sheet, after, _Act("facts", Step.DECLARATION, plain(facts)))

    # Reading

    def get_sheet(self, session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
        """The sheet of a trip the caller may see: see `view.describe`.

        Raises
        ------
        NotFoundError
            If there is none for this caller.
        """
        row = trips_store.find_trip(session, visible_trips(principal, "sheets.read"), trip_id)
        if row is None:
            raise guards.no_such_trip(trip_id)
        return view.describe(session, principal, row, _loaded(session, row.Trip), self.readers)

    def answer_sheet(self, session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
        """The sheet that the caller just acted on, even if that ended the trip; raises NotFoundError as `get_sheet`."""
        row = trips_store.find_trip(session, guards.at_own_gate(principal), trip_id)
        if row is None:
            raise guards.no_such_trip(trip_id)
        return view.describe(session, principal, row, _loaded(session, row.Trip), self.readers)

    # Pieces

    def _open(self, action: ActionContext, trip: Trip, facts: Facts) -> int:
        key = (trip.gate_id, trip.direction, trip.regime)
        row = procedures.get_current(action.session, key, action.now)
        kept = {
            name: value for name, value in trip.facts.items() if name not in DECLARED_FACTS and name != "undeclared"
        }
        merged = Facts.from_record({**facts.to_record(), **kept})
        blank = Sheet(Procedure.from_definition(row.definition), merged)
        store.insert_steps(
            action.session,
            [
                {"trip_id": trip.trip_id, "step": step, "status": status, "since": action.now, "data": {}}
                for step, status in blank.state().items()
            ],
        )
        trip.procedure_id = row.procedure_id
        data: dict[str, Any] = {"procedure_id": row.procedure_id, "version": row.version}
        if "undeclared_since" in trip.facts and not facts.undeclared:
            since = datetime.fromisoformat(trip.facts["undeclared_since"])
            data["undeclared_s"] = (action.now - since).total_seconds()
        after = blank if facts.undeclared else blank.confirm(Step.DECLARATION)
        return self._apply(action, trip, blank, after, _Act("opened", Step.DECLARATION, data))

    def _open_undeclared(self, action: ActionContext, trip: Trip, expected_version: int | None) -> None:
        """Until the day set, agencies handle vehicles on paper: their sheet opens without a declaration."""
        if action.now >= procedures.get_mandatory_from(action.session).mandatory_from:
            raise guards.undeclared(trip)
        check_version(trip.version, expected_version)
        guards.check_open(trip)
        facts = Facts(
            direction=trip.direction,
            regime=trip.regime,
            goods_class=frozenset({trip.goods_class}),
            perishable=trip.perishable,
            undeclared=True,
        )
        self._open(action, trip, facts)

    def _apply(self, action: ActionContext, trip: Trip, before: Sheet, after: Sheet, act: _Act) -> int:
        """Write what an act made of a sheet: steps, trip, timeline, events, audit; the trip's new version."""
        confirmed = after.state()
        released = after.release()
        old, new = before.state(), released.state()
        for step, status in new.items():
            if status == old[step] and not (step == act.step and act.name in ("confirm", "return")):
                continue
            values: dict[str, Any] = {"status": status}
            if status != old[step]:
                values["since"] = action.now
            if status == StepStatus.DONE:
                by_platform = confirmed[step] != StepStatus.DONE
                values |= {"done_at": action.now, "done_by": None if by_platform else action.actor_id}
                values["data"] = {"at_once": True} if by_platform else dict(act.data)
            elif old[step] == StepStatus.DONE:
                values |= {"done_at": None, "done_by": None}
            if act.name == "return" and step == act.data["to"]:
                values["data"] = {"from": act.step, "reasons": act.data["reasons"], "text": act.data["text"]}
            store.update_step(action.session, trip.trip_id, step, values)
        changes: dict[str, Any] = {"facts": {**trip.facts, **released.facts.to_record()}}
        changes |= {"channel": released.facts.channel, "procedure_id": trip.procedure_id}
        if act.name == "confirm" and act.step != Step.DECLARATION and trip.arrived_at is None:
            changes["arrived_at"] = action.now
        if released.is_finished and not before.is_finished:
            changes |= {"stage": Stage.OUT, "stage_since": action.now}
        version = trips_store.update_trip(action.session, trip.trip_id, changes)
        changed = {step: status for step, status in new.items() if status != old[step]}
        _timeline_entry(trip, act, changed).write(action)
        _publish_changes(action, trip, before, released, version)
        after_record = {"step": act.step, "steps": new, "data": dict(act.data), "version": version}
        action.record(f"sheets.{act.name}", "trip", trip.trip_id, {"steps": old}, after_record)
        self._notify(action, trip, act, old, new)
        return trip.version

    def _notify(
        self, action: ActionContext, trip: Trip, act: _Act, old: Mapping[str, str], new: Mapping[str, str]
    ) -> None:
        change = SheetChange(trip, act.name, act.step, action.principal, old, new, act.data, action.now)
        for listener in self.listeners:
            listener(action.session, self, change)


def load_sheet(session: Session, trip: Trip) -> Sheet:
    """The sheet of a trip that has a procedure."""
    assert trip.procedure_id is not None
    procedure = procedures.get_procedure(session, trip.procedure_id)
    return _sheet(procedure, trip, store.steps_of(session, trip.trip_id))


work_list = view.work_list


# Pieces


def _loaded(session: Session, trip: Trip) -> tuple[Sheet, Sequence[Any]] | None:
    if trip.procedure_id is None:
        return None
    rows = store.steps_of(session, trip.trip_id)
    return _sheet(procedures.get_procedure(session, trip.procedure_id), trip, rows), rows


def _sheet(procedure: Procedure, trip: Trip, rows: Sequence[Any]) -> Sheet:
    records = {row.step: StepRecord(row.status, row.since) for row in rows}
    return Sheet(procedure, Facts.from_record(trip.facts), records)


def _timeline_entry(trip: Trip, act: _Act, changed: Mapping[str, str]) -> TimelineEntry:
    data = {"act": act.name, "step": act.step, **act.data, "changed": dict(changed)}
    return TimelineEntry(trip.trip_id, "sheet", data)


def _publish_changes(action: ActionContext, trip: Trip, before: Sheet, sheet: Sheet, version: int) -> None:
    old = before.state()
    for step, status in sheet.state().items():
        if status in (old[step], StepStatus.NOT_NEEDED):
            continue
        if status != StepStatus.WAITING or old[step] in StepStatus.open():
            owners = sheet.procedure.steps[step].owners_of(sheet.facts)
            action.publish_event(_step_event(trip, step, status, version, _audience(trip, owners)))
    if sheet.is_finished and not before.is_finished:
        data = {"trip_id": trip.trip_id, "vehicle_id": trip.vehicle_id, "gate_id": trip.gate_id, "stage": Stage.OUT}
        action.publish_event(Event("trip", _audience(trip, (str(Role.TRAFFIC_POLICE),)), data))


def _step_event(trip: Trip, step: str, status: str, version: int, audience: Audience) -> Event:
    data = {"trip_id": trip.trip_id, "gate_id": trip.gate_id, "step": step, "status": status, "version": version}
    return Event("sheet", audience, data)


def _audience(trip: Trip, roles: Sequence[str]) -> Audience:
    """The enterprise is reached as the trip's own, not by its role."""
    return audience_of(trip, [role for role in roles if role != Role.ENTERPRISE], gates=(trip.gate_id,))


def _lock(session: Session, reachable: ColumnElement[bool], trip_id: int) -> Trip:
    trip = trips_store.lock_trip(session, reachable, trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    return trip


def _is_done_by(session: Session, trip_id: int, sheet: Sheet, step: str, principal: Principal | None) -> bool:
    if sheet.state()[step] != StepStatus.DONE:
        return False
    actor_id = principal.account_id if principal else None
    return any(row.step == step and row.done_by == actor_id for row in store.steps_of(session, trip_id))


def _was_returned_so(session: Session, trip_id: int, step: str, principal: Principal, data: Mapping[str, Any]) -> bool:
    line = store.last_line(session, trip_id, "sheet")
    return (
        line is not None
        and line.actor_id == principal.account_id
        and {name: line.data.get(name) for name in ("act", "step", *data)} == {"act": "return", "step": step, **data}
    )
