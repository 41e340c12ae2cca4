"""The sheet of a trip in service: opened by a declaration, moved on by whoever owns a step, ended at the exit.

Each act is one transaction with its line in the timeline, its audit line and its events; `trip.version` is the
version of the sheet. What other features do when a sheet changes, and what they show on it, is given to `Sheets`.

Published for reading and joining: `TripStepRow`, `open_steps` of several trips, and `load_sheet` of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Session

from app.checkpoints import on_sheet as checkpoints
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet, plain
from app.procedures.steps import Step, StepStatus
from app.sheets import guards, repeats, store, view
from app.sheets.acts import SheetAct, publish_changes, reached_by, step_event, timeline_entry
from app.sheets.channel_source import ChannelSource, nobody
from app.sheets.loading import load_for_reading
from app.sheets.loading import load_sheet as load_sheet
from app.sheets.paper import PaperAct as PaperAct
from app.sheets.paper import check_outage, enter_later, true_time
from app.sheets.presence import make_keeper
from app.sheets.schemas import SheetOut
from app.sheets.store import open_steps as open_steps
from app.sheets.tables import TripStepRow as TripStepRow
from app.sheets.view import SheetReader
from app.trips import service as trips
from app.trips.evidence import Witness
from app.trips.presence_keeping import PresenceKeeper
from app.trips.progress_store import displaced_trips
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import Stage
from geo.errors import InvalidInputError
from geo.versions import check_version

DECLARED_FACTS: Final = ("direction", "regime", "goods_class", "perishable", "chilled", "forty_foot", "hazard_class")
"""Facts that the declaration gives; the others belong to whoever finds them and survive a new declaration."""


@dataclass(frozen=True)
class SheetChange:
    """What an act did to a sheet; given to the listeners inside the transaction, the trip locked.

    `act` is `opened confirm return redeclare facts undeclared undo correct moved turned_back`, or of a transshipment
    `transshipment received emptied`; `before` and `after` the states of the steps; `data` what came with the act, for
    a return `to reasons text`.
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
    witnesses: tuple[Witness, ...] = ()
    """What others know of a trip, as evidence for whoever has to judge what it used."""
    presence: PresenceKeeper = field(default_factory=make_keeper)
    """What keeps up where trucks are: each act shows it."""
    channel_source: ChannelSource = nobody
    """What customs' system says of a trip's channel, where it is asked."""

    # Declaring

    def open_sheet(self, action: ActionContext, trip_id: int, facts: Facts, *, changed: Collection[str] = ()) -> int:
        """A declaration was submitted: open the trip's sheet, or mend the one that was returned; the trip's version.

        The first time, the sheet begins under the procedure in force for the trip's gate, and its declaration is done.
        Later, `changed` are the parts of the declaration that differ (`procedure.DECLARED_PARTS`): steps that vouched
        for them are open again, and customs choose the channel again if it was something they vouch for.
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
        if set(Step.CUSTOMS.spec.vouches) & set(changed):
            declared["channel"] = None
        merged = replace(sheet.facts, **declared)
        after = sheet.with_facts(merged, changed)
        act_name = "facts"
        if after.may(Step.DECLARATION, "redeclare") is None:
            after, act_name = after.redeclare(), "redeclare"
        elif after.may(Step.DECLARATION, "confirm") is None:
            after, act_name = after.confirm(Step.DECLARATION), "redeclare"
        act = SheetAct(act_name, Step.DECLARATION, {"changed": sorted(changed)})
        return self._apply(action, trip, sheet, after, act)

    def note_arrival(self, action: ActionContext, trip_id: int, at: datetime | None = None) -> int:
        """The truck was seen at the gate area at `at` (`None`: now); once is enough. The trip's version.

        If the trip is not declared, its time in the temporary yard begins, and the support desk is told.
        """
        trip = _lock(action.session, guards.at_own_gate(action.principal), trip_id)
        at = at or action.now
        is_noted = trip.procedure_id is not None or "undeclared_since" in trip.facts
        if trip.arrived_at is not None and trip.arrived_at <= at and is_noted:
            return trip.version
        values: dict[str, object] = {"arrived_at": min(trip.arrived_at or at, at)}
        if is_noted:
            trips.update_trip(action.session, trip_id, values)
            TimelineEntry(trip_id, "arrival", at=at).write(action)
            return self._settle(action, trip)
        act = SheetAct("undeclared", Step.DECLARATION, {})
        values["facts"] = {**trip.facts, "undeclared_since": at.isoformat()}
        version = trips.update_trip(action.session, trip_id, values)
        audience = reached_by(trip, (str(Role.SUPPORT), str(Role.BORDER_GUARD)))
        action.record(
            "sheets.undeclared",
            "trip",
            trip_id,
            None,
            values["facts"],
            event=step_event(trip, Step.DECLARATION, "undeclared", version, audience),
            timeline=replace(timeline_entry(trip, act, {}), at=at),
        )
        self._settle(action, trip)
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
        data: Mapping[str, object] | None = None,
        reason: str = "",
        paper: PaperAct | None = None,
    ) -> int:
        """Confirm a step; the trip's version. The same officer's second tap changes nothing.

        The platform itself (a transfer that came in) needs no version. `paper` is given of an act that was done on
        paper and is entered later: the step counts as done at its true time. `reason`
        says why a person confirms all the same where the step is warned of something.

        Raises
        ------
        NotFoundError, ForbiddenError
            If there is no such trip at the caller's gate, or the step is somebody else's.
        StaleError
            If the sheet was changed since `expected_version`.
        ConflictError
            If the trip came undeclared, the step is not ready, what it needs is out and paper may not
            be used, or it is the exit and a finding stands.
        InvalidInputError
            If an act on paper cannot have been done so, or the step is warned of something and no reason is given.
        """
        trip = _lock(action.session, guards.at_own_gate(action.principal), trip_id)
        if trip.procedure_id is None:
            self._open_undeclared(action, trip, expected_version)
            expected_version = None
        sheet = load_sheet(action.session, trip)
        guards.check_owner(action.principal, sheet, step)
        if repeats.is_done_by(action.session, trip_id, sheet, step, action.principal):
            return trip.version
        check_version(trip.version, expected_version)
        guards.check_open(action.session, trip, sheet)
        guards.check_turn(action, trip)
        guards.check(sheet.may(step, "confirm"))
        guards.check_warnings(action, trip, sheet, step, data or {}, reason, self.presence)
        kept = {name: value for name, value in (data or {}).items() if name != "entered_later"}
        if paper is not None:
            steps = store.steps_of(action.session, trip_id)
            kept |= enter_later(action.session, trip, sheet, steps, step, paper, action.now)
        elif action.principal is not None:
            check_outage(action.session, trip, step, action.now)
        act = SheetAct("confirm", step, kept)
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
        guards.check_reasons(reasons, text)
        trip = _lock(action.session, guards.at_own_gate(action.actor), trip_id)
        if trip.procedure_id is None:
            raise guards.undeclared(trip)
        sheet = load_sheet(action.session, trip)
        guards.check_owner(action.actor, sheet, step)
        data = {"to": to, "reasons": list(reasons), "text": text.strip()}
        if sheet.state().get(to) == StepStatus.RETURNED and repeats.was_returned_so(
            action.session, trip_id, step, action.actor, data
        ):
            return trip.version
        check_version(trip.version, expected_version)
        guards.check_open(action.session, trip, sheet)
        guards.check_turn(action, trip)
        guards.check(sheet.may(step, "return", to))
        return self._apply(action, trip, sheet, sheet.return_(step, to), SheetAct("return", step, data))

    def update_facts(
        self, action: ActionContext, trip_id: int, facts: Mapping[str, object], *, changed: Collection[str] = ()
    ) -> int:
        """Set facts by name (`channel`, `fee_due`, `collector`, `transshipment`, `equipment` …); the trip's version.

        Steps that vouched for the parts `changed` (`procedure.DECLARED_PARTS`) are open again.

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
            return trips.update_trip(action.session, trip_id, {"facts": kept})
        sheet = load_sheet(action.session, trip)
        after = sheet.with_facts(Facts.from_record({**sheet.facts.to_record(), **plain(facts)}), changed)
        if after.facts == sheet.facts and not changed:
            return trip.version
        data = plain(facts) if not changed else {**plain(facts), "changed": sorted(changed)}
        return self._apply(action, trip, sheet, after, SheetAct("facts", Step.DECLARATION, data))

    def write_act(
        self,
        action: ActionContext,
        trip: Trip,
        before: Sheet,
        after: Sheet,
        name: str,
        step: str,
        data: Mapping[str, Any],
    ) -> int:
        """Write what an act beside these made of the locked trip's sheet (`handover`, `moving`); its new version."""
        return self._apply(action, trip, before, after, SheetAct(name, step, data))

    def settle_moved(self, action: ActionContext, trip: Trip, data: Mapping[str, Any]) -> None:
        """A locked trip without a sheet was taken to another gate: judge where its truck is, and tell the listeners."""
        self._settle(action, trip)
        self._notify(action, trip, SheetAct("moved", Step.DECLARATION, data), {}, {})

    # Reading

    def get_sheet(
        self, session: Session, principal: Principal, trip_id: int, *, now: datetime | None = None
    ) -> SheetOut:
        """The sheet of a trip the caller may see, or that is over and the caller's agency acted on.

        Arguments: `now`, for those who act on it, so that it says what it is warned of by then.

        Raises
        ------
        NotFoundError
            If there is none for this caller.
        """
        visible = or_(visible_trips(principal, "sheets.read"), guards.acted_on(principal, "sheets.read"))
        return self._read(session, principal, visible, trip_id, now)

    def answer_sheet(
        self, session: Session, principal: Principal, trip_id: int, *, now: datetime | None = None
    ) -> SheetOut:
        """The sheet that the caller just acted on, even if that ended the trip; raises NotFoundError as `get_sheet`."""
        return self._read(session, principal, guards.at_own_gate(principal), trip_id, now)

    # Pieces

    def _read(
        self, session: Session, principal: Principal, visible: ColumnElement[bool], trip_id: int, at: datetime | None
    ) -> SheetOut:
        found = trips.find_trip(session, visible, trip_id)
        if found is None:
            raise guards.no_such_trip(trip_id)
        shown = view.describe(session, principal, found, load_for_reading(session, found.trip), self.readers)
        if at is not None:
            judge = partial(guards.contradictions_of, session, trip_id, self.presence, at)
            shown.checkpoint = checkpoints.show(session, principal, found.trip, judge, at)
        return shown

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
        data: dict[str, object] = {"procedure_id": row.procedure_id, "version": row.version}
        if "undeclared_since" in trip.facts and not facts.undeclared:
            since = datetime.fromisoformat(str(trip.facts["undeclared_since"]))
            data["undeclared_s"] = (action.now - since).total_seconds()
        after = blank if facts.undeclared else blank.confirm(Step.DECLARATION)
        return self._apply(action, trip, blank, after, SheetAct("opened", Step.DECLARATION, data))

    def _open_undeclared(self, action: ActionContext, trip: Trip, expected_version: int | None) -> None:
        """Until the day set, agencies handle vehicles on paper: their sheet opens without a declaration."""
        if action.now >= procedures.get_mandatory_from(action.session).mandatory_from:
            raise guards.undeclared(trip)
        check_version(trip.version, expected_version)
        guards.check_open(action.session, trip)
        facts = Facts(
            direction=trip.direction,
            regime=trip.regime,
            goods_class=frozenset({trip.goods_class}),
            perishable=trip.perishable,
            undeclared=True,
        )
        self._open(action, trip, facts)

    def _apply(self, action: ActionContext, trip: Trip, before: Sheet, after: Sheet, act: SheetAct) -> int:
        """Write what an act made of a sheet: steps, trip, timeline, events, audit; the trip's new version."""
        confirmed = after.state()
        released = after.release()
        old, new = before.state(), released.state()
        moment = true_time(dict(act.data), action.now)
        for step, status in new.items():
            if status == old[step] and not (step == act.step and act.name in ("confirm", "return")):
                continue
            values: dict[str, object] = {"status": status}
            if status != old[step]:
                values["since"] = moment
            if status == StepStatus.DONE:
                by_platform = confirmed[step] != StepStatus.DONE
                values |= {"done_at": moment, "done_by": None if by_platform else action.actor_id}
                values["data"] = {"at_once": True} if by_platform else dict(act.data)
            elif old[step] == StepStatus.DONE:
                values |= {"done_at": None, "done_by": None}
            if act.name == "return" and step == act.data["to"]:
                values["data"] = {"from": act.step, "reasons": act.data["reasons"], "text": act.data["text"]}
            store.update_step(action.session, trip.trip_id, step, values)
        changes: dict[str, object] = {"facts": {**trip.facts, **released.facts.to_record()}}
        changes |= {"channel": released.facts.channel, "procedure_id": trip.procedure_id}
        if act.name == "confirm" and act.step != Step.DECLARATION and trip.arrived_at is None:
            changes["arrived_at"] = moment
        trips.update_trip(action.session, trip.trip_id, changes)
        changed = {step: status for step, status in new.items() if status != old[step]}
        is_end = released.is_finished and not before.is_finished
        timeline_entry(trip, act, changed, is_end=is_end).write(action)
        version = self._settle(action, trip, is_end=is_end)
        publish_changes(action, trip, before, released, version, act.data.get("reasons", ()))
        after_record = {"step": act.step, "steps": new, "data": dict(act.data), "version": version}
        action.record(f"sheets.{act.name}", "trip", trip.trip_id, {"steps": old}, after_record)
        self._notify(action, trip, act, old, new)
        return trip.version

    def _settle(self, action: ActionContext, trip: Trip, *, is_end: bool = False) -> int:
        """Let an act that is on the timeline show where the truck is; the trip's version."""
        finished = [trip.trip_id] if is_end else []
        self.presence.settle(action.by_platform(), [trip.trip_id], finished=finished, is_new_version=False)
        displaced = displaced_trips(action.session, trip.vehicle_id)
        if displaced:
            self.presence.settle(action.by_platform(), displaced, skip_locked=True)
        action.session.refresh(trip)
        return trip.version

    def tell_turned_back(self, action: ActionContext, trip: Trip, reason: str) -> None:
        """Let the listeners know that the truck of a locked trip turns back; one that raises stops it."""
        state = load_sheet(action.session, trip).state() if trip.procedure_id is not None else {}
        self._notify(action, trip, SheetAct("turned_back", "", {"reason": reason}), state, state)

    def _notify(
        self, action: ActionContext, trip: Trip, act: SheetAct, old: Mapping[str, str], new: Mapping[str, str]
    ) -> None:
        change = SheetChange(trip, act.name, act.step, action.principal, old, new, act.data, action.now)
        for listener in self.listeners:
            listener(action.session, self, change)


work_list = view.work_list


# Pieces


def _lock(session: Session, reachable: ColumnElement[bool], trip_id: int) -> Trip:
    trip = trips.lock_trip(session, reachable, trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    return trip
