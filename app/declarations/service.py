"""What can be done with a declaration: begin, save, submit, amend, declare again after a return; its revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.declarations import checks, hs, on_sheet, store
from app.declarations.differences import changed_parts, differences
from app.declarations.form import Form, Line, problems_of, read
from app.declarations.reading import previous_revision, version_of, why_closed
from app.declarations.tables import DeclarationRow
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.sheets.service import Sheets
from app.trips import service as trips
from app.trips import store as trip_store
from app.trips.declaration import GOODS_LENGTH, Declaration
from app.trips.goods import GoodsClass
from app.trips.places import Places
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import DeclarationStatus, Regime
from app.web.forms import Problem
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from geo.versions import check_version
from ingest import plates
from ingest.store import find_vehicle


@dataclass(frozen=True)
class DeclarationAction(ActionContext):
    """Who acts, when, on which corridor and sheets; `simulated` marks the trips that a demonstration declares."""

    corridor: Corridor = field(kw_only=True)
    sheets: Sheets = field(kw_only=True)
    simulated: bool = field(default=False, kw_only=True)


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
    form = _read(written)
    around = _surroundings(action, None)
    owner = organisation_of(action.actor, organisation_id)
    found = checks.check(form, around) if submit else checks.check_draft(form)
    undeclared = _find_undeclared(action.session, form, owner)
    _refuse(found + _check_registers(action.session, form, owner, undeclared))
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
    form = _read(written)
    around = _surroundings(action, trip.planned_arrival)
    found = checks.check(form, around) if submit else checks.check_draft(form)
    _refuse(found + _check_registers(action.session, form, trip.organisation_id, trip))
    record, before = form.to_record(), latest.data
    if latest.status == DeclarationStatus.DRAFT:
        values = {"data": record, "version": latest.version + 1}
        store.update_revision(action.session, trip_id, latest.revision, values)
        if latest.revision == 1 and not submit:
            declared = _declared(form, trip.organisation_id)
            trips.align_trip(action, trip, declared, places=Places.of(action.corridor))
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
        raise ConflictError("The declaration is {status} and holds no change to submit.", status=latest.status)
    form = Form.from_record(latest.data)
    found = checks.check(form, _surroundings(action, trip.planned_arrival))
    _refuse(found + _check_registers(action.session, form, trip.organisation_id, trip))
    _submit(action, trip, latest, previous_revision(action.session, trip_id, latest.revision))


def check_written(
    action: DeclarationAction, written: Mapping[str, Any], organisation_id: int | None
) -> tuple[Form, list[Problem]]:
    """A new declaration as read, and all that stands in its way or deserves a look; nothing is kept."""
    form, unreadable = read(written)
    form = complete(form)
    owner = organisation_of(action.actor, organisation_id)
    unread = {one.field for one in unreadable}
    found = [one for one in checks.check(form, _surroundings(action, None)) if one.field not in unread]
    undeclared = _find_undeclared(action.session, form, owner)
    return form, [*unreadable, *found, *_check_registers(action.session, form, owner, undeclared)]


def refusal_of(
    session: Session, form: Form, unreadable: Sequence[Problem], corridor: Corridor, now: datetime
) -> RefusedError | None:
    """What stands in the way of submitting a form, as far as the form itself tells."""
    around = checks.Surroundings(now, profiles(session, now, corridor), form.planned_arrival)
    problems = [*unreadable, *problems_of(checks.check(complete(form), around))]
    return RefusedError([as_error(one) for one in problems]) if problems else None


# Pieces


def organisation_of(principal: Principal, named: int | None) -> int:
    """The organisation that a new declaration belongs to.

    Raises
    ------
    InvalidInputError, ForbiddenError
        If the desk names none, or an enterprise another one than itself.
    """
    if principal.require("declarations.write") is Scope.OWN_ORGANISATION and principal.organisation_id is not None:
        return principal.organisation_id
    if named is None:
        raise InvalidInputError("Name the enterprise that the trip belongs to.", field="organisation_id")
    return named


def complete(form: Form) -> Form:
    """The form with what follows from the rest: the direction from the regime, the kind of goods from the HS code."""
    lines = tuple(
        replace(
            line,
            hs_code=hs.show(code) if hs.is_well_formed(code := hs.squeeze(line.hs_code)) else line.hs_code,
            goods_class=line.goods_class or hs.suggest_class(line.hs_code),
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
        raise RefusedError([as_error(one) for one in problems])


def _surroundings(action: DeclarationAction, kept_arrival: datetime | None) -> checks.Surroundings:
    return checks.Surroundings(action.now, profiles(action.session, action.now, action.corridor), kept_arrival)


def _check_registers(session: Session, form: Form, organisation_id: int, trip: Trip | None) -> list[Problem]:
    """What other trips and enterprises stand against."""
    found: list[Problem] = []
    own_id = None if trip is None else trip.trip_id
    truck, trailer = plates.find_plate(form.plate), plates.find_plate(form.trailer_plate)
    if truck is not None:
        busy = store.find_open_trip_by_plate(session, truck)
        if busy is not None and busy.trip_id != own_id:
            found.append(_busy("plate", form.plate, busy, organisation_id))
        vehicle = find_vehicle(session, truck)
        if vehicle is not None and vehicle.organisation_id not in {None, organisation_id}:
            message = "The truck {plate} belongs to another enterprise; check the plate, or let them declare it."
            found.append(Problem("plate", message, {"plate": form.plate}))
    if trailer is not None:
        busy = store.find_open_trip_by_trailer(session, trailer, but=own_id)
        if busy is not None:
            found.append(_busy("trailer_plate", form.trailer_plate, busy, organisation_id))
    return found


def _find_undeclared(session: Session, form: Form, organisation_id: int) -> Trip | None:
    """The truck's open trip of this organisation, if nothing was declared of it yet."""
    truck = plates.find_plate(form.plate)
    trip = None if truck is None else store.find_open_trip_by_plate(session, truck)
    if trip is None or trip.organisation_id != organisation_id or store.revisions_of(session, trip.trip_id):
        return None
    return trip


def _begin_trip(action: DeclarationAction, form: Form, organisation_id: int, undeclared: Trip | None) -> int:
    declared, places = _declared(form, organisation_id), Places.of(action.corridor)
    if undeclared is None:
        return trips.create_trip(action, declared, places, simulated=action.simulated)
    trip = trip_store.lock_trip(action.session, Trip.organisation_id == organisation_id, undeclared.trip_id)
    assert trip is not None
    trips.align_trip(action, trip, declared, places=places)
    return trip.trip_id


def _busy(name: str, plate: str, busy: Trip, organisation_id: int) -> Problem:
    if busy.organisation_id != organisation_id:
        return Problem(name, "{plate} is on an open trip of another enterprise; check the plate.", {"plate": plate})
    message = "{plate} is on the open trip {code}; end or cancel that trip first, or declare another vehicle."
    return Problem(name, message, {"plate": plate, "code": busy.code})


def _declared(form: Form, organisation_id: int) -> Declaration:
    main = form.main_line or Line()
    assert form.planned_arrival is not None  # a draft without it was refused
    goods = "; ".join(dict.fromkeys(line.description for line in form.lines if line.description))
    told: dict[str, Any] = {name: getattr(form, name) or None for name in TOLD_OF_TRIP}
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
    moved = trips.align_trip(action, trip, declared, places=Places.of(action.corridor))
    if trip.procedure_id is not None and {"gate_id", "direction", "regime"} & set(moved):
        on_sheet.begin_anew(action.session, trip_id)
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
    changed = {"revision": draft.revision, "changed": [one.field for one in changes]}
    TimelineEntry(trip_id, kind, changed).write(action)
    if previous is None:
        _finish_arrival(action, trip_id)
    on_sheet.hand_in(action, action.sheets, trip_id, form, changed_parts(changes))
    before = None if previous is None else previous.data
    verb = "submit" if previous is None else "redeclare" if previous.returned_at else "amend"
    action.record(f"declarations.{verb}", "declaration", trip_id, before, draft.data)


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
    trip = trip_store.lock_trip(action.session, visible_trips(action.actor, "declarations.write"), trip_id)
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
