"""Days played through the traffic engine: trucks that come when the plan has a place for them, beside trucks that come
when they like. Who waits by plan waits away from the road; who comes for nothing stands on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.yard_days.days import DAYS, PLACES, START, STEPS
from capacity.compiling import CompiledProblem
from capacity.plan import YardPlan
from capacity.problem_document import YardDocument
from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from routing.acts import Laboratory
from routing.arrays import FloatArray, IntArray
from routing.demand import CorridorState, DemandModel
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import build_network
from routing.network import Network

RUNS: Final = 16
STEP_S: Final = 600.0
LATENESS_SD_S: Final = 1200.0
SHOW_UP: Final = 0.97
"""As the days are drawn for the plan itself (`capacity.scenarios`): assumed."""
MODEL: Final = DemandModel(undeclared_factor=0.0, import_factor=0.0)


@dataclass(frozen=True)
class OnTheRoad:
    """What came of a day in the engine, means over the runs: truck-hours in the queues on the road before all gates,
    the longest of them, trucks."""

    queue_h: float
    longest_veh: float


def play_day(
    name: str, document: YardDocument, compiled: CompiledProblem, plan: YardPlan, seed: int
) -> dict[str, OnTheRoad]:
    """A day with its plan and without: the same trucks, late by the same chances, through the same gates and yards.

    Who waits for a place by plan sets out for it, and comes not before it; who gets none does not set out. The engine
    knows no kinds of places, and one yard a gate, as large as all of them.
    """
    network = build_network(Corridor.default())
    arrive_s, gate = _arrivals(document, network)
    placed = plan.yard >= 0
    gates = np.array([network.gate_ids.index(row.yard.gate_id) for row in compiled.places], np.int64)
    told_gate = np.where(placed, gates[np.where(placed, plan.yard, 0)], gate)
    told_s = np.where(placed, np.maximum(plan.place_s, 0.0), np.inf)  # without a place one does not set out
    late_s = np.abs(np.random.default_rng(seed).normal(0.0, LATENESS_SD_S, gate.size))
    told_s = np.where(plan.wait_s > 0.0, told_s + late_s, told_s)
    spread_s = np.where(plan.wait_s > 0.0, 0.0, LATENESS_SD_S)
    as_they_like = np.full(gate.size, LATENESS_SD_S)
    return {
        "plan": _play(name, document, network, told_s, spread_s, told_gate, seed),
        "nobody_plans": _play(name, document, network, arrive_s, as_they_like, gate, seed),
    }


def _arrivals(document: YardDocument, network: Network) -> tuple[FloatArray, IntArray]:
    at_s = [(truck.arrive_at[truck.gate_id] - START).total_seconds() for truck in document.trucks]
    return np.array(at_s), np.array([network.gate_ids.index(truck.gate_id) for truck in document.trucks], np.int64)


def _play(
    name: str,
    document: YardDocument,
    network: Network,
    at_s: FloatArray,
    spread_s: FloatArray,
    gate: IntArray,
    seed: int,
) -> OnTheRoad:
    day, comes = DAYS[name], np.isfinite(at_s)
    n = int(comes.sum())
    yards = {gate_id: sum(sum(places) for _, places in of_gate) for gate_id, of_gate in PLACES.items()}
    gate_of = dict(zip(network.yard_ids, (network.gate_ids[g] for g in network.yard_gate), strict=True))
    is_main = [yard_id in {of_gate[0][0] for of_gate in PLACES.values()} for yard_id in network.yard_ids]
    capacity = np.array(
        [float(yards[gate_of[yard]]) if main else 0.0 for yard, main in zip(network.yard_ids, is_main, strict=True)]
    )
    state = CorridorState(
        made_at=START,
        declared_s=at_s[comes],
        declared_gate=gate[comes],
        declared_perishable=np.array([truck.perishable for truck in document.trucks])[comes],
        declared_lateness_s=np.zeros(n),
        declared_lateness_sd_s=spread_s[comes],
        declared_show_up=np.full(n, SHOW_UP),
        yard_capacity_veh=capacity,
        yard_inside_veh=np.round(capacity * day.full),
        gate_settings=tuple(_settings(document)),
    )
    laboratory = Laboratory(network, state, seed=seed, horizon_s=STEPS * document.step_s, step_s=STEP_S, model=MODEL)
    trial = laboratory.run([()], RUNS)
    queue_veh = trial.queue_veh[:, 0].sum(axis=1)
    return OnTheRoad(float(trial.queue_hours[:, 0].sum(axis=-1).mean()), float(queue_veh.max(axis=-1).mean()))


def _settings(document: YardDocument) -> list[GateSetting]:
    stay_h = {stay.stay_id: stay.mean_s for stay in document.stays}
    mean_s = float(np.mean([stay_h[truck.stay or document.stays[0].stay_id] for truck in document.trucks]))
    return [
        GateSetting(
            gate.gate_id,
            "export",
            crossing=Server(
                1, ServiceTime(3600.0 / gate.crossing_veh_per_h, 0.5), OpeningHours.parse(gate.opening_hours)
            ),
            entrance=Server(2, ServiceTime(60.0, 0.5), OpeningHours.parse("05:00–22:00")),
            dwell=ServiceTime(mean_s, 0.7),
        )
        for gate in document.gates
    ]
