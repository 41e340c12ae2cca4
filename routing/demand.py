"""Who will come: seen on the road, in the yards, declared, and learned from recent counts; drawn anew for each run.

Each truck's direction, gate and goods are kept where known and drawn by share where not. Positions age: a truck that
was moving when last heard of has moved on since, by an amount that is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.arrays import FloatArray, IntArray
from routing.gates import GateSetting
from routing.graph import Network
from routing.simulation import Closure, Trucks

BoolArray = NDArray[np.bool_]


def _ints() -> IntArray:
    return np.zeros(0, np.int64)


def _floats() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True)
class CorridorState:
    """What is known of the corridor at one moment, as plain arrays.

    Truck arrays have one element a truck (N), all optional but `road_id`; gate and yard indices refer to
    `Network.gate_ids` and `Network.yard_ids`; times are seconds relative to `made_at`.
    """

    made_at: datetime
    road_id: IntArray = field(default_factory=_ints)
    """[N] index into `corridor.roads`; -1 = not on a road (in a yard, or unknown: then left out)."""
    offset_m: FloatArray | None = None
    """[N] distance from the start of the road."""
    speed_mps: FloatArray | None = None
    """[N] NaN = unknown."""
    gate: IntArray | None = None
    """[N] -1 = unknown."""
    perishable: BoolArray | None = None
    age_s: FloatArray | None = None
    """[N] time since the last fix."""
    hold_until_s: FloatArray | None = None
    """[N] held at a staging area until then; NaN or negative = not held."""
    yard: IntArray | None = None
    """[N] -1 = in no yard."""
    yard_since_s: FloatArray | None = None
    """[N] how long it has been in the yard."""
    yard_inside_veh: FloatArray | None = None
    """[Y] trucks inside by the ledger, known or not; None = those known."""
    yard_capacity_veh: FloatArray | None = None
    """[Y] None, NaN = never full."""
    declared_s: FloatArray = field(default_factory=_floats)
    """[M] planned arrival at the gate of declared trucks that have not been seen on the road yet."""
    declared_gate: IntArray = field(default_factory=_ints)
    declared_perishable: BoolArray | None = None
    recent_hourly_veh: FloatArray | None = None
    """[G, H] trucks a gate that came into the corridor undeclared in each of the last H hours, newest last."""
    import_hourly_veh: FloatArray | None = None
    """[G] trucks an hour expected from abroad; None = those of the prior."""
    gate_settings: tuple[GateSetting, ...] = ()
    """Both directions of all gates; missing ones get the default."""
    served_veh: Mapping[str, float] = field(default_factory=dict)
    """gate_id -> exports served lately by the gate's slower server while it was busy, in `busy_lane_s` of lane time."""
    busy_lane_s: Mapping[str, float] = field(default_factory=dict)
    road_speed_mps: FloatArray | None = None
    """[R] live speed; NaN = unknown."""
    closures: tuple[Closure, ...] = ()

    @property
    def n_trucks(self) -> int:
        """How many trucks the state knows one by one."""
        return int(self.road_id.size)


@dataclass(frozen=True)
class DemandModel:
    """What is assumed about what is not known; every value an assumption until learned from data."""

    prior_hourly_veh: tuple[float, ...] = (6.0, 3.0)
    """Undeclared exports an hour a gate (the last value serves further gates): 2025 bulletins, half undeclared."""
    prior_weight_h: float = 3.0
    """The prior counts like this many hours of observation (gamma-Poisson shrinkage)."""
    import_hourly_veh: tuple[float, ...] = (25.0, 18.0)
    """Imports an hour a gate: 608 and 438 a day in 2025 bulletins."""
    gate_share: tuple[float, ...] = (0.64, 0.36)
    """Exports without a known gate: 262 to 145 a day in 2025 bulletins."""
    perishable_share: float = 0.6
    show_up: float = 0.92
    """Share of declared trucks that come at all."""
    lateness_mean_s: float = 900.0
    lateness_sd_s: float = 3600.0
    speed_cv: float = 0.08
    """Of all trucks of a run alike."""
    truck_cv: float = 0.05
    """Of one truck beside the others."""
    rest_mean_s: float = 1200.0
    """How long a truck that stands away from any queue goes on standing."""
    service_strength_veh: float = 40.0
    """The configured service time counts like this many observed passages."""


@dataclass(frozen=True)
class Draw:
    """One run's trucks. The first `n_state` are those of the state, in its order."""

    trucks: Trucks
    perishable: BoolArray
    n_state: int


def gate_shares(model: DemandModel, n_gates: int) -> FloatArray:
    """Share of each gate among trucks whose gate is unknown; adds up to 1."""
    share = np.array([model.gate_share[min(i, len(model.gate_share) - 1)] for i in range(n_gates)])
    return np.asarray(share / share.sum())


def _per_gate(values: tuple[float, ...], n_gates: int) -> FloatArray:
    return np.array([values[min(i, len(values) - 1)] for i in range(n_gates)])


def hourly_arrivals(
    recent_hourly_veh: FloatArray | None, prior_hourly_veh: FloatArray, weight_h: float, rng: np.random.Generator
) -> FloatArray:
    """Arrivals an hour of each gate, drawn from the posterior of a Poisson rate with a gamma prior.

    The prior has mean `prior_hourly_veh` and counts like `weight_h` hours; older hours count less (half-life
    2 h), so that the rate follows the day.
    Source: A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6.
    """
    shape = prior_hourly_veh * weight_h
    hours = np.full(prior_hourly_veh.size, weight_h)
    if recent_hourly_veh is not None and recent_hourly_veh.size:
        age = np.arange(recent_hourly_veh.shape[1])[::-1]
        weight = 0.5 ** (age / 2.0)
        shape = shape + recent_hourly_veh @ weight
        hours = hours + weight.sum()
    return np.asarray(rng.standard_gamma(np.maximum(shape, 1e-3)) / hours)


class Sampler:
    """Draws the trucks of one run after another from a state; what does not change is worked out once."""

    def __init__(
        self,
        network: Network,
        state: CorridorState,
        *,
        free_time_s: FloatArray,
        road_time_s: FloatArray,
        spacing_m: FloatArray,
        queued: BoolArray,
        horizon_s: float,
        model: DemandModel | None = None,
    ) -> None:
        """`free_time_s` and `spacing_m` by link and `road_time_s` by road as the run will use them; `queued` [N]:
        stands in a gate's queue, so it does not rest but waits."""
        self.network, self.state, self.model = network, state, model or DemandModel()
        self.horizon_s = horizon_s
        self.free_time_s = free_time_s
        n = state.n_trucks
        road = np.clip(state.road_id, 0, max(0, network.road_link.size - 1))
        on_road = (state.road_id >= 0) & (network.road_link.size > 0)
        empty = network.road_link.size == 0
        offset = np.zeros(n) if state.offset_m is None else np.nan_to_num(state.offset_m)
        link = np.full(n, -1) if empty else np.where(on_road, network.road_link[road], -1)
        beyond = np.full(n, -1) if empty else np.where(on_road, network.road_beyond[road], -1)
        exporting = np.ones(n, bool) if empty else network.road_to_border[road]
        yard = np.full(n, -1, np.int64) if state.yard is None else state.yard
        gate = np.full(n, -1, np.int64) if state.gate is None else state.gate.copy()
        gate_of_yard = np.array(
            [next(i for i, g in enumerate(network.gate_ids) if self._yard_gate(g) == y) for y in network.yard_ids]
            or [0]
        )
        gate = np.where(yard >= 0, gate_of_yard[np.maximum(yard, 0)], gate)
        # Between entrance and border, but in no yard: past the queue, so inside.
        inside = (yard >= 0) | ((beyond >= 0) & exporting)
        self.gate = np.where((beyond >= 0) & exporting & (yard < 0), beyond, gate)
        self.inside = inside
        self.exporting = exporting | inside
        self.link = np.where(inside, -1, link)
        self.known = inside | (link >= 0)
        length = network.road_length_m[road] if not empty else np.ones(n)
        share_left = np.clip(1.0 - offset / np.maximum(length, 1e-9), 0.0, 1.0)
        rest = np.zeros(n)
        if not empty:
            rest_time = self._road_rest_times(road_time_s)
            rest = share_left * road_time_s[road] + rest_time[road]
        self.rest_s = self._closed_up(rest, queued & (self.link >= 0), spacing_m)
        speed = np.full(n, np.nan) if state.speed_mps is None else state.speed_mps
        self.moving = np.nan_to_num(speed, nan=10.0) >= 2.5
        self.queued = queued
        self.age_s = np.zeros(n) if state.age_s is None else np.clip(np.nan_to_num(state.age_s), 0.0, 3600.0)
        hold = np.full(n, -1.0) if state.hold_until_s is None else np.nan_to_num(state.hold_until_s, nan=-1.0)
        self.hold_s = np.maximum(hold, 0.0)
        self.since_s = np.zeros(n) if state.yard_since_s is None else np.nan_to_num(state.yard_since_s)
        self.perishable = np.zeros(n, bool) if state.perishable is None else state.perishable.astype(bool)
        self.settings = {(s.gate_id, s.direction): s for s in state.gate_settings}
        # A truck on its way inland that comes near no gate has no gate.
        self.gate = np.where(self.exporting, self.gate, -1)
        self.hold_link = self._next_staging()
        self.strangers = np.array(self._yard_strangers(), np.int64)

    def _closed_up(self, rest_s: FloatArray, queued: BoolArray, spacing_m: FloatArray) -> FloatArray:
        """Rest times in which the k-th truck of a queue is no farther from the end of its link than k places.

        Positions are known to some metres only; without this the engine's queue would begin a little later.
        """
        closed = rest_s.copy()
        network = self.network
        for link in np.unique(self.link[queued]):
            own = np.flatnonzero(queued & (self.link == link))
            own = own[np.argsort(rest_s[own], kind="stable")]
            places_s = np.arange(own.size) * spacing_m[link] * self.free_time_s[link] / network.length_m[link]
            closed[own] = np.minimum(rest_s[own], 0.999 * places_s)
        return closed

    def _yard_gate(self, gate_id: str) -> str | None:
        return next((p.yard_id for p in self.network.gates if p.gate_id == gate_id and p.yard_id), None)

    def _road_rest_times(self, road_time_s: FloatArray) -> FloatArray:
        """Free time from the end of each road to the end of its link."""
        rest = np.zeros(road_time_s.size)
        for link in self.network.links:
            total = 0.0
            for road_id in reversed(link.roads):
                rest[road_id] = total
                total += road_time_s[road_id]
        return rest

    def _next_staging(self) -> IntArray:
        """[N] the link at whose end the next staging area lies, for held trucks that still drive; else -1."""
        ends = set(self.network.staging_link.values())
        found = np.full(self.state.n_trucks, -1, np.int64)
        for i in np.flatnonzero((self.hold_s > 0.0) & self.moving & (self.link >= 0) & self.exporting):
            for link in self.network.path(int(self.link[i]), max(0, int(self.gate[i]))):
                if link in ends:
                    found[i] = link
                    break
        return found

    def _yard_strangers(self) -> list[int]:
        """Gate index of each truck the ledger counts inside but nobody knows by name."""
        inside = self.state.yard_inside_veh
        if inside is None:
            return []
        strangers: list[int] = []
        known = np.bincount(self.gate[self.inside & (self.gate >= 0)], minlength=len(self.network.gate_ids))
        for y, yard_id in enumerate(self.network.yard_ids):
            gate = next(i for i, g in enumerate(self.network.gate_ids) if self._yard_gate(g) == yard_id)
            strangers += [gate] * max(0, round(float(inside[y])) - int(known[gate]))
        return strangers

    def draw(
        self, rng: np.random.Generator, settings: Mapping[tuple[str, str], GateSetting], slowness: float = 1.0
    ) -> Draw:
        """The trucks of one run, in which free travel takes `slowness` times as long. Equal generator state,
        equal trucks."""
        network, state, model = self.network, self.state, self.model
        n, n_gates = state.n_trucks, len(network.gate_ids)
        shares = gate_shares(model, n_gates)
        gate = self.gate.copy()
        unknown = self.exporting & (gate < 0)
        drawn = rng.choice(n_gates, size=n, p=shares)
        gate[unknown] = drawn[unknown]
        # A gate that the road no longer leads to was left behind: take one that it does lead to.
        on_link = self.link >= 0
        lost = on_link & self.exporting & (network.next_hop[self.link, gate] == -1)
        for g in range(n_gates):
            reachable = lost & (network.next_hop[self.link, g] != -1)
            gate[reachable] = g
            lost &= ~reachable
        aged = self.rest_s - np.where(self.moving & ~self.queued, self.age_s * rng.uniform(0.6, 1.0, n), 0.0)
        rest_draw = rng.standard_exponential(n) * model.rest_mean_s
        resting = on_link & ~self.moving & ~self.queued & self.exporting
        start = np.where(resting, rest_draw, 0.0)
        waits_here = (self.hold_s > 0.0) & (self.hold_link < 0)
        start = np.where(waits_here, np.maximum(self.hold_s, 0.0), start)
        ready = np.maximum(aged, 0.0) * slowness + start
        link_time = self.free_time_s[np.maximum(self.link, 0)] * slowness
        # Standing aside for longer than the link takes: it comes back as if it drove onto the link then,
        # so that those who drive on do not wait behind it.
        aside = on_link & (ready > link_time)
        ready = np.where(aside, ready - link_time, ready)
        stay = np.zeros(n)
        for g, gate_id in enumerate(network.gate_ids):
            own = np.flatnonzero(self.inside & (gate == g))
            if own.size:
                dwell = settings[(gate_id, "export")].dwell.sample(rng, own.size)
                stay[own] = _residual(dwell, self.since_s[own], rng)
        ready = np.where(self.inside, stay, ready)
        keep = np.flatnonzero(self.known)
        seen: tuple[NDArray[Any], ...] = (
            np.where(self.exporting, gate, -1),
            self.link,
            ready,
            aside,
            self.perishable,
            self.hold_link,
            self.hold_s,
        )
        parts = [
            tuple(a[keep] for a in seen),
            self._strangers(rng, settings),
            self._declared(rng),
            self._undeclared(rng),
            self._imports(rng),
        ]
        joined = [np.concatenate([p[i] for p in parts]) for i in range(7)]
        total = joined[0].size
        spread = np.sqrt(np.log1p(model.truck_cv**2))
        trucks = Trucks(
            gate=joined[0].astype(np.int64),
            link=joined[1].astype(np.int64),
            ready_s=joined[2].astype(float),
            to_come=joined[3].astype(bool),
            slowness=np.exp(spread * rng.standard_normal(total)),
            hold_link=joined[5].astype(np.int64),
            hold_until_s=joined[6].astype(float),
        )
        return Draw(trucks, joined[4].astype(bool), int(keep.size))

    def _strangers(
        self, rng: np.random.Generator, settings: Mapping[tuple[str, str], GateSetting]
    ) -> tuple[NDArray[Any], ...]:
        gates = self.strangers
        stay = np.zeros(gates.size)
        for g, gate_id in enumerate(self.network.gate_ids):
            own = np.flatnonzero(gates == g)
            if own.size:
                dwell = settings[(gate_id, "export")].dwell.sample(rng, own.size)
                # Seen at a moment of their stay that is as likely as any other.
                stay[own] = dwell * rng.uniform(size=own.size)
        return self._plain(rng, gates, np.full(gates.size, -1), stay, np.zeros(gates.size, bool))

    def _plain(
        self,
        rng: np.random.Generator,
        gate: IntArray,
        link: IntArray,
        ready: FloatArray,
        to_come: BoolArray,
        perishable: BoolArray | None = None,
    ) -> tuple[NDArray[Any], ...]:
        n = gate.size
        fruit = rng.uniform(size=n) < self.model.perishable_share
        return (
            gate,
            link,
            ready,
            to_come,
            fruit if perishable is None else perishable,
            np.full(n, -1, np.int64),
            np.zeros(n),
        )

    def _declared(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Declared trucks not yet seen, put where they must be now to arrive when they will."""
        state, model = self.state, self.model
        m = state.declared_s.size
        arrive = state.declared_s + rng.normal(model.lateness_mean_s, model.lateness_sd_s, m)
        # Should have been here already: so it is later still.
        overdue = arrive < 600.0
        arrive = np.where(overdue, 600.0 + rng.standard_exponential(m) * model.lateness_sd_s, arrive)
        comes = rng.uniform(size=m) < np.where(overdue, 0.5 * model.show_up, model.show_up)
        shares = gate_shares(model, len(self.network.gate_ids))
        gate = np.where(state.declared_gate >= 0, state.declared_gate, rng.choice(shares.size, size=m, p=shares))
        comes &= arrive < self.horizon_s + 3600.0
        own = np.flatnonzero(comes)
        link, ready, to_come = self._place(gate[own], arrive[own])
        fruit = None if state.declared_perishable is None else state.declared_perishable.astype(bool)[own]
        return self._plain(rng, gate[own], link, ready, to_come, fruit)

    def _place(self, gate: IntArray, arrive_s: FloatArray) -> tuple[IntArray, FloatArray, BoolArray]:
        """Where trucks are that will freely reach their gates after `arrive_s`: on a link, or still to come."""
        link = np.zeros(gate.size, np.int64)
        ready = np.zeros(gate.size)
        to_come = np.zeros(gate.size, bool)
        if not self.network.origins:
            return link, np.maximum(arrive_s, 0.0), np.ones(gate.size, bool)
        for g in range(len(self.network.gate_ids)):
            own = np.flatnonzero(gate == g)
            if own.size == 0:
                continue
            path = next(p for o in self.network.origins if (p := self.network.path(o, g)))
            times = self.free_time_s[path]
            after = np.concatenate((np.cumsum(times[::-1])[::-1][1:], [0.0]))  # from each link's end to the gate
            total = times.sum()
            late = arrive_s[own] >= total
            at = np.searchsorted(-after, -arrive_s[own], side="left").clip(0, len(path) - 1)
            link[own] = np.where(late, path[0], np.array(path)[at])
            ready[own] = np.where(late, arrive_s[own] - total, np.maximum(arrive_s[own] - after[at], 0.0))
            to_come[own] = late
        return link, ready, to_come

    def _undeclared(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Trucks nobody has announced, coming into the corridor as lately."""
        model, n_gates = self.model, len(self.network.gate_ids)
        prior = _per_gate(model.prior_hourly_veh, n_gates)
        rate = hourly_arrivals(self.state.recent_hourly_veh, prior, model.prior_weight_h, rng)
        if not self.network.origins:
            rate = np.zeros(n_gates)
        counts = rng.poisson(rate * self.horizon_s / 3600.0)
        gate = np.repeat(np.arange(n_gates), counts)
        link = np.zeros(gate.size, np.int64)
        for g in range(n_gates):
            way_in = next((o for o in self.network.origins if self.network.path(o, g)), -1)
            link[gate == g] = way_in
        ready = rng.uniform(0.0, self.horizon_s, gate.size)
        keep = link >= 0
        return self._plain(rng, gate[keep], link[keep], ready[keep], np.ones(int(keep.sum()), bool))

    def _imports(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Trucks from abroad, while their gate is open."""
        network, n_gates = self.network, len(self.network.gate_ids)
        rate = self.state.import_hourly_veh
        if rate is None:
            rate = _per_gate(self.model.import_hourly_veh, n_gates)
        rows = [(i, network.gate_ids.index(p.gate_id)) for i, p in enumerate(network.gates) if p.direction == "import"]
        counts = [rng.poisson(float(rate[g]) * self.horizon_s / 3600.0) for _, g in rows]
        gate = np.repeat(np.array([i for i, _ in rows], np.int64), counts)
        feeder = np.array([network.gate_feeder[network.gate_feeder_start[i]] for i, _ in rows], np.int64)
        link = np.repeat(feeder, counts) if rows else np.zeros(0, np.int64)
        ready = rng.uniform(0.0, self.horizon_s, gate.size)
        return self._plain(rng, gate, link, ready, np.ones(gate.size, bool))


def _residual(dwell_s: FloatArray, since_s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What is left of stays that have lasted `since_s`: what the draw leaves, or else soon (mean a quarter stay)."""
    left = dwell_s - since_s
    soon = rng.standard_exponential(dwell_s.size) * 0.25 * dwell_s
    return np.asarray(np.where(left > 0.0, left, soon))
