"""Scenarios: base and variant run side by side on the same random numbers, and what comes of it.

Every random number is shared: a truck that comes in both worlds has the same luck in both, so that a difference
is the change's and not chance's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geo.corridor import Corridor
from routing.arrays import BoolArray, FloatArray
from routing.forecast import CODE_VERSION
from routing.gates import GateSetting, assumed_settings
from routing.graph import build_network
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
from routing.scenario_trucks import apply_orders, sample_trucks
from routing.scenario_worlds import closed_roads, compile_world
from routing.series import QUANTILES, Series, series_quantiles
from routing.simulation import RunResult, ensemble, simulate
from routing.trucks import TruckBatch, sample_fleet, select_fleet

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
) -> ScenarioResult | None:
    """Run base and variant `runs` times each and compare; None if `cancelled()` became true before the end.

    Arguments: `settings`, how gates work where the scenario does not say (None: assumed from the corridor);
    `yard_capacity_veh`, by yard_id (missing ones from the corridor's sites); `progress` is told the share done.

    Raises
    ------
    InvalidInputError
        If the scenario names what the corridor does not have.
    """
    began = time.perf_counter()
    closures = closed_roads(corridor, scenario.change.closures)
    network = build_network(corridor, alone={c.road_id for c in closures})
    check_names(scenario, network.gate_ids, network.yard_ids, tuple(network.staging_link))
    known = {y: corridor.sites[y].capacity_veh for y in network.yard_ids} | dict(yard_capacity_veh or {})
    capacity = np.array([np.nan if known[y] is None else known[y] for y in network.yard_ids], float)
    gates = tuple(assumed_settings(corridor) if settings is None else settings)
    worlds = (
        compile_world(scenario, network, gates, capacity, (), changed=False),
        compile_world(scenario, network, gates, capacity, closures, changed=True),
    )
    horizon_s = scenario.horizon_h * 3600.0

    def run(number: int) -> tuple[Series, Series, FloatArray]:
        trucks_rng, *_ = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 0))).spawn(1)
        sampled = sample_trucks(network, scenario, worlds, capacity, trucks_rng)
        series = []
        totals = np.zeros((len(worlds), len(TOTALS)))
        for w, (world, keep) in enumerate(zip(worlds, sampled.comes, strict=True)):
            # The same three generators in both worlds, drawn for all trucks of either.
            services = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 1))).spawn(3)
            fleet = sample_fleet(network, apply_orders(network, world, sampled, keep), world.settings, services)
            result = simulate(
                world.links, world.gates, select_fleet(fleet, keep), horizon_s=horizon_s, step_s=scenario.step_s
            )
            series.append(Series.of(network, result))
            totals[w] = _totals(sampled.trucks.take(keep), sampled.exporting[keep], result, series[w], horizon_s)
        base, variant = series
        return base, variant, totals

    results = ensemble(run, runs, threads=threads, cancelled=cancelled, progress=progress)
    if len(results) < runs:
        return None
    base, variant = (series_quantiles([result[w] for result in results]) for w in range(2))
    totals = np.stack([totals for *_, totals in results])
    return ScenarioResult(
        scenario=scenario,
        seed=seed,
        runs=runs,
        duration_s=time.perf_counter() - began,
        step_s=scenario.step_s,
        gate_ids=network.gate_ids,
        yard_ids=network.yard_ids,
        **{name: np.stack([getattr(base, name), getattr(variant, name)]) for name in Series._fields},
        totals={name: totals[:, :, i].T for i, name in enumerate(TOTALS)},
    )


def _totals(
    trucks: TruckBatch, exporting: BoolArray, result: RunResult, series: Series, horizon_s: float
) -> tuple[float, ...]:
    """The figures of `TOTALS`, in their order, of one run of one world."""
    perishable = trucks.perishable & exporting
    came_s = np.where(trucks.to_come, trucks.ready_s, 0.0)
    hours = np.clip(np.minimum(result.exit_s, horizon_s) - came_s, 0.0, None) / 3600.0
    waits = np.clip(np.minimum(result.entrance_start_s, horizon_s) - result.unhindered_s, 0.0, None) / 3600.0
    waits[trucks.link < 0] = 0.0
    return (
        hours[exporting].sum(),
        hours[perishable].sum(),
        waits[exporting].sum(),
        waits[perishable].sum(),
        float((result.exit_s[exporting] <= horizon_s).sum()),
        float(series.queue_veh.max()),
        3600.0 * float(waits[exporting].sum()) / max(1, int(exporting.sum())),
    )
