"""What the corridor's state is composed of, as it was read and before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting import arrival_store, event_store, state_store, stay_store, store
from app.forecasting.arrival_store import HourCount
from app.forecasting.demand_events import DemandEvent
from app.forecasting.places_ahead import places_ahead
from app.forecasting.state_pace import LOOK_BACK
from app.forecasting.state_store import GateExit, GatePassage, Punctuality, SeenCount
from app.forecasting.stays import StayEstimate
from app.forecasting.store import DeclaredTrip, TruckAtGate, TruckInside, TruckSeen
from app.gates.notice import GateNotice
from app.gates.profile import DeclaredLanes
from app.gates.served_place import ServedPlace
from app.gates.service import declared_lanes, known_notices, learned_places
from app.gates.vocabulary import NoticeKind
from capacity import store as capacity_store
from capacity.ledger import YardState
from geo.motion import is_queueing
from routing.yard_places import YardPlaces

SEEN_WITHIN: Final = timedelta(hours=1)
"""A truck not heard of for longer is no longer known to be where it was; standing trackers report every 15 min."""
LATE_BY: Final = timedelta(hours=3)
"""How late a declared truck may be and still be expected."""
SPEED_WINDOW: Final = timedelta(minutes=10)
HORIZON: Final = timedelta(hours=6)
"""Declared trucks planned to arrive within this belong to the state."""
COUNTED_WITHIN: Final = timedelta(hours=12)
"""Plates read in this time say who sends positions."""
PUNCTUALITY_WITHIN: Final = timedelta(days=90)
HISTORY_WITHIN: Final = timedelta(days=2 * 366)
"""Arrivals by hour are learned from so many days, in which Tết comes twice."""
SETTLED_AFTER: Final = timedelta(hours=6)
"""A trip planned to have arrived this long ago has come by now, or does not come."""


@dataclass(frozen=True)
class Readings:
    """What was read at one moment, nothing judged yet."""

    yards: tuple[YardState, ...] = ()
    yard_places: YardPlaces = field(default_factory=dict)
    """How many places yards have from now on, closures and hours of zones in it."""
    inside: tuple[TruckInside, ...] = ()
    seen: tuple[TruckSeen, ...] = ()
    at_gates: tuple[TruckAtGate, ...] = ()
    declared: tuple[DeclaredTrip, ...] = ()
    road_speed_mps: Mapping[int, float] = field(default_factory=dict)
    passages: tuple[GatePassage, ...] = ()
    imports: tuple[GatePassage, ...] = ()
    """Imports that came in from abroad."""
    exits: tuple[GateExit, ...] = ()
    drove_freely: Mapping[int, datetime] = field(default_factory=dict)
    """Vehicle → when it last drove freely, of those that are slow now."""
    served: Mapping[str, ServedPlace] = field(default_factory=dict)
    """Gate → where it serves trucks, as learned before."""
    lanes: tuple[DeclaredLanes, ...] = ()
    """How gates' lanes were changed by their profiles lately, and will be."""
    counted: SeenCount = field(default_factory=lambda: SeenCount(0, 0))
    history: tuple[HourCount, ...] = ()
    stays: Mapping[str, StayEstimate] = field(default_factory=dict)
    """How long exports stay in each gate's yards, as learned last."""
    punctuality: tuple[Punctuality, ...] = ()
    bans: tuple[GateNotice, ...] = ()
    """Intake bans of gates in force and to come."""
    events: tuple[DemandEvent, ...] = ()
    """What planners know to change who comes."""


def read(session: Session, now: datetime, *, horizon: timedelta = HORIZON) -> Readings:
    """What the stores hold of the corridor at `now`."""
    seen = store.trucks_seen(session, since=now - SEEN_WITHIN, now=now)
    slow = {truck.vehicle_id for truck in seen if truck.speed_mps is not None and is_queueing(truck.speed_mps)}
    declared = store.declared_trips(session, earliest=now - LATE_BY, latest=now + horizon)
    settled = now - SETTLED_AFTER
    return Readings(
        yards=tuple(capacity_store.yard_states(session, now)),
        yard_places=places_ahead(session, now, horizon),
        inside=tuple(store.trucks_inside(session)),
        seen=tuple(seen),
        at_gates=tuple(store.trucks_at_gates(session)),
        declared=tuple(declared),
        road_speed_mps=store.live_speeds(session, since=now - SPEED_WINDOW, now=now),
        passages=tuple(state_store.gate_passages(session, since=now - LOOK_BACK, now=now)),
        imports=tuple(state_store.import_passages(session, since=now - LOOK_BACK, now=now)),
        exits=tuple(state_store.gate_exits(session, since=now - LOOK_BACK, now=now)),
        drove_freely=state_store.drove_freely_last(session, slow, now=now),
        served=learned_places(session),
        lanes=declared_lanes(session, since=now - LOOK_BACK, until=now + horizon),
        bans=tuple(known_notices(session, kind=NoticeKind.BAN, since=now - SEEN_WITHIN)),
        events=tuple(event_store.list_events(session, since=now - SEEN_WITHIN)),
        counted=state_store.count_seen(session, since=now - COUNTED_WITHIN, now=now),
        history=tuple(arrival_store.hour_counts(session, since=now - HISTORY_WITHIN, until=now)),
        stays=stay_store.estimates(session),
        punctuality=tuple(
            state_store.punctuality(
                session,
                {trip.organisation_id for trip in declared},
                since=settled - PUNCTUALITY_WITHIN,
                until=settled,
            )
        ),
    )
