"""Who will come: seen on the road, in the yards, declared, and learned from recent counts; drawn again for each run.

Each truck's direction, gate and goods are kept where known and drawn by share where not. Positions age: a truck that
was moving when last heard of has moved on since, by an amount that is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geo import motion
from routing.arrays import NO_WAY, NO_YARD, BoolArray, FloatArray, IntArray
from routing.demand import CorridorState, DemandModel, arrival_posterior, gate_shares
from routing.gates import GateSetting, day_seconds_of
from routing.network import Network
from routing.trucks import TruckBatch, sample_arrivals, sample_slowness

MAX_AGE_S = 3600.0
"""A position that is older says no more than one of this age."""
SOON_S = 600.0
"""Declared trucks that should be at the gate already come this much later at least."""

MIN_SEEN_SHARE = 0.05
"""However few trucks are seen, no more than nineteen are assumed beside each."""
UNSEEN_WITHIN_S = 600.0
"""So far before or behind a truck that is seen those are put that are not."""

Settings = Mapping[tuple[str, str], GateSetting]
NOBODY = TruckBatch.of([], [], [])


@dataclass(frozen=True)
class Draw:
    """One run's trucks. The first `n_state` are those of the state, in its order."""

    trucks: TruckBatch
    n_state: int
    unseen_queue_veh: FloatArray
    """[G] how many of them stand in each gate's queue now though nobody saw them."""


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
        self.start_of_day_s = day_seconds_of(state.made_at)
        self.free_time_s = free_time_s
        n = state.n_trucks
        road = np.clip(state.road_id, 0, max(0, network.road_link.size - 1))
        on_road = (state.road_id >= 0) & (network.road_link.size > 0)
        empty = network.road_link.size == 0
        offset = np.zeros(n) if state.offset_m is None else np.nan_to_num(state.offset_m)
        link = np.full(n, -1) if empty else np.where(on_road, network.road_link[road], -1)
        beyond = np.full(n, -1) if empty else np.where(on_road, network.road_beyond[road], -1)
        exporting = np.ones(n, bool) if empty else network.road_to_border[road]
        yard = np.full(n, NO_YARD, np.int64) if state.yard is None else state.yard
        gate = np.full(n, -1, np.int64) if state.gate is None else state.gate.copy()
        if network.yard_gate.size:
            gate = np.where(yard >= 0, network.yard_gate[np.maximum(yard, 0)], gate)
        # Between entrance and border, but in no yard: past the queue, so inside.
        inside = (yard >= 0) | ((beyond >= 0) & exporting)
        self.gate = np.where((beyond >= 0) & exporting & (yard < 0), beyond, gate)
        self.yard = yard
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
        self.moving = ~motion.is_creeping(speed)
        self.queued = queued
        self.age_s = np.zeros(n) if state.age_s is None else np.clip(np.nan_to_num(state.age_s), 0.0, MAX_AGE_S)
        hold = np.full(n, -1.0) if state.hold_until_s is None else np.nan_to_num(state.hold_until_s, nan=-1.0)
        self.hold_s = np.maximum(hold, 0.0)
        self.since_s = np.zeros(n) if state.yard_since_s is None else np.nan_to_num(state.yard_since_s)
        self.perishable = np.zeros(n, bool) if state.perishable is None else state.perishable.astype(bool)
        # A truck on its way inland that comes near no gate has no gate.
        self.gate = np.where(self.exporting, self.gate, -1)
        self.gate_unknown = np.flatnonzero(self.exporting & (self.gate < 0))
        self._turn_round(self.gate, np.flatnonzero(self.exporting & (self.gate >= 0)))
        self.ages = np.flatnonzero(self.moving & ~queued & (self.age_s > 0.0))
        self.rests = np.flatnonzero((self.link >= 0) & ~self.moving & ~queued & self.exporting)
        self.hold_link = self._next_staging()
        waits_here = (self.hold_s > 0.0) & (self.hold_link < 0)
        self.start_s = np.where(waits_here, self.hold_s, 0.0)
        self.rests = self.rests[~waits_here[self.rests]]
        self.unnamed_yard = self._unnamed_in_yards()
        self.shares = gate_shares(network.gate_demand) if state.gate_share is None else state.gate_share
        self.entry = np.array([network.entry(g) for g in range(len(network.gate_ids))], np.int64)
        self.ways = [network.path(int(entry), g) if entry >= 0 else [] for g, entry in enumerate(self.entry)]
        self.begin_s, self.hour_factor = self._hours()
        self.end_s = np.minimum(self.begin_s + 3600.0, self.horizon_s)
        self.arrivals = self._arrivals()
        self.imports = np.array(network.imports(), np.int64).reshape(-1, 3).T

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

    def _unnamed_in_yards(self) -> IntArray:
        """The yard of each truck that the ledger counts inside but nobody knows by name.

        Known trucks between a gate's entrance and the border that are in no yard count as inside its fullest ones.
        """
        network, counted = self.network, self.state.yard_inside_veh
        if counted is None:
            return np.zeros(0, np.int64)
        named = np.bincount(self.yard[self.yard >= 0], minlength=len(network.yard_ids))
        unnamed = np.maximum(np.rint(np.nan_to_num(counted)).astype(np.int64) - named, 0)
        astray = self.gate[self.inside & (self.yard < 0) & (self.gate >= 0)]
        for gate, count in enumerate(np.bincount(astray, minlength=len(network.gate_ids))):
            left = int(count)
            for yard in sorted(network.yards_of(gate), key=lambda y: -int(unnamed[y])):
                taken = min(left, int(unnamed[yard]))
                unnamed[yard] -= taken
                left -= taken
        return np.repeat(np.arange(unnamed.size), unnamed)

    def draw(self, rng: np.random.Generator, settings: Settings, slowness: float = 1.0) -> Draw:
        """The trucks of one run, in which free travel takes `slowness` times as long. Equal generator state,
        equal trucks."""
        seen = self._seen(rng, settings, slowness)
        batches = [seen, self._unnamed(rng, settings), self._declared(rng), self._undeclared(rng), self._imports(rng)]
        unseen, queueing = self._unseen(rng, seen)
        trucks = TruckBatch.concat([batch for batch in (*batches, unseen) if len(batch)] or [seen])
        trucks.slowness[:] = sample_slowness(rng, len(trucks), self.model.truck_cv)
        in_queue = np.bincount(unseen.gate[queueing], minlength=len(self.network.gate_ids)).astype(float)
        return Draw(trucks, len(seen), in_queue)

    def _seen(self, rng: np.random.Generator, settings: Settings, slowness: float) -> TruckBatch:
        """The trucks of the state, those left out of which nothing is known."""
        network, state, model = self.network, self.state, self.model
        n, n_gates = state.n_trucks, len(network.gate_ids)
        gate = self.gate.copy()
        if self.gate_unknown.size:
            gate[self.gate_unknown] = rng.choice(n_gates, size=self.gate_unknown.size, p=self.shares)
            self._turn_round(gate, self.gate_unknown)
        on_link = self.link >= 0
        ready = self.rest_s.copy()
        ready[self.ages] -= self.age_s[self.ages] * rng.uniform(0.6, 1.0, self.ages.size)
        ready = np.maximum(ready, 0.0, out=ready)
        ready *= slowness
        ready += self.start_s
        ready[self.rests] += rng.standard_exponential(self.rests.size) * model.rest_mean_s
        link_time = self.free_time_s[np.maximum(self.link, 0)] * slowness
        # Standing aside for longer than the link takes: it comes back as if it drove onto the link then,
        # so that those who drive on do not wait behind it.
        aside = on_link & (ready > link_time)
        ready = np.where(aside, ready - link_time, ready)
        stay = np.zeros(n)
        for g, gate_id in enumerate(network.gate_ids if self.inside.any() else ()):
            own = np.flatnonzero(self.inside & (gate == g))
            if own.size:
                setting = settings[(gate_id, "export")]
                came_in_s = self.start_of_day_s - self.since_s[own]
                dwell = setting.dwell.sample(rng, own.size)
                dwell *= setting.stay_factors.of(self.perishable[own], came_in_s)
                stay[own] = _residual(dwell, self.since_s[own], rng)
        trucks = TruckBatch.of(
            np.where(self.exporting, gate, -1),
            self.link,
            np.where(self.inside, stay, ready),
            to_come=aside,
            perishable=self.perishable,
            yard=self.yard,
            hold_link=self.hold_link,
            hold_until_s=self.hold_s,
        )
        return trucks if self.known.all() else trucks.take(np.flatnonzero(self.known))

    def _turn_round(self, gate: IntArray, trucks: IntArray) -> None:
        """Give those of `trucks` on the road whose `gate` their road no longer leads to another one, that it does."""
        network = self.network
        own = trucks[self.link[trucks] >= 0]
        lost = own[network.next_hop[self.link[own], gate[own]] == NO_WAY]
        for g in range(len(network.gate_ids)):
            reachable = network.next_hop[self.link[lost], g] != NO_WAY
            gate[lost[reachable]] = g
            lost = lost[~reachable]

    def _hours(self) -> tuple[FloatArray, FloatArray]:
        """When each hour up to the horizon begins, and [G, hour] how many more come in it than on average."""
        begin_s = np.arange(0.0, max(self.horizon_s, 1.0), 3600.0)
        factor = np.ones((len(self.network.gate_ids), begin_s.size))
        if self.state.arrival_factor is not None:
            known = np.atleast_2d(self.state.arrival_factor)[:, : begin_s.size]
            factor[:, : known.shape[1]] = known
        return begin_s, factor

    def _arrivals(self) -> tuple[FloatArray, FloatArray]:
        """Shape and hours [G] of the distribution of undeclared trucks an hour."""
        usual = self.state.undeclared_hourly_veh
        if usual is None:
            usual = np.array([gate.undeclared_exports_veh_per_h for gate in self.network.gate_demand])
        prior = usual * self.model.undeclared_factor
        return arrival_posterior(self.state.recent_hourly_veh, prior, self.model.prior_weight_h)

    def _unnamed(self, rng: np.random.Generator, settings: Settings) -> TruckBatch:
        """Trucks in the yards that nobody knows by name."""
        yards = self.unnamed_yard
        if yards.size == 0:
            return NOBODY
        gate = self.network.yard_gate[yards]
        stay = np.zeros(yards.size)
        for g, gate_id in enumerate(self.network.gate_ids):
            own = np.flatnonzero(gate == g)
            if own.size:
                dwell = settings[(gate_id, "export")].dwell.sample(rng, own.size)
                # Seen at a moment of their stay that is as likely as any other.
                stay[own] = dwell * rng.uniform(size=own.size)
        return TruckBatch.of(gate, -1, stay, yard=yards, perishable=self._goods(rng, yards.size))

    def _unseen(self, rng: np.random.Generator, seen: TruckBatch) -> tuple[TruckBatch, BoolArray]:
        """Undeclared trucks on the road that send no position: near those that do, so many to each as are unseen.

        Of n trucks that are seen with probability p each, the number unseen is negative binomial; p is drawn from its
        beta distribution, so that all runs together know as little as is known. Also says which stand in a queue.
        """
        state = self.state
        if state.seen_share is None or state.is_declared is None:
            return NOBODY, np.zeros(0, bool)
        share = max(rng.beta(state.seen_share[0], state.seen_share[1]), MIN_SEEN_SHARE)
        undeclared = ~state.is_declared[self.known] & (seen.link >= 0) & (seen.gate >= 0)
        copies = rng.geometric(share, len(seen)) - 1
        index = np.repeat(np.arange(len(seen)), np.where(undeclared, copies, 0))
        unseen = seen.take(index)
        # Before or behind the one that is seen, within the same link.
        nearby = unseen.ready_s + rng.uniform(-1.0, 1.0, index.size) * UNSEEN_WITHIN_S
        latest = self.free_time_s[np.maximum(unseen.link, 0)]
        queueing = self.queued[self.known][index]
        moving = ~unseen.to_come & ~queueing
        unseen.ready_s[:] = np.where(moving, np.clip(nearby, 0.0, np.maximum(latest, unseen.ready_s)), unseen.ready_s)
        return unseen, queueing

    def _goods(self, rng: np.random.Generator, n: int) -> BoolArray:
        """[n] whether goods nobody has told of are perishable."""
        return rng.uniform(size=n) < self.model.perishable_share

    def _declared(self, rng: np.random.Generator) -> TruckBatch:
        """Declared trucks not yet seen, put where they must be now to arrive when they will."""
        state, model = self.state, self.model
        m = state.declared_s.size
        if m == 0:
            return NOBODY
        lateness_s = _or_else(state.declared_lateness_s, model.lateness_mean_s, m)
        spread_s = _or_else(state.declared_lateness_sd_s, model.lateness_sd_s, m)
        show_up = _or_else(state.declared_show_up, model.show_up, m)
        arrive = state.declared_s + rng.normal(lateness_s, spread_s)
        # Should have been here already: so it is later still.
        overdue = arrive < SOON_S
        arrive = np.where(overdue, SOON_S + rng.standard_exponential(m) * spread_s, arrive)
        comes = rng.uniform(size=m) < np.where(overdue, 0.5 * show_up, show_up)
        drawn = rng.choice(self.shares.size, size=m, p=self.shares)
        gate = np.where(state.declared_gate >= 0, state.declared_gate, drawn)
        comes &= arrive < self.horizon_s + 3600.0
        perishable = self._goods(rng, m)
        if state.declared_perishable is not None:
            perishable = state.declared_perishable.astype(bool)
        return self._place(gate[comes], arrive[comes], perishable[comes])

    def _place(self, gate: IntArray, arrive_s: FloatArray, perishable: BoolArray) -> TruckBatch:
        """Trucks that will freely reach their gates after `arrive_s`, where they are now: on a link, or to come."""
        link = np.zeros(gate.size, np.int64)
        ready = np.maximum(arrive_s, 0.0)
        to_come = np.ones(gate.size, bool)
        for g in range(len(self.network.gate_ids)):
            own = np.flatnonzero(gate == g)
            path = self.ways[g]
            if own.size == 0 or not path:
                continue
            times = self.free_time_s[path]
            after = np.concatenate((np.cumsum(times[::-1])[::-1][1:], [0.0]))  # from each link's end to the gate
            total = times.sum()
            late = arrive_s[own] >= total
            at = np.searchsorted(-after, -arrive_s[own], side="left").clip(0, len(path) - 1)
            link[own] = np.where(late, path[0], np.array(path)[at])
            ready[own] = np.where(late, arrive_s[own] - total, np.maximum(arrive_s[own] - after[at], 0.0))
            to_come[own] = late
        return TruckBatch.of(gate, link, ready, to_come=to_come, perishable=perishable)

    def _undeclared(self, rng: np.random.Generator) -> TruckBatch:
        """Trucks nobody has announced, coming into the corridor as lately."""
        shape, hours = self.arrivals
        rate = rng.standard_gamma(shape) / hours
        rates = np.where(self.entry >= 0, rate, 0.0)[:, None] * self.hour_factor
        stream, ready = sample_arrivals(rng, rates, self.begin_s, self.end_s)
        gate = stream // self.begin_s.size
        return TruckBatch.of(gate, self.entry[gate], ready, to_come=True, perishable=self._goods(rng, gate.size))

    def _imports(self, rng: np.random.Generator) -> TruckBatch:
        """Trucks from abroad, while their gate is open."""
        network = self.network
        rate = self.state.import_hourly_veh
        if rate is None:
            daily = np.array([gate.imports_veh_per_day for gate in network.gate_demand])
            rate = daily / 24.0 * self.model.import_factor
        number, index, link = self.imports
        which, ready = sample_arrivals(rng, rate[index], 0.0, self.horizon_s)
        return TruckBatch.of(number[which], link[which], ready, to_come=True, perishable=self._goods(rng, which.size))


def _or_else(values: FloatArray | None, assumed: float, m: int) -> FloatArray:
    return np.full(m, assumed) if values is None else values


def _residual(dwell_s: FloatArray, since_s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What is left of stays that have lasted `since_s`: what the draw leaves, or else soon (mean a quarter stay)."""
    left = dwell_s - since_s
    soon = rng.standard_exponential(dwell_s.size) * 0.25 * dwell_s
    return np.asarray(np.where(left > 0.0, left, soon))
