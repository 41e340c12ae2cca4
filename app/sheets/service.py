"""The sheet of a trip in service: opened by a declaration, moved on by whoever owns a step, ended at the exit.

Each act is one transaction with its line in the timeline, its audit line and its events; `trip.version` is the
version of the sheet. What other features do when a sheet changes, and what they show on it, is given to `Sheets`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.platform import audit, outbox
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role, Scope
from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Refusal, Sheet, StepRecord, plain
from app.procedures.steps import Step, StepStatus
from app.sheets import store, view
from app.trips import store as trips_store
from app.trips.scope import visible_trips
from app.trips.tables import Trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError, StaleError

DECLARED_FACTS: Final = ("direction", "regime", "goods_class", "perishable", "chilled")
"""Facts that the declaration gives; the others belong to whoever finds them and survive a new declaration."""
MOST_REASONS: Final = 20
LONGEST_TEXT: Final = 2000


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
    """Who does what when: what every line of it carries."""

    name: str
    step: str
    principal: Principal | None
    now: datetime
    address: str
    data: Mapping[str, Any]

    @property
    def actor_id(self) -> int | None:
        return self.principal.account_id if self.principal else None


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

    def open_sheet(
        self,
        session: Session,
        trip_id: int,
        facts: Facts,
        now: datetime,
        *,
        changed: Collection[str] = (),
        principal: Principal | None = None,
        address: str = "",
    ) -> int:
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
        trip = _lock(session, true(), trip_id)
        if trip.stage not in Stage.open():
            raise _over(trip)
        if trip.procedure_id is None:
            return self._open(session, trip, replace(facts, undeclared=False), principal, now, address)
        sheet = load_sheet(session, trip)
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
        return self._apply(
            session,
            trip,
            sheet,
            after,
            _Act(act_name, Step.DECLARATION, principal, now, address, {"changed": sorted(changed)}),
        )

    def note_arrival(
        self, session: Session, trip_id: int, now: datetime, *, principal: Principal | None = None, address: str = ""
    ) -> int:
        """The truck was seen at the gate area; once is enough. The trip's version.

        If the trip is not declared, its time in the temporary yard begins, and the support desk is told.
        """
        trip = _lock(session, _at_own_gate(principal), trip_id)
        if trip.arrived_at is not None and (trip.procedure_id is not None or "undeclared_since" in trip.facts):
            return trip.version
        values: dict[str, Any] = {"arrived_at": trip.arrived_at or now}
        if trip.procedure_id is not None:
            return trips_store.update_trip(session, trip_id, values)
        act = _Act("undeclared", Step.DECLARATION, principal, now, address, {})
        values["facts"] = {**trip.facts, "undeclared_since": now.isoformat()}
        version = trips_store.update_trip(session, trip_id, values)
        _write_line(session, trip, act, {})
        audience = replace(_audience(trip, ()), roles=(str(Role.SUPPORT), str(Role.BORDER_GUARD)))
        _emit(session, trip, Step.DECLARATION, "undeclared", version, audience, now)
        audit.record(
            session, principal, "sheets.undeclared", "trip", trip_id, None, values["facts"], at=now, address=address
        )
        self._notify(session, trip, act, {}, {})
        return trip.version

    # Acting on steps

    def confirm_step(
        self,
        session: Session,
        principal: Principal | None,
        trip_id: int,
        step: str,
        *,
        edited_version: int | None,
        data: Mapping[str, Any] | None = None,
        now: datetime,
        address: str = "",
    ) -> int:
        """Confirm a step; the trip's version. The same officer's second tap changes nothing.

        `principal` `None` is the platform itself (a transfer that came in), which needs no version either.

        Raises
        ------
        NotFoundError, ForbiddenError
            If there is no such trip at the caller's gate, or the step is somebody else's.
        StaleError
            If the sheet was changed since `edited_version`.
        ConflictError
            If the trip came undeclared, or the step is not ready.
        """
        trip = _lock(session, _at_own_gate(principal), trip_id)
        if trip.procedure_id is None:
            self._open_undeclared(session, trip, edited_version, principal, now, address)
            edited_version = None
        sheet = load_sheet(session, trip)
        _check_owner(principal, sheet, step)
        if _is_done_by(session, trip_id, sheet, step, principal):
            return trip.version
        _check_version(trip, edited_version)
        _check_open(trip)
        _check(sheet.may(step, "confirm"))
        act = _Act("confirm", step, principal, now, address, dict(data or {}))
        return self._apply(session, trip, sheet, sheet.confirm(step), act)

    def return_step(
        self,
        session: Session,
        principal: Principal,
        trip_id: int,
        step: str,
        *,
        edited_version: int | None,
        to: str = Step.DECLARATION,
        reasons: Sequence[str],
        text: str = "",
        now: datetime,
        address: str = "",
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
        if len(reasons) > MOST_REASONS or len(text) > LONGEST_TEXT:
            raise InvalidInputError(
                "Give at most {reasons} reasons and {length} characters.",
                field="reasons",
                reasons=MOST_REASONS,
                length=LONGEST_TEXT,
            )
        trip = _lock(session, _at_own_gate(principal), trip_id)
        if trip.procedure_id is None:
            raise _undeclared(trip)
        sheet = load_sheet(session, trip)
        _check_owner(principal, sheet, step)
        data = {"to": to, "reasons": list(reasons), "text": text.strip()}
        if sheet.state().get(to) == StepStatus.RETURNED and _was_returned_so(session, trip_id, step, principal, data):
            return trip.version
        _check_version(trip, edited_version)
        _check_open(trip)
        _check(sheet.may(step, "return", to))
        return self._apply(
            session, trip, sheet, sheet.return_(step, to), _Act("return", step, principal, now, address, data)
        )

    def update_facts(
        self,
        session: Session,
        trip_id: int,
        facts: Mapping[str, Any],
        now: datetime,
        *,
        principal: Principal | None = None,
        address: str = "",
    ) -> int:
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
        trip = _lock(session, true(), trip_id)
        if trip.procedure_id is None:
            kept = {**trip.facts, **plain(facts)}
            return trips_store.update_trip(session, trip_id, {"facts": kept}) if kept != trip.facts else trip.version
        sheet = load_sheet(session, trip)
        after = sheet.with_facts(Facts.from_record({**sheet.facts.to_record(), **plain(facts)}))
        if after.facts == sheet.facts:
            return trip.version
        return self._apply(
            session, trip, sheet, after, _Act("facts", Step.DECLARATION, principal, now, address, plain(facts))
        )

    # Reading

    def get_sheet(self, session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
        """The sheet of a trip the caller may see: see `sheet_view.describe`.

        Raises
        ------
        NotFoundError
            If there is none for this caller.
        """
        row = trips_store.find_trip(session, visible_trips(principal, "sheets.read"), trip_id)
        if row is None:
            raise _no_trip(trip_id)
        return view.describe(session, principal, row, _loaded(session, row.Trip), self.readers)

    def answer_sheet(self, session: Session, principal: Principal, trip_id: int) -> dict[str, Any]:
        """The sheet that the caller just acted on, even if that ended the trip; raises NotFoundError as `get_sheet`."""
        row = trips_store.find_trip(session, _at_own_gate(principal), trip_id)
        if row is None:
            raise _no_trip(trip_id)
        return view.describe(session, principal, row, _loaded(session, row.Trip), self.readers)

    # Pieces

    def _open(
        self, session: Session, trip: Trip, facts: Facts, principal: Principal | None, now: datetime, address: str
    ) -> int:
        key = (trip.gate_id, trip.direction, trip.regime)
        row = procedures.get_current(session, key, now)
        kept = {
            name: value for name, value in trip.facts.items() if name not in DECLARED_FACTS and name != "undeclared"
        }
        merged = Facts.from_record({**facts.to_record(), **kept})
        blank = Sheet(Procedure.from_definition(row.definition), merged)
        store.insert_steps(
            session,
            [
                {"trip_id": trip.trip_id, "step": step, "status": status, "since": now, "data": {}}
                for step, status in blank.state().items()
            ],
        )
        trip.procedure_id = row.procedure_id
        data: dict[str, Any] = {"procedure_id": row.procedure_id, "version": row.version}
        if "undeclared_since" in trip.facts and not facts.undeclared:
            since = datetime.fromisoformat(trip.facts["undeclared_since"])
            data["undeclared_s"] = (now - since).total_seconds()
        after = blank if facts.undeclared else blank.confirm(Step.DECLARATION)
        return self._apply(session, trip, blank, after, _Act("opened", Step.DECLARATION, principal, now, address, data))

    def _open_undeclared(
        self, session: Session, trip: Trip, edited: int | None, principal: Principal | None, now: datetime, address: str
    ) -> None:
        """Until the day set, agencies handle vehicles on paper: their sheet opens without a declaration."""
        if now >= procedures.mandatory_from(session):
            raise _undeclared(trip)
        _check_version(trip, edited)
        _check_open(trip)
        facts = Facts(
            direction=trip.direction,
            regime=trip.regime,
            goods_class=frozenset({trip.goods_class}),
            perishable=trip.perishable,
            undeclared=True,
        )
        self._open(session, trip, facts, principal, now, address)

    def _apply(self, session: Session, trip: Trip, before: Sheet, after: Sheet, act: _Act) -> int:
        """Write what an act made of a sheet: steps, trip, timeline, events, audit; the trip's new version."""
        confirmed = after.state()
        released = after.release()
        old, new = before.state(), released.state()
        for step, status in new.items():
            if status == old[step] and not (step == act.step and act.name in ("confirm", "return")):
                continue
            values: dict[str, Any] = {"status": status}
            if status != old[step]:
                values["since"] = act.now
            if status == StepStatus.DONE:
                by_platform = confirmed[step] != StepStatus.DONE
                values |= {"done_at": act.now, "done_by": None if by_platform else act.actor_id}
                values["data"] = {"at_once": True} if by_platform else dict(act.data)
            elif old[step] == StepStatus.DONE:
                values |= {"done_at": None, "done_by": None}
            if act.name == "return" and step == act.data["to"]:
                values["data"] = {"from": act.step, "reasons": act.data["reasons"], "text": act.data["text"]}
            store.update_step(session, trip.trip_id, step, values)
        changes: dict[str, Any] = {"facts": {**trip.facts, **released.facts.to_record()}}
        changes |= {"channel": released.facts.channel, "procedure_id": trip.procedure_id}
        if act.name == "confirm" and act.step != Step.DECLARATION and trip.arrived_at is None:
            changes["arrived_at"] = act.now
        if released.is_finished and not before.is_finished:
            changes |= {"stage": Stage.OUT, "stage_since": act.now}
        version = trips_store.update_trip(session, trip.trip_id, changes)
        _write_line(session, trip, act, {step: status for step, status in new.items() if status != old[step]})
        _emit_changes(session, trip, before, released, version, act.now)
        audit.record(
            session,
            act.principal,
            f"sheets.{act.name}",
            "trip",
            trip.trip_id,
            {"steps": old},
            {"step": act.step, "steps": new, "data": dict(act.data), "version": version},
            at=act.now,
            address=act.address,
        )
        self._notify(session, trip, act, old, new)
        return trip.version

    def _notify(self, session: Session, trip: Trip, act: _Act, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        change = SheetChange(trip, act.name, act.step, act.principal, old, new, act.data, act.now)
        for listener in self.listeners:
            listener(session, self, change)


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


def _write_line(session: Session, trip: Trip, act: _Act, changed: Mapping[str, str]) -> None:
    data = {"act": act.name, "step": act.step, **act.data, "changed": dict(changed)}
    trips_store.insert_events(
        session,
        [{"trip_id": trip.trip_id, "at": act.now, "kind": "sheet", "data": data, "actor_id": act.actor_id}],
    )


def _emit_changes(session: Session, trip: Trip, before: Sheet, sheet: Sheet, version: int, now: datetime) -> None:
    old = before.state()
    for step, status in sheet.state().items():
        if (
            status != old[step]
            and status != StepStatus.NOT_NEEDED
            and (status != StepStatus.WAITING or old[step] in StepStatus.open())
        ):
            owners = sheet.procedure.steps[step].owners_of(sheet.facts)
            _emit(session, trip, step, status, version, _audience(trip, owners), now)
    if sheet.is_finished and not before.is_finished:
        data = {"trip_id": trip.trip_id, "vehicle_id": trip.vehicle_id, "gate_id": trip.gate_id, "stage": Stage.OUT}
        outbox.emit(session, "trip", _audience(trip, (str(Role.TRAFFIC_POLICE),)), data, at=now)


def _emit(
    session: Session, trip: Trip, step: str, status: str, version: int, audience: Audience, now: datetime
) -> None:
    data = {"trip_id": trip.trip_id, "gate_id": trip.gate_id, "step": step, "status": status, "version": version}
    outbox.emit(session, "sheet", audience, data, at=now)


def _audience(trip: Trip, roles: Sequence[str]) -> Audience:
    return Audience(
        roles=tuple(role for role in roles if role != Role.ENTERPRISE),
        organisations=(trip.organisation_id,),
        accounts=(trip.driver_id,) if trip.driver_id is not None else (),
        vehicles=(trip.vehicle_id,),
        gates=(trip.gate_id,),
    )


def _lock(session: Session, reachable: ColumnElement[bool], trip_id: int) -> Trip:
    trip = trips_store.lock_trip(session, reachable, trip_id)
    if trip is None:
        raise _no_trip(trip_id)
    return trip


def _at_own_gate(principal: Principal | None) -> ColumnElement[bool]:
    """Like `visible_trips`, but a trip that just ended still answers its gate: that it is over."""
    if principal is None:
        return true()
    if principal.require("steps.act") is Scope.OWN_GATE and principal.gate_id is not None:
        return Trip.gate_id == principal.gate_id
    return visible_trips(principal, "steps.act")


def _check_owner(principal: Principal | None, sheet: Sheet, step: str) -> None:
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


def _check_version(trip: Trip, edited_version: int | None) -> None:
    if edited_version is not None and trip.version != edited_version:
        raise StaleError(
            "The sheet was changed meanwhile: you edited version {edited}, now it is version {present}. "
            "Look at it again.",
            edited=edited_version,
            present=trip.version,
        )


def _check_open(trip: Trip) -> None:
    if trip.stage not in Stage.open():
        raise _over(trip)


def _check(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise ConflictError(refusal.message, **refusal.values)


def _over(trip: Trip) -> ConflictError:
    return ConflictError("The trip {code} is {stage}; its sheet is closed.", code=trip.code, stage=trip.stage)


def _undeclared(trip: Trip) -> ConflictError:
    return ConflictError(
        "The trip {code} is not declared, and nobody may handle it so: lead the truck to the temporary yard; the "
        "support desk declares it there with the driver.",
        code=trip.code,
    )


def _no_trip(trip_id: int) -> NotFoundError:
    return NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
