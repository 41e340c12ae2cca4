"""Transshipments as people act on them: the enterprise registers, customs decide, the yard carries out.

Every act locks the trip first, as the acts on its sheet do, and is one transaction with its audit line, its line on
the trip's timeline and its event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.accounts import persons
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role
from app.procedures.steps import Step, StepStatus
from app.sheets import guards
from app.sheets.handover import set_transshipment
from app.sheets.service import SheetChange, Sheets, load_sheet
from app.transshipments import load, store
from app.transshipments.balance import Amount, Balance, Move, balance, differences
from app.transshipments.load import moved_kg as moved_kg
from app.transshipments.reading import get_transshipment as get_transshipment
from app.transshipments.reading import list_transshipments as list_transshipments
from app.transshipments.reading import no_transshipment
from app.transshipments.receivers import Receiver, check_free, go_home, hand_over
from app.transshipments.receivers import tidy as tidy_receivers
from app.transshipments.schemas import MAX_MOVES, MAX_TEXT_LENGTH
from app.transshipments.store import moves_of as moves_of
from app.transshipments.tables import Transshipment, TransshipmentMove
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.scope import visible_trips
from app.trips.service import Trip, lock_trip
from app.trips.timeline import TimelineEntry
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest.plates import display_plate, normalise_plate

# Acts


def register(
    action: ActionContext,
    sheets: Sheets,
    trip_id: int,
    moves: Sequence[Move],
    *,
    receivers: Sequence[Receiver] = (),
    note: str = "",
) -> int:
    """Register which goods of a trip go on in which vehicles; its id.

    Arguments: `moves` and `receivers`, plates as written; `from_plate` empty for the truck of the trip. A vehicle that
    is named in a move alone receives too.

    Raises
    ------
    NotFoundError
        If the caller has no such trip.
    ConflictError
        If a quarantine is not done, customs have inspected, another transshipment of the trip is open, or a receiving
        vehicle is on an open trip that cannot take these goods too.
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
    vehicles = tidy_receivers(receivers, tidy, own)
    check_free(action.session, trip, vehicles, action.now)
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
        [vehicle.to_row() for vehicle in vehicles],
    )
    if made is None:
        raise ConflictError(
            "The trip {code} has a transshipment that is not carried out yet; withdraw that one first.", code=trip.code
        )
    set_transshipment(action, sheets, trip, StepStatus.READY)
    after: JsonObject = {"moves": _plain_moves(tidy), "receivers": [vehicle.to_row() for vehicle in vehicles]}
    _note(action, trip, made, TransshipmentStatus.REGISTERED, after=after)
    return made.transshipment_id


def may_register(session: Session, principal: Principal, trip_id: int) -> bool:
    """Whether the caller could register a transshipment of a trip now, as far as its sheet says."""
    if not principal.may("transshipments.register") or find_refusal(session, trip_id) is not None:
        return False
    return any(not line.amount.is_nothing for line in load.lines_left(session, trip_id))


def find_refusal(session: Session, trip_id: int) -> ConflictError | None:
    """Why no transshipment of a trip can be registered now, as its sheet says; `None` if one can."""
    try:
        _check_moment(load.steps_of(session, trip_id))
    except ConflictError as refusal:
        return refusal
    return None


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
    persons.check_other_person(action, found.registered_by)
    _still_balances(action.session, trip, [_as_move(row) for row in store.moves_of(action.session, [transshipment_id])])
    receivers = [each.receiver for each in store.receivers_of(action.session, [transshipment_id])]
    check_free(action.session, trip, receivers, action.now)
    _decide(action, trip, found, TransshipmentStatus.APPROVED, "")


def refuse(action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int, reason: str) -> None:
    """Refuse a transshipment, also one that was approved or begun and is not carried out yet.

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
    _take_back(action, sheets, trip)


def withdraw(action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int) -> None:
    """Take back a transshipment that the yard has not begun with; raises as `approve`."""
    trip, found = _lock(
        action, "transshipments.withdraw", transshipment_id, expected_version, TransshipmentStatus.not_begun()
    )
    store.update_transshipment(action.session, transshipment_id, {"status": TransshipmentStatus.CANCELLED})
    _take_back(action, sheets, trip)
    _note(action, trip, found, TransshipmentStatus.CANCELLED)


def end_with_trip(session: Session, sheets: Sheets, change: SheetChange) -> None:
    """What was registered of a trip is withdrawn when its truck turns back: a listener of the sheet.

    Raises
    ------
    ConflictError
        If the yard is moving the goods: half of them are on another vehicle.
    """
    if change.act != "turned_back":
        return
    trip = change.trip
    open_ones = store.find_transshipments(session, true(), trip_id=trip.trip_id, statuses=TransshipmentStatus.open())
    for named in open_ones:
        found = named.transshipment
        if found.status not in TransshipmentStatus.not_begun():
            raise ConflictError(
                "The yard is moving the goods of the trip {code}; it can turn back once that is done.", code=trip.code
            )
        action = ActionContext(session, change.principal, change.now)
        store.update_transshipment(session, found.transshipment_id, {"status": TransshipmentStatus.CANCELLED})
        _take_back(action, sheets, trip)
        _note(action, trip, found, TransshipmentStatus.CANCELLED)


def begin(action: ActionContext, transshipment_id: int, expected_version: int) -> None:
    """The yard begins to move the goods: from then on the enterprise takes nothing back; raises as `approve`."""
    trip, found = _lock(
        action, "transshipments.carry_out", transshipment_id, expected_version, (TransshipmentStatus.APPROVED,)
    )
    _still_balances(action.session, trip, [_as_move(row) for row in store.moves_of(action.session, [transshipment_id])])
    values = {"status": TransshipmentStatus.BEGUN, "begun_at": action.now, "begun_by": action.actor.account_id}
    store.update_transshipment(action.session, transshipment_id, values)
    _note(action, trip, found, TransshipmentStatus.BEGUN)


def carry_out(
    action: ActionContext, sheets: Sheets, transshipment_id: int, expected_version: int, moves: Sequence[Move]
) -> None:
    """Confirm that exactly what was approved was moved; confirms the step on the trip's sheet.

    Each receiving vehicle has its own sheet then, with its share of the goods. A vehicle that gave all it had goes home
    empty; what stays on a vehicle goes on with it.

    Raises
    ------
    ConflictError
        If what was moved differs from what was approved, the step may not be done yet, or a vehicle cannot take the
        goods.
    NotFoundError, StaleError
        If there is none at the caller's gate, or it was changed since.
    """
    trip, found = _lock(
        action, "transshipments.carry_out", transshipment_id, expected_version, TransshipmentStatus.for_the_yard()
    )
    approved = [_as_move(row) for row in store.moves_of(action.session, [transshipment_id])]
    left = load.lines_left(action.session, trip.trip_id)
    after = _still_balances(action.session, trip, approved)
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
    if after.is_emptied:  # before the step is done, so that nothing of the goods' way is released on this sheet
        guards.check(load_sheet(action.session, trip).may(Step.TRANSSHIPMENT, "confirm"))
        go_home(action, sheets, trip, own[0])
    sheets.confirm_step(action, trip.trip_id, Step.TRANSSHIPMENT, expected_version=trip.version, data=data)
    hand_over(action, sheets, trip, transshipment_id, approved, left, plate=own[0], is_emptied=after.is_emptied)


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


def _take_back(action: ActionContext, sheets: Sheets, trip: Trip) -> None:
    """The step of a trip whose transshipment falls away: done if an earlier one was carried out, else not needed."""
    is_done = bool(
        store.moved_already(action.session, trip.trip_id) or store.received_lines(action.session, trip.trip_id)
    )
    set_transshipment(action, sheets, trip, StepStatus.DONE if is_done else StepStatus.NOT_NEEDED)


def _still_balances(session: Session, trip: Trip, moves: Sequence[Move]) -> Balance:
    try:
        return balance(load.lines_left(session, trip.trip_id), moves)
    except InvalidInputError as error:
        raise ConflictError(
            "The goods of the trip {code} were declared again since; the transshipment must be registered again too.",
            code=trip.code,
        ) from error


def _lock_trip(session: Session, principal: Principal, act: str, trip_id: int) -> Trip:
    trip = lock_trip(session, visible_trips(principal, act), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    return trip


def _lock(
    action: ActionContext, act: str, transshipment_id: int, expected_version: int, statuses: Collection[str]
) -> tuple[Trip, Transshipment]:
    session = action.session
    unlocked = session.get(Transshipment, transshipment_id)
    trip = lock_trip(session, visible_trips(action.actor, act), unlocked.trip_id) if unlocked else None
    found = store.lock_transshipment(session, true(), transshipment_id) if trip else None
    if trip is None or found is None:
        raise no_transshipment(transshipment_id)
    check_version(found.version, expected_version)
    if found.status not in statuses:
        raise ConflictError(
            "The transshipment is {status}; this cannot be done any more.", status=TransshipmentStatus.get(found.status)
        )
    return trip, found


def _decide(action: ActionContext, trip: Trip, found: Transshipment, status: str, reason: str) -> None:
    values = {"status": status, "reason": reason, "decided_at": action.now, "decided_by": action.actor.account_id}
    store.update_transshipment(action.session, found.transshipment_id, values)
    _note(action, trip, found, status, after={"reason": reason} if reason else {})


def _note(
    action: ActionContext, trip: Trip, found: Transshipment, status: str, *, after: JsonObject | None = None
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


def _move_row(move: Move, goods: str) -> dict[str, object]:
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


def _plain_moves(moves: Sequence[Move]) -> list[JsonObject]:
    return [
        {
            "line": move.line,
            "from_plate": move.from_plate,
            "to_plate": move.to_plate,
            "packages": move.amount.packages,
            "weight_kg": str(move.amount.weight_kg),
        }
        for move in moves
    ]


def _difference(move: Move, done: Amount) -> str:
    return (
        f"{move.line} → {display_plate(move.to_plate)}: "
        f"{done.packages} / {done.weight_kg} kg ≠ {move.amount.packages} / {move.amount.weight_kg} kg"
    )
