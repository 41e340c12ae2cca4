"""Scores of count forecasts: absolute error, pinball loss, CRPS, coverage, and skill against persistence."""

from __future__ import annotations

import numpy as np

from routing.arrays import FloatArray


def mean_absolute_error(predicted: FloatArray, observed: FloatArray) -> float | None:
    """In the unit of the values; None if there is nothing to score."""
    return rounded(float(np.mean(np.abs(predicted - observed)))) if len(observed) else None


def pinball_losses(quantiles: FloatArray, levels: FloatArray, observed: FloatArray) -> FloatArray:
    """Pinball loss of each forecast and level, [n, level] (Koenker and Bassett 1978)."""
    excess = observed[:, None] - quantiles
    return np.maximum(levels * excess, (levels - 1.0) * excess)


def crps(quantiles: FloatArray, levels: FloatArray, observed: FloatArray) -> float | None:
    """Mean continuous ranked probability score: twice the mean pinball loss over evenly spaced levels
    (Gneiting and Raftery 2007); None if there is nothing to score."""
    return rounded(2.0 * float(np.mean(pinball_losses(quantiles, levels, observed)))) if len(observed) else None


def coverage(lower: FloatArray, upper: FloatArray, observed: FloatArray) -> float | None:
    """Share of observations inside, ends included; None if there is nothing to score."""
    return rounded(float(np.mean((observed >= lower) & (observed <= upper)))) if len(observed) else None


def gain(error: float | None, reference: float | None) -> float | None:
    """By which share `error` is below `reference`; None if there is no error of the reference to be below."""
    return None if error is None or not reference else rounded(1.0 - error / reference)


def rounded(value: float) -> float:
    """Four digits after the point, as reports show them."""
    return round(value, 4)
