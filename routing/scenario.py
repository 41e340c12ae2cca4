"""Scenarios: base and variant run side by side on the same random numbers, and what comes of it.

Every random number is shared: a truck that comes in both worlds has the same luck in both, so that a difference
is the change's and not chance's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geo.corridor import Corridor
from routing.arrays import FloatArray
from routing.demand import CorridorState
from routing.forecast import CODE_VERSION
from routing.gates import GateSetting, assumed_settings
from routing.graph import build_network
from routing.scenario_additions import extend
from routing.scenario_inputs import (
    Ban,
    Change,
    Costs,
    DemandChange,
    Diversion,
    GateChange,
    GateWorld,
    Hold,
    RoadClosure,
    Scenario,
    Variant,
    World,
    YardChange,
    dump_scenario,
    library,
    load_scenario,
    parse_scenario,
)
from routing.scenario_records import ResultRecord, TotalRecord, VariantRecord, Worlds
from routing.series import QUANTILES, Series, rank_quantiles
from routing.study import TOTALS, Spread, StudyInputs, run_in_threads, worlds_of
from routing.yard_places import PlacesFrom, YardPlaces

__all__ = [
    "Ban",
    "Change",
    "Costs",
    "DemandChange",
    "Diversion",
    "GateChange",
    "GateWorld",
    "Hold",
    "RoadClosure",
    "Scenario",
    "ScenarioResult",
    "Variant",
    "World",
    "YardChange",
    "dump_scenario",
    "library",
    "load_scenario",
    "parse_scenario",
    "run_scenario",
]


@dataclass(frozen=True)
class ScenarioResult:
    """Base and variants; index 0 = base, 1 = the scenario's change or first variant, then the other variants.

    Series [world, 3 quantiles, gate or yard, T] sampled every `step_s` from the start. `totals` [world, run] by name,
    exports only, within the horizon: hours from coming in to going out, of all trucks and of those with perishable
    goods; of these the hours lost before the entrance; trucks out; longest queue at any gate; mean wait a truck;
    perishable goods lost by their hours on the corridor; what that and the truck-hours cost, by `scenario.costs`.
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

    def summary(self, world: int = 1) -> dict[str, TotalRecord]:
        """Each total's mean in the base and another world, and their difference: paired runs on common random numbers,
        its mean with the 95 % interval (normal), and between what it lies in eight of ten runs."""
        found: dict[str, TotalRecord] = {}
        for name, values in self.totals.items():
            base, variant = values[0], values[world]
            difference = variant - base
            mean = float(difference.mean())
            error = float(difference.std(ddof=1) / np.sqrt(difference.size)) if difference.size > 1 else 0.0
            found[name] = {
                "base": round(float(base.mean()), 2),
                "variant": round(float(variant.mean()), 2),
                "difference": round(mean, 2),
                "interval95": [round(mean - 1.96 * error, 2), round(mean + 1.96 * error, 2)],
                "significant": bool(abs(mean) > 1.96 * error),
                "range80": [round(float(q), 2) for q in np.quantile(difference, (0.1, 0.9))],
            }
        return found

    def variants(self) -> list[VariantRecord]:
        """What each variant makes of the totals, in the scenario's order."""
        return [
            {"name": variant.name, "title": variant.title, "summary": self.summary(world)}
            for world, variant in enumerate(self.scenario.compared(), 1)
        ]

    def to_record(self) -> ResultRecord:
        """The result as plain JSON values."""
        names = ("base", "variant", *(variant.name for variant in self.scenario.compared()[1:]))

        def worlds(values: FloatArray, digits: int) -> Worlds:
            return {name: np.round(world, digits).tolist() for name, world in zip(names, values, strict=True)}

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
            "variants": self.variants(),
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


def study_inputs(
    corridor: Corridor,
    scenario: Scenario,
    *,
    seed: int,
    settings: Sequence[GateSetting] | None = None,
    yard_places: YardPlaces | None = None,
    state: CorridorState | None = None,
) -> StudyInputs:
    """What the runs of a scenario depend on; arguments as of `run_scenario`.

    Raises
    ------
    InvalidInputError
        If the scenario's additions do not fit the corridor.
    """
    extended = extend(corridor, scenario.additions)
    network = build_network(extended)
    drawn = {yard_id: extended.sites[yard_id].capacity_veh for yard_id in network.yard_ids}
    known = {yard_id: (PlacesFrom(0.0, np.nan if veh is None else float(veh)),) for yard_id, veh in drawn.items()}
    return StudyInputs(
        corridor=extended,
        scenario=scenario,
        seed=seed,
        settings=_settings(corridor, extended, settings),
        added=frozenset(extended.sites) - frozenset(corridor.sites),
        yard_places={yard_id: (yard_places or {}).get(yard_id, own) for yard_id, own in known.items()},
        state=state,
    )


def run_scenario(
    corridor: Corridor,
    scenario: Scenario,
    *,
    seed: int,
    runs: int = 200,
    settings: Sequence[GateSetting] | None = None,
    yard_places: YardPlaces | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    threads: int | None = None,
    state: CorridorState | None = None,
    spread: Spread | None = None,
) -> ScenarioResult | None:
    """Run base and variant `runs` times each and compare; None if `cancelled()` became true before the end.

    Arguments: `settings`, how gates work where the scenario does not say (None: assumed from the corridor);
    `yard_places`, from the start on (missing ones from the corridor's sites); `progress` is told the share done;
    `state`, the corridor now, with which a scenario of `world.begins` "now" begins; `spread`, where the runs are done
    (None: in `threads` of this process). The result does not depend on where.

    Raises
    ------
    InvalidInputError
        If the scenario names what the corridor does not have, or begins now and no state is given.
    """
    began = time.perf_counter()
    inputs = study_inputs(corridor, scenario, seed=seed, settings=settings, yard_places=yard_places, state=state)
    network = build_network(inputs.corridor)
    spread = run_in_threads(threads) if spread is None else spread
    chunks = spread(inputs, runs, progress=progress, cancelled=cancelled)
    if chunks is None:
        return None
    curves = [Series(*map(rank_quantiles, world)) for world in worlds_of(chunks)]
    totals = np.concatenate([chunk.totals for chunk in chunks])
    return ScenarioResult(
        scenario=scenario,
        seed=seed,
        runs=runs,
        duration_s=time.perf_counter() - began,
        step_s=scenario.step_s,
        gate_ids=network.gate_ids,
        yard_ids=network.yard_ids,
        **{name: np.stack([getattr(world, name) for world in curves]) for name in Series._fields},
        totals={name: totals[:, :, i].T for i, name in enumerate(TOTALS)},
    )


def _settings(
    corridor: Corridor, extended: Corridor, settings: Sequence[GateSetting] | None
) -> tuple[GateSetting, ...]:
    """How all gates work: as given, new ones as their features say."""
    if settings is None:
        return tuple(assumed_settings(extended))
    old = {gate.gate_id or gate.site_id for gate in corridor.gates()}
    return *settings, *(own for own in assumed_settings(extended) if own.gate_id not in old)
