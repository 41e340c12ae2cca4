"""The two worlds of a scenario, compiled: how roads, gates and demand are in the base and in the variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, Interval, OpeningHours, parse_time
from routing.arrays import FloatArray, GateArrays, LinkArrays
from routing.demand import CorridorState
from routing.gates import GateSetting, day_seconds, plain_day
from routing.network import Network
from routing.runs import as_seen, complete_settings, links_now
from routing.scenario_inputs import HOURS, Ban, Change, DemandChange, Diversion, GateChange, Hold, RoadClosure, Scenario
from routing.simulation import LIMIT_S, Closure, gate_arrays, link_arrays
from routing.yard_places import YardPlaces, replaced

GOODS: Final = ("perishable", "other")
"""Second axis of `CompiledWorld.hourly_veh`."""


@dataclass(frozen=True)
class CompiledWorld:
    """One of the two worlds, compiled."""

    settings: tuple[GateSetting, ...]
    links: LinkArrays
    gates: GateArrays
    hourly_veh: FloatArray
    """[gate, goods, hour of day] exports an hour that set out."""
    diversions: tuple[Diversion, ...]
    holds: tuple[Hold, ...]
    bans: tuple[Ban, ...]


def _changed_hours(hours: OpeningHours, change: GateChange) -> OpeningHours:
    """One interval a day with the opening and closing that a scenario gives; breaks stay."""
    if change.opens is None and change.closes is None:
        return hours
    opens_s = hours.intervals[0].opens_s if hours.intervals else 0
    closes_s = hours.intervals[-1].closes_s if hours.intervals else DAY_S
    opens_s = opens_s if change.opens is None else parse_time(change.opens)
    closes_s = closes_s if change.closes is None else parse_time(change.closes)
    return replace(hours, intervals=(Interval(opens_s, closes_s),))


def _changed(setting: GateSetting, change: GateChange | None) -> GateSetting:
    """A gate setting with what a scenario says about it."""
    if change is None:
        return setting
    crossing, entrance, dwell = setting.crossing, setting.entrance, setting.dwell
    hours = _changed_hours(crossing.hours, change)
    lanes = (change.lanes or crossing.lanes) + change.reversed_lanes
    service = crossing.service
    if change.service_mean_s is not None:
        service = replace(service, mean_s=change.service_mean_s)
    if change.cleared_exports_veh_per_day is not None:
        service = replace(service, mean_s=lanes * hours.daily_open_s / change.cleared_exports_veh_per_day)
    if change.service_cv is not None:
        service = replace(service, cv=change.service_cv)
    if change.entrance_lanes is not None or change.reversed_lanes:
        entrance = replace(entrance, lanes=(change.entrance_lanes or entrance.lanes) + change.reversed_lanes)
    if change.entrance_service_mean_s is not None:
        entrance = replace(entrance, service=replace(entrance.service, mean_s=change.entrance_service_mean_s))
    if change.entrance_service_cv is not None:
        entrance = replace(entrance, service=replace(entrance.service, cv=change.entrance_service_cv))
    if change.dwell_mean_s is not None:
        dwell = replace(dwell, mean_s=change.dwell_mean_s)
    if change.dwell_cv is not None:
        dwell = replace(dwell, cv=change.dwell_cv)
    crossing = replace(crossing, lanes=lanes, service=service, hours=hours)
    return replace(setting, crossing=crossing, entrance=entrance, dwell=dwell)


def _less_reversed(setting: GateSetting, changes: Sequence[GateChange | None]) -> GateSetting:
    """The imports of a gate without the lanes that its exports took."""
    taken = sum(change.reversed_lanes for change in changes if change is not None)
    if not taken:
        return setting
    left = setting.crossing.lanes - taken
    if left < 1:
        raise InvalidInputError(
            "{gate} has {lanes} lanes for imports; {value} cannot be reversed, at least one stays.",
            field="change.gates",
            gate=setting.gate_id,
            lanes=setting.crossing.lanes,
            value=taken,
        )
    return replace(setting, crossing=replace(setting.crossing, lanes=left))


def closed_roads(corridor: Corridor, closures: Sequence[RoadClosure]) -> list[Closure]:
    """The corridor's roads that the closures cover.

    Raises
    ------
    InvalidInputError
        If one covers none.
    """
    found = []
    for closure in closures:
        low, high = sorted((closure.km_from, closure.km_to))
        roads = [
            i
            for i, r in enumerate(corridor.roads)
            if r.road == closure.road
            and closure.direction in (r.direction, "both")
            and min(r.km_from, r.km_to) < high
            and max(r.km_from, r.km_to) > low
        ]
        if not roads:
            raise InvalidInputError(
                "No road {road} lies between km {low} and km {high}.",
                field="change.closures",
                road=closure.road,
                low=low,
                high=high,
            )
        found += [Closure(i, closure.from_h * 3600.0, closure.to_h * 3600.0) for i in roads]
    return found


def free_road_times(corridor: Corridor, free_speed_mps: Mapping[str, float]) -> FloatArray | None:
    """Free travel time of each road with the speeds that a scenario gives; None where it gives none.

    Raises
    ------
    InvalidInputError
        If the corridor has no such edge.
    """
    if not free_speed_mps:
        return None
    known = {road.edge_id for road in corridor.roads}
    for edge_id in free_speed_mps:
        if edge_id not in known:
            raise InvalidInputError("The corridor has no edge {value}.", field="world.free_speed_mps", value=edge_id)
    return np.array([road.length_m / free_speed_mps.get(road.edge_id, road.free_speed_mps) for road in corridor.roads])


def demand_factor(network: Network, changes: Sequence[DemandChange]) -> FloatArray:
    """By what the exports that set out are multiplied: [gate, goods of `GOODS`, hour of the local day]."""
    factor = np.ones((len(network.gate_ids), len(GOODS), HOURS))
    for change in changes:
        gates = slice(None) if change.gate is None else network.gate_ids.index(change.gate)
        goods = slice(None) if change.goods is None else GOODS.index(change.goods)
        factor[gates, goods, change.from_hour : change.to_hour] *= change.factor
    return factor


def compile_world(
    scenario: Scenario,
    network: Network,
    settings: Sequence[GateSetting],
    places: YardPlaces,
    closures: Sequence[Closure],
    *,
    change: Change,
    road_time_s: FloatArray | None = None,
    state: CorridorState | None = None,
) -> CompiledWorld:
    """The base with a `change` (an empty one: the base itself) as the engine takes it.

    Arguments: `places`, of all yards, from the start on; `road_time_s`, by road, where it differs from free flow on the
    network; with a `state` it begins with that.
    """
    world = scenario.world
    own = []
    complete = complete_settings(network, tuple(settings))
    for setting in complete if state is None else as_seen(state, complete):
        if setting.direction == "export":
            based = _changed(setting, world.gates.get(setting.gate_id))
            own.append(_changed(based, change.gates.get(setting.gate_id)))
        else:
            gate_id = setting.gate_id
            own.append(_less_reversed(setting, (world.gates.get(gate_id), change.gates.get(gate_id))))
    hourly = np.zeros((len(network.gate_ids), len(GOODS), HOURS))
    for g, gate_id in enumerate(network.gate_ids):
        if gate_id in world.gates:
            shares = np.array([world.perishable_share, 1.0 - world.perishable_share])
            hourly[g] = shares[:, None] * np.array(world.gates[gate_id].hourly())
    hourly *= demand_factor(network, change.demand)
    changed = {
        yard_id: replaced(
            places[yard_id], yard.capacity_veh, yard.from_h * 3600.0, None if yard.to_h is None else yard.to_h * 3600.0
        )
        for yard_id, yard in change.yards.items()
    }
    return CompiledWorld(
        settings=tuple(own),
        links=link_arrays(network, road_time_s=road_time_s, closures=closures)
        if state is None
        else links_now(network, state, closures)[0],
        gates=gate_arrays(
            network,
            own,
            yard_changes={**places, **changed},
            start=plain_day(day_seconds(scenario.start)) if state is None else state.made_at,
            hours_until_s=scenario.horizon_h * 3600.0 + LIMIT_S,
        ),
        hourly_veh=hourly,
        diversions=change.diversions,
        holds=change.holds,
        bans=change.bans,
    )
