"""Who will come, as far as it is learned: arrivals lately, gates' shares, who is seen, who keeps a plan. Pure.

Everything is shrunk to what is assumed when little was seen: gamma, beta and Dirichlet distributions that count like so
many observations (A. Gelman et al., Bayesian Data Analysis, 3rd ed., chapters 2 and 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from app.forecasting.arrivals import ArrivalModel
from app.forecasting.demand_events import DemandEvent, Load, event_factors
from app.forecasting.state_store import GatePassage, Punctuality, SeenCount
from app.gates.notice import GateNotice
from routing.arrays import FloatArray, IntArray
from routing.demand import DemandModel, beside_each_seen, gate_shares
from routing.measure import distance_to_gate
from routing.network import Network

MAX_HOURS: Final = 4
SHARE_STRENGTH_VEH: Final = 20.0
SEEN_PRIOR: Final = (9.0, 1.0)
"""Assumed of undeclared trucks that nobody counted: nine of ten send their position."""
MIN_READS: Final = 5
IMPORT_STRENGTH_H: Final = 12.0
"""What is assumed of a gate's imports counts like so many hours."""
MIN_FACTOR: Final = 0.05
"""However few are said to come lately, so many more than these do not follow afterwards."""
TRIP_STRENGTH: Final = 10.0
"""What is assumed of an enterprise's trips counts like so many of them."""


@dataclass(frozen=True)
class Keeping:
    """How an enterprise keeps the arrivals that it plans."""

    lateness_mean_s: float
    lateness_sd_s: float
    show_up: float


def gate_share(passages: Iterable[GatePassage], network: Network) -> FloatArray:
    """[G] share of each gate among trucks that do not say where they go: as undeclared ones went lately."""
    prior = gate_shares(network.gate_demand)
    went = Counter(passage.gate_id for passage in passages if not passage.is_declared)
    count = np.array([went[gate_id] for gate_id in network.gate_ids], float)
    total = SHARE_STRENGTH_VEH * prior + count
    return np.asarray(total / total.sum())


def seen_share(counted: SeenCount) -> FloatArray | None:
    """[2] beta distribution of the share of undeclared trucks that send their position; None where nobody counted."""
    if counted.read < MIN_READS:
        return None
    a, b = SEEN_PRIOR
    # The prior counts like one truck: a camera that reads a dozen plates knows better.
    scale = 1.0 / (a + b)
    return np.array([a * scale + counted.seen, b * scale + counted.read - counted.seen])


def recent_arrivals(
    road_id: IntArray, offset_m: FloatArray, share: FloatArray, seen: FloatArray | None, network: Network
) -> FloatArray | None:
    """[G, H] undeclared trucks that came into the corridor in each of the last hours, newest last, unseen included.

    Read off where they drive now, `road_id` and `offset_m` [N]: who is an hour's free drive from the entry came in an
    hour ago. So it is known from the first minute on. None where the way is shorter than an hour.
    """
    entry = network.entry(int(np.argmax(share)))
    path = network.path(entry, int(np.argmax(share))) if entry >= 0 else []
    length_m, time_s = float(network.length_m[path].sum()), float(network.free_time_s[path].sum())
    hours = min(MAX_HOURS, int(time_s / 3600.0))
    if hours < 1:
        return None
    left_m = np.min([distance_to_gate(network, road_id, offset_m, g) for g in range(len(network.gate_ids))], axis=0)
    on_way = np.isfinite(left_m)
    ago_h = (length_m - left_m[on_way]) / length_m * time_s / 3600.0
    count = np.histogram(ago_h, np.arange(hours + 1))[0][::-1].astype(float)
    count *= 1.0 + beside_each_seen(seen)
    return np.asarray(share[:, None] * count)


def import_arrivals(
    passages: Iterable[GatePassage], network: Network, now: datetime, model: DemandModel | None = None
) -> FloatArray | None:
    """[G] imports an hour from abroad, as they came in the last day; shrunk to each gate's average day.

    None where none was seen: then that average is used.
    """
    model = model or DemandModel()
    since = now - timedelta(days=1)
    came = Counter(passage.gate_id for passage in passages if since < passage.time <= now)
    if not came:
        return None
    usual = np.array([gate.imports_veh_per_day for gate in network.gate_demand]) / 24.0 * model.import_factor
    count = np.array([came[gate_id] for gate_id in network.gate_ids], float)
    k = IMPORT_STRENGTH_H
    return np.asarray((k * usual + count) / (k + 24.0))


@dataclass(frozen=True)
class ComingHours:
    """What is known of the next hours: `factor` [K], or [G, K] where gates differ, undeclared arrivals relative to the
    last hours, and `expected_veh` [G] undeclared trucks an hour that come on average in hours like the last ones."""

    factor: FloatArray
    expected_veh: FloatArray


def coming_hours(
    model: ArrivalModel,
    network: Network,
    now: datetime,
    *,
    horizon_h: float,
    events: Collection[DemandEvent] = (),
    bans: Collection[GateNotice] = (),
    loads: Collection[Load] = (),
) -> ComingHours:
    """Undeclared arrivals by hour of the week, season and holidays of both countries, events and bans.

    Counts were made at the gates, a drive later than trucks come into the corridor; so do bans hold at the gates.
    """
    entry = network.entry(0)
    drive_h = float(network.free_time_s[network.path(entry, 0)].sum()) / 3600.0 if entry >= 0 else 0.0
    at_gate = now + timedelta(hours=drive_h)
    before = [at_gate - timedelta(hours=hours) for hours in (0.5, 1.5)]
    later = [at_gate + timedelta(hours=k + 0.5) for k in range(int(np.ceil(horizon_h)))]
    lately = np.mean([model.relative_rate(moment) for moment in before])
    ahead = np.array([model.relative_rate(moment) for moment in later])
    usual = np.array([gate.undeclared_exports_veh_per_h for gate in network.gate_demand])
    if not events and not bans:
        return ComingHours(ahead / lately, usual * lately)
    # Those who set out before an event was known drive on: what was counted lately shows it only since it began.
    eventful = event_factors(events, bans, loads, network, [*before, *later])
    since = np.maximum(eventful[:, : len(before)].mean(axis=1), MIN_FACTOR)
    return ComingHours(ahead * eventful[:, len(before) :] / lately / since[:, None], usual * lately * since)


def keeping(past: Iterable[Punctuality], model: DemandModel | None = None) -> dict[int, Keeping]:
    """How each enterprise keeps its plans, shrunk to what is assumed of all."""
    model = model or DemandModel()
    k = TRIP_STRENGTH
    found = {}
    for own in past:
        n = own.came
        mean = (k * model.lateness_mean_s + n * own.lateness_mean_s) / (k + n)
        # Pooled variance about the shrunk mean.
        within = k * model.lateness_sd_s**2 + max(0, n - 1) * own.lateness_sd_s**2
        between = k * n / (k + n) * (own.lateness_mean_s - model.lateness_mean_s) ** 2 if n else 0.0
        found[own.organisation_id] = Keeping(
            mean,
            float(np.sqrt((within + between) / (k + max(0, n - 1)))),
            (k * model.show_up + own.came) / (k + own.due),
        )
    return found


def keeping_arrays(
    organisations: Sequence[int | None], known: Mapping[int, Keeping], model: DemandModel | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """[M] mean and spread of lateness (s) and the chance to come of each declared trip."""
    model = model or DemandModel()
    assumed = Keeping(model.lateness_mean_s, model.lateness_sd_s, model.show_up)
    each = [
        known.get(organisation_id, assumed) if organisation_id is not None else assumed
        for organisation_id in organisations
    ]
    return (
        np.array([record.lateness_mean_s for record in each], float),
        np.array([record.lateness_sd_s for record in each], float),
        np.array([record.show_up for record in each], float),
    )
