"""The forecast: the state of the corridor, run forward many times with what is uncertain drawn again, as quantiles.

Uncertain are: travel speeds (of all trucks, of each), where a silent truck is by now, the gate of a truck that has
none, when declared trucks come and whether, how many come undeclared, how long each check, stay and crossing takes,
and how fast the gate works today (gamma posterior of the configured rate and what was observed).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from geo.errors import InvalidInputError
from routing.arrays import FloatArray
from routing.demand import CorridorState, DemandModel
from routing.measure import QueueNow
from routing.network import Network
from routing.runs import CorridorRuns
from routing.series import QUANTILES, Series, rank_quantiles, reached_quantiles, series_quantiles
from routing.simulation import ensemble

CODE_VERSION = "routing 8"
"""Stored with every forecast and scenario; raised when equal inputs give different results."""


@dataclass(frozen=True)
class Forecast:
    """Quantiles over the runs, T samples every `step_s` from `made_at` on.

    `queue_veh`, `wait_s`, `tail_km` [3, G, T] by `gate_ids`; `occupancy_veh` [3, Y, T] by `yard_ids`;
    `queue_reached_veh`, `tail_reached_km` [3, G, T], the most that a run's queue, and its tail, has come to by then;
    `truck_entrance_s` [3, N] when each truck of the state comes to where its gate serves it and `truck_free_s` [3, N]
    when it would be with nobody before it, seconds since `made_at`; inf = not, or it is through already.
    """

    made_at: datetime
    seed: int
    runs: int
    horizon_s: float
    step_s: float
    duration_s: float
    code_version: str
    quantiles: tuple[float, ...]
    gate_ids: tuple[str, ...]
    yard_ids: tuple[str, ...]
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray
    queue_reached_veh: FloatArray
    tail_reached_km: FloatArray
    truck_entrance_s: FloatArray
    truck_free_s: FloatArray
    summary: Mapping[str, Any]
    pace_veh_per_h: Mapping[str, float] = field(default_factory=dict)
    """gate_id → trucks an hour that it is expected to let in while somebody waits, where that was filtered."""
    disturbed_gates: frozenset[str] = frozenset()
    """Gates that more likely do not work as usual now than that they do."""

    def gate_index(self, gate_id: str) -> int:
        """Index of a gate on the second axis.

        Raises
        ------
        InvalidInputError
            If the forecast does not cover it.
        """
        if gate_id not in self.gate_ids:
            raise InvalidInputError(
                "There is no gate {value}; known gates: {known}.",
                field="gate",
                value=gate_id,
                known=", ".join(self.gate_ids),
            )
        return self.gate_ids.index(gate_id)

    def to_record(self) -> dict[str, object]:
        """The forecast as plain JSON values; without the trucks."""
        return {
            "made_at": self.made_at.isoformat(),
            "seed": self.seed,
            "runs": self.runs,
            "horizon_s": self.horizon_s,
            "step_s": self.step_s,
            "duration_s": round(self.duration_s, 4),
            "code_version": self.code_version,
            "quantiles": list(self.quantiles),
            "summary": dict(self.summary),
            "gates": {
                gate_id: {
                    "queue_veh": np.round(self.queue_veh[:, g], 2).tolist(),
                    "wait_s": np.round(self.wait_s[:, g], 1).tolist(),
                    "tail_km": np.round(self.tail_km[:, g], 3).tolist(),
                }
                for g, gate_id in enumerate(self.gate_ids)
            },
            "yards": {
                yard_id: {"occupancy_veh": np.round(self.occupancy_veh[:, y], 2).tolist()}
                for y, yard_id in enumerate(self.yard_ids)
            },
        }


def forecast(
    network: Network,
    state: CorridorState,
    *,
    runs: int = 200,
    horizon_s: float = 21600.0,
    step_s: float = 300.0,
    seed: int,
    model: DemandModel | None = None,
    threads: int | None = None,
) -> Forecast:
    """Run the corridor's state forward `runs` times and summarise.

    Arguments: `seed`, equal seeds and states give equal bits with any number of `threads`; `model`, assumptions on
    what is not known.

    Raises
    ------
    InvalidInputError
        If runs, horizon or step make no forecast.
    """
    if runs < 1 or step_s <= 0.0 or horizon_s < step_s:
        raise InvalidInputError(
            "A forecast of {runs} runs over {horizon_s} s in steps of {step_s} s is empty.",
            field="runs",
            runs=runs,
            horizon_s=horizon_s,
            step_s=step_s,
        )
    began = time.perf_counter()
    runs_now = CorridorRuns(network, state, seed=seed, horizon_s=horizon_s, step_s=step_s, model=model)
    sampler, queue = runs_now.sampler, runs_now.queue

    def run(number: int) -> Series:
        drawn = runs_now.draw(number)
        # Nothing that a forecast tells happens after the last truck's start at an entrance.
        gates = runs_now.gates_at(drawn.courses)
        _, result = runs_now.simulate(drawn, drawn.trucks, drawn.settings, gates, until_started=True)
        # Each run writes its own row: the trucks of all runs are the bulk of an ensemble's memory.
        entrance_s[number] = result.entrance_start_s[: drawn.n_state]
        free_s[number] = result.unhindered_s[: drawn.n_state]
        if drives_on:
            on_s = drive_s[drawn.trucks.gate[: drawn.n_state]]
            entrance_s[number] += on_s
            free_s[number] += on_s
        return Series.of(network, result)

    drive_s = _drives_on_s(network, queue)
    drives_on = bool(drive_s.any())
    known = np.flatnonzero(sampler.known)
    entrance_s, free_s = np.full((2, runs, known.size), np.inf, np.float32)
    results = ensemble(run, runs, threads=threads)
    series = series_quantiles(results)
    truck_entrance_s, truck_free_s = np.full((2, len(QUANTILES), state.n_trucks), np.inf)
    truck_entrance_s[:, known] = rank_quantiles(entrance_s)
    truck_free_s[:, known] = rank_quantiles(free_s)
    return Forecast(
        made_at=state.made_at,
        seed=seed,
        runs=len(results),
        horizon_s=horizon_s,
        step_s=step_s,
        duration_s=time.perf_counter() - began,
        code_version=CODE_VERSION,
        quantiles=QUANTILES,
        gate_ids=network.gate_ids,
        yard_ids=network.yard_ids,
        **series._asdict(),
        queue_reached_veh=reached_quantiles([each.queue_veh for each in results]),
        tail_reached_km=reached_quantiles([each.tail_km for each in results]),
        truck_entrance_s=truck_entrance_s,
        truck_free_s=truck_free_s,
        pace_veh_per_h={gate_id: pace.mean_veh_per_h for gate_id, pace in state.pace.items()},
        disturbed_gates=frozenset(gate_id for gate_id, pace in state.pace.items() if pace.is_disturbed),
        summary={
            "trucks": state.n_trucks,
            "on_road": int((sampler.link >= 0).sum()),
            "inside": int(sampler.inside.sum()),
            "declared": int(state.declared_s.size),
            "queue_now_veh": {g: float(queue.queue_veh[i]) for i, g in enumerate(network.gate_ids)},
            "seen_now_veh": {g: float(queue.seen_veh[i]) for i, g in enumerate(network.gate_ids)},
            "pace_veh_per_h": {
                g: [round(pace.quantile(q), 1) for q in QUANTILES] for g, pace in sorted(state.pace.items())
            },
            "tail_now_km": {g: round(float(queue.tail_km[i]), 3) for i, g in enumerate(network.gate_ids)},
        },
    )


def _drives_on_s(network: Network, queue: QueueNow) -> FloatArray:
    """How long trucks drive freely from where each gate's queue ends in the network to where they are served behind
    it, [gates + 1] by number of the gate; 0 for imports, and in the last place for those that come to no gate."""
    found = np.zeros(len(network.gates) + 1)
    for g, behind_km in enumerate(np.maximum(-queue.served_offset_km, 0.0)):
        link = int(network.gate_feeder[network.gate_feeder_start[g]])
        found[g] = behind_km * 1000.0 / network.free_speed_mps[link]
    return found
