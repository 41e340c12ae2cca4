"""Transshipments as people act on them: the enterprise registers, customs decide, the yard carries out.

Every act locks the trip first, as the acts on its sheet do, and is one transaction with its audit line, its line on
the trip's timeline and its event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal, Role
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.transshipments import load, store
from app.transshipments.balance import Amount, Move, balance, differences
from app.transshipments.store import moves_of as moves_of
from app.transshipments.tables import Transshipment, TransshipmentMove
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips import store as trip_store
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest.plates import display_plate, normalise_plate

FIRST_PAGE: Final = PageRequest(limit=100)
MAX_MOVES = 200
MAX_TEXT_LENGTH = 500


# Acts


def register(action: ActionContext, sheets: Sheets, trip_id: int, moves: Sequence[Move], *, note: str = "") -> int:
    """Register which goods of a trip go on in which vehicles; its id.

    Arguments: `moves`, plates as written; `from_plate` empty for the truck of the trip.

    Raises
    ------
    NotFoundError
        If the caller has no such trip.
    ConflictError
        If a quarantine is not done, customs have inspected, or another transshipment of the trip is open.
    InvalidInputError
        If the amounts do not balance, or a plate is none or none of the trip's.
    """
    trip = _lock_trip(action.session, action.actor, "transshipments.register", trip_id)
    _check_moment(load.steps_of(action.session, trip_id))
    own = load.plates_of(action.session, trip)
    tidy = [_tidy(move, own) for move in moves[: MAX_MOVES + 1]]
    if len(tidy) > MAX_MOVES:
        raise InvalidInputError("A transshipment has at most {most} moves.", field="moves", most=MAX_MOVES)
    lines = load.lines_left(action.session, trip_id)
    balance(lines, tidy)
    names = {line.number: line.goods for line in lines}
    made = store.insert_transshipment(
        action.session,
        {
            "trip_id": trip_id,
            "note": note.strip()[:MAX_TEXT_LENGTH],
            "registered_at": action.now,
            "registered_by": action.actor.account_id,
        },
        [_move_row(move, names[move.line]) for move in tidy],
    )
    if made is None:
        raise ConflictError(
            "The trip {code} has a transshipment that is not carried out yet; withdraw that one first.", code=trip.code
        )
    sheets.update_facts(action, trip_id, {"transshipment": True})
    _note(action, trip, made, TransshipmentStatus.REGISTERED, after={"moves": _plain_moves(tidy)})
    return made.transshipment_id


def approve(action: ActionContext, transshipment_id: int, expected_version: int) -> None:
    """Let a registered transshipment be carried out.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none at the caller's gate, it was changed since, or is not waiting for approval.
    """
    trip, found = _lock(
        action, "transshipments.approve", transshipment_id, expected_version, (TransshipmentStatus.REGISTERED,)
    )
    _still_balances(action.session, trip, [_as_move(row) for row in store.moves_of(action.session, [transshipment_id])])
    _decide(action, trip, found, TransshipmentStatus.APPROVED, "")


def refuse(action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int, reason: str) -> None:
    """Refuse a transshipment, also one that was approved and not carried out yet.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        As `approve`; InvalidInputError without a reason.
    """
    if not reason.strip():
        raise InvalidInputError("Say why, so that the enterprise can register it again.", field="reason")
    trip, found = _lock(
        action, "transshipments.approve", transshipment_id, expected_version, TransshipmentStatus.open()
    )
    _decide(action, trip, found, TransshipmentStatus.REFUSED, reason.strip()[:MAX_TEXT_LENGTH])
    sheets.update_facts(action, trip.trip_id, {"transshipment": False})


def withdraw(action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int) -> None:
    """Take back a transshipment that customs have not decided on; raises as `approve`."""
    trip, found = _lock(
        action, "transshipments.register", transshipment_id, expected_version, (TransshipmentStatus.REGISTERED,)
    )
    store.update_transshipment(action.session, transshipment_id, {"status": TransshipmentStatus.CANCELLED})
    sheets.update_facts(action, trip.trip_id, {"transshipment": False})
    _note(action, trip, found, TransshipmentStatus.CANCELLED)


def carry_out(
    action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int, moves: Sequence[Move]
) -> None:
    """Confirm that exactly what was approved was moved; confirms the step on the trip's sheet.

    Raises
    ------
    ConflictError
        If what was moved differs from what was approved, or the step may not be done yet.
    NotFoundError, StaleError
        If there is none at the caller's gate, or it was changed since.
    """
    trip, found = _lock(
        action, "transshipments.carry_out", transshipment_id, expected_version, (TransshipmentStatus.APPROVED,)
    )
    approved = [_as_move(row) for row in store.moves_of(action.session, [transshipment_id])]
    _still_balances(action.session, trip, approved)
    own = load.plates_of(action.session, trip)
    odd = differences(approved, [_tidy(move, own) for move in moves])
    if odd:
        raise ConflictError(
            "Not as approved: {differences}. Move exactly what was approved, or let the enterprise register again.",
            field="moves",
            differences="; ".join(_difference(move, done) for move, done in odd),
        )
    by, now = action.actor.account_id, action.now
    done = {"status": TransshipmentStatus.CARRIED_OUT, "carried_out_at": now, "carried_out_by": by}
    store.update_transshipment(action.session, transshipment_id, done)
    _note(action, trip, found, TransshipmentStatus.CARRIED_OUT, after={"moves": _plain_moves(approved)})
    data = {"transshipment_id": transshipment_id}
    sheets.confirm_step(action, trip.trip_id, Step.TRANSSHIPMENT, expected_version=trip.version, data=data)


# Reading


def list_transshipments(
    session: Session,
    principal: Principal,
    *,
    trip_id: int | None = None,
    statuses: Collection[str] = (),
    page: PageRequest = FIRST_PAGE,
) -> Page[dict[str, Any]]:
    """Transshipments of the trips the caller may see, newest first."""
    rows = store.find_transshipments(
        session,
        visible_trips(principal, "sheets.read"),
        trip_id=trip_id,
        statuses=statuses,
        before=page.before,
        limit=page.fetch,
    )
    described = {one["transshipment_id"]: one for one in _described(session, rows[: page.limit])}
    return paginate(rows, page, "transshipment_id", lambda row: described[row.Transshipment.transshipment_id])


def get_transshipment(session: Session, principal: Principal, transshipment_id: int) -> dict[str, Any]:
    """One transshipment with both sides of its balance; raises NotFoundError if the caller has none such."""
    visible = visible_trips(principal, "sheets.read")
    rows = store.find_transshipments(session, visible, transshipment_id=transshipment_id)
    if not rows:
        raise _no_transshipment(transshipment_id)
    return _described(session, rows)[0]


# Pieces


def _check_moment(steps: dict[str, str]) -> None:
    open_quarantines = [
        name for name, status in steps.items() if Step.get(name).spec.is_quarantine and status not in StepStatus.over()
    ]
    if open_quarantines:
        raise ConflictError(
            "Goods change vehicles after quarantine; {steps} is not done yet.", steps=", ".join(open_quarantines)
        )
    if steps.get(Step.DECLARATION) != StepStatus.DONE:
        raise ConflictError("The trip's declaration is not complete; declare first.")
    if steps.get(Step.CUSTOMS) == StepStatus.DONE:
        raise ConflictError("Customs have inspected this load; it leaves in the vehicle it is in.")
    if Step.TRANSSHIPMENT not in steps:
        raise ConflictError("The procedure of this trip knows no transshipment.")


def _still_balances(session: Session, trip: Trip, moves: Sequence[Move]) -> None:
    try:
        balance(load.lines_left(session, trip.trip_id), moves)
    except InvalidInputError as error:
        raise ConflictError(
            "The goods of the trip {code} were declared again since; the transshipment must be registered again too.",
            code=trip.code,
        ) from error


def guard_step(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """The step is confirmed by carrying out what was approved, not on the sheet alone: a listener of the sheet.

    Raises
    ------
    ConflictError
        If a transshipment of the trip is registered or approved and not carried out.
    """
    if (change.act, change.step) != ("confirm", Step.TRANSSHIPMENT):
        return
    rows = store.find_transshipments(session, true(), trip_id=change.trip.trip_id, statuses=TransshipmentStatus.open())
    if rows:
        raise ConflictError("Confirm what was moved on the transshipment itself; that confirms the step.")


def _lock_trip(session: Session, principal: Principal, act: str, trip_id: int) -> Trip:
    trip = trip_store.lock_trip(session, visible_trips(principal, act), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    return trip


def _lock(
    action: ActionContext, act: str, transshipment_id: int, expected_version: int, statuses: Collection[str]
) -> tuple[Trip, Transshipment]:
    session = action.session
    unlocked = session.get(Transshipment, transshipment_id)
    trip = trip_store.lock_trip(session, visible_trips(action.actor, act), unlocked.trip_id) if unlocked else None
    found = store.lock_transshipment(session, true(), transshipment_id) if trip else None
    if trip is None or found is None:
        raise _no_transshipment(transshipment_id)
    check_version(found.version, expected_version)
    if found.status not in statuses:
        raise ConflictError("The transshipment is {status}; this cannot be done any more.", status=found.status)
    return trip, found


def _decide(action: ActionContext, trip: Trip, found: Transshipment, status: str, reason: str) -> None:
    values = {"status": status, "reason": reason, "decided_at": action.now, "decided_by": action.actor.account_id}
    store.update_transshipment(action.session, found.transshipment_id, values)
    _note(action, trip, found, status, after={"reason": reason} if reason else {})


def _note(
    action: ActionContext, trip: Trip, found: Transshipment, status: str, *, after: dict[str, Any] | None = None
) -> None:
    data = {"transshipment_id": found.transshipment_id, "status": status}
    audience = Audience(
        roles=(Role.CUSTOMS, Role.YARD_OPERATOR), organisations=(trip.organisation_id,), gates=(trip.gate_id,)
    )
    told = {
        "gate_id": trip.gate_id,
        "trip_id": trip.trip_id,
        "step": Step.TRANSSHIPMENT,
        "status": status,
        "version": trip.version,
    }
    action.record(
        f"transshipment.{status}",
        Step.TRANSSHIPMENT,
        found.transshipment_id,
        None,
        {"trip_id": trip.trip_id, **(after or {})},
        event=Event("sheet", audience, told),
        timeline=TimelineEntry(trip.trip_id, Step.TRANSSHIPMENT, data),
    )


def _tidy(move: Move, own: Sequence[str]) -> Move:
    """A move with its plates in normal form, from a vehicle of the trip."""
    try:
        giver = normalise_plate(move.from_plate) if move.from_plate.strip() else own[0]
        receiver = normalise_plate(move.to_plate)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="moves", **error.values) from None
    if giver not in own:
        raise InvalidInputError(
            "{plate} is no vehicle of this trip; goods go out of {own}.",
            field="moves",
            plate=display_plate(giver),
            own=", ".join(map(display_plate, own)),
        )
    if receiver in own:
        raise InvalidInputError(
            "{plate} is the trip's own vehicle; name the vehicle that receives the goods.",
            field="moves",
            plate=display_plate(receiver),
        )
    return Move(move.line, giver, receiver, move.amount)


def _move_row(move: Move, goods: str) -> dict[str, Any]:
    return {
        "line": move.line,
        "goods": goods,
        "from_plate": move.from_plate,
        "to_plate": move.to_plate,
        "packages": move.amount.packages,
        "weight_kg": move.amount.weight_kg,
    }


def _as_move(row: TransshipmentMove) -> Move:
    return Move(row.line, row.from_plate, row.to_plate, Amount(row.packages, row.weight_kg))


def _plain_moves(moves: Sequence[Move]) -> list[dict[str, Any]]:
    return [
        {
            "line": one.line,
            "from_plate": one.from_plate,
            "to_plate": one.to_plate,
            "packages": one.amount.packages,
            "weight_kg": str(one.amount.weight_kg),
        }
        for one in moves
    ]


def _difference(move: Move, done: Amount) -> str:
    return (
        f"{move.line} → {display_plate(move.to_plate)}: "
        f"{done.packages} / {done.weight_kg} kg ≠ {move.amount.packages} / {move.amount.weight_kg} kg"
    )


def _described(session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    moves = store.moves_of(session, [row.Transshipment.transshipment_id for row in rows])
    return [
        _describe(row, [one for one in moves if one.transshipment_id == row.Transshipment.transshipment_id])
        for row in rows
    ]


def _describe(row: Any, moves: Sequence[TransshipmentMove]) -> dict[str, Any]:
    found: Transshipment = row.Transshipment
    trip: Trip = row.Trip
    received: dict[str, Decimal] = {}
    for one in moves:
        received[one.to_plate] = received.get(one.to_plate, Decimal(0)) + one.weight_kg
    return {
        "transshipment_id": found.transshipment_id,
        "trip_id": trip.trip_id,
        "code": trip.code,
        "gate_id": trip.gate_id,
        "plate": row.plate,
        "organisation": row.organisation,
        "status": found.status,
        "note": found.note,
        "reason": found.reason,
        "version": found.version,
        "registered_at": found.registered_at,
        "registered_by": row.registrant,
        "decided_at": found.decided_at,
        "decided_by": row.decider,
        "carried_out_at": found.carried_out_at,
        "carried_out_by": row.worker,
        "moves": [
            {
                "line": one.line,
                "goods": one.goods,
                "from_plate": display_plate(one.from_plate),
                "to_plate": display_plate(one.to_plate),
                "packages": one.packages,
                "weight_kg": one.weight_kg,
            }
            for one in moves
        ],
        "received": [{"plate": display_plate(plate), "weight_kg": weight} for plate, weight in received.items()],
    }


def _no_transshipment(transshipment_id: int) -> NotFoundError:
    return NotFoundError(
        "There is no transshipment {transshipment_id} that you may see.", transshipment_id=transshipment_id
    )
