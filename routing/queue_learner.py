"""The learners of the count forecasts: two quantile regression forests, renewed as the origin rolls on.

A forest (Meinshausen 2006, extremely randomised after Geurts et al. 2006) predicts the change of the value to each
horizon in units of the crossing's usual change in a day, so that crossings of all sizes learn from each other and a
change of size is followed by itself. One forest knows everything; the other knows no weekday and nothing of earlier
weeks, so that it still holds when the week has become another. `routing.queue_calibration` mixes them.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from quantile_forest import ExtraTreesQuantileRegressor

from routing.arrays import BoolArray, FloatArray
from routing.queue_features import DAY_H, FEATURES, WEEKLESS, ForecastRows

FOREST_LEVELS = np.concatenate([[0.005, 0.01, 0.025], np.round(np.arange(0.05, 0.96, 0.05), 2), [0.975, 0.99, 0.995]])
"""Levels of the quantiles asked of the forest, the median in the middle."""


COLUMNS = (np.ones(len(FEATURES), bool), WEEKLESS)
"""Which features each learner knows."""


@dataclass(frozen=True)
class LearnerSettings:
    """How the forests are fitted; docs/decisions/0012-queue-backtest-learner.md has the figures behind the defaults."""

    refit_every_h: float = DAY_H
    generations: int = 4  # each refit grows one generation of trees and lets the oldest go; the quantiles are averaged
    trees: int = 15  # of a generation of each forest
    frequent_rows: int = 2000  # with more rows, refits are rarer in proportion, at most four times: they cost more
    min_leaf_rows: int = 3
    max_features: float = 0.25
    half_life_h: float = 30 * DAY_H  # after which a row counts half
    window_h: float = 150 * DAY_H  # older rows are not learned from
    max_rows: int = 4000  # of older ones every n-th is taken
    min_rows: int = 30  # with fewer there is no forest: the change is predicted to be none
    seed: int = 1


@dataclass(frozen=True)
class _Lessons:
    """What is learned from: features [n, feature], changes [n] in units of the scale, and what each counts [n]."""

    features: FloatArray
    change: FloatArray
    weight: FloatArray


def rolling_quantiles(
    rows: ForecastRows,
    start_h: float,
    settings: LearnerSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> FloatArray:
    """The forests' quantiles of the value at the target, [n, learner, level] in the unit of the values; NaN before
    `start_h`.

    The learners are in the order of `COLUMNS`. Every tree knows only rows whose target had been observed when it grew.
    """
    quantiles = np.full((len(rows.origin_h), len(COLUMNS), len(FOREST_LEVELS)), np.nan)
    last_h = float(rows.origin_h[-1])
    forests: list[deque[ExtraTreesQuantileRegressor]] = [deque(maxlen=settings.generations) for _ in COLUMNS]
    fit_h, seed = start_h, settings.seed
    while fit_h <= last_h:
        past = int(np.sum((rows.origin_h < fit_h) & (rows.origin_h > fit_h - settings.window_h)))
        kept_h = settings.refit_every_h * min(max(-(-past // settings.frequent_rows), 1), 4)
        asked = (rows.origin_h >= fit_h) & (rows.origin_h < fit_h + kept_h)
        if asked.any():
            lessons = _lessons(rows, fit_h, settings)
            for which, columns in enumerate(COLUMNS):
                change = _changes(lessons, rows.features[asked][:, columns], columns, forests[which], settings, seed)
                quantiles[asked, which] = rows.value[asked, None] + change * rows.scale[asked, None]
            seed += 1
        fit_h += kept_h
        progress(min(1.0, (fit_h - start_h) / (last_h - start_h + kept_h)))
    return np.asarray(np.maximum(quantiles, 0.0))


def _lessons(rows: ForecastRows, fit_h: float, settings: LearnerSettings) -> _Lessons | None:
    """What may be learned from at an hour; None if it is too little."""
    with np.errstate(invalid="ignore"):
        known = np.flatnonzero((rows.lesson_h <= fit_h) & (rows.origin_h > fit_h - settings.window_h))
    if len(known) < settings.min_rows:
        return None
    thinning = -(-len(known) // settings.max_rows)
    seen = rows.take(known[::-1][::thinning])
    weight = 0.5 ** ((fit_h - seen.origin_h) / settings.half_life_h)
    return _Lessons(seen.features, (seen.lesson - seen.value) / seen.scale, weight)


def _changes(
    lessons: _Lessons | None,
    asked: FloatArray,
    columns: BoolArray,
    forest: deque[ExtraTreesQuantileRegressor],
    settings: LearnerSettings,
    seed: int,
) -> FloatArray:
    """Quantiles of the change in units of the scale, [n, level], by a forest that gets a new generation first."""
    with warnings.catch_warnings():  # the package hands scikit-learn's jobs to joblib itself, which each job warns of
        warnings.filterwarnings("ignore", message=".*sklearn.utils.parallel.delayed.*", category=UserWarning)
        if lessons is not None:
            trees = ExtraTreesQuantileRegressor(
                settings.trees,
                min_samples_leaf=settings.min_leaf_rows,
                max_features=settings.max_features,
                max_samples_leaf=None,
                random_state=seed,
                n_jobs=1,  # threads would cost more than they bring with so few trees
            )
            trees.fit(lessons.features[:, columns], lessons.change, sample_weight=lessons.weight)
            forest.append(trees)
        if not forest:
            return np.zeros((len(asked), len(FOREST_LEVELS)))
        found = [each.predict(asked, quantiles=list(FOREST_LEVELS)) for each in forest]
    return np.asarray(np.mean(found, axis=0))
