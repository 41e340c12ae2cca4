"""What neighbours are told and asked when a sheet changes, and what they said, on the sheet.

A neighbour's outage stops none of this: messages wait, and the sheet says what is missing and since when.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.checkpoints import store as checkpoint_store
from app.checkpoints.vocabulary import Part
from app.equipment.service import weighings_of
from app.integrations import customs_effects, customs_store, registration, service
from app.integrations import store as neighbour_store
from app.integrations.customs_messages import NAME as CUSTOMS
from app.integrations.customs_messages import CustomsPassage, CustomsQuery, CustomsWeighing
from app.integrations.registration_messages import NAME as REGISTRATION
from app.platform.actions import ActionContext
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.trips.customs_numbers import CustomsShare, parse_customs_numbers
from app.trips.service import Trip
from geo.errors import InvalidInputError
from ingest.plates import country
from ingest.tables import Vehicle

ASKING: Final = frozenset({"opened", "redeclare", "undeclared", "confirm", "moved"})
"""Acts at which the register is asked for truck and trailer, if what is known of them is old."""
LATE: Final = timedelta(days=7)
"""So long after it a weighing is told by itself: no scale reports one later."""
SETTLED: Final = timedelta(minutes=1)
"""So long a weighing waits for a step that tells of it."""
DECLARING: Final = frozenset({"opened", "redeclare", "facts"})
"""Acts that can bring other declaration numbers."""


def follow_trip(session: Session, sheets: Sheets, change: SheetChange) -> None:
    """A listener of the sheet: ask and tell the neighbours that are connected."""
    connected = neighbour_store.connected(session)
    trip, now = change.trip, change.now
    if REGISTRATION in connected and change.act in ASKING:
        for plate in plates_of(session, trip):
            registration.ask(session, plate, now)
    if CUSTOMS in connected:
        _follow_customs(session, sheets, change)


def plates_of(session: Session, trip: Trip) -> list[str]:
    """The plates of a trip's truck and trailer that the country's register can know, in normal form."""
    truck = session.get_one(Vehicle, trip.vehicle_id).plate_norm
    return [plate for plate in (truck, trip.trailer_plate) if plate and country(plate) == "VN"]


def tell_late_weighings(session: Session, now: datetime) -> int:
    """Tell customs weighings that no confirmed step told of, after the last one say; of how many trips. Called by
    control each minute."""
    if CUSTOMS not in neighbour_store.connected(session):
        return 0
    late = customs_store.trips_with_untold_weighings(session, now - LATE, now - SETTLED)
    for trip_id in late:
        numbers = [each.number for each in customs_store.known_of_trip(session, trip_id)]
        _tell_weighings(session, session.get_one(Trip, trip_id), numbers, now)
    return len(late)


def _follow_customs(session: Session, sheets: Sheets, change: SheetChange) -> None:
    trip, now = change.trip, change.now
    if change.act in DECLARING and change.after:
        _link(session, trip, now)
    known = customs_store.known_of_trip(session, trip.trip_id)
    if not known:
        return
    numbers = [each.number for each in known]
    if change.act == "confirm" and change.after.get(change.step) == StepStatus.DONE:
        if Step.get(change.step).spec.is_barrier:
            _tell_passage(session, trip, change.step, numbers, now)
        _tell_weighings(session, trip, numbers, now)
    if change.after.get(Step.CUSTOMS) not in (StepStatus.DONE, None) or change.act == "redeclare":
        customs_effects.apply(ActionContext(session, None, now), sheets, trip.trip_id)


def _link(session: Session, trip: Trip, now: datetime) -> None:
    """Say which declarations the trip carries goods of, and ask for those that are new to it."""
    case = checkpoint_store.load_case(session, trip.trip_id)
    try:
        shares = parse_customs_numbers(str((case.declared or {}).get("customs_number") or ""))
    except InvalidInputError:  # declared before numbers were checked so, or noted by an officer as it stood there
        shares = []
    if len(shares) == 1 and shares[0].gross_kg is None and case.declared_kg() > 0:
        shares = [CustomsShare(shares[0].number, round(case.declared_kg()))]
    by_number = {share.number: share for share in shares}
    for number in customs_store.link(session, trip.trip_id, shares, now):
        query = CustomsQuery(
            number=number, trip_code=trip.code, plate=case.tractor, gross_kg=by_number[number].gross_kg
        )
        subject = f"query {trip.trip_id} {number} {now:%Y-%m-%dT%H:%M:%S}"
        service.send(session, CUSTOMS, query, about=number, subject=subject, now=now)


def _tell_passage(session: Session, trip: Trip, step: str, numbers: list[str], now: datetime) -> None:
    case = checkpoint_store.load_case(session, trip.trip_id)
    declared = case.values
    containers = {number for number, _ in case.containers} or declared.get(Part.CONTAINER, frozenset())
    seals = case.last_seals()
    passage = CustomsPassage(
        numbers=numbers,
        trip_code=trip.code,
        plate=case.tractor,
        trailer_plate=case.trailer,
        container_numbers=sorted(containers),
        seal_numbers=sorted(declared.get(Part.SEAL, ()) if seals is None else seals),
        gate_id=trip.gate_id,
        direction=trip.direction,
        step=step,
        at=now,
    )
    subject = f"passage {trip.trip_id} {step} {now:%Y-%m-%dT%H:%M:%S}"
    service.send(session, CUSTOMS, passage, about=trip.code, subject=subject, now=now)


def _tell_weighings(session: Session, trip: Trip, numbers: list[str], now: datetime) -> None:
    truck = session.get_one(Vehicle, trip.vehicle_id).plate_norm
    for found in weighings_of(session, trip.trip_id):
        weighing = CustomsWeighing(
            numbers=numbers,
            trip_code=trip.code,
            plate=truck,
            gross_kg=found.gross_kg,
            tare_kg=found.tare_kg,
            at=found.time,
        )
        subject = f"weighing {found.weighing_id}"
        service.send(session, CUSTOMS, weighing, about=trip.code, subject=subject, now=now)
