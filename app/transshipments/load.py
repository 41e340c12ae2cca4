"""What a trip carries, as declared and less what was transshipped already."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.orm import Session

from app.platform.json import JsonObject
from app.transshipments import store
from app.transshipments.balance import NOTHING, Amount, Line
from app.trips.service import Trip


def lines_left(session: Session, trip_id: int) -> list[Line]:
    """The declared lines with what earlier transshipments left of them; lines count from 1."""
    moved = store.moved_already(session, trip_id)
    lines = []
    for number, declared in enumerate(store.declared_lines(session, trip_id), 1):
        amount = declared_amount(declared) - moved.get(number, NOTHING)
        lines.append(Line(number, str(declared.get("description") or ""), amount, str(declared.get("packaging") or "")))
    return lines


def moved_kg(session: Session, trip_id: int) -> Decimal:
    """How much of what a trip declared is on other vehicles."""
    return sum((amount.weight_kg for amount in store.moved_already(session, trip_id).values()), Decimal(0))


def declared_amount(line: JsonObject) -> Amount:
    """How much a declared line holds: packages (0 for goods in bulk) and gross weight, or net if there is only that."""
    weight = line.get("gross_weight_kg") or line.get("net_weight_kg") or 0
    return Amount(int(Decimal(str(line.get("packages") or 0))), Decimal(str(weight)))


def plates_of(session: Session, trip: Trip) -> list[str]:
    """The plates of a trip's vehicles in normal form: the truck, then the trailer."""
    truck = store.plate_of(session, trip.vehicle_id)
    return [truck, trip.trailer_plate] if trip.trailer_plate else [truck]


def plates_of_trip(session: Session, trip_id: int) -> list[str]:
    """As `plates_of`, by the trip's id."""
    return plates_of(session, session.get_one(Trip, trip_id))


def steps_of(session: Session, trip_id: int) -> dict[str, str]:
    """The status of each step on a trip's sheet."""
    return store.step_statuses(session, trip_id)
