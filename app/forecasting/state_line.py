"""The line of trucks that reaches past a gate's barrier, where they are served nearer the border than that. Pure.

The network ends at barrier 1. At some gates, on some days, trucks go on to stand behind it and are served nearer the
border. Those who stand there, one behind the other from the barrier on, more than its lanes can be serving, wait like
those before it; the state puts them at the head of its queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.forecasting.store import TruckSeen
from app.gates.served_place import NEAR_KM, ServedPlace
from geo.corridor import Corridor
from geo.motion import is_creeping
from routing.network import Network

MAX_GAP_KM: Final = 0.15
SPARE_VEH: Final = 2
"""So many more than lanes may stand behind a barrier, on their way from it, without being a line."""
HEAD_M: Final = 1.0


@dataclass(frozen=True)
class Lines:
    """The trucks seen, those of a line past a barrier moved before it, and the gate in whose line each stands."""

    seen: tuple[TruckSeen, ...]
    in_line: Mapping[int, str]
    """Vehicle -> gate, of trucks that stand behind a barrier in a line, those being served among them."""


def find_lines(
    seen: Sequence[TruckSeen],
    corridor: Corridor,
    network: Network,
    lanes: Mapping[str, int],
    places: Mapping[str, ServedPlace],
) -> Lines:
    """Tell who stands in a line past the barrier of its gate.

    Where it is known at which place trucks are served, those are in it that stand before that place; those between it
    and the barrier have been served, if the place is inland. Elsewhere, all but as many as the gate serves at a time.
    Arguments: `lanes`, gate -> trucks that it can be serving at a time; `places`, gate -> where it serves them.
    """
    moved: dict[int, TruckSeen] = {}
    in_line: dict[int, str] = {}
    for g, gate_id in enumerate(network.gate_ids):
        entrance = _entrance(network, g)
        if entrance is None:
            continue
        entrance_km = network.road_place[entrance][1]
        place = places.get(gate_id)
        if place is not None and place.km - NEAR_KM > entrance_km:
            moved |= {truck.vehicle_id: truck for truck in _let_in(seen, corridor, network, g, place)}
        behind = sorted((truck for truck in seen if _stands_behind(truck, corridor, network, g)), key=_km, reverse=True)
        line, last_km = [], entrance_km
        for truck in behind:
            if last_km - _km(truck) > MAX_GAP_KM:
                break
            line.append(truck)
            last_km = _km(truck)
        served = lanes.get(gate_id, 1)
        if place is not None:
            line = waiting = [truck for truck in line if place.is_before(_km(truck))]
        elif len(line) <= served + SPARE_VEH:
            continue
        else:
            waiting = line[: len(line) - served]
        in_line |= {truck.vehicle_id: gate_id for truck in line}
        head_m = max(0.0, float(network.road_length_m[entrance]) - HEAD_M)
        for truck in waiting:
            moved[truck.vehicle_id] = replace(truck, road_id=entrance, offset_m=head_m, km=entrance_km, gate_id=gate_id)
    return Lines(tuple(moved.get(truck.vehicle_id, truck) for truck in seen), in_line)


def _entrance(network: Network, gate: int) -> int | None:
    """The road that ends at a gate's entrance."""
    feeder = int(network.gate_feeder[network.gate_feeder_start[gate]])
    roads = network.links[feeder].roads
    return roads[-1] if roads else None


def _let_in(
    seen: Sequence[TruckSeen], corridor: Corridor, network: Network, gate: int, place: ServedPlace
) -> list[TruckSeen]:
    """Trucks between the place, inland of the barrier, and the barrier: put behind it, since they have been served."""
    entrance = _entrance(network, gate)
    beyond = np.flatnonzero((network.road_beyond == gate) & network.road_to_border)
    if entrance is None or not beyond.size:
        return []
    road, end_km = corridor.roads[entrance].road, network.road_place[entrance][1]
    return [
        replace(truck, road_id=int(beyond[0]), offset_m=0.0, km=end_km)
        for truck in seen
        if truck.road_id is not None
        and truck.by_gps
        and corridor.roads[truck.road_id].road == road
        and network.road_to_border[truck.road_id]
        and end_km <= _km(truck) < place.km - NEAR_KM
    ]


def _stands_behind(truck: TruckSeen, corridor: Corridor, network: Network, gate: int) -> bool:
    if truck.road_id is None or truck.km is None or not truck.by_gps or not is_creeping(_speed_mps(truck)):
        return False
    site = corridor.sites.get(truck.site_id or "")
    in_yard = site is not None and site.kind in {"yard", "temporary_yard"}
    own = truck.gate_id is None or truck.gate_id == network.gate_ids[gate]
    return (
        not in_yard
        and own
        and truck.trip_direction != "import"
        and bool(network.road_to_border[truck.road_id])
        and int(network.road_beyond[truck.road_id]) == gate
    )


def _speed_mps(truck: TruckSeen) -> float:
    return float("nan") if truck.speed_mps is None else truck.speed_mps


def _km(truck: TruckSeen) -> float:
    return truck.km if truck.km is not None else 0.0
