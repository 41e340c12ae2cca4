"""The engine's parameters as recordings show them: free speeds, service at gates, capacities, stays in yards.

Each estimate says how sure it is (an interval that holds the true value in 95 of 100 recordings), of how many
observations, and from what. What was seen too seldom is left out, and what is assumed stays in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from scipy.special import gammaincinv, ndtri

from geo.corridor import Corridor
from geo.motion import FREE_MPS
from routing.arrays import FloatArray
from routing.demand import DemandModel
from routing.gates import GateSetting
from routing.recordings import Drives, Passages, Recording, Stays
from routing.stays import fit_stays, follow_stays

MIN_DRIVES: Final = 20
MIN_HEADWAYS: Final = 30
MIN_STAYS: Final = 20
MIN_EXACT_SHARE: Final = 0.2
"""Where fewer of the stays that were followed end before the crossing has no free lane, too much hangs on the form of
the distribution."""
MIN_DRIVE_M: Final = 200.0
"""Over shorter ones the errors of positions make up more of a speed than the trucks do."""
UPPER_SHARE: Final = 0.7
"""The quantile that is taken of unhindered speeds: a third of them may be hindered unseen before it moves much."""
STOP_HEADWAYS: Final = 15.0
"""A headway of so many medians is no service but a stop: of exponential ones 1 in 30,000 is as long."""
BLOCK_HEADWAYS: Final = 12
FLOW_WINDOW_S: Final = 900.0
MAX_SPEED_CV: Final = 0.3
LEVEL: Final = 0.95
Z: Final = float(ndtri(0.5 + LEVEL / 2.0))


class Quantity(StrEnum):
    """What is estimated; the unit is part of the name."""

    FREE_SPEED_MPS = "free_speed_mps"
    """Of a road: the speed of the middle one of unhindered trucks."""
    SERVICE_MEAN_S = "service_mean_s"
    """Of a gate's entrance: from one start in a lane to the next, while somebody waits."""
    SERVICE_CV = "service_cv"
    CAPACITY_VEH_PER_H = "capacity_veh_per_h"
    """Of a gate's entrance, all lanes together."""
    FLOW_VEH_PER_H = "flow_veh_per_h"
    """Of a road: the densest quarter of an hour; it can take as many at least."""
    DWELL_MEAN_S = "dwell_mean_s"
    """Of a gate's yards: what a truck has to do there, without waiting for the crossing."""
    DWELL_CV = "dwell_cv"


class Source(StrEnum):
    """From what an estimate was made."""

    TRACKS = "tracks"
    PASSAGES = "passages"
    YARD_LEDGER = "yard_ledger"


@dataclass(frozen=True)
class Estimate:
    """One parameter of `subject` (an edge, a gate) with its 95 % interval."""

    quantity: Quantity
    subject: str
    value: float
    low: float
    high: float
    observations: int
    source: Source
    assumed: float | None = None
    """What is in force without it; None where nothing is."""

    @property
    def is_new(self) -> bool:
        """Whether the interval says that what is in force is not so."""
        return self.assumed is not None and not self.low <= self.assumed <= self.high


def estimate(recording: Recording, corridor: Corridor, settings: Sequence[GateSetting]) -> tuple[Estimate, ...]:
    """All that a recording shows of the corridor's roads and of exports at its gates.

    Arguments: `settings`, how the gates are taken to work; lanes and opening hours are theirs.
    """
    exports = {setting.gate_id: setting for setting in settings if setting.direction == "export"}
    found: list[Estimate] = [*free_speeds(recording.drives, corridor), *road_flows(recording, corridor)]
    for gate_id, passages in sorted(recording.passages.items()):
        if (setting := exports.get(gate_id)) is not None:
            closed = _closed(recording, setting, entrance=True)
            found += service(passages, setting, closed_s=closed, seen_share=recording.seen_share.get(gate_id, 1.0))
    for gate_id, stay in sorted(recording.stays.items()):
        if (setting := exports.get(gate_id)) is not None:
            closed = _closed(recording, setting, entrance=False)
            found += dwell(stay, setting, length_s=recording.length_s, closed_s=closed)
    return tuple(found)


def free_speeds(drives: Drives, corridor: Corridor) -> list[Estimate]:
    """The free speed of each road on which enough trucks drove unhindered.

    Robust: the upper quantile `UPPER_SHARE` of those that never were as slow as in a queue, brought back to the middle
    truck by how far trucks differ, a lognormal whose spread is that between the quantiles above it. Interval by order
    statistics (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2).
    """
    from scipy.stats import quantile_test  # noqa: PLC0415 - half a second of the start of every process that forecasts

    unhindered = drives.take(
        (drives.length_m >= MIN_DRIVE_M) & (drives.time_s > 0.0) & ~(drives.slowest_mps < FREE_MPS)
    )
    found = []
    speed = unhindered.length_m / np.maximum(unhindered.time_s, 1e-9)
    for road in np.unique(unhindered.road_id):
        own = speed[unhindered.road_id == road]
        if own.size < MIN_DRIVES:
            continue
        upper = quantile_test(own, p=UPPER_SHARE)
        interval = upper.confidence_interval(LEVEL)
        value = float(np.quantile(own, UPPER_SHARE))
        to_middle = np.exp(-ndtri(UPPER_SHARE) * _spread(own))
        found.append(
            Estimate(
                Quantity.FREE_SPEED_MPS,
                corridor.roads[road].edge_id,
                value * to_middle,
                float(np.nan_to_num(interval.low, nan=own.min())) * to_middle,
                float(np.nan_to_num(interval.high, nan=own.max())) * to_middle,
                int(own.size),
                Source.TRACKS,
                corridor.roads[road].free_speed_mps,
            )
        )
    return found


def _spread(speed_mps: FloatArray) -> float:
    """Standard deviation of the logarithm, from the upper half; few trucks say less than the model assumes."""
    assumed, counts_like = DemandModel().truck_cv, 50.0
    middle, upper = np.quantile(np.log(speed_mps), [0.5, 0.9])
    seen = min((upper - middle) / ndtri(0.9), MAX_SPEED_CV)
    weight = speed_mps.size / (speed_mps.size + counts_like)
    return float(weight * seen + (1.0 - weight) * assumed)


def road_flows(recording: Recording, corridor: Corridor) -> list[Estimate]:
    """The densest quarter of an hour on each road: what it takes at least, of the trucks that were seen.

    What a road can take shows only where a queue stands before it; none does on the way to a gate that is slower.
    """
    found, drives = [], recording.drives
    for road in np.unique(drives.road_id):
        times = np.sort(drives.begin_s[drives.road_id == road])
        if times.size < MIN_DRIVES:
            continue
        count = int((np.searchsorted(times, times + FLOW_WINDOW_S, side="right") - np.arange(times.size)).max())
        per_h = 3600.0 / FLOW_WINDOW_S
        # Bounds of a Poisson mean are quantiles of gamma, or half those of chi-squared with twice the freedom.
        low, high = gammaincinv([count, count + 1], [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0]) * per_h
        found.append(
            Estimate(
                Quantity.FLOW_VEH_PER_H,
                corridor.roads[road].edge_id,
                count * per_h,
                float(low),
                float(high),
                int(times.size),
                Source.TRACKS,
                corridor.roads[road].capacity_veh_per_h,
            )
        )
    return found


def saturated_headways(passages: Passages, closed_s: Iterable[tuple[float, float]] = ()) -> list[FloatArray]:
    """Times between one start at the entrance and the next while the next one was waiting already, in runs.

    Closing times belong to none, nor do stops (`STOP_HEADWAYS`): both end a run.
    """
    headway = np.diff(passages.start_s)
    waited = passages.arrived_s[1:] <= passages.start_s[:-1]
    for begin, end in closed_s:
        waited &= ~((passages.start_s[:-1] < end) & (passages.start_s[1:] > begin))
    if waited.any():
        waited &= headway <= STOP_HEADWAYS * np.median(headway[waited])
    breaks = np.flatnonzero(np.diff(waited.astype(np.int8))) + 1
    return [run for run, own in zip(np.split(headway, breaks), np.split(waited, breaks), strict=True) if own.any()]


def service(
    passages: Passages,
    setting: GateSetting,
    *,
    closed_s: Iterable[tuple[float, float]] = (),
    seen_share: float = 1.0,
) -> list[Estimate]:
    """Service time, its variation and the capacity of a gate's entrance, from starts while somebody waits.

    With all lanes taken, starts follow one another at the mean service time over the lanes. The variation is that of
    sums of `BLOCK_HEADWAYS`, see `_cv`. Of trucks of which a share is noticed, headways are as much shorter.
    """
    lanes = setting.entrance.lanes
    runs = saturated_headways(passages, closed_s)
    headways = np.concatenate(runs) if runs else np.zeros(0)
    if headways.size < MIN_HEADWAYS:
        return []
    mean = float(headways.mean()) * seen_share
    # Headways of several lanes that are even are less than independent: the interval is not too narrow.
    error = Z * float(headways.std(ddof=1)) * seen_share / np.sqrt(headways.size)
    usual = setting.entrance.service

    low, high = max(mean - error, 1e-3), mean + error
    n, gate_id = int(headways.size), setting.gate_id
    rate = setting.entrance.rate_veh_per_h() if usual.mean_s > 0.0 else None
    found = [
        Estimate(
            Quantity.SERVICE_MEAN_S,
            gate_id,
            lanes * mean,
            lanes * low,
            lanes * high,
            n,
            Source.PASSAGES,
            usual.mean_s,
        ),
        Estimate(
            Quantity.CAPACITY_VEH_PER_H,
            gate_id,
            3600.0 / mean,
            3600.0 / high,
            3600.0 / low,
            n,
            Source.PASSAGES,
            rate,
        ),
    ]
    size = max(BLOCK_HEADWAYS, 3 * lanes)
    sums = np.array([run[i : i + size].sum() for run in runs for i in range(0, run.size - size + 1, size)])
    # Thinned starts vary by being noticed or not: of those the variation of service cannot be told.
    if sums.size >= 5 and seen_share > 0.95:
        freedom = sums.size - 1
        variance = float(sums.var(ddof=1)) / float(headways.mean()) ** 2
        bounds = 2.0 * gammaincinv(freedom / 2.0, [0.5 + LEVEL / 2.0, 0.5 - LEVEL / 2.0])  # of chi-squared
        cv, cv_low, cv_high = (_cv(float(each), size, lanes) for each in (variance, *(variance * freedom / bounds)))
        found.append(
            Estimate(
                Quantity.SERVICE_CV,
                gate_id,
                cv,
                cv_low,
                cv_high,
                int(sums.size),
                Source.PASSAGES,
                usual.cv,
            )
        )
    return found


def _cv(variance: float, size: int, lanes: int) -> float:
    """Variation of one lane's service from the variance of sums of `size` headways, in squares of their mean.

    The variance grows with the sums by cv² a headway, from a constant for each lane: starts of lanes that run side by
    side are in no step with a sum's begin and end (D. R. Cox, Renewal Theory, section 4.5; a lognormal's third moment).
    """
    squared = variance / size
    for _ in range(20):
        constant = 1.0 / 6.0 - squared**2 / 2.0 - squared**3 / 3.0
        squared = min(max((variance - lanes * constant) / size, 1e-4), variance / size + 1.0)
    return float(np.sqrt(squared))


def dwell(
    stay: Stays, setting: GateSetting, *, length_s: float, closed_s: Sequence[tuple[float, float]] = ()
) -> list[Estimate]:
    """How long trucks have to stay in a gate's yards, from the ledger (`routing.stays`), nothing assumed beforehand."""
    followed = follow_stays(stay.entered_s, stay.left_s, setting, length_s=length_s, closed_s=closed_s)
    over, known = np.isfinite(stay.left_s), followed.take(followed.length_s > 0.0)
    exact = int((~known.went_on).sum())
    if exact < max(MIN_STAYS, MIN_EXACT_SHARE * known.length_s.size):
        return []
    seen = np.log(np.maximum(known.length_s[~known.went_on], 1.0))
    fit = fit_stays(known, prior_mean_log=float(seen.mean()), prior_sd_log=max(float(seen.std()), 0.05))
    mean, cv, sd_log = fit.mean_s, fit.cv, fit.sd_log
    # In large samples the logarithm of the mean has variance sd²/n + sd⁴/2n (G. Zou et al., Stat. in Medicine, 2009).
    error = Z * np.sqrt((sd_log**2 + sd_log**4 / 2.0) / exact)
    of_sd = Z * sd_log / np.sqrt(2.0 * exact)
    cv_low, cv_high = (np.sqrt(np.expm1(max(sd_log + step, 0.0) ** 2)) for step in (-of_sd, of_sd))
    low, high = mean * np.exp(-error), mean * np.exp(error)
    gate_id, usual = setting.gate_id, setting.dwell
    rows = (
        (Quantity.DWELL_MEAN_S, (mean, low, high), usual.mean_s),
        (Quantity.DWELL_CV, (cv, cv_low, cv_high), usual.cv),
    )
    return [
        Estimate(
            quantity,
            gate_id,
            float(value),
            float(lowest),
            float(highest),
            int(over.sum()),
            Source.YARD_LEDGER,
            assumed,
        )
        for quantity, (value, lowest, highest), assumed in rows
    ]


def _closed(recording: Recording, setting: GateSetting, *, entrance: bool) -> list[tuple[float, float]]:
    """When a server of the gate was closed, in seconds since the recording's start."""
    hours = (setting.entrance if entrance else setting.crossing).hours
    if hours.is_always_open:
        return []
    found, last_s = [], 0.0
    for begin, end in hours.spans_s(recording.start, recording.length_s):
        if begin > last_s:
            found.append((last_s, begin))
        last_s = max(last_s, end)
    return [*found, (last_s, recording.length_s)] if last_s < recording.length_s else found
