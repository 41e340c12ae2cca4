"""Runs of the corridor from its state now: what is uncertain is drawn once a run, then the engine runs it.

The one home of how a run is drawn: the live forecast takes runs as they are, acts change what was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np

from routing.arrays import FleetArrays, FloatArray, GateArrays, LinkArrays
from routing.demand import CorridorState, DemandModel
from routing.gates import GateSetting, Server, default_setting
from routing.measure import QueueNow, measure_queues, queued_roads, standing_spacing
from routing.network import Network
from routing.pace import PaceDraw, changing, paced, paced_imports, usual_rate
from routing.sampler import Sampler
from routing.simulation import LIMIT_S, Closure, RunResult, gate_arrays, link_arrays, road_times, simulate
from routing.trucks import TruckBatch, sample_fleet

MAX_UNNOTICED_S: Final = 150.0
"""A truck that moves reports within 30 s, relayed within 2 min (TT 09/2015, article 4): not heard of for longer, it
stands where it stood."""


class _Stream(IntEnum):
    """What random numbers of a run are for: each has a stream of its own."""

    DEMAND = 0
    PACE = 1
    SPEED = 2
    ENTRANCE = 3
    STAY = 4
    CROSSING = 5
    ERROR = 6
    CHECK = 7


@dataclass(frozen=True)
class DrawnRun:
    """What was drawn for a run: how gates work and how their pace changes, the links, the trucks.

    The first `n_state` of `trucks` are those of the state; `more_veh` [G], how many trucks more than were seen stand in
    each gate's queue; `busy_s` [gates, lanes], how long lanes go on checking trucks that are in them now.
    """

    number: int
    settings: tuple[GateSetting, ...]
    courses: Mapping[str, PaceDraw]
    links: LinkArrays
    trucks: TruckBatch
    n_state: int
    more_veh: FloatArray
    busy_s: FloatArray


class CorridorRuns:
    """The corridor now, ready to be run; what all runs share is worked out once.

    `links` and `gates` as they are without what is drawn, `settings` one a gate and direction, `queue` the measured
    queues.
    """

    def __init__(
        self,
        network: Network,
        state: CorridorState,
        *,
        seed: int,
        horizon_s: float = 21600.0,
        step_s: float = 300.0,
        model: DemandModel | None = None,
    ) -> None:
        """Equal seeds and states give equal bits; `model`, assumptions on what is not known."""
        self.network, self.state, self.seed = network, state, seed
        self.horizon_s, self.step_s = horizon_s, step_s
        self.model = model or DemandModel()
        self.settings = with_hours(state, complete_settings(network, state.gate_settings))
        self.links, road_time_s, self.queue = links_now(network, state, state.closures)
        self.sampler = Sampler(
            network,
            state,
            free_time_s=self.links.free_time_s,
            road_time_s=road_time_s,
            spacing_m=self.links.spacing_m,
            queued=self.queue.member >= 0,
            horizon_s=horizon_s,
            model=self.model,
        )
        self.gates = gate_arrays(
            network,
            self.settings,
            yard_capacity_veh=state.yard_capacity_veh,
            yard_changes=state.yard_changes,
            start=state.made_at,
            hours_until_s=horizon_s + LIMIT_S,
        )
        self._speed_sd = float(np.sqrt(np.log1p(self.model.speed_cv**2)))
        self._unnoticed_veh = unnoticed_veh(network, state, self.queue)
        self._checks_others = bool(self.queue.checks_others.any())

    def draw(self, number: int) -> DrawnRun:
        """What is uncertain, for the run of this number."""
        today, courses = settings_today(self.state, self.settings, self.model, self._rng(number, _Stream.PACE))
        slow = float(np.exp(self._speed_sd * self._rng(number, _Stream.SPEED).standard_normal()))
        by_gate: dict[tuple[str, str], GateSetting] = {(s.gate_id, s.direction): s for s in today}
        drawn = self.sampler.draw(self._rng(number, _Stream.DEMAND), by_gate, slow)
        error_veh = np.zeros_like(self._unnoticed_veh)
        if self._unnoticed_veh.any():
            error_veh = measurement_error(self._rng(number, _Stream.ERROR), self._unnoticed_veh)
        busy_s = self.gates.entrance_busy_s
        if self._checks_others:
            busy_s = checks_left(self._rng(number, _Stream.CHECK), self.network, today, self.queue)
        return DrawnRun(
            number=number,
            settings=today,
            courses=courses,
            links=self.links._replace(free_time_s=self.links.free_time_s * slow),
            trucks=drawn.trucks,
            n_state=drawn.n_state,
            more_veh=drawn.unseen_queue_veh + error_veh,
            busy_s=busy_s,
        )

    def gates_at(self, courses: Mapping[str, PaceDraw]) -> GateArrays:
        """The gates with courses of their pace."""
        return changing(self.gates, self.network, courses)

    def simulate(
        self,
        drawn: DrawnRun,
        trucks: TruckBatch,
        settings: Sequence[GateSetting],
        gates: GateArrays,
        *,
        until_started: bool = False,
    ) -> tuple[FleetArrays, RunResult]:
        """Run trucks through gates on what was drawn; `until_started` as in `routing.simulation.simulate`.

        Whatever trucks and settings it is given, a run draws the same service times for the same trucks.
        """
        services = [self._rng(drawn.number, each) for each in (_Stream.ENTRANCE, _Stream.STAY, _Stream.CROSSING)]
        start_s = self.sampler.start_of_day_s
        fleet = sample_fleet(self.network, trucks, settings, services, start_of_day_s=start_s)
        if self.state.check_factor is not None:  # the trucks of the state come first, in its order
            fleet.entrance_s[: drawn.n_state] *= self.state.check_factor[self.sampler.known]
        gates = gates._replace(entrance_busy_s=drawn.busy_s)
        result = simulate(
            drawn.links, gates, fleet, horizon_s=self.horizon_s, step_s=self.step_s, until_started=until_started
        )
        begin_measured(result, self.queue, drawn.more_veh)
        return fleet, result

    def _rng(self, number: int, stream: _Stream) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, stream)))


def complete_settings(network: Network, settings: tuple[GateSetting, ...]) -> tuple[GateSetting, ...]:
    """One setting for each of the network's gates and directions; defaults where none is given."""
    given = {(s.gate_id, s.direction): s for s in settings}
    return tuple(
        given.get((place.gate_id, place.direction)) or default_setting(place.gate_id, place.direction)
        for place in network.gates
    )


def settings_today(
    state: CorridorState, settings: Sequence[GateSetting], model: DemandModel, rng: np.random.Generator
) -> tuple[tuple[GateSetting, ...], dict[str, PaceDraw]]:
    """The settings with the pace of each gate drawn, by direction, and the courses of those paces that were filtered.

    Where the pace of the entrance was filtered, it is drawn from that. Otherwise the slower server's is, from its gamma
    posterior: passages of a busy lane are Poisson with rate 1 / mean; the configured mean is a gamma prior that counts
    like `service_strength_veh` passages (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6).
    """
    today, courses = [], {}
    for setting in settings:
        pace = state.pace.get(setting.gate_id)
        if setting.direction != "export":
            lets_in = state.import_pace.get(setting.gate_id)
            today.append(setting if lets_in is None else paced_imports(setting, lets_in.draw(rng).rate_veh_per_h))
        elif pace is None:
            today.append(_today(state, setting, model, rng))
        else:
            courses[setting.gate_id] = course = pace.draw(rng)
            today.append(paced(setting, course.rate_veh_per_h, pace))
    return tuple(today), courses


def _today(state: CorridorState, setting: GateSetting, model: DemandModel, rng: np.random.Generator) -> GateSetting:
    # What paces the gate is the slower of its two servers.
    server = min(setting.crossing, setting.entrance, key=Server.rate_veh_per_h)
    mean = server.service.mean_s
    if mean <= 0.0:
        return setting
    shape = model.service_strength_veh + max(0.0, state.served_veh.get(setting.gate_id, 0.0))
    busy_lane_s = max(0.0, state.busy_lane_s.get(setting.gate_id, 0.0))
    rate = rng.standard_gamma(shape) / (model.service_strength_veh * mean + busy_lane_s)
    today = replace(server, service=server.service.scaled(1.0 / (rate * mean)))
    if server is setting.crossing:
        return replace(setting, crossing=today)
    return replace(setting, entrance=today)


def with_hours(state: CorridorState, settings: Sequence[GateSetting]) -> tuple[GateSetting, ...]:
    """The settings with the opening hours that gates were seen to keep at their entrances."""
    return tuple(
        paced(setting, pace.mean_veh_per_h, pace)
        if setting.direction == "export" and (pace := state.pace.get(setting.gate_id)) is not None
        else setting
        for setting in settings
    )


def as_seen(state: CorridorState, settings: Sequence[GateSetting]) -> tuple[GateSetting, ...]:
    """The settings as gates were seen to work: exports as of `with_hours`, imports at the mean of their pace."""
    return tuple(
        paced_imports(setting, pace.mean_veh_per_h)
        if setting.direction != "export" and (pace := state.import_pace.get(setting.gate_id)) is not None
        else setting
        for setting in with_hours(state, settings)
    )


def links_now(
    network: Network, state: CorridorState, closures: Sequence[Closure] = ()
) -> tuple[LinkArrays, FloatArray, QueueNow]:
    """The links as traffic flows on them now, the travel time of each road, and the queues measured.

    Speeds on roads where a queue stands are the queue's and not the road's.
    """
    queue = measure_queues(network, state)
    speed = state.road_speed_mps
    if speed is not None and network.road_link.size:
        speed = np.where(queued_roads(network, queue), np.nan, speed)
    times = road_times(network, speed) if network.road_link.size else np.zeros(0)
    links = link_arrays(network, road_time_s=times, closures=closures, spacing_m=standing_spacing(network, queue))
    return links, times, queue


def begin_measured(result: RunResult, queue: QueueNow, more_veh: FloatArray) -> None:
    """Let the series of a run begin with the queue that was measured: the engine knows of one only once it has moved.
    And let its end be where trucks stand, which wait where they are served, and count whom the measurement counts.

    Arguments: `more_veh` [G], how many trucks more than were seen stand in each gate's queue, as this run drew them:
    those nobody saw, and by how much the measurement is off.
    """
    gates = queue.queue_veh.size
    # The engine's queues begin where the network ends.
    result.tail_km[:gates] += queue.served_offset_km[:, None]
    for g in np.flatnonzero(queue.serves_beyond):
        result.queue_veh[g] -= result.checked_veh[g]
    result.queue_veh[:gates, 0] = np.maximum(queue.seen_veh + more_veh, 0.0)
    result.tail_km[:gates, 0] = queue.tail_km


def checks_left(
    rng: np.random.Generator, network: Network, settings: Sequence[GateSetting], queue: QueueNow
) -> FloatArray:
    """[gates, lanes] how long lanes of each gate's entrance go on checking the trucks that are in them now, seconds.

    While somebody waits there is a truck in every lane, seen at a moment of its check that is as likely as any other.
    At gates whose measured queue counts those being checked they are its first trucks, and lanes begin empty.
    """
    by_gate = {(setting.gate_id, setting.direction): setting.servers()[0] for setting in settings}
    servers = [by_gate[place.gate_id, place.direction] for place in network.gates]
    left_s = np.zeros((len(servers), max((server.lanes for server in servers), default=1)))
    for g in np.flatnonzero(queue.checks_others):
        lanes = servers[g].lanes
        left_s[g, :lanes] = servers[g].service.sample(rng, lanes) * rng.uniform(size=lanes)
    return left_s


def unnoticed_veh(network: Network, state: CorridorState, queue: QueueNow) -> FloatArray:
    """[G] trucks expected to have left each gate's queue since those in it were last heard of; as many have joined it.

    As many as the gate lets in while the positions age; of an empty queue none.
    """
    expected = np.zeros(queue.queue_veh.size)
    age_s = np.zeros(state.n_trucks) if state.age_s is None else np.nan_to_num(state.age_s)
    settings = {setting.gate_id: setting for setting in state.gate_settings if setting.direction == "export"}
    for g, gate_id in enumerate(network.gate_ids):
        own = queue.member == g
        pace, setting = state.pace.get(gate_id), settings.get(gate_id) or default_setting(gate_id, "export")
        rate = usual_rate(setting) if pace is None else pace.mean_veh_per_h
        if own.any():
            age_s_mean = float(np.minimum(age_s[own], MAX_UNNOTICED_S).mean())
            expected[g] = min(rate / 3600.0 * age_s_mean, float(own.sum()))
    return expected


def measurement_error(rng: np.random.Generator, unnoticed: FloatArray) -> FloatArray:
    """[G] by how many trucks the measured queues are off in one run: who has joined unnoticed, less who has left.

    Both are Poisson, so that the difference is Skellam's distribution (J. G. Skellam, Journal of the Royal Statistical
    Society 109, 1946).
    """
    return np.asarray(rng.poisson(unnoticed) - rng.poisson(unnoticed), float)
