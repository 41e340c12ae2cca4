"""The yards' ledger kept to where trips' trucks are, and the news of how full yards are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.outbox import Audience
from app.platform.permissions import Role
from app.trips.presence import Presence
from app.trips.presence_rules import Source
from app.trips.presence_store import TripSeen
from app.trips.vocabulary import PlaceKind
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, YardState
from capacity.placing import Placement, place_trucks

EVERYBODY: Final = Audience(roles=tuple(map(str, Role)))
MOVED_BY: Final = {Source.ACT: "act", Source.HAND: "manual", Source.GPS: "gps"}
"""Who the ledger says saw a truck move; all others are devices at the gate, `camera`."""


def follow(
    session: Session,
    judged: Sequence[tuple[TripSeen, Presence]],
    now: datetime,
    former: Mapping[int, Collection[str]] = MappingProxyType({}),
) -> None:
    """Make the ledger agree with the judgement of trips, and tell how full the yards are that changed.

    A truck is entered in the yard that it is in, once, whoever saw it there; it is out of every yard once it is
    elsewhere. Of a truck that nothing is known of, the ledger keeps what it has; so it does of one somewhere in a gate
    area, whose yard there may be known from before the trip.

    Arguments: `former`, for each trip the yards that it was judged to have been in until now: an act that is undone
    takes back what followed from it.
    """
    placed = (placement_of(trip, presence, former.get(trip.trip_id, ())) for trip, presence in judged)
    touched = place_trucks(session, [placement for placement in placed if placement is not None])
    if touched:
        publish_yards(
            session, [yard for yard in capacity_store.yard_states(session, now) if yard.yard_id in touched], now
        )


def place_stranger(
    session: Session, truck: LedgerTruck, yard_id: str, time: datetime, now: datetime, *, has_left: bool = False
) -> None:
    """Enter that a truck on no trip came into a yard, or left it, as an officer's act says, and tell how full it is."""
    placement = Placement(
        truck=truck,
        yard_id=None if has_left else yard_id,
        time=time,
        source=MOVED_BY[Source.ACT],
        only_from=(yard_id,) if has_left else None,
    )
    touched = place_trucks(session, [placement])
    if touched:
        publish_yards(
            session, [yard for yard in capacity_store.yard_states(session, now) if yard.yard_id in touched], now
        )


def publish_yards(session: Session, yards: Sequence[YardState], now: datetime) -> None:
    """Tell everybody how full yards are."""
    for yard in yards:
        data = {
            "yard_id": yard.yard_id,
            "inside": yard.inside_veh,
            "free": yard.free_veh,
            "reserved": yard.reserved_veh,
            "capacity": yard.capacity_veh,
            "as_of": now.isoformat(),
        }
        outbox.publish_event(session, "yard", EVERYBODY, data, at=now)


def placement_of(trip: TripSeen, presence: Presence, former: Collection[str] = ()) -> Placement | None:
    """What the ledger has to say of a trip's truck; `None` if nothing is known of it, or its next trip says it.

    Arguments: `former`, as of `follow`.
    """
    place, begin = presence.place, presence.begins[-1]
    if trip.until is not None:
        return None
    is_known = place.kind not in {PlaceKind.PLANNED, PlaceKind.UNKNOWN} and begin.source is not None
    if not is_known and not former:
        return None
    left: Collection[str] | None = None
    if place.kind is PlaceKind.GATE_AREA or not is_known:
        left = {each.place.site_id for each in presence.begins[:-1] if each.place.site_id is not None} | {*former}
    return Placement(
        truck=LedgerTruck(trip.vehicle_id, trip.plate_norm),
        yard_id=place.site_id,
        time=presence.since,
        source="camera" if begin.source is None else MOVED_BY.get(begin.source, "camera"),
        only_from=left,
        gate_id=place.gate_id,
        entered_by=presence.since if place.is_over else None,
    )
