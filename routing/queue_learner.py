"""The learner of the count forecasts: a quantile regression forest, refitted as the origin rolls on.

The forest (Meinshausen 2006, extremely randomised after Geurts et al. 2006) predicts the change of the value to each
horizon in units of the crossing's usual change in a day, so that crossings of all sizes learn from each other and a
change of size is followed by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from quantile_forest import ExtraTreesQuantileRegressor

from routing.arrays import FloatArray
from routing.queue_features import DAY_H, ForecastRows

FOREST_LEVELS = np.concatenate([[0.005, 0.01, 0.025], np.round(np.arange(0.05, 0.96, 0.05), 2), [0.975, 0.99, 0.995]])
"""Levels of the quantiles asked of the forest, the median in the middle."""


@dataclass(frozen=True)
class LearnerSettings:
    """How the forest is fitted; docs/decisions/0012-queue-backtest-learner.md has the figures behind the defaults."""

    refit_every_h: float = DAY_H
    frequent_rows: int = 2000  # with more rows, refits are rarer in proportion, at most four times: they cost more
    trees: int = 80
    min_leaf_rows: int = 3
    max_features: float = 0.5
    half_life_h: float = 30 * DAY_H  # after which a row counts half
    window_h: float = 150 * DAY_H  # older rows are not learned from
    max_rows: int = 4000  # of older ones every n-th is taken
    min_rows: int = 30  # with fewer there is no forest: the change is predicted to be none
    seed: int = 1


def rolling_quantiles(
    rows: ForecastRows,
    start_h: float,
    settings: LearnerSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> FloatArray:
    """The forest's quantiles of the value at the target, [n, level] in the unit of the values; NaN before `start_h`.

    Every forest knows only rows whose target had been observed when it was fitted.
    """
    quantiles = np.full((len(rows.origin_h), len(FOREST_LEVELS)), np.nan)
    last_h = float(rows.origin_h[-1])
    fit_h = start_h
    while fit_h <= last_h:
        past = int(np.sum((rows.origin_h < fit_h) & (rows.origin_h > fit_h - settings.window_h)))
        kept_h = settings.refit_every_h * min(max(-(-past // settings.frequent_rows), 1), 4)
        asked = (rows.origin_h >= fit_h) & (rows.origin_h < fit_h + kept_h)
        if asked.any():
            change = _forest_change(rows, fit_h, rows.features[asked], settings)
            quantiles[asked] = rows.value[asked, None] + change * rows.scale[asked, None]
        fit_h += kept_h
        progress(min(1.0, (fit_h - start_h) / (last_h - start_h + kept_h)))
    return np.asarray(np.maximum(quantiles, 0.0))


def _forest_change(rows: ForecastRows, fit_h: float, asked: FloatArray, settings: LearnerSettings) -> FloatArray:
    """Quantiles of the change in units of the scale, [n, level]."""
    with np.errstate(invalid="ignore"):
        known = np.flatnonzero((rows.lesson_h <= fit_h) & (rows.origin_h > fit_h - settings.window_h))
    if len(known) < settings.min_rows:
        return np.zeros((len(asked), len(FOREST_LEVELS)))
    thinning = -(-len(known) // settings.max_rows)
    known = known[::-1][::thinning]
    seen = rows.take(known)
    forest = ExtraTreesQuantileRegressor(
        settings.trees,
        min_samples_leaf=settings.min_leaf_rows,
        max_features=settings.max_features,
        max_samples_leaf=None,
        random_state=settings.seed,
        n_jobs=-1,
    )
    forest.fit(
        seen.features,
        (seen.lesson - seen.value) / seen.scale,
        sample_weight=0.5 ** ((fit_h - seen.origin_h) / settings.half_life_h),
    )
    predicted: FloatArray = forest.predict(asked, quantiles=list(FOREST_LEVELS))
    return predicted
