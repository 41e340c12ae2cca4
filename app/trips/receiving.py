"""Trips that begin in the yard: those of vehicles that take over goods of another trip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.trips import ahead, parties, place_store, store
from app.trips.codes import new_code
from app.trips.declaration import GOODS_LENGTH
from app.trips.service import Trip, event_row, summary
from app.trips.store import find_open_trip_with_trailer as find_open_trip_with_trailer
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import Stage
from ingest.plates import display_plate
from ingest.store import find_vehicle, get_or_add_vehicle


@dataclass(frozen=True)
class GoodsOnBoard:
    """What a vehicle carries, as its trip says it: description, class of the heaviest goods, whether any spoil."""

    description: str
    goods_class: str
    perishable: bool

    def columns(self) -> dict[str, object]:
        """The columns of a trip that say it."""
        text = self.description
        short = text if len(text) <= GOODS_LENGTH else f"{text[: GOODS_LENGTH - 1]}…"
        return {"goods": short, "goods_class": self.goods_class, "perishable": self.perishable}


def lock_open_trip_of_plate(session: Session, plate: str, organisation_id: int, now: datetime) -> Trip | None:
    """The open trip of the vehicle with a plate in normal form, locked until the transaction ends.

    The one of an enterprise that it is on, or that is planned about now, else the one of another that the vehicle is
    on: what others have typed, and the vehicle has not set out on, stands in nobody's way.
    """
    vehicle = find_vehicle(session, plate)
    found = None
    if vehicle is not None:
        own = store.open_trips_of(session, vehicle.vehicle_id, organisation_id)
        found = ahead.find_near(own, now)
        if found is None and not own:
            current = store.find_open_trip(session, vehicle.vehicle_id)
            found = current if current is not None and current.stage != Stage.PLANNED else None
    return None if found is None else store.lock_trip(session, Trip.stage.in_(Stage.open()), found.trip_id)


def enter_receiver(
    action: ActionContext, giver: Trip, plate: str, trailer_plate: str | None, goods: GoodsOnBoard
) -> Trip | None:
    """Enter the trip of a vehicle that takes over goods of `giver`: its gate, regime, direction and enterprise.

    The vehicle is nobody's by being named here. Its driver is the one who is bound to it. `None` if the vehicle is on
    an open trip of that enterprise, or has one planned about now.

    Arguments: plates in normal form.
    """
    vehicle = get_or_add_vehicle(action.session, plate, plate=display_plate(plate), kind="truck", now=action.now)
    store.lock_vehicle(action.session, vehicle.vehicle_id)
    own = store.open_trips_of(action.session, vehicle.vehicle_id, giver.organisation_id)
    if ahead.find_near(own, action.now) is not None:
        return None
    trip = store.insert_trip(
        action.session,
        {
            "code": new_code(),
            "vehicle_id": vehicle.vehicle_id,
            "trailer_plate": trailer_plate,
            "driver_id": store.find_driver_of_vehicle(action.session, vehicle.vehicle_id),
            "organisation_id": giver.organisation_id,
            "regime": giver.regime,
            "direction": giver.direction,
            "gate_id": giver.gate_id,
            "planned_arrival": action.now,
            "stage": Stage.PLANNED,
            "stage_since": action.now,
            "simulated": giver.simulated,
            "created_by": action.actor_id,
            "created_at": action.now,
            **goods.columns(),
        },
    )
    parties.begin(action, trip)
    place_store.begin_places(action.session, [trip.trip_id])
    timeline = TimelineEntry(trip.trip_id, "created")
    action.record("trips.create", "trip", trip.trip_id, None, summary(trip), event=event_row(trip), timeline=timeline)
    return trip


def reload_goods(session: Session, trip: Trip, goods: GoodsOnBoard) -> None:
    """Let a locked trip say what its vehicle carries now; whoever made it so writes the timeline and the audit log."""
    store.update_trip(session, trip.trip_id, goods.columns())


def uncouple(session: Session, trip: Trip) -> None:
    """Let a locked trip go on without its trailer, because another vehicle took that over with the goods."""
    store.update_trip(session, trip.trip_id, {"trailer_plate": None})
