"""The forecast: the state of the corridor, run forward many times with what is uncertain drawn again, as quantiles.

Uncertain are: travel speeds (of all trucks, of each), where a silent truck is by now, the gate of a truck that has
none, when declared trucks come and whether, how many come undeclared, how long each check, stay and crossing takes,
and how fast the gate works today (gamma posterior of the configured rate and what was observed).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from geo.errors import InvalidInputError
from routing.arrays import FloatArray, LinkArrays
from routing.demand import CorridorState, DemandModel
from routing.gates import GateSetting, Server, default_setting
from routing.measure import measure_queues, queued_roads, standing_spacing
from routing.network import Network
from routing.sampler import Sampler
from routing.series import QUANTILES, Series, rank_quantiles, series_quantiles
from routing.simulation import LIMIT_S, ensemble, gate_arrays, link_arrays, road_times, simulate
from routing.trucks import sample_fleet

CODE_VERSION = "routing 2"
"""Stored with every forecast and scenario; raised when equal inputs give different results."""


@dataclass(frozen=True)
class Forecast:
    """Quantiles over the runs, T samples every `step_s` from `made_at` on.

    `queue_veh`, `wait_s`, `tail_km` [3, G, T] by `gate_ids`; `occupancy_veh` [3, Y, T] by `yard_ids`;
    `truck_entrance_s` [3, N] when each truck of the state is taken at the gate's entrance and `truck_free_s` [3, N]
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
    truck_entrance_s: FloatArray
    truck_free_s: FloatArray
    summary: Mapping[str, Any]

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

    def to_record(self) -> dict[str, Any]:
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


def complete_settings(network: Network, settings: tuple[GateSetting, ...]) -> tuple[GateSetting, ...]:
    """One setting for each of the network's gates and directions; defaults where none is given."""
    given = {(s.gate_id, s.direction): s for s in settings}
    return tuple(
        given.get((place.gate_id, place.direction)) or default_setting(place.gate_id, place.direction)
        for place in network.gates
    )


def _today(
    setting: GateSetting, served_veh: float, busy_lane_s: float, model: DemandModel, rng: np.random.Generator
) -> GateSetting:
    """The setting with the pace of its slower server drawn from its gamma posterior.

    Passages of a busy lane are Poisson with rate 1 / mean; the configured mean is a gamma prior that counts like
    `service_strength_veh` passages (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6).
    """
    # What paces the gate is the slower of its two servers.
    server = min(setting.crossing, setting.entrance, key=Server.rate_veh_per_h)
    mean = server.service.mean_s
    if mean <= 0.0:
        return setting
    shape = model.service_strength_veh + max(0.0, served_veh)
    rate = rng.standard_gamma(shape) / (model.service_strength_veh * mean + max(0.0, busy_lane_s))
    today = replace(server, service=server.service.scaled(1.0 / (rate * mean)))
    if server is setting.crossing:
        return replace(setting, crossing=today)
    return replace(setting, entrance=today)


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
    model = model or DemandModel()
    settings = complete_settings(network, state.gate_settings)
    queue = measure_queues(network, state)
    speed = state.road_speed_mps
    if speed is not None and network.road_link.size:
        speed = np.where(queued_roads(network, queue), np.nan, speed)
    times = road_times(network, speed) if network.road_link.size else np.zeros(0)
    links = link_arrays(network, road_time_s=times, closures=state.closures, spacing_m=standing_spacing(network, queue))
    sampler = Sampler(
        network,
        state,
        free_time_s=links.free_time_s,
        road_time_s=times,
        spacing_m=links.spacing_m,
        queued=queue.member >= 0,
        horizon_s=horizon_s,
        model=model,
    )
    base_gates = gate_arrays(
        network,
        settings,
        yard_capacity_veh=state.yard_capacity_veh,
        start=state.made_at,
        hours_until_s=horizon_s + LIMIT_S,
    )
    speed_sd = np.sqrt(np.log1p(model.speed_cv**2))

    def run(number: int) -> Series:
        streams = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,))).spawn(6)
        demand_rng, pace_rng, speed_rng, *service_rngs = streams
        today = tuple(
            _today(s, state.served_veh.get(s.gate_id, 0.0), state.busy_lane_s.get(s.gate_id, 0.0), model, pace_rng)
            if s.direction == "export"
            else s
            for s in settings
        )
        slow = float(np.exp(speed_sd * speed_rng.standard_normal()))
        run_links: LinkArrays = links._replace(free_time_s=links.free_time_s * slow)
        drawn = sampler.draw(demand_rng, {(s.gate_id, s.direction): s for s in today}, slow)
        fleet = sample_fleet(network, drawn.trucks, today, service_rngs)
        result = simulate(run_links, base_gates, fleet, horizon_s=horizon_s, step_s=step_s)
        # Each run writes its own row: the trucks of all runs are the bulk of an ensemble's memory.
        entrance_s[number] = result.entrance_start_s[: drawn.n_state]
        free_s[number] = result.unhindered_s[: drawn.n_state]
        return Series.of(network, result)

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
        truck_entrance_s=truck_entrance_s,
        truck_free_s=truck_free_s,
        summary={
            "trucks": state.n_trucks,
            "on_road": int((sampler.link >= 0).sum()),
            "inside": int(sampler.inside.sum()),
            "declared": int(state.declared_s.size),
            "queue_now_veh": {g: float(queue.queue_veh[i]) for i, g in enumerate(network.gate_ids)},
            "tail_now_km": {g: round(float(queue.tail_km[i]), 3) for i, g in enumerate(network.gate_ids)},
        },
    )
