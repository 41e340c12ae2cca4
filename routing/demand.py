"""What is known of the corridor at one moment, and what is assumed of the rest; `routing.sampler` draws from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from routing.arrays import BoolArray, FloatArray, IntArray
from routing.gates import GateDemand, GateSetting
from routing.pace import GatePace
from routing.simulation import Closure
from routing.yard_places import YardPlaces


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
    is_declared: BoolArray | None = None
    """[N] whether it is on a declared trip; None = nobody says, then all count as declared."""
    age_s: FloatArray | None = None
    """[N] time since the last fix."""
    check_factor: FloatArray | None = None
    """[N] how many times as long it is checked at the entrance as the gate's average truck; None = as long."""
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
    yard_changes: YardPlaces = field(default_factory=dict)
    """yard_id -> how its places change from what they are now."""
    declared_s: FloatArray = field(default_factory=_floats)
    """[M] planned arrival at the gate of declared trucks that have not been seen on the road yet."""
    declared_gate: IntArray = field(default_factory=_ints)
    declared_perishable: BoolArray | None = None
    declared_lateness_s: FloatArray | None = None
    """[M] how late each is expected, as its enterprise's trips were; None = as assumed of all."""
    declared_lateness_sd_s: FloatArray | None = None
    declared_show_up: FloatArray | None = None
    """[M] the chance that it comes at all."""
    recent_hourly_veh: FloatArray | None = None
    """[G, H] trucks a gate that came into the corridor undeclared in each of the last H hours, newest last."""
    undeclared_hourly_veh: FloatArray | None = None
    """[G] undeclared trucks an hour that hours like the last ones bring; None = as on an average day."""
    arrival_factor: FloatArray | None = None
    """[K] or [G, K] undeclared arrivals in each hour from now on relative to the last ones; None, beyond: as lately."""
    import_hourly_veh: FloatArray | None = None
    """[G] trucks an hour expected from abroad; None = as on an average day."""
    gate_settings: tuple[GateSetting, ...] = ()
    """Both directions of all gates; missing ones get the default."""
    served_veh: Mapping[str, float] = field(default_factory=dict)
    """gate_id -> exports served lately by the gate's slower server while it was busy, in `busy_lane_s` of lane time."""
    busy_lane_s: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, GatePace] = field(default_factory=dict)
    """gate_id -> how fast it lets exports in at its entrance, filtered; of other gates the profile is believed."""
    import_pace: Mapping[str, GatePace] = field(default_factory=dict)
    """gate_id -> how fast its crossing lets imports in, filtered."""
    seen_share: FloatArray | None = None
    """[2] beta distribution of the share of undeclared trucks that send their position; None = all do."""
    gate_share: FloatArray | None = None
    """[G] share of each gate among exports whose gate is unknown; None = as on an average day."""
    served_km: FloatArray | None = None
    """[G] kilometre of each gate's road where exports are served, set or learned; None, NaN = where its queue ends."""
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

    undeclared_factor: float = 1.0
    """Undeclared exports relative to each gate's `GateDemand`, where none have been counted lately."""
    import_factor: float = 1.0
    """Imports relative to each gate's `GateDemand`."""
    prior_weight_h: float = 1.0
    """What is assumed of a gate counts like this many hours of observation (gamma-Poisson shrinkage): in a rush twice
    or three times as many come as on average, so two hours that were seen say more than the average."""
    perishable_share: float = 0.6
    show_up: float = 0.92
    """Share of declared trucks that come at all."""
    lateness_mean_s: float = 900.0
    lateness_sd_s: float = 3600.0
    speed_cv: float = 0.05
    """Of all trucks of a run alike."""
    truck_cv: float = 0.05
    """Of one truck beside the others."""
    rest_mean_s: float = 1200.0
    """How long a truck that stands away from any queue goes on standing."""
    service_strength_veh: float = 40.0
    """The configured service time counts like this many observed passages."""


def beside_each_seen(seen_share: FloatArray | None) -> float:
    """Undeclared trucks that send no position, expected beside each that does: E[(1 - p) / p] of the share p."""
    if seen_share is None:
        return 0.0
    a, b = (float(value) for value in seen_share)
    return b / max(a - 1.0, 0.5 * a)


def gate_shares(demand: Sequence[GateDemand]) -> FloatArray:
    """Share of each gate among exports whose gate is unknown; adds up to 1."""
    exports = np.array([gate.exports_veh_per_day for gate in demand])
    return np.asarray(exports / exports.sum()) if exports.sum() > 0.0 else np.full(exports.size, 1.0 / exports.size)


def arrival_posterior(
    recent_hourly_veh: FloatArray | None, prior_hourly_veh: FloatArray, weight_h: float
) -> tuple[FloatArray, FloatArray]:
    """Shape and hours [G] of the posterior of each gate's arrivals an hour: a Poisson rate with a gamma prior.

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
    return np.maximum(shape, 1e-3), hours
