"""Scenarios: base and variant run side by side on the same random numbers, and what comes of it.

Every random number is shared: a truck that comes in both worlds has the same luck in both, so that a difference
is the change's and not chance's.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing.arrays import FleetArrays, FloatArray, GateArrays, IntArray, LinkArrays
from routing.demand import BoolArray, CorridorState
from routing.forecast import CODE_VERSION, QUANTILES, complete_settings, day_second, links_now, rank_quantiles
from routing.gates import GateSetting, Server, ServiceTime, assumed_settings, day_seconds, open_seconds
from routing.graph import Network, build_network
from routing.scenario_inputs import (
    Change,
    DemandChange,
    Diversion,
    GateChange,
    GateWorld,
    Hold,
    RoadClosure,
    Scenario,
    World,
    YardChange,
    check_names,
    library,
    load_scenario,
    parse_scenario,
)
from routing.scenario_now import PresentTrucks, demand_factor
from routing.simulation import Closure, Trucks, ensemble, gate_arrays, link_arrays, sample_fleet, simulate

__all__ = [
    "Change",
    "DemandChange",
    "Diversion",
    "GateChange",
    "GateWorld",
    "Hold",
    "RoadClosure",
    "Scenario",
    "ScenarioResult",
    "World",
    "YardChange",
    "library",
    "load_scenario",
    "parse_scenario",
    "run_scenario",
]

TOTALS = (
    "truck_hours",
    "fruit_truck_hours",
    "waiting_truck_hours",
    "fruit_waiting_truck_hours",
    "crossed_veh",
    "longest_queue_veh",
    "mean_wait_s",
)


@dataclass(frozen=True)
class ScenarioResult:
    """Base and variant; index 0 = base, 1 = variant.

    Series [2, 3 quantiles, gate or yard, T] sampled every `step_s` from the start. `totals` [2, run] by name, exports
    only, within the horizon: hours from coming in to going out, of all trucks and of those with perishable goods;
    of these the hours lost before the entrance; trucks out; longest queue at any gate; mean wait a truck.
    """

    scenario: Scenario
    seed: int
    runs: int
    duration_s: float
    step_s: float
    gate_ids: tuple[str, ...]
    yard_ids: tuple[str, ...]
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray
    totals: Mapping[str, FloatArray]

    def summary(self) -> dict[str, Any]:
        """Each total's mean in both worlds and their difference with its 95 % interval (paired runs, normal)."""
        found = {}
        for name, (base, variant) in self.totals.items():
            difference = variant - base
            mean = float(difference.mean())
            error = float(difference.std(ddof=1) / np.sqrt(difference.size)) if difference.size > 1 else 0.0
            found[name] = {
                "base": round(float(base.mean()), 2),
                "variant": round(float(variant.mean()), 2),
                "difference": round(mean, 2),
                "interval95": [round(mean - 1.96 * error, 2), round(mean + 1.96 * error, 2)],
                "significant": bool(abs(mean) > 1.96 * error),
            }
        return found

    def to_record(self) -> dict[str, Any]:
        """The result as plain JSON values."""

        def worlds(values: FloatArray, digits: int) -> dict[str, Any]:
            return {name: np.round(values[world], digits).tolist() for world, name in enumerate(("base", "variant"))}

        return {
            "scenario": self.scenario.to_record(),
            "seed": self.seed,
            "runs": self.runs,
            "code_version": CODE_VERSION,
            "duration_s": round(self.duration_s, 3),
            "start": self.scenario.start,
            "step_s": self.step_s,
            "quantiles": list(QUANTILES),
            "summary": self.summary(),
            "gates": {
                gate_id: {
                    "queue_veh": worlds(self.queue_veh[:, :, g], 2),
                    "wait_s": worlds(self.wait_s[:, :, g], 1),
                    "tail_km": worlds(self.tail_km[:, :, g], 3),
                }
                for g, gate_id in enumerate(self.gate_ids)
            },
            "yards": {
                yard_id: {"occupancy_veh": worlds(self.occupancy_veh[:, :, y], 2)}
                for y, yard_id in enumerate(self.yard_ids)
            },
        }


@dataclass(frozen=True)
class _World:
    """One of the two worlds, compiled."""

    settings: tuple[GateSetting, ...]
    links: LinkArrays
    gates: GateArrays
    hourly_veh: FloatArray
    """[gate, goods (0 perishable, 1 other), hour of day] exports an hour that set out."""
    diversions: tuple[Diversion, ...]
    holds: tuple[Hold, ...]


def _changed(setting: GateSetting, change: GateChange | None) -> GateSetting:
    """A gate setting with what a scenario says about it."""
    if change is None:
        return setting
    crossing, entrance = setting.crossing, setting.entrance
    opens = crossing.open_from_s if change.opens is None else day_seconds(change.opens)
    closes = crossing.open_to_s if change.closes is None else day_seconds(change.closes)
    lanes = change.lanes or crossing.lanes
    mean_s = crossing.service.mean_s if change.service_mean_s is None else change.service_mean_s
    if change.cleared_exports_veh_per_day is not None:
        mean_s = lanes * open_seconds(opens, closes) / change.cleared_exports_veh_per_day
    cv = crossing.service.cv if change.service_cv is None else change.service_cv
    check_s = entrance.service.mean_s if change.entrance_service_mean_s is None else change.entrance_service_mean_s
    dwell_s = setting.dwell.mean_s if change.dwell_mean_s is None else change.dwell_mean_s
    return dataclasses.replace(
        setting,
        crossing=Server(lanes, ServiceTime(mean_s, cv, crossing.service.shape), opens, closes),
        entrance=Server(
            change.entrance_lanes or entrance.lanes,
            ServiceTime(check_s, entrance.service.cv, entrance.service.shape),
            entrance.open_from_s,
            entrance.open_to_s,
        ),
        dwell=ServiceTime(dwell_s, setting.dwell.cv, setting.dwell.shape),
    )


def _closed_roads(corridor: Corridor, closures: Sequence[RoadClosure]) -> list[Closure]:
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


def _compile(
    scenario: Scenario,
    network: Network,
    settings: Sequence[GateSetting],
    capacity_veh: FloatArray,
    closures: Sequence[Closure],
    *,
    changed: bool,
    state: CorridorState | None,
) -> _World:
    """The base (`changed` False) or the variant as the engine takes it."""
    world, change = scenario.world, scenario.change if changed else Change()
    own = []
    for setting in complete_settings(network, tuple(settings)):
        if setting.direction == "export":
            based = _changed(setting, world.gates.get(setting.gate_id))
            own.append(_changed(based, change.gates.get(setting.gate_id)))
        else:
            own.append(setting)
    hourly = np.zeros((len(network.gate_ids), 2, 24))
    for g, gate_id in enumerate(network.gate_ids):
        if gate_id in world.gates:
            total = np.array(world.gates[gate_id].hourly())
            hourly[g, 0] = total * world.perishable_share
            hourly[g, 1] = total * (1.0 - world.perishable_share)
    hourly *= demand_factor(network, change.demand)
    capacity = capacity_veh.copy()
    for yard_id, yard in change.yards.items():
        capacity[network.yard_ids.index(yard_id)] = yard.capacity_veh
    return _World(
        settings=tuple(own),
        links=link_arrays(network, closures=closures) if state is None else links_now(network, state, closures)[0],
        gates=gate_arrays(
            network,
            own,
            yard_capacity_veh=capacity,
            day_second=day_seconds(scenario.start) if state is None else day_second(state.made_at),
        ),
        hourly_veh=hourly,
        diversions=change.diversions,
        holds=change.holds,
    )


@dataclass(frozen=True)
class _Crowd:
    """The trucks of both worlds; a truck's marks decide in which of them it comes and what it does there."""

    trucks: Trucks
    perishable: BoolArray
    comes: tuple[BoolArray, BoolArray]
    exporting: BoolArray
    movable: BoolArray
    """Exports that a diversion or a hold can concern."""
    divert_mark: FloatArray
    hold_mark: FloatArray


def _standing(network: Network, scenario: Scenario, capacity_veh: FloatArray, rng: np.random.Generator) -> Trucks:
    """Trucks that stand at the gates at the start: in the yard while there is room, then on the road, bumper to
    bumper; where the queues of two gates share a road they are mixed."""
    gate: list[int] = []
    link: list[int] = []
    ready: list[float] = []
    shared: list[int] = []
    n_gates = len(network.gate_ids)
    for g, gate_id in enumerate(network.gate_ids):
        wanted = scenario.world.gates[gate_id].standing_veh if gate_id in scenario.world.gates else 0
        yard = next((p.yard_id for p in network.gates if p.gate_id == gate_id and p.yard_id), None)
        room = capacity_veh[network.yard_ids.index(yard)] if yard else 0.0
        inside = int(min(wanted, room if np.isfinite(room) else wanted))
        gate += [g] * inside
        link += [-1] * inside
        # They have long done what they came for; only the crossing holds them.
        ready += [0.0] * inside
        rest = wanted - inside
        origin = next((o for o in network.origins if network.path(o, g)), None)
        if origin is None:
            continue
        for i in reversed(network.path(origin, g)):
            others = sum(network.next_hop[i, other] != -1 for other in range(n_gates))
            if others > 1:
                break
            here = int(min(rest, network.storage_veh[i]))
            gate += [g] * here
            link += [i] * here
            ready += [k * network.spacing_m[i] / network.free_speed_mps[i] for k in range(here)]
            rest -= here
        shared += [g] * rest
    mixed = rng.permutation(np.array(shared, np.int64))
    origin = next(iter(network.origins), None)
    if mixed.size and origin is not None:
        path = network.path(origin, int(mixed[0]))
        path = [i for i in path if sum(network.next_hop[i, o] != -1 for o in range(n_gates)) > 1]
        at = 0
        for i in reversed(path):
            part = mixed[at : at + int(network.storage_veh[i])]
            gate += part.tolist()
            link += [i] * part.size
            ready += [k * network.spacing_m[i] / network.free_speed_mps[i] for k in range(part.size)]
            at += part.size
    n = len(gate)
    return Trucks(
        gate=np.array(gate, np.int64),
        link=np.array(link, np.int64),
        ready_s=np.array(ready, float),
        to_come=np.zeros(n, bool),
        slowness=np.ones(n),
        hold_link=np.full(n, -1, np.int64),
        hold_until_s=np.zeros(n),
    )


def _crowd(
    network: Network, scenario: Scenario, worlds: tuple[_World, _World], capacity: FloatArray, rng: np.random.Generator
) -> _Crowd:
    """Draw the trucks of one run, for both worlds at once."""
    horizon_s = scenario.horizon_h * 3600.0
    start_s = day_seconds(scenario.start)
    standing = _standing(network, scenario, capacity, rng)
    gates: list[NDArray[Any]] = []
    links: list[NDArray[Any]] = []
    ready: list[NDArray[Any]] = []
    fruit: list[NDArray[Any]] = []
    exporting: list[NDArray[Any]] = []
    comes: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
    base, variant = worlds[0].hourly_veh, worlds[1].hourly_veh
    most = np.maximum(base, variant)
    hours = int(np.ceil(scenario.horizon_h)) + 1
    for g in range(len(network.gate_ids)):
        origin = next((o for o in network.origins if network.path(o, g)), None)
        if origin is None:
            continue
        for k in range(2):
            for h in range(hours):
                # Hours of the local day; the first and last are cut to the scenario's time.
                of_day = (int(start_s // 3600) + h) % 24
                begin = max(0.0, h * 3600.0 - start_s % 3600.0)
                end = min(horizon_s, (h + 1) * 3600.0 - start_s % 3600.0)
                rate = most[g, k, of_day]
                n = int(rng.poisson(rate * max(0.0, end - begin) / 3600.0))
                mark = rng.uniform(size=n) * rate
                gates.append(np.full(n, g))
                links.append(np.full(n, origin))
                ready.append(rng.uniform(begin, max(begin, end), n))
                fruit.append(np.full(n, k == 0))
                comes[0].append(mark < base[g, k, of_day])
                comes[1].append(mark < variant[g, k, of_day])
                exporting.append(np.ones(n, bool))
    for i, place in enumerate(network.gates):
        if place.direction != "import" or place.gate_id not in scenario.world.gates:
            continue
        daily = scenario.world.gates[place.gate_id].imports_veh_per_day
        n = int(rng.poisson(daily * scenario.horizon_h / 24.0))
        gates.append(np.full(n, i))
        links.append(np.full(n, network.gate_feeder[network.gate_feeder_start[i]]))
        ready.append(rng.uniform(0.0, horizon_s, n))
        fruit.append(rng.uniform(size=n) < scenario.world.perishable_share)
        comes[0].append(np.ones(n, bool))
        comes[1].append(np.ones(n, bool))
        exporting.append(np.zeros(n, bool))

    def joined(first: Any, rest: list[Any], kind: Any) -> Any:
        return np.concatenate([first, *rest]).astype(kind)

    n0 = standing.gate.size
    trucks = Trucks(
        gate=joined(standing.gate, gates, np.int64),
        link=joined(standing.link, links, np.int64),
        ready_s=joined(standing.ready_s, ready, float),
        to_come=joined(standing.to_come, [np.ones(x.size, bool) for x in gates], bool),
        slowness=np.ones(0),
        hold_link=np.zeros(0, np.int64),
        hold_until_s=np.zeros(0),
    )
    n = trucks.gate.size
    trucks = dataclasses.replace(
        trucks,
        slowness=np.exp(0.05 * rng.standard_normal(n)),
        hold_link=np.full(n, -1, np.int64),
        hold_until_s=np.zeros(n),
    )
    exports = joined(np.ones(n0, bool), exporting, bool)
    return _Crowd(
        trucks=trucks,
        perishable=joined(rng.uniform(size=n0) < scenario.world.perishable_share, fruit, bool),
        comes=(joined(np.ones(n0, bool), comes[0], bool), joined(np.ones(n0, bool), comes[1], bool)),
        exporting=exports,
        movable=exports & trucks.to_come,
        divert_mark=rng.uniform(size=n),
        hold_mark=rng.uniform(size=n),
    )


def _present_crowd(present: PresentTrucks, settings: Sequence[GateSetting], rng: np.random.Generator) -> _Crowd:
    """The trucks of one run that begins with the corridor as it is."""
    drawn = present.draw(rng, settings)
    n = drawn.exporting.size
    return _Crowd(
        trucks=drawn.trucks,
        perishable=drawn.perishable,
        comes=drawn.comes,
        exporting=drawn.exporting,
        movable=drawn.movable,
        divert_mark=rng.uniform(size=n),
        hold_mark=rng.uniform(size=n),
    )


def _goods(perishable: BoolArray, goods: str | None) -> BoolArray:
    if goods is None:
        return np.ones(perishable.size, bool)
    return perishable if goods == "perishable" else ~perishable


def _obey(network: Network, world: _World, crowd: _Crowd, comes: BoolArray) -> Trucks:
    """The trucks of one world with its diversions and holds."""
    gate = crowd.trucks.gate.copy()
    for diversion in world.diversions:
        source = network.gate_ids.index(diversion.from_gate)
        chosen = (
            crowd.movable
            & (crowd.trucks.gate == source)
            & (network.next_hop[crowd.trucks.link, network.gate_ids.index(diversion.to_gate)] != -1)
            & _goods(crowd.perishable, diversion.goods)
            & (crowd.divert_mark < diversion.share)
        )
        gate[chosen] = network.gate_ids.index(diversion.to_gate)
    hold_link, hold_until = crowd.trucks.hold_link.copy(), crowd.trucks.hold_until_s.copy()
    for hold in world.holds:
        chosen = (
            crowd.movable
            & comes
            & (hold_link < 0)
            & _goods(crowd.perishable, hold.goods)
            & (crowd.hold_mark < hold.share)
        )
        if hold.gate is not None:
            chosen &= gate == network.gate_ids.index(hold.gate)
        link = network.staging_link[hold.staging]
        before = network.path(network.origins[0], 0)
        before = before[: before.index(link) + 1] if link in before else [link]
        own_s = world.links.free_time_s[before]
        beyond_s = np.concatenate((np.cumsum(own_s[::-1])[::-1][1:], [0.0]))  # from each link's end to the staging area
        # Who is past the staging area is not held by it.
        at = np.array([before.index(i) if i in before else -1 for i in range(len(network.links))])[crowd.trucks.link]
        at = np.where(crowd.trucks.to_come, 0, at)
        chosen &= at >= 0
        arrives_s = crowd.trucks.ready_s + beyond_s[at] + np.where(crowd.trucks.to_come, own_s[at], 0.0)
        order: IntArray = np.flatnonzero(chosen & (arrives_s < hold.until_h * 3600.0))
        order = order[np.argsort(arrives_s[order], kind="stable")]
        release = np.full(order.size, hold.until_h * 3600.0)
        if hold.release_veh_per_h is not None:
            release += np.arange(order.size) * 3600.0 / hold.release_veh_per_h
        hold_link[order], hold_until[order] = link, release
    return dataclasses.replace(crowd.trucks, gate=gate, hold_link=hold_link, hold_until_s=hold_until)


def _select(fleet: FleetArrays, keep: BoolArray) -> FleetArrays:
    """A fleet without the trucks that do not come in this world."""
    number = np.cumsum(keep) - 1

    def those(index: IntArray) -> IntArray:
        return np.asarray(number[index[keep[index]]])

    per_truck = {
        name: getattr(fleet, name)[keep]
        for name in FleetArrays._fields
        if name not in {"on_road", "to_come", "in_yard"}
    }
    return FleetArrays(
        **per_truck, on_road=those(fleet.on_road), to_come=those(fleet.to_come), in_yard=those(fleet.in_yard)
    )


def run_scenario(
    corridor: Corridor,
    scenario: Scenario,
    *,
    seed: int,
    runs: int = 200,
    settings: Sequence[GateSetting] | None = None,
    yard_capacity_veh: Mapping[str, float] | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    threads: int | None = None,
    state: CorridorState | None = None,
) -> ScenarioResult | None:
    """Run base and variant `runs` times each and compare; None if `cancelled()` became true before the end.

    Arguments: `settings`, how gates work where the scenario does not say (None: assumed from the corridor);
    `yard_capacity_veh`, by yard_id (missing ones from the corridor's sites); `progress` is told the share done;
    `state`, the corridor now, with which a scenario of `world.begins` "now" begins.

    Raises
    ------
    InvalidInputError
        If the scenario names what the corridor does not have, or begins now and no state is given.
    """
    if (scenario.world.begins == "now") != (state is not None):
        raise InvalidInputError(
            "A scenario begins with the state of the corridor now if and only if its world.begins is now.",
            field="world.begins",
        )
    began = time.perf_counter()
    closures = _closed_roads(corridor, scenario.change.closures)
    network = build_network(corridor, alone={c.road_id for c in closures})
    check_names(scenario, network.gate_ids, network.yard_ids, tuple(network.staging_link))
    known = {y: corridor.sites[y].capacity_veh for y in network.yard_ids} | dict(yard_capacity_veh or {})
    capacity = np.array([np.nan if known[y] is None else known[y] for y in network.yard_ids], float)
    gates = tuple(assumed_settings(corridor) if settings is None else settings)
    worlds = (
        _compile(scenario, network, gates, capacity, (), changed=False, state=state),
        _compile(scenario, network, gates, capacity, closures, changed=True, state=state),
    )
    horizon_s = scenario.horizon_h * 3600.0
    n_gates, n_yards = len(network.gate_ids), len(network.yard_ids)
    factor = demand_factor(network, scenario.change.demand)
    present = None if state is None else PresentTrucks(network, state, factor, horizon_s=horizon_s)

    def one(number: int) -> tuple[FloatArray, ...]:
        crowd_rng, *_ = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 0))).spawn(1)
        if present is None:
            crowd = _crowd(network, scenario, worlds, capacity, crowd_rng)
        else:
            crowd = _present_crowd(present, worlds[0].settings, crowd_rng)
        series: list[list[FloatArray]] = [[], [], [], []]
        totals = np.zeros((2, len(TOTALS)))
        for w, world in enumerate(worlds):
            keep = crowd.comes[w]
            # The same three generators in both worlds, drawn for all trucks of either.
            services = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 1))).spawn(3)
            fleet = sample_fleet(network, _obey(network, world, crowd, keep), world.settings, services)
            result = simulate(
                world.links, world.gates, _select(fleet, keep), horizon_s=horizon_s, step_s=scenario.step_s
            )
            if present is not None:
                # At the start the queue is measured, not simulated: the engine knows of one only once it has moved.
                result.queue_veh[:n_gates, 0] = present.queue.queue_veh
                result.tail_km[:n_gates, 0] = present.queue.tail_km
            series[0].append(result.queue_veh[:n_gates])
            series[1].append(result.wait_s[:n_gates])
            series[2].append(result.tail_km[:n_gates])
            series[3].append(result.occupancy_veh[:n_yards])
            own = crowd.exporting[keep]
            fruit = crowd.perishable[keep] & own
            came = np.where(crowd.trucks.to_come[keep], crowd.trucks.ready_s[keep], 0.0)
            hours = np.clip(np.minimum(result.exit_s, horizon_s) - came, 0.0, None) / 3600.0
            waits = np.clip(np.minimum(result.entrance_start_s, horizon_s) - result.unhindered_s, 0.0, None) / 3600.0
            waits[crowd.trucks.link[keep] < 0] = 0.0
            totals[w] = (
                hours[own].sum(),
                hours[fruit].sum(),
                waits[own].sum(),
                waits[fruit].sum(),
                float((result.exit_s[own] <= horizon_s).sum()),
                float(result.queue_veh[:n_gates].max()),
                3600.0 * float(waits[own].sum()) / max(1, int(own.sum())),
            )
        return (*(np.stack(s) for s in series), totals)

    results = ensemble(one, runs, threads=threads, cancelled=cancelled, progress=progress)
    if len(results) < runs:
        return None
    stacked = [rank_quantiles(np.stack([r[i] for r in results])) for i in range(4)]
    totals = np.stack([r[4] for r in results])
    return ScenarioResult(
        scenario=scenario,
        seed=seed,
        runs=runs,
        duration_s=time.perf_counter() - began,
        step_s=scenario.step_s,
        gate_ids=network.gate_ids,
        yard_ids=network.yard_ids,
        queue_veh=stacked[0].swapaxes(0, 1),
        wait_s=stacked[1].swapaxes(0, 1),
        tail_km=stacked[2].swapaxes(0, 1),
        occupancy_veh=stacked[3].swapaxes(0, 1),
        totals={name: totals[:, :, i].T for i, name in enumerate(TOTALS)},
    )
