"""Transshipments as people read them, and what a trip's sheet shows of those it gave or received goods in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Role, Scope
from app.procedures.steps import VehicleRole
from app.transshipments import load, store
from app.transshipments.balance import NOTHING, Amount
from app.transshipments.schemas import (
    LinkOut,
    MoveOut,
    Received,
    ReceiverOut,
    RestOut,
    TransshipmentOnSheet,
    TransshipmentOut,
    shown_kg,
)
from app.transshipments.store import Link, NamedReceiver, NamedTransshipment
from app.transshipments.tables import TransshipmentMove
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.scope import visible_trips
from app.trips.service import Trip
from geo.errors import NotFoundError
from ingest.plates import display_plate

FIRST_PAGE: Final = PageRequest(limit=100)
SHOWN: Final = (*TransshipmentStatus.open(), TransshipmentStatus.CARRIED_OUT)
"""What a sheet shows of its transshipments: not those that came to nothing."""


def list_transshipments(
    session: Session,
    principal: Principal,
    *,
    trip_id: int | None = None,
    statuses: Collection[str] = (),
    page: PageRequest = FIRST_PAGE,
) -> Page[TransshipmentOut]:
    """Transshipments of the trips the caller may see, newest first; with `trip_id` those that it gave goods in."""
    found = store.find_transshipments(
        session,
        visible_trips(principal, "sheets.read"),
        trip_id=trip_id,
        statuses=statuses,
        before=page.before,
        limit=page.fetch,
    )
    return Page.of(
        _described(session, principal.role, found), page, lambda transshipment: transshipment.transshipment_id
    )


def get_transshipment(session: Session, principal: Principal, transshipment_id: int) -> TransshipmentOut:
    """One transshipment with both sides of its balance, for who may see the giving trip or a receiving one.

    Raises
    ------
    NotFoundError
        If the caller has none such.
    """
    visible = visible_trips(principal, "sheets.read")
    rows = store.find_transshipments(session, visible, transshipment_id=transshipment_id)
    if not rows:
        raise no_transshipment(transshipment_id)
    return _described(session, principal.role, rows)[0]


def show(session: Session, principal: Principal, trip: Trip) -> TransshipmentOnSheet | None:
    """What the sheet of a trip shows: from whom its goods came, to whom they went, what is on it now.

    `None` where no transshipment touched it. A driver is told plates, and not the others' trips.
    """
    links = store.links_of(session, trip.trip_id, SHOWN)
    if not links:
        return None
    moves: dict[tuple[int, str], list[TransshipmentMove]] = defaultdict(list)
    for move in store.moves_of(session, {link.transshipment_id for link in links}):
        moves[move.transshipment_id, move.to_plate].append(move)
    is_driver = principal.scope("sheets.read") is Scope.OWN
    received = [link for link in links if link.trip_id == trip.trip_id]
    given = [link for link in links if link.giver_id == trip.trip_id]
    left = load.lines_left(session, trip.trip_id)
    return TransshipmentOnSheet(
        vehicle_role=VehicleRole.get(str(trip.facts.get("vehicle_role", VehicleRole.CARRIER))),
        received_from=[
            _link(link, moves[link.transshipment_id, link.plate], is_giver_shown=True, is_driver=is_driver)
            for link in received
        ],
        given_to=[
            _link(link, moves[link.transshipment_id, link.plate], is_giver_shown=False, is_driver=is_driver)
            for link in given
        ],
        left=[RestOut.of(line) for line in left],
        left_kg=shown_kg(sum((line.amount.weight_kg for line in left), Decimal(0))),
    )


def _link(link: Link, moves: Sequence[TransshipmentMove], *, is_giver_shown: bool, is_driver: bool) -> LinkOut:
    plate = link.giver_plate if is_giver_shown else link.plate
    trip_id, code = (link.giver_id, link.giver_code) if is_giver_shown else (link.trip_id, link.code)
    amount = _total(moves)
    return LinkOut(
        transshipment_id=link.transshipment_id,
        status=TransshipmentStatus.get(link.status),
        plate=display_plate(plate),
        trip_id=None if is_driver else trip_id,
        code=None if is_driver else code,
        carried_out_at=link.carried_out_at,
        packages=amount.packages,
        weight_kg=shown_kg(amount.weight_kg),
        goods=list(dict.fromkeys(move.goods for move in moves)),
    )


def _total(moves: Sequence[TransshipmentMove]) -> Amount:
    return sum((Amount(move.packages, move.weight_kg) for move in moves), NOTHING)


def _described(session: Session, role: Role, found: Sequence[NamedTransshipment]) -> list[TransshipmentOut]:
    ids = [named.transshipment.transshipment_id for named in found]
    moves: dict[int, list[TransshipmentMove]] = defaultdict(list)
    for move in store.moves_of(session, ids):
        moves[move.transshipment_id].append(move)
    receivers: dict[int, list[NamedReceiver]] = defaultdict(list)
    for receiver in store.receivers_of(session, ids):
        receivers[receiver.receiver.transshipment_id].append(receiver)
    return [_describe(role, named, moves[number], receivers[number]) for named, number in zip(found, ids, strict=True)]


def _describe(
    role: Role, named: NamedTransshipment, moves: Sequence[TransshipmentMove], receivers: Sequence[NamedReceiver]
) -> TransshipmentOut:
    found, trip = named.transshipment, named.trip
    by_plate: dict[str, list[TransshipmentMove]] = defaultdict(list)
    for move in moves:
        by_plate[move.to_plate].append(move)
    return TransshipmentOut(
        transshipment_id=found.transshipment_id,
        trip_id=trip.trip_id,
        code=trip.code,
        gate_id=trip.gate_id,
        plate=named.plate,
        organisation=named.organisation,
        status=TransshipmentStatus.get(found.status),
        note=found.note,
        reason=found.reason,
        version=found.version,
        registered_at=found.registered_at,
        registered_by=named.registrant,
        decided_at=found.decided_at,
        decided_by=named.decider,
        begun_at=found.begun_at,
        begun_by=named.beginner,
        carried_out_at=found.carried_out_at,
        carried_out_by=named.worker,
        moves=[MoveOut.of(move) for move in moves],
        received=[
            Received(plate=display_plate(plate), weight_kg=shown_kg(_total(own).weight_kg))
            for plate, own in by_plate.items()
        ],
        receivers=[ReceiverOut.of(receiver, _total(by_plate[receiver.receiver.plate]), role) for receiver in receivers],
    )


def no_transshipment(transshipment_id: int) -> NotFoundError:
    """The refusal of one that the caller may not see, or that does not exist."""
    return NotFoundError(
        "There is no transshipment {transshipment_id} that you may see.", transshipment_id=transshipment_id
    )
