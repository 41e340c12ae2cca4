"""What can be done with a declaration: begin, save, submit, amend, declare again after a return; its revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.declarations import checks, hs, on_sheet, store
from app.declarations.differences import changed_parts, differences
from app.declarations.form import Form, Line, problems_of, read
from app.declarations.official_notes import notes_of
from app.declarations.picked import fill
from app.declarations.reading import previous_revision, version_of, why_closed
from app.declarations.tables import DeclarationRow
from app.gates.service import profiles
from app.gates.vocabulary import GoodsClass
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.procedures.changes import Change
from app.registers import claims as registers
from app.sheets import standing
from app.sheets.service import Sheets
from app.trips import ahead
from app.trips import service as trips
from app.trips.declaration import GOODS_LENGTH, Declaration
from app.trips.hs_classes import suggest_class
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import DeclarationStatus, Regime
from app.web.forms import Problem
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from geo.versions import check_version
from ingest import plates


@dataclass(frozen=True)
class DeclarationAction(ActionContext):
    """Who acts, when, on which corridor and sheets; `simulated` marks the trips that a demonstration declares."""

    corridor: Corridor = field(kw_only=True)
    sheets: Sheets = field(kw_only=True)
    simulated: bool = field(default=False, kw_only=True)


FORM_RESOLUTION: Final = timedelta(minutes=1)
"""A form holds times to the minute: within that an arrival is the same."""
TOLD_OF_TRIP = frozenset(each.name for each in fields(Declaration)) & frozenset(each.name for each in fields(Form))
"""What a trip takes over from its declaration as it is, by the name that both have for it."""

# Making and changing


def create(
    action: DeclarationAction, written: Mapping[str, Any], *, submit: bool, organisation_id: int | None = None
) -> int:
    """Begin a declaration and with it a trip; the trip's id. `submit` hands it in at once.

    An open trip of the truck that was entered before and not declared is taken up instead of a new one.

    Arguments: `written`, as `form.read` takes it; `organisation_id`, for whom a support desk declares.

    Raises
    ------
    RefusedError
        With every field that cannot be accepted.
    ForbiddenError, ConflictError
        If it would belong to another enterprise, or the truck is on an open trip.
    """
    owner = organisation_of(action.actor, organisation_id)
    form = _read(fill(action.session, owner, written))
    around = _surroundings(action, None)
    found = checks.check(form, around) if submit else checks.check_draft(form, around.gates.get(form.gate_id))
    undeclared = _find_undeclared(action.session, form, owner)
    _refuse(found + _check_registers(action, form, owner, undeclared))
    trip_id = _begin_trip(action, form, owner, undeclared)
    row = _insert_draft(action, trip_id, 1, form, version=1)
    if submit:
        _submit(action, _lock_trip(action, trip_id), row, None)
    else:
        action.record("declarations.save", "declaration", trip_id, None, row.data)
    return trip_id


def save(
    action: DeclarationAction, trip_id: int, expected_version: int, written: Mapping[str, Any], *, submit: bool
) -> None:
    """Keep a change of a declaration as a draft, or hand it in at once (`submit`).

    What was submitted or returned stays as it is; the change is a new revision.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, RefusedError
        If there is none for the caller, it was changed since, an agency has begun with it, or a value is wrong.
    """
    trip, latest = _lock(action, trip_id, expected_version)
    form = _read(fill(action.session, trip.organisation_id, written))
    _check_changes(action.session, trip, form)
    around = _surroundings(action, trip.planned_arrival, trip_id)
    found = checks.check(form, around) if submit else checks.check_draft(form, around.gates.get(form.gate_id))
    _refuse(found + _check_registers(action, form, trip.organisation_id, trip))
    record, before = form.to_record(), latest.data
    if latest.status == DeclarationStatus.DRAFT:
        values = {"data": record, "version": latest.version + 1}
        store.update_revision(action.session, trip_id, latest.revision, values)
        if latest.revision == 1 and not submit:
            declared = _declared(form, trip.organisation_id)
            trips.align_trip(action, trip, declared, corridor=action.corridor)
        draft = latest
    else:
        draft = _insert_draft(action, trip_id, latest.revision + 1, form, version=latest.version + 1)
    if submit:
        _submit(action, trip, draft, previous_revision(action.session, trip_id, draft.revision))
    else:
        action.record("declarations.save", "declaration", trip_id, before, record)


def submit(action: DeclarationAction, trip_id: int, expected_version: int) -> None:
    """Hand in the draft of a declaration as it is.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, RefusedError
        If there is no draft for the caller, it was changed since, or a value is missing or wrong.
    """
    trip, latest = _lock(action, trip_id, expected_version)
    if latest.status != DeclarationStatus.DRAFT:
        raise ConflictError(
            "The declaration is {status} and holds no change to submit.", status=DeclarationStatus.get(latest.status)
        )
    form = Form.from_record(latest.data)
    _check_changes(action.session, trip, form)
    found = checks.check(form, _surroundings(action, trip.planned_arrival, trip_id))
    _refuse(found + _check_registers(action, form, trip.organisation_id, trip))
    _submit(action, trip, latest, previous_revision(action.session, trip_id, latest.revision))


def check_written(
    action: DeclarationAction, written: Mapping[str, Any], organisation_id: int | None, around: checks.Surroundings
) -> tuple[Form, list[Problem]]:
    """A new declaration as read, and all that stands in its way or deserves a look; nothing is kept."""
    form, unreadable = read(written)
    form = complete(form)
    owner = organisation_of(action.actor, organisation_id)
    unread = {problem.field for problem in unreadable}
    found = [problem for problem in checks.check(form, around) if problem.field not in unread]
    undeclared = _find_undeclared(action.session, form, owner)
    return form, [*unreadable, *found, *_check_registers(action, form, owner, undeclared)]


def surroundings(action: DeclarationAction) -> checks.Surroundings:
    """What a new declaration is checked against."""
    return _surroundings(action, None)


def refusal_of(
    session: Session, form: Form, unreadable: Sequence[Problem], corridor: Corridor, now: datetime
) -> RefusedError | None:
    """What stands in the way of submitting a form, as far as the form itself tells."""
    around = checks.Surroundings(now, profiles(session, now, corridor), form.planned_arrival)
    problems = [*unreadable, *problems_of(checks.check(complete(form), around))]
    return RefusedError([as_error(problem) for problem in problems]) if problems else None


# Pieces


def organisation_of(principal: Principal, named: int | None) -> int:
    """The organisation that a new declaration belongs to.

    Raises
    ------
    InvalidInputError, ForbiddenError
        If the desk names none, or an enterprise another one than itself.
    """
    if principal.require("declarations.write") is Scope.OWN_ORGANISATION and principal.organisation_id is not None:
        return registers.organisation_of(principal, named)
    if named is None:
        raise InvalidInputError("Name the enterprise that the trip belongs to.", field="organisation_id")
    return named


def complete(form: Form) -> Form:
    """The form with what follows from the rest: the direction from the regime, the kind of goods from the HS code."""
    lines = tuple(
        replace(
            line,
            hs_code=hs.show(code) if hs.is_well_formed(code := hs.squeeze(line.hs_code)) else line.hs_code,
            goods_class=line.goods_class or suggest_class(line.hs_code),
        )
        for line in form.lines
    )
    regime = Regime.lookup(form.regime)
    return replace(form, lines=lines, direction=form.direction or (regime and regime.direction) or "")


def as_error(problem: Problem) -> InvalidInputError:
    """A problem as the error that a route answers with."""
    return InvalidInputError(problem.message, field=problem.field, **problem.values)


def _read(written: Mapping[str, Any]) -> Form:
    form, unreadable = read(written)
    _refuse(unreadable)
    return complete(form)


def _refuse(found: Sequence[Problem]) -> None:
    problems = problems_of(found)
    if problems:
        raise RefusedError([as_error(problem) for problem in problems])


def _surroundings(
    action: DeclarationAction, kept_arrival: datetime | None, trip_id: int | None = None
) -> checks.Surroundings:
    rows = [] if trip_id is None else on_sheet.handed_in(store.revisions_of(action.session, trip_id))
    declared = Form.from_record(rows[0].data) if rows else None
    gates = profiles(action.session, action.now, action.corridor)
    return checks.Surroundings(action.now, gates, kept_arrival, declared)


def _check_registers(action: DeclarationAction, form: Form, organisation_id: int, trip: Trip | None) -> list[Problem]:
    """What other trips of the same enterprise stand against; what others declare for a plate blocks nobody."""
    found: list[Problem] = []
    session, own_id = action.session, None if trip is None else trip.trip_id
    for name, written, find in (
        ("plate", form.plate, store.open_trips_of),
        ("trailer_plate", form.trailer_plate, store.open_trips_by_trailer),
    ):
        plate = plates.find_plate(written)
        if plate is None:
            continue
        others = [each for each in find(session, plate, organisation_id) if each.trip_id != own_id]
        busy = ahead.find_same(others, form.planned_arrival, action.now)
        if busy is not None:
            found.append(_busy(name, written, busy))
    return found + notes_of(session, form, action.now)


def _find_undeclared(session: Session, form: Form, organisation_id: int) -> Trip | None:
    """The truck's open trip of this organisation, planned about then, of which nothing was declared yet."""
    truck, arrival = plates.find_plate(form.plate), form.planned_arrival
    if truck is None or arrival is None:
        return None
    known = store.open_trips_of(session, truck, organisation_id)
    undeclared = [each for each in known if not store.revisions_of(session, each.trip_id)]
    near = [each for each in undeclared if abs(each.planned_arrival - arrival) < ahead.NEAR]
    return min(near, key=lambda each: abs(each.planned_arrival - arrival), default=None)


def _begin_trip(action: DeclarationAction, form: Form, organisation_id: int, undeclared: Trip | None) -> int:
    declared = _declared(form, organisation_id)
    if undeclared is None:
        return trips.create_trip(action, declared, action.corridor, simulated=action.simulated)
    trip = trips.lock_trip(action.session, Trip.organisation_id == organisation_id, undeclared.trip_id)
    assert trip is not None
    trips.align_trip(action, trip, declared, corridor=action.corridor)
    return trip.trip_id


def _busy(name: str, plate: str, busy: Trip) -> Problem:
    message = "{plate} is on the open trip {code} then; end or cancel it first, or declare another vehicle or time."
    return Problem(name, message, {"plate": plate, "code": busy.code})


def _declared(form: Form, organisation_id: int) -> Declaration:
    main = form.main_line or Line()
    assert form.planned_arrival is not None  # a draft without it was refused
    goods = "; ".join(dict.fromkeys(line.description for line in form.lines if line.description))
    told: Mapping[str, Any] = {name: getattr(form, name) or None for name in TOLD_OF_TRIP}
    return Declaration(
        **told,
        goods=goods if len(goods) <= GOODS_LENGTH else f"{goods[: GOODS_LENGTH - 1]}…",
        goods_class=main.goods_class or GoodsClass.GENERAL,
        perishable=any(line.spoils for line in form.lines),
        organisation_id=organisation_id,
    )


def _submit(action: DeclarationAction, trip: Trip, draft: DeclarationRow, previous: DeclarationRow | None) -> None:
    form = Form.from_record(draft.data)
    trip_id = trip.trip_id
    declared = _declared(form, trip.organisation_id)
    moved = trips.align_trip(action, trip, declared, corridor=action.corridor)
    if trip.procedure_id is not None and {"gate_id", "direction", "regime"} & set(moved):
        on_sheet.begin_again(action, action.sheets, trip, moved)
    if previous is not None and previous.status == DeclarationStatus.SUBMITTED:
        store.update_revision(action.session, trip_id, previous.revision, {"status": DeclarationStatus.SUPERSEDED})
    values = {
        "status": DeclarationStatus.SUBMITTED,
        "submitted_at": action.now,
        "submitted_by": action.actor.account_id,
        "version": draft.version + 1,
    }
    store.update_revision(action.session, trip_id, draft.revision, values)
    changes = differences(previous.data, draft.data) if previous is not None else []
    kind = "declared" if previous is None else "redeclared" if previous.returned_at else "declaration_amended"
    changed = {"revision": draft.revision, "changed": [change.field for change in changes]}
    TimelineEntry(trip_id, kind, changed).write(action)
    if previous is None:
        _finish_arrival(action, trip_id)
    on_sheet.hand_in(action, action.sheets, trip_id, form, changed_parts(changes))
    before = None if previous is None else previous.data
    verb = "submit" if previous is None else "redeclare" if previous.returned_at else "amend"
    action.record(f"declarations.{verb}", "declaration", trip_id, before, draft.data)


def _check_changes(session: Session, trip: Trip, form: Form) -> None:
    """That what differs from what was handed in may be changed now; raises ConflictError."""
    rows = on_sheet.handed_in(store.revisions_of(session, trip.trip_id))
    if not rows:
        return
    before = {**rows[0].data, "gate_id": trip.gate_id, "planned_arrival": None}
    after = {**form.to_record(), "planned_arrival": None}
    wanted = {Change.of_field(difference.field): difference.field for difference in differences(before, after)}
    arrival = form.planned_arrival
    if arrival is None or abs(arrival - trip.planned_arrival) >= FORM_RESOLUTION:
        wanted[Change.ARRIVAL] = "planned_arrival"
    standing.check_changes(session, trip, wanted, fields=wanted)


def _finish_arrival(action: DeclarationAction, trip_id: int) -> None:
    arrival = store.find_arrival_of_trip(action.session, trip_id)
    if arrival is not None:
        store.update_arrival(action.session, arrival.arrival_id, {"submitted_at": action.now})
        store.mark_arrived(action.session, trip_id, arrival.arrived_at)


def _insert_draft(
    action: DeclarationAction, trip_id: int, revision: int, form: Form, *, version: int
) -> DeclarationRow:
    values = {
        "trip_id": trip_id,
        "revision": revision,
        "status": DeclarationStatus.DRAFT,
        "data": form.to_record(),
        "created_at": action.now,
        "created_by": action.actor.account_id,
        "version": version,
    }
    return store.insert_revision(action.session, values)


def _lock_trip(action: DeclarationAction, trip_id: int) -> Trip:
    trip = trips.lock_trip(action.session, visible_trips(action.actor, "declarations.write"), trip_id)
    if trip is None:
        raise NotFoundError("There is no declaration of trip {trip_id} that you may change.", trip_id=trip_id)
    return trip


def _lock(action: DeclarationAction, trip_id: int, expected_version: int) -> tuple[Trip, DeclarationRow]:
    trip = _lock_trip(action, trip_id)
    rows = store.revisions_of(action.session, trip_id)
    if not rows:
        raise NotFoundError("There is no declaration of trip {trip_id} that you may change.", trip_id=trip_id)
    check_version(version_of(rows), expected_version)
    why_not = why_closed(action.session, trip, rows[0])
    if why_not is not None:
        raise why_not
    return trip, rows[0]
