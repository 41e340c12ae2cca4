"""What carrying out a transshipment does to the vehicles: each that receives has a trip, the emptied one goes home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.declarations import shares as declarations
from app.declarations.form import Form
from app.declarations.form import Line as DeclaredLine
from app.declarations.personal import digests_of
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.procedures.steps import Step, StepStatus, VehicleRole
from app.sheets import handover
from app.sheets.handover import Origin
from app.sheets.service import Sheets, load_sheet
from app.transshipments import shares, store
from app.transshipments.balance import Line, Move
from app.transshipments.shares import Figures, Holding
from app.transshipments.tables import TransshipmentReceiver
from app.trips import receiving
from app.trips.service import Trip
from geo.errors import ConflictError, InvalidInputError
from ingest.plates import country, display_plate, normalise_plate, vehicle_kind

DONE_BY_CARRYING_OUT: Final = (Step.YARD, Step.TRANSSHIPMENT)
"""Steps of a receiving vehicle that the yard's confirmation shows: it stands in the yard, and has its goods."""


@dataclass(frozen=True)
class Receiver:
    """A vehicle that shall receive goods, its plates in normal form; `details` are fields of its declaration."""

    plate: str
    trailer_plate: str | None
    details: JsonObject

    def to_row(self) -> dict[str, object]:
        """The columns that keep it."""
        named = {"plate": self.plate, "trailer_plate": self.trailer_plate, "details": self.details}
        return {**named, "driver_digests": digests_of(self.details)}


def tidy(named: Sequence[Receiver], moves: Sequence[Move], own: Sequence[str]) -> list[Receiver]:
    """Every vehicle that receives goods, with its plates in normal form; one that is only named in a move too.

    Arguments: `named`, plates as written; `moves`, tidied; `own`, the plates of the giving trip.

    Raises
    ------
    InvalidInputError
        If a plate is none, is named twice, is a trailer's in place of its truck's, or a vehicle receives nothing.
    """
    found: dict[str, Receiver] = {}
    for receiver in named:
        plate = _plate(receiver.plate)
        trailer = _plate(receiver.trailer_plate) if receiver.trailer_plate else None
        if plate in found:
            raise InvalidInputError("{plate} is named twice.", field="receivers", plate=display_plate(plate))
        if trailer is not None and vehicle_kind(trailer) != "trailer":
            raise InvalidInputError(
                "{plate} is not the plate of a trailer.", field="receivers", plate=display_plate(trailer)
            )
        found[plate] = Receiver(plate, trailer, receiver.details)
    for move in moves:
        found.setdefault(move.to_plate, Receiver(move.to_plate, None, {}))
    goods = {move.to_plate for move in moves}
    for receiver in found.values():
        if vehicle_kind(receiver.plate) == "trailer":
            raise InvalidInputError(
                "{plate} is a trailer; name the truck that pulls it, and the trailer beside it.",
                field="receivers",
                plate=display_plate(receiver.plate),
            )
        if receiver.plate not in goods:
            raise InvalidInputError(
                "{plate} would receive nothing; give it a share, or leave it out.",
                field="receivers",
                plate=display_plate(receiver.plate),
            )
        if receiver.trailer_plate is not None and receiver.trailer_plate in goods & set(own):
            raise InvalidInputError(
                "{plate} is named twice.", field="receivers", plate=display_plate(receiver.trailer_plate)
            )
    return [found[plate] for plate in sorted(found)]


def check_free(
    session: Session, giver: Trip, receivers: Sequence[Receiver | TransshipmentReceiver], now: datetime
) -> None:
    """Let pass vehicles that can take over goods of a trip.

    Raises
    ------
    ConflictError
        If one is on an open trip that cannot take these goods too, or its trailer is on another one.
    """
    for receiver in receivers:
        trip = receiving.lock_open_trip_of_plate(session, receiver.plate, giver.organisation_id, now)
        if trip is not None:
            _check_joins(trip, giver, receiver.plate)
        if receiver.trailer_plate is None:
            continue
        other = receiving.find_open_trip_with_trailer(
            session, receiver.trailer_plate, giver.organisation_id, but=giver.trip_id
        )
        if other is not None and (trip is None or other.trip_id != trip.trip_id):
            raise ConflictError(
                "The trailer {plate} is on another open trip; check the plate.",
                field="receivers",
                plate=display_plate(receiver.trailer_plate),
            )


def hand_over(
    action: ActionContext,
    sheets: Sheets,
    giver: Trip,
    transshipment_id: int,
    moves: Sequence[Move],
    left: Sequence[Line],
    *,
    plate: str,
    is_emptied: bool,
) -> None:
    """Give each receiving vehicle its trip, its declaration and its sheet, or more goods on those that it has.

    Arguments: `left`, what the giving trip held before `moves`; `plate`, that of its truck.

    Raises
    ------
    ConflictError
        If a vehicle cannot take the goods.
    """
    given = declarations.declared_form(action.session, giver.trip_id)
    assert given is not None  # there were lines to move
    origin = Origin(giver, plate, is_emptied)
    parts = shares.split(given.lines, _holdings(action.session, giver, given, left), moves)
    store.write_figures(action.session, transshipment_id, [Figures.of(part) for part in parts])
    loads = shares.loads(moves, parts)
    receivers = [named.receiver for named in store.receivers_of(action.session, [transshipment_id])]
    check_free(action.session, giver, receivers, action.now)
    for receiver in receivers:
        share = {(giver.trip_id, number): line for number, line in sorted(loads[receiver.plate].items())}
        trip = _load(action, sheets, origin, given, receiver, share)
        store.link_trip(action.session, transshipment_id, receiver.plate, trip.trip_id)
        _confirm_loading(action, sheets, trip, transshipment_id)
        if receiver.trailer_plate is not None and receiver.trailer_plate == giver.trailer_plate:
            receiving.uncouple(action.session, giver)


def go_home(action: ActionContext, sheets: Sheets, giver: Trip, plate: str) -> None:
    """Let the emptied vehicle go home by the barrier on the side of its country."""
    role = VehicleRole.EMPTY_OUTWARD if country(plate) == "CN" else VehicleRole.EMPTY_INWARD
    handover.go_home_empty(action, sheets, giver, role)


def _holdings(session: Session, giver: Trip, given: Form, left: Sequence[Line]) -> dict[int, Holding]:
    """What of each line was on the giving vehicle before the moves that are carried out now."""
    taken = store.taken_figures(session, giver.trip_id)
    return {
        line.number: Holding(line.amount, Figures.of(declared) - taken.get(line.number, Figures()))
        for line, declared in zip(left, given.lines, strict=True)
    }


def _load(
    action: ActionContext,
    sheets: Sheets,
    origin: Origin,
    given: Form,
    receiver: TransshipmentReceiver,
    share: Mapping[tuple[int, int], DeclaredLine],
) -> Trip:
    enterprise_id = origin.trip.organisation_id
    trip = receiving.lock_open_trip_of_plate(action.session, receiver.plate, enterprise_id, action.now)
    if trip is None:
        form = declarations.form_of_share(given, _vehicle(receiver), list(share.values()))
        goods = declarations.goods_of(form)
        trip = receiving.enter_receiver(action, origin.trip, receiver.plate, receiver.trailer_plate, goods)
        if trip is not None:
            declarations.declare_share(action, trip.trip_id, form)
            handover.open_receiver(action, sheets, trip, origin, declarations.facts_of_share(form))
            return trip
        # Another transaction was quicker.
        trip = receiving.lock_open_trip_of_plate(action.session, receiver.plate, enterprise_id, action.now)
        if trip is None:
            raise _busy(receiver.plate)
    _check_joins(trip, origin.trip, receiver.plate)
    before = declarations.declared_form(action.session, trip.trip_id)
    assert before is not None
    earlier = store.received_lines(action.session, trip.trip_id)
    places = {(line.giver_id, line.line): place for place, line in enumerate(earlier)}
    form = replace(before, lines=tuple(shares.added(before.lines, places, share)))
    declarations.declare_share(action, trip.trip_id, form)
    receiving.reload_goods(action.session, trip, declarations.goods_of(form))
    handover.add_received(action, sheets, trip, origin, declarations.facts_of_share(form))
    return trip


def _confirm_loading(action: ActionContext, sheets: Sheets, trip: Trip, transshipment_id: int) -> None:
    for step in DONE_BY_CARRYING_OUT:
        if load_sheet(action.session, trip).state().get(step) in StepStatus.open():
            data = {"transshipment_id": transshipment_id}
            sheets.confirm_step(action, trip.trip_id, step, expected_version=trip.version, data=data)


def _check_joins(trip: Trip, giver: Trip, plate: str) -> None:
    if trip.facts.get("vehicle_role") != VehicleRole.RECEIVER:
        if trip.organisation_id == giver.organisation_id:
            raise ConflictError(
                "{plate} is on the open trip {code}; end or cancel that trip first, or name another vehicle.",
                field="receivers",
                plate=display_plate(plate),
                code=trip.code,
            )
        raise _busy(plate)
    if trip.organisation_id != giver.organisation_id:
        raise _busy(plate)
    same = ("gate_id", "direction", "regime")
    if any(getattr(trip, name) != getattr(giver, name) for name in same):
        raise ConflictError(
            "{plate} carries goods of the trip {code} at another gate or under another regime; load them on another "
            "vehicle.",
            field="receivers",
            plate=display_plate(plate),
            code=trip.code,
        )


def _busy(plate: str) -> ConflictError:
    return ConflictError(
        "{plate} is on an open trip of another enterprise; check the plate.",
        field="receivers",
        plate=display_plate(plate),
    )


def _vehicle(receiver: TransshipmentReceiver) -> JsonObject:
    plates = {
        "plate": display_plate(receiver.plate),
        "trailer_plate": display_plate(receiver.trailer_plate) if receiver.trailer_plate else "",
    }
    return {**receiver.details, **plates}


def _plate(written: str) -> str:
    try:
        return normalise_plate(written)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="receivers", **error.values) from None
