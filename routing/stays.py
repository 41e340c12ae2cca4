"""How long trucks have to stay in a gate's yards: one estimator, of recordings and of what is learned each hour. Pure.

The ledger knows when a truck came in and left. What is meant is the stay proper, for inspections and papers; waiting
for the crossing is a queue of its own. So a stay is followed until the truck leaves, or until the crossing closes or
has no free lane: from then on it may be the crossing that is waited for, and all that is known is that the stay was
longer, whenever the truck left then (right-censored; to look at when it left would favour short stays, since who is
done late waits longest). Trucks that come in at such times tell nothing. The logarithm of a stay is normal; its mean
and spread are found by expectation-maximisation over the censored stays (A. Dempster, N. Laird and D. Rubin, Journal
of the Royal Statistical Society B 39, 1977), in groups that are each shrunk to the level above, outliers counting less
(P. Holland and R. Welsch, Communications in Statistics A 6, 1977).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import log_ndtr

from routing.arrays import BoolArray, FloatArray, IntArray
from routing.gates import GateSetting

BUSY_SHARE: Final = 0.7
"""The crossing is taken to have no free lane while trucks leave at this share of what it serves."""
BUSY_WINDOW_S: Final = 900.0
BUSY_SERVICES: Final = 5.0
"""Before and after a truck's leaving it is looked how busy the crossing was: so long, or so many service times."""
SETTLING_S: Final = 1800.0
"""So long after closing those leave that were at the crossing already."""
LOG_SQRT_2PI: Final = 0.5 * float(np.log(2.0 * np.pi))
ROUNDS: Final = 200


@dataclass(frozen=True)
class FollowedStays:
    """[N] how long each stay was followed (s), and whether it went on then; 0 of those that tell nothing."""

    length_s: FloatArray
    went_on: BoolArray

    def take(self, keep: BoolArray) -> FollowedStays:
        """Some of the stays, [N] mask."""
        return FollowedStays(self.length_s[keep], self.went_on[keep])


def follow_stays(
    entered_s: FloatArray,
    left_s: FloatArray,
    setting: GateSetting,
    *,
    length_s: float,
    closed_s: Sequence[tuple[float, float]] = (),
) -> FollowedStays:
    """Each stay as long as nothing but itself keeps the truck, in the order given.

    Arguments: `entered_s` and `left_s` [N], seconds since the record began, NaN while a truck is inside; `length_s`,
    when it ends; `closed_s`, when the gate's crossing should be closed.
    """
    hidden = _hidden(left_s[np.isfinite(left_s)], setting, length_s, closed_s)
    begin_s, end_s = hidden[:, 0], hidden[:, 1]
    following = np.searchsorted(begin_s, entered_s, side="right")
    until_s = np.minimum(np.append(begin_s, np.inf)[following], length_s)
    comes_hidden = (following > 0) & (entered_s < np.append(end_s, -np.inf)[following - 1])
    is_over = left_s <= until_s
    found = np.where(is_over, left_s, until_s) - entered_s
    return FollowedStays(np.where(comes_hidden, 0.0, np.maximum(found, 0.0)), ~is_over)


def _hidden(
    left_s: FloatArray, setting: GateSetting, length_s: float, closed_s: Sequence[tuple[float, float]]
) -> FloatArray:
    """[K, 2] spans, apart and in order, in which who is done may have to wait: the crossing is closed, has just opened,
    or serves about as many as it can. Closures in which trucks leave are none."""
    window_s = max(BUSY_WINDOW_S, BUSY_SERVICES * setting.crossing.service.mean_s)
    times = np.sort(left_s)

    def leaving(begin_s: FloatArray, end_s: FloatArray) -> IntArray:
        return np.asarray(np.searchsorted(times, end_s, side="right") - np.searchsorted(times, begin_s, side="left"))

    closed = np.array(closed_s, float).reshape(-1, 2)
    kept = closed[leaving(closed[:, 0] + SETTLING_S, np.maximum(closed[:, 1] - 1.0, closed[:, 0] + SETTLING_S)) == 0]
    begin_s, end_s = np.maximum(times - window_s, 0.0), np.minimum(times + window_s, length_s)
    open_s = end_s - begin_s
    for closes_s, opens_s in kept:
        open_s -= np.maximum(np.minimum(end_s, opens_s) - np.maximum(begin_s, closes_s), 0.0)
    limit = BUSY_SHARE * setting.crossing.rate_veh_per_h() / 3600.0
    busy = times[leaving(begin_s, end_s) >= limit * np.maximum(open_s, 1.0)]
    spans = sorted([*((a, b + window_s) for a, b in kept), *((t - window_s, t) for t in busy)])
    found: list[list[float]] = []
    for begin, end in spans:
        if found and begin <= found[-1][1]:
            found[-1][1] = max(found[-1][1], float(end))
        else:
            found.append([float(begin), float(end)])
    return np.array(found, float).reshape(-1, 2)


@dataclass(frozen=True)
class StayFit:
    """Mean and standard deviation of the logarithm of stays, and [group] how each group differs from the mean."""

    mean_log: float
    sd_log: float
    effect: FloatArray

    @property
    def mean_s(self) -> float:
        """The mean stay."""
        return float(np.exp(self.mean_log + self.sd_log**2 / 2.0))

    @property
    def cv(self) -> float:
        """Its coefficient of variation."""
        return float(np.sqrt(np.expm1(self.sd_log**2)))


def fit_stays(
    stays: FollowedStays,
    *,
    prior_mean_log: float,
    prior_sd_log: float,
    strength: float = 0.0,
    group: IntArray | None = None,
    groups: int = 1,
    kinds: int = 1,
    outlying: float = np.inf,
) -> StayFit:
    """Stays as far as they were followed.

    Arguments: the prior, which counts like `strength` trucks, as does the level above for each group; `group` [N] of
    `groups`, in `kinds` of equally many, one after the other; `outlying`, stays farther from their mean than so many
    standard deviations count less, as the square of the distance. Without a strength two stays are needed at least.
    """
    log_s, went_on = np.log(np.maximum(stays.length_s, 1.0)), stays.went_on
    own = np.zeros(log_s.size, np.int64) if group is None else group
    kind = own // (groups // kinds)
    mean, sd = prior_mean_log, prior_sd_log
    of_kind, of_group = np.zeros(kinds), np.zeros(groups)
    for _ in range(ROUNDS if log_s.size else 0):
        before = mean, sd
        centre = mean + of_kind[kind] + of_group[own]
        z = (log_s - centre) / sd
        hazard = np.exp(-(z**2) / 2.0 - LOG_SQRT_2PI - log_ndtr(-z))  # normal density over what is above it
        values = np.where(went_on, centre + sd * hazard, log_s)
        variance = np.where(went_on, sd**2 * (1.0 + z * hazard - hazard**2), 0.0)
        weight = np.where(went_on, 1.0, np.minimum(1.0, (outlying / np.maximum(np.abs(z), 1e-9)) ** 2))
        off = values - of_kind[kind] - of_group[own]
        mean = float((strength * prior_mean_log + (weight * off).sum()) / (strength + weight.sum()))
        if strength > 0.0:
            of_kind = _shrunk(values - mean - of_group[own], weight, kind, kinds, strength)
            of_group = _shrunk(values - mean - of_kind[kind], weight, own, groups, strength)
        residual = values - mean - of_kind[kind] - of_group[own]
        total = strength * prior_sd_log**2 + (weight * (residual**2 + variance)).sum()
        sd = max(float(np.sqrt(total / (strength + weight.sum()))), 1e-3)
        if abs(mean - before[0]) + abs(sd - before[1]) < 1e-6:
            break
    return StayFit(mean, sd, np.repeat(of_kind, groups // kinds) + of_group)


def _shrunk(values: FloatArray, weight: FloatArray, group: IntArray, groups: int, strength: float) -> FloatArray:
    total = np.bincount(group, weight * values, groups)
    return np.asarray(total / (strength + np.bincount(group, weight, groups)))
