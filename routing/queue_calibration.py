"""What the forest says, corrected by how it fared of late: its median by error, its spread by coverage.

Two corrections, each for every crossing, made from targets that have been observed by the origin:

- Where: the median is the forest's or a mix of it with persistence, whichever had the least absolute error of late
  (follow the leader with discounting; Herbster and Warmuth 1998).
- How sure: the quantile of level p is asked of the forest at another level, whose log odds are those of p times a
  factor that grows when too much falls outside the 80 % interval and shrinks when too little does, on each side for
  itself (adaptive conformal inference, Gibbs and Candès 2021, on the logarithm of the factor: an integral controller
  in the sense of Angelopoulos, Candès and Tibshirani 2023). Beyond the forest's outermost level the distance from the
  median is stretched. So the interval widens within days of a change of regime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from routing.arrays import FloatArray
from routing.queue_features import ForecastRows
from routing.queue_learner import FOREST_LEVELS

LEVELS = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""Levels of the forecast's quantiles."""
MEDIAN, LOWER, UPPER = 9, 1, 17
"""Indices of the median and of the levels 0.1 and 0.9, between which the 80 % interval lies."""
FOREST_SHARES = np.array([1.0, 0.75, 0.5, 0.25, 0.0])
"""Shares of the forest's median in the mixes with persistence; the forest alone comes first."""
_LOG_ODDS = np.log(LEVELS / (1.0 - LEVELS))
_FOREST_LOG_ODDS = np.log(FOREST_LEVELS / (1.0 - FOREST_LEVELS))
_FOREST_MEDIAN = len(FOREST_LEVELS) // 2


@dataclass(frozen=True)
class CalibrationSettings:
    """How quickly the corrections follow; figures in docs/decisions/0012-queue-backtest-learner.md."""

    loss_half_life_h: float = 48.0
    prior_h: float = 24.0  # for so long the crossing is judged by what all crossings showed, the forest leading
    prior_lead: float = 0.2  # by which another mix must be better than the forest
    rate: float = 0.04  # step of the logarithm of the factor at hourly observations
    outside: float = 0.105  # share wanted beyond each side: queues that are always empty are always covered
    min_spread: float = 0.02  # of the scale: what a stretch has to work on where the forest is certain
    max_log_factor: float = 2.5


@dataclass
class _Track:
    """How the forecasts of a crossing fared until `time_h`; `losses` are discounted sums of hours times error."""

    losses: FloatArray
    hours: float
    time_h: float
    log_factor: FloatArray  # [below, above]


def calibrated_quantiles(rows: ForecastRows, raw: FloatArray, settings: CalibrationSettings) -> FloatArray:
    """The quantiles after both corrections, [n, level]; NaN where `raw` is.

    Args:
        rows: By time of origin, as from `forecast_rows`.
        raw: The forest's quantiles, [n, forest level].
        settings: How quickly the corrections follow.
    """
    median = raw[:, _FOREST_MEDIAN]
    mixed = rows.value[:, None] + FOREST_SHARES * (median - rows.value)[:, None]
    distances = raw - median[:, None]
    losses = np.abs(mixed - rows.target[:, None]) / rows.scale[:, None]
    made = ~np.isnan(median)
    heard = np.flatnonzero(made & ~np.isnan(rows.target))
    heard = heard[np.argsort(rows.target_h[heard], kind="stable")]
    tracks: dict[int, _Track] = {}
    found = np.full((len(raw), len(LEVELS)), np.nan)
    done = 0
    for i in np.flatnonzero(made):
        while done < len(heard) and rows.target_h[heard[done]] <= rows.origin_h[i]:
            k = heard[done]
            _learn(
                tracks[int(rows.crossing[k])], losses[k], rows.target[k], found[k], float(rows.target_h[k]), settings
            )
            done += 1
        track = tracks.setdefault(
            int(rows.crossing[i]), _Track(np.zeros(len(FOREST_SHARES)), 0.0, float(rows.origin_h[i]), np.zeros(2))
        )
        centre = mixed[i, _best_mix(track, list(tracks.values()), settings)]
        min_width = settings.min_spread * rows.scale[i]
        found[i] = np.maximum(centre + _spread(distances[i], track.log_factor, min_width), 0.0)
    return found


def _spread(distances: FloatArray, log_factor: FloatArray, min_width: float) -> FloatArray:
    """Distances from the median at `LEVELS`: the forest's, at log odds times the factor of the side."""
    least = np.abs(_FOREST_LOG_ODDS) / _LOG_ODDS[UPPER] * min_width
    widths = np.maximum(np.abs(distances), least)
    signed = np.where(_FOREST_LOG_ODDS < 0, -widths, widths)
    signed[_FOREST_MEDIAN] = 0.0
    asked = _LOG_ODDS * np.exp(np.where(_LOG_ODDS < 0, log_factor[0], log_factor[1]))
    beyond = np.maximum(np.abs(asked) / _FOREST_LOG_ODDS[-1], 1.0)
    return np.asarray(np.interp(asked, _FOREST_LOG_ODDS, signed) * beyond)


def _best_mix(track: _Track, tracks: list[_Track], settings: CalibrationSettings) -> int:
    hours = sum(other.hours for other in tracks)
    if hours == 0.0:
        return 0
    pooled = np.sum([other.losses for other in tracks], axis=0) / hours
    losses = track.losses + settings.prior_h * pooled
    losses[1:] *= 1.0 + settings.prior_lead
    return int(np.argmin(losses))


def _learn(
    track: _Track, losses: FloatArray, target: float, issued: FloatArray, time_h: float, settings: CalibrationSettings
) -> None:
    gap_h = max(time_h - track.time_h, 0.0)
    kept = 0.5 ** (gap_h / settings.loss_half_life_h)
    worth_h = min(max(gap_h, 0.5), 4.0)
    track.losses = track.losses * kept + losses * worth_h
    track.hours = track.hours * kept + worth_h
    track.time_h = time_h
    missed = np.array([target < issued[LOWER], target > issued[UPPER]], dtype=float)
    moved = track.log_factor + settings.rate * worth_h**0.5 * (missed - settings.outside)
    track.log_factor = np.clip(moved, -settings.max_log_factor, settings.max_log_factor)
