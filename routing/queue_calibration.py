"""What the forests say, corrected by how they fared of late: their medians by error, their spread by coverage.

Two corrections, each for every crossing, made from targets that have been observed by the origin:

- Where: the median is a mean of mixes of both forests and persistence, each of which counts by its absolute error of
  late (exponentially weighted aggregation, Freund and Schapire 1997, of discounted losses, Chernov and Zhdanov 2010;
  losses are divided by the least one, so that the unit does not matter). A horizon's mixes are judged by the errors of
  all horizons up to its own, as these come in first: that a forecast for tomorrow has gone wrong is known tomorrow,
  that its forest has lost the queue within hours.
- How sure: the quantile of level p is asked of the forest at another level, whose log odds are those of p times a
  factor that grows when too much falls outside the 80 % interval and shrinks when too little does, on each side for
  itself (adaptive conformal inference, Gibbs and Candès 2021, on the logarithm of the factor: an integral controller
  in the sense of Angelopoulos, Candès and Tibshirani 2023). Beyond the forest's outermost level the distance from the
  median is stretched. So the interval widens within days of a change of regime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from routing.arrays import FloatArray
from routing.queue_features import ForecastRows
from routing.queue_learner import FOREST_LEVELS

LEVELS = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""Levels of the forecast's quantiles."""
MEDIAN, LOWER, UPPER = 9, 1, 17
"""Indices of the median and of the levels 0.1 and 0.9, between which the 80 % interval lies."""
_QUARTERS = [(a, b) for a in range(4, -1, -1) for b in range(5 - a)]
MIXES = np.array(_QUARTERS) / 4.0
"""[mix, learner] shares of the forests in each mix, persistence has the rest; the forest that knows all comes first."""
MIN_SPREAD_SHARE = 0.05
"""Each forest's share of the spread at least: where persistence leads, both say alike how sure it is."""
_LOG_ODDS = np.log(LEVELS / (1.0 - LEVELS))
_FOREST_LOG_ODDS = np.log(FOREST_LEVELS / (1.0 - FOREST_LEVELS))
_FOREST_MEDIAN = len(FOREST_LEVELS) // 2


@dataclass(frozen=True)
class CalibrationSettings:
    """How quickly the corrections follow; figures in docs/decisions/0012-queue-backtest-learner.md."""

    loss_half_life_h: float = 96.0
    prior_h: float = 24.0  # what all crossings showed counts like so many hours of the crossing's own
    selectivity: float = 20.0  # a mix with a tenth more error than the best one counts exp(-2) of it
    lead: float = 0.1  # by which a mix must be better than the forest that knows all to count as much
    rate: float = 0.04  # step of the logarithm of the factor at hourly observations
    outside: float = 0.105  # share wanted beyond each side: queues that are always empty are always covered
    min_spread: float = 0.02  # of the scale: what a stretch has to work on where the forest is certain
    max_log_factor: float = 2.5


class _Record:
    """How the forecasts of each crossing and horizon fared until `time_h`, NaN before the first one.

    `losses` [crossing, horizon, mix] and `hours` [crossing, horizon] are discounted sums of hours times error, and of
    hours; `log_factor` [crossing, horizon, side] is that of the spread below and above the median.
    """

    def __init__(self, crossings: int, horizons: int) -> None:
        self.losses = np.zeros((crossings, horizons, len(MIXES)))
        self.hours = np.zeros((crossings, horizons))
        self.time_h = np.full((crossings, horizons), np.nan)
        self.log_factor = np.zeros((crossings, horizons, 2))

    def begin(self, at: tuple[int, int], time_h: float) -> None:
        """Forecasts of a crossing and horizon begin, unless they have begun before."""
        if np.isnan(self.time_h[at]):
            self.time_h[at] = time_h

    def weights(self, at: tuple[int, int], settings: CalibrationSettings) -> FloatArray:
        """[mix] how much each mix counts for a crossing and horizon, adding up to 1."""
        crossing, horizon = at
        hours = self.hours[:, : horizon + 1].sum(axis=0)
        heard = np.flatnonzero(hours > 0.0)
        worse = np.zeros(len(MIXES))
        if heard.size:
            pooled = self.losses[:, heard].sum(axis=0) / hours[heard, None]
            losses = self.losses[crossing, heard] + settings.prior_h * pooled
            least = np.maximum(losses.min(axis=1), np.maximum(1e-9 * losses.max(axis=1), 1e-12))
            worse = (losses / least[:, None] - 1.0).mean(axis=0)
        worse[1:] += settings.lead
        weight = np.exp(-settings.selectivity * (worse - worse.min()))
        return np.asarray(weight / weight.sum())

    def learn(
        self,
        at: tuple[int, int],
        losses: FloatArray,
        target: float,
        issued: FloatArray,
        time_h: float,
        settings: CalibrationSettings,
    ) -> None:
        """A target was observed: `losses` [mix] are its errors, `issued` [level] the quantiles that were forecast."""
        gap_h = max(time_h - float(self.time_h[at]), 0.0)
        kept = 0.5 ** (gap_h / settings.loss_half_life_h)
        worth_h = min(max(gap_h, 0.5), 4.0)
        self.losses[at] = self.losses[at] * kept + losses * worth_h
        self.hours[at] = self.hours[at] * kept + worth_h
        self.time_h[at] = time_h
        missed = np.array([target < issued[LOWER], target > issued[UPPER]], dtype=float)
        moved = self.log_factor[at] + settings.rate * worth_h**0.5 * (missed - settings.outside)
        self.log_factor[at] = np.clip(moved, -settings.max_log_factor, settings.max_log_factor)


def calibrated_quantiles(
    horizons: Sequence[ForecastRows], raw: Sequence[FloatArray], settings: CalibrationSettings
) -> list[FloatArray]:
    """The quantiles of each horizon after both corrections, [n, level]; NaN where `raw` is.

    Args:
        horizons: The rows of each horizon, the nearest first, by time of origin, as from `forecast_rows`.
        raw: The forests' quantiles of each horizon, [n, learner, forest level].
        settings: How quickly the corrections follow.
    """
    mixed, distances, losses = [], [], []
    found = [np.full((len(own), len(LEVELS)), np.nan) for own in raw]
    observed: list[tuple[float, int, int]] = []
    asked: list[tuple[float, int, int]] = []
    for h, (rows, own) in enumerate(zip(horizons, raw, strict=True)):
        medians = own[:, :, _FOREST_MEDIAN]
        mixed.append(rows.value[:, None] + (medians - rows.value[:, None]) @ MIXES.T)
        distances.append(own - medians[:, :, None])
        losses.append(np.abs(mixed[h] - rows.target[:, None]) / rows.scale[:, None])
        made = ~np.isnan(medians).any(axis=1)
        asked += [(float(rows.origin_h[i]), h, int(i)) for i in np.flatnonzero(made)]
        observed += [(float(rows.target_h[i]), h, int(i)) for i in np.flatnonzero(made & ~np.isnan(rows.target))]
    observed.sort()
    record = _Record(1 + max(int(rows.crossing.max()) for rows in horizons), len(horizons))
    done = 0
    for origin_h, h, i in sorted(asked):
        while done < len(observed) and observed[done][0] <= origin_h:
            target_h, g, k = observed[done]
            past = horizons[g]
            at = int(past.crossing[k]), g
            record.learn(at, losses[g][k], float(past.target[k]), found[g][k], target_h, settings)
            done += 1
        rows = horizons[h]
        at = int(rows.crossing[i]), h
        record.begin(at, origin_h)
        weight = record.weights(at, settings)
        share = weight @ MIXES + MIN_SPREAD_SHARE
        min_width = settings.min_spread * rows.scale[i]
        spread = _spread(share @ distances[h][i] / share.sum(), record.log_factor[at], min_width)
        found[h][i] = np.maximum(weight @ mixed[h][i] + spread, 0.0)
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
