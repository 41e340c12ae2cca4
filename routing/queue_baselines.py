"""Forecasts that the learner is measured against: AutoETS and Theta of statsforecast on an even grid.

Persistence and the seasonal naive forecast are columns of `ForecastRows` already.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from statsforecast.models import AutoETS, Theta

from routing.arrays import FloatArray
from routing.queue_features import DAY_H

FIT_WINDOW_H = 14 * DAY_H
REFIT_EVERY_H = 28 * DAY_H
MIN_DAYS = 3
"""With fewer days of history there is no model: the last value is forecast."""


class _Model(Protocol):
    """What is used of a model of statsforecast."""

    def fit(self, y: FloatArray) -> object:
        """Estimate the parameters on a series."""

    def forward(self, y: FloatArray, h: int) -> dict[str, FloatArray]:
        """Forecast `h` steps after a series that starts as the fitted one does."""


def ets(season_steps: int) -> _Model:
    """Exponential smoothing by AICc among models with additive errors: queues touch zero."""
    model: _Model = AutoETS(season_length=season_steps, model="AZZ")
    return model


def theta(season_steps: int) -> _Model:
    """The standard theta method with additive seasons."""
    model: _Model = Theta(season_length=season_steps, decomposition_type="additive")
    return model


def grid_forecasts(
    hours: FloatArray,
    values: FloatArray,
    horizons_h: Sequence[float],
    start_h: float,
    make_model: Callable[[int], _Model],
) -> FloatArray:
    """Forecasts at every observation from `start_h` on: [n, horizon], NaN before it.

    The past is put on an even grid by straight lines between observations, its last point being the origin's value.
    The grid's step is the median step of the observations before `start_h`, rounded to a divisor of a day. A model is
    fitted on two weeks and kept for four; in between its states follow the observations.
    """
    found = np.full((len(hours), len(horizons_h)), np.nan)
    asked = np.flatnonzero(hours >= start_h)
    step_h = _step_h(hours[hours < start_h])
    season = round(DAY_H / step_h)
    model: _Model | None = None
    fit_h = -np.inf
    first_h = 0.0
    for i in asked:
        if hours[i] - fit_h >= REFIT_EVERY_H or model is None:
            fit_h, first_h = hours[i], max(hours[0], hours[i] - FIT_WINDOW_H)
            model = None
            past = _grid(hours[: i + 1], values[: i + 1], first_h, step_h)
            if len(past) >= MIN_DAYS * season and np.ptp(past) > 0:
                model = make_model(season)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of optimisers that stop early
                    model.fit(past)
        past = _grid(hours[: i + 1], values[: i + 1], first_h, step_h)
        if model is None:
            found[i] = values[i]
            continue
        steps = np.maximum(np.round(np.asarray(horizons_h) / step_h).astype(int), 1)
        ahead = np.asarray(model.forward(past, h=int(steps.max()))["mean"])
        found[i] = np.nan_to_num(np.maximum(ahead[steps - 1], 0.0), nan=values[i], posinf=values[i])
    return found


def _step_h(hours: FloatArray) -> float:
    step_h = float(np.median(np.diff(hours))) if len(hours) > 1 else 1.0
    return min((1.0, 2.0, 3.0, 4.0, 6.0), key=lambda divisor: abs(divisor - step_h))


def _grid(hours: FloatArray, values: FloatArray, first_h: float, step_h: float) -> FloatArray:
    """The values from `first_h` to the last observation, whose value is the last point."""
    count = max(round((hours[-1] - first_h) / step_h), 0)
    past: FloatArray = np.interp(first_h + step_h * np.arange(count + 1), hours, values)
    past[-1] = values[-1]
    return past
