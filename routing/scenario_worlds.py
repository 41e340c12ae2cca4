"""The two worlds of a scenario, compiled: how roads, gates and demand are in the base and in the variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, Interval, OpeningHours, parse_time
from routing.arrays import FloatArray, GateArrays, LinkArrays
from routing.forecast import complete_settings
from routing.gates import GateSetting, day_seconds, plain_day
from routing.network import Network
from routing.scenario_inputs import HOURS, Change, Diversion, GateChange, Hold, RoadClosure, Scenario
from routing.simulation import LIMIT_S, Closure, gate_arrays, link_arrays

GOODS = ("perishable", "other")
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
    lanes = change.lanes or crossing.lanes
    service = crossing.service
    if change.service_mean_s is not None:
        service = replace(service, mean_s=change.service_mean_s)
    if change.cleared_exports_veh_per_day is not None:
        service = replace(service, mean_s=lanes * hours.daily_open_s / change.cleared_exports_veh_per_day)
    if change.service_cv is not None:
        service = replace(service, cv=change.service_cv)
    if change.entrance_lanes is not None:
        entrance = replace(entrance, lanes=change.entrance_lanes)
    if change.entrance_service_mean_s is not None:
        entrance = replace(entrance, service=replace(entrance.service, mean_s=change.entrance_service_mean_s))
    if change.dwell_mean_s is not None:
        dwell = replace(dwell, mean_s=change.dwell_mean_s)
    crossing = replace(crossing, lanes=lanes, service=service, hours=hours)
    return replace(setting, crossing=crossing, entrance=entrance, dwell=dwell)


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


def compile_world(
    scenario: Scenario,
    network: Network,
    settings: Sequence[GateSetting],
    capacity_veh: FloatArray,
    closures: Sequence[Closure],
    *,
    changed: bool,
) -> CompiledWorld:
    """The base (`changed` False) or the variant as the engine takes it."""
    world, change = scenario.world, scenario.change if changed else Change()
    own = []
    for setting in complete_settings(network, tuple(settings)):
        if setting.direction == "export":
            based = _changed(setting, world.gates.get(setting.gate_id))
            own.append(_changed(based, change.gates.get(setting.gate_id)))
        else:
            own.append(setting)
    hourly = np.zeros((len(network.gate_ids), len(GOODS), HOURS))
    for g, gate_id in enumerate(network.gate_ids):
        if gate_id in world.gates:
            shares = np.array([world.perishable_share, 1.0 - world.perishable_share])
            hourly[g] = shares[:, None] * np.array(world.gates[gate_id].hourly())
    for demand in change.demand:
        gates = range(len(network.gate_ids)) if demand.gate is None else [network.gate_ids.index(demand.gate)]
        for g in gates:
            for k, goods in enumerate(GOODS):
                if demand.goods in {None, goods}:
                    hourly[g, k, demand.from_hour : demand.to_hour] *= demand.factor
    capacity = capacity_veh.copy()
    for yard_id, yard in change.yards.items():
        capacity[network.yard_ids.index(yard_id)] = yard.capacity_veh
    return CompiledWorld(
        settings=tuple(own),
        links=link_arrays(network, closures=closures if changed else ()),
        gates=gate_arrays(
            network,
            own,
            yard_capacity_veh=capacity,
            start=plain_day(day_seconds(scenario.start)),
            hours_until_s=scenario.horizon_h * 3600.0 + LIMIT_S,
        ),
        hourly_veh=hourly,
        diversions=change.diversions,
        holds=change.holds,
    )
