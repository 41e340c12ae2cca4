"""The trucks of both worlds of a scenario, drawn at once, and what each world makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from routing.arrays import NO_WAY, BoolArray, FloatArray, IntArray
from routing.demand import DemandModel
from routing.gates import day_seconds
from routing.network import Network
from routing.scenario_inputs import HOURS, Scenario
from routing.scenario_worlds import GOODS, CompiledWorld
from routing.trucks import TruckBatch, sample_arrivals, sample_slowness

TRUCK_CV = DemandModel().truck_cv


@dataclass(frozen=True)
class SampledTrucks:
    """The trucks of both worlds; a truck's marks, drawn evenly in [0, 1), decide what it does in each of them."""

    trucks: TruckBatch
    comes: tuple[BoolArray, ...]
    """Whether it comes in each world, the base first."""
    exporting: BoolArray
    movable: BoolArray
    """Exports that a diversion or a hold can concern."""
    divert_mark: FloatArray
    hold_mark: FloatArray
    unseen_queue_veh: FloatArray
    """[G] of those that stand in each gate's queue at the start, how many nobody saw."""


def _in_yards(network: Network, gate: int, wanted: int, capacity_veh: FloatArray) -> TruckBatch:
    """Up to `wanted` trucks in the gate's yards, filled one after the other.

    They have long done what they came for; only the crossing holds them.
    """
    batches = [TruckBatch.of([], [], [])]
    for yard in network.yards_of(gate):
        inside = int(min(wanted, capacity_veh[yard] if np.isfinite(capacity_veh[yard]) else wanted))
        batches.append(TruckBatch.of(np.full(inside, gate), -1, 0.0, yard=yard))
        wanted -= inside
    return TruckBatch.concat(batches)


def _bumper_to_bumper(network: Network, link: int, gates: IntArray) -> TruckBatch:
    """Trucks for these gates, standing on a link from its end on."""
    ready_s = np.arange(gates.size) * network.spacing_m[link] / network.free_speed_mps[link]
    return TruckBatch.of(gates, link, ready_s)


def _gates_beyond(network: Network, link: int) -> int:
    """To how many gates' entrances a link leads."""
    return int((network.next_hop[link, : len(network.gate_ids)] != NO_WAY).sum())


def _standing(network: Network, scenario: Scenario, capacity_veh: FloatArray, rng: np.random.Generator) -> TruckBatch:
    """Trucks that stand at the gates at the start: in the yards while there is room, then on the road, bumper to
    bumper; where the queues of several gates share a road they are mixed."""
    batches = [TruckBatch.of([], [], [])]
    shared: list[int] = []
    for g, gate_id in enumerate(network.gate_ids):
        wanted = scenario.world.gates[gate_id].standing_veh if gate_id in scenario.world.gates else 0
        batches.append(_in_yards(network, g, wanted, capacity_veh))
        rest = wanted - len(batches[-1])
        entry = network.entry(g)
        if entry < 0:
            continue
        for link in reversed(network.path(entry, g)):
            if _gates_beyond(network, link) > 1:
                break
            here = int(min(rest, network.storage_veh[link]))
            batches.append(_bumper_to_bumper(network, link, np.full(here, g)))
            rest -= here
        shared += [g] * rest
    mixed: IntArray = rng.permutation(np.array(shared, np.int64))
    if mixed.size:
        first = int(mixed[0])
        for link in reversed(network.path(network.entry(first), first)):
            if _gates_beyond(network, link) > 1:
                part, mixed = np.split(mixed, [int(min(mixed.size, network.storage_veh[link]))])
                batches.append(_bumper_to_bumper(network, link, part))
    return TruckBatch.concat(batches)


def sample_trucks(
    network: Network,
    scenario: Scenario,
    worlds: Sequence[CompiledWorld],
    capacity_veh: FloatArray,
    rng: np.random.Generator,
) -> SampledTrucks:
    """Draw the trucks of one run, for all worlds at once; who stands in a yard, by the base's `capacity_veh`."""
    perishable_share = scenario.world.perishable_share
    standing = _standing(network, scenario, capacity_veh, rng)
    standing = replace(standing, perishable=rng.uniform(size=len(standing)) < perishable_share)
    exports, comes = _exports(network, scenario, worlds, rng)
    imports = _imports(network, scenario, rng)
    trucks = TruckBatch.concat([standing, exports, imports])
    n = len(trucks)
    always = np.ones(len(standing), bool), np.ones(len(imports), bool)
    exporting = np.arange(n) < n - len(imports)
    return SampledTrucks(
        trucks=replace(trucks, slowness=sample_slowness(rng, n, TRUCK_CV)),
        comes=tuple(np.concatenate([always[0], own, always[1]]) for own in comes),
        exporting=exporting,
        movable=exporting & trucks.to_come,
        divert_mark=rng.uniform(size=n),
        hold_mark=rng.uniform(size=n),
        unseen_queue_veh=np.zeros(len(network.gate_ids)),
    )


def _exports(
    network: Network, scenario: Scenario, worlds: Sequence[CompiledWorld], rng: np.random.Generator
) -> tuple[TruckBatch, tuple[BoolArray, ...]]:
    """Exports that set out in any world, and whether in each: thinned from the greatest of the rates.

    Source: P. Lewis and G. Shedler, Naval Research Logistics Quarterly 26 (1979).
    """
    start_s = day_seconds(scenario.start)
    entry = np.array([network.entry(g) for g in range(len(network.gate_ids))])
    # Hours of the local day; the first and last are cut to the scenario's time.
    hour = np.arange(int(np.ceil(scenario.horizon_h)) + 1)
    begin_s = np.maximum(0.0, hour * 3600.0 - start_s % 3600.0)
    end_s = np.minimum(scenario.horizon_h * 3600.0, (hour + 1) * 3600.0 - start_s % 3600.0)
    of_day = (int(start_s // 3600) + hour) % HOURS
    rates = [np.where((entry >= 0)[:, None, None], w.hourly_veh[:, :, of_day], 0.0) for w in worlds]
    rate = np.maximum.reduce(rates)
    shape = rate.shape
    stream, ready_s = sample_arrivals(
        rng, rate.ravel(), np.broadcast_to(begin_s, shape).ravel(), np.broadcast_to(end_s, shape).ravel()
    )
    mark = rng.uniform(size=stream.size) * rate.ravel()[stream]
    gate, goods, _ = np.unravel_index(stream, shape)
    trucks = TruckBatch.of(gate, entry[gate], ready_s, to_come=True, perishable=goods == GOODS.index("perishable"))
    return trucks, tuple(mark < own.ravel()[stream] for own in rates)


def _imports(network: Network, scenario: Scenario, rng: np.random.Generator) -> TruckBatch:
    gates = scenario.world.gates
    daily = {g: gates[gate_id].imports_veh_per_day for g, gate_id in enumerate(network.gate_ids) if gate_id in gates}
    rows = [(number, link, daily[g]) for number, g, link in network.imports() if g in daily]
    number, link, rate = np.array(rows, float).reshape(-1, 3).T
    which, ready_s = sample_arrivals(rng, rate / 24.0, 0.0, scenario.horizon_h * 3600.0)
    perishable = rng.uniform(size=which.size) < scenario.world.perishable_share
    return TruckBatch.of(number[which], link[which], ready_s, to_come=True, perishable=perishable)


def _goods(perishable: BoolArray, goods: str | None) -> BoolArray:
    if goods is None:
        return np.ones(perishable.size, bool)
    return perishable if goods == "perishable" else ~perishable


def not_banned(network: Network, world: CompiledWorld, sampled: SampledTrucks, ordered: TruckBatch) -> BoolArray:
    """Whether each truck may set out, given the gate it is `ordered` to and the bans of a world."""
    allowed = np.ones(len(ordered), bool)
    sets_out = sampled.movable & sampled.trucks.to_come
    for ban in world.bans:
        hit = sets_out & _goods(ordered.perishable, ban.goods)
        hit &= (ordered.ready_s >= ban.from_h * 3600.0) & (ordered.ready_s < ban.to_h * 3600.0)
        if ban.gate is not None:
            hit &= ordered.gate == network.gate_ids.index(ban.gate)
        allowed &= ~hit
    return allowed


def apply_orders(network: Network, world: CompiledWorld, sampled: SampledTrucks, comes: BoolArray) -> TruckBatch:
    """The trucks of one world with its diversions and holds."""
    trucks = sampled.trucks
    gate = trucks.gate.copy()
    for diversion in world.diversions:
        source, target = (network.gate_ids.index(name) for name in (diversion.from_gate, diversion.to_gate))
        chosen = (
            sampled.movable
            & (trucks.gate == source)
            & (network.next_hop[trucks.link, target] != NO_WAY)
            & _goods(trucks.perishable, diversion.goods)
            & (sampled.divert_mark < diversion.share)
        )
        gate[chosen] = target
    hold_link, hold_until = trucks.hold_link.copy(), trucks.hold_until_s.copy()
    for hold in world.holds:
        chosen = (
            sampled.movable
            & comes
            & (hold_link < 0)
            & _goods(trucks.perishable, hold.goods)
            & (sampled.hold_mark < hold.share)
        )
        if hold.gate is not None:
            chosen &= gate == network.gate_ids.index(hold.gate)
        link = network.staging_link[hold.staging]
        paths = (network.path(network.entry(g), g) for g in range(len(network.gate_ids)) if network.entry(g) >= 0)
        before = next((path[: path.index(link) + 1] for path in paths if link in path), [])
        own_s = world.links.free_time_s[before]
        beyond_s = np.append(np.cumsum(own_s[::-1])[::-1][1:], 0.0)  # from each link's end to the staging area
        # Who is past the staging area is not held by it.
        place = np.full(len(network.links), -1)
        place[before] = np.arange(len(before))
        at = np.where(trucks.to_come, 0, place[trucks.link])
        chosen &= (at >= 0) & (len(before) > 0)
        arrives_s = trucks.ready_s + beyond_s[at] + (np.where(trucks.to_come, own_s[at], 0.0) if before else 0.0)
        order: IntArray = np.flatnonzero(chosen & (arrives_s < hold.until_h * 3600.0))
        order = order[np.argsort(arrives_s[order], kind="stable")]
        release = np.full(order.size, hold.until_h * 3600.0)
        if hold.release_veh_per_h is not None:
            release += np.arange(order.size) * 3600.0 / hold.release_veh_per_h
        hold_link[order], hold_until[order] = link, release
    return replace(trucks, gate=gate, hold_link=hold_link, hold_until_s=hold_until)
