"""Who waits for a gate: in its line, before its barrier by others' word, or held on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from app.forecasting.state_line import Lines
from app.forecasting.state_readings import Readings
from app.forecasting.store import TruckSeen
from app.trips.vocabulary import PlaceKind
from geo.motion import is_queueing
from routing.demand import CorridorState
from routing.measure import QueueNow
from routing.network import Network


@dataclass(frozen=True)
class WaitingTruck:
    """A truck that waits for a gate, with its trip if it has one.

    `way_m` is its way to the entrance, negative behind it where trucks are served nearer the border; `None` where it is
    there by others' word than its GPS'. `worth_veh`: for how many trucks it stands, those that nobody sees included.
    """

    vehicle_id: int
    trip_id: int | None
    gate_id: str
    way_m: float | None
    worth_veh: float
    since: datetime | None
    """When it began to wait."""
    perishable: bool
    held_until: datetime | None = None
    """Held by order until then; it stands in no line."""


@dataclass(frozen=True)
class Waiting:
    """Who waits now, and what is recorded of those that wait no more."""

    trucks: tuple[WaitingTruck, ...] = ()
    went_in: Mapping[int, datetime] = field(default_factory=dict)
    """Vehicle → when it was last known to have gone in at a gate, or to be inside."""
    seen: frozenset[int] = frozenset()
    """Vehicles seen on roads that lead to a gate's entrance."""


def find_waiting(
    readings: Readings,
    put: Sequence[TruckSeen],
    lines: Lines,
    state: CorridorState,
    queue: QueueNow,
    network: Network,
) -> Waiting:
    """Who waits, out of a state that was composed.

    Those waiting are the trucks of the measured queue; those that others saw join the line of their gate (an officer, a
    camera) though the measured queue ends before them; and those that stand held by order.
    Arguments: `put`, the trucks seen before those past a barrier were moved. First rows of `state` are `lines.seen`.
    """
    now = state.made_at
    there = {truck.vehicle_id: truck for truck in readings.at_gates}
    real_km = {truck.vehicle_id: truck.km for truck in put}
    trucks = []
    for i, truck in enumerate(lines.seen):
        known = there.get(truck.vehicle_id)
        is_queued = known is not None and known.kind == PlaceKind.QUEUED and truck.speed_mps is not None
        is_held = truck.hold_until is not None and truck.hold_until > now
        is_standing = truck.speed_mps is not None and bool(is_queueing(truck.speed_mps))
        in_line = queue.member[i] >= 0 or (is_queued and not is_held)
        if not np.isfinite(queue.way_m[i]) or not (in_line or (is_held and is_standing and truck.trip_id is not None)):
            continue
        way_m = float(queue.way_m[i])
        km = real_km.get(truck.vehicle_id)
        if truck.vehicle_id in lines.in_line and km is not None and truck.km is not None:
            way_m += (km - truck.km) * 1000.0
        since = known.since if known is not None else None
        trucks.append(
            WaitingTruck(
                vehicle_id=truck.vehicle_id,
                trip_id=truck.trip_id,
                gate_id=network.gate_ids[int(queue.bound[i])],
                way_m=way_m if truck.by_gps else None,
                worth_veh=float(queue.worth_veh[i]),
                since=readings.drove_freely.get(truck.vehicle_id, since),
                perishable=truck.perishable,
                held_until=truck.hold_until if is_held else None,
            )
        )
    beyond = [truck.vehicle_id for truck in lines.seen if _is_beyond(truck, network)]
    before = [truck.vehicle_id for i, truck in enumerate(lines.seen) if np.isfinite(queue.way_m[i])]
    return Waiting(tuple(trucks), _went_in(readings, now) | dict.fromkeys(beyond, now), frozenset(before))


def _is_beyond(truck: TruckSeen, network: Network) -> bool:
    """Whether a truck is on a road behind a gate's entrance, on its way to the border."""
    road = truck.road_id
    return road is not None and bool(network.road_to_border[road]) and int(network.road_beyond[road]) >= 0


def _went_in(readings: Readings, now: datetime) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for passage in readings.passages:
        if passage.vehicle_id is not None:
            found[passage.vehicle_id] = max(passage.time, found.get(passage.vehicle_id, passage.time))
    behind = [truck.vehicle_id for truck in readings.at_gates if truck.kind == PlaceKind.GATE_AREA]
    inside = [truck.vehicle_id for truck in readings.inside if truck.vehicle_id is not None]
    return found | dict.fromkeys([*behind, *inside], now)
