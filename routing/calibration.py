"""Bands that hold what they say: a forecast's quantiles corrected by how it fared of late.

For each series and horizon a `Track` keeps the signed errors of late, in widths of the band they were made with, as a
histogram that forgets with time. The band is read off it (conformal prediction: the quantiles of the residuals), at
levels that move when too much or too little falls outside on a side (adaptive conformal inference, Gibbs and Candès,
Advances in Neural Information Processing Systems 34, 2021). So a band holds its share also after a change of regime:
the histogram learns the new errors within days, the levels within hours.

Libraries of conformal prediction (MAPIE, crepes) calibrate fitted estimators on arrays in memory; here a track of 107
numbers is kept between two minutes, whatever made the forecast. Which of several forecasts to publish is
`choose_source`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeVar

import numpy as np

from routing.arrays import FloatArray

LOW, MIDDLE, HIGH = 0, 1, 2
OUTSIDE: Final = 0.1
"""Share wanted beyond each side of the 80 % band."""
HALF_LIFE_H: Final = 36.0
PRIOR_H, PRIOR_LEADS = 0.25, 4.0
"""After so many hours and horizons of evidence errors count as much as the forecast's own band, and soon far more."""
ERRORS_A_LEAD: Final = 3.0
"""Errors of a horizon that overlap are taken for so many that do not."""
LEVEL_RATE_PER_H: Final = 0.03
"""Step of the adaptive levels an hour; Gibbs and Candès take 0.005 to 0.05 an observation."""
MIN_LEVEL, MAX_LEVEL = -0.1, 0.4
"""Of what is asked to lie outside; below 0 the band goes beyond the largest error remembered."""
MIDDLE_LEVELS: Final = (0.3, 0.7)
"""The median stays where it is while it lies between these quantiles of what came, and so far as few errors tell."""
STRETCH: Final = 5.0
"""How quickly a band grows beyond the largest error remembered, where even that does not hold enough."""
MIN_WIDTH_SHARE: Final = 0.6
"""Of the mean absolute error: a width to stretch where the ensemble is certain."""
MAX_GAP_H: Final = 1.0
"""An observation stands for the time since the one before, but not for a longer gap."""
MIN_LEAD_H: Final = 1.0 / 12.0
MAX_WIDTHS: Final = 150.0
_MAGNITUDES = np.geomspace(0.05, MAX_WIDTHS, 70)
EDGES: Final = np.concatenate([-_MAGNITUDES[::-1], _MAGNITUDES])
"""Edges of the bins of an error in widths; the middle bin holds the errors that are nearly none."""
N_BINS: Final = EDGES.size + 1
_RAW_OFFSETS = np.array([-1.0, 0.0, 1.0])

Name = TypeVar("Name", bound=str)


class Band(NamedTuple):
    """Quantiles 0.1, 0.5, 0.9 as they are published, and the widths below and above that errors are measured in."""

    low: float
    middle: float
    high: float
    width_below: float
    width_above: float


@dataclass(frozen=True)
class Track:
    """How a forecast of one series and horizon fared; `histogram` [N_BINS] in hours, discounted.

    `level_below` and `level_above` are the shares that the band is asked to leave outside, `mean_error` the discounted
    mean absolute error in the series' unit, `evidence_h` the hours it is made of, `time_h` the hour of the epoch of
    the last observation.
    """

    histogram: FloatArray
    level_below: float = OUTSIDE
    level_above: float = OUTSIDE
    mean_error: float = 0.0
    evidence_h: float = 0.0
    time_h: float | None = None

    @classmethod
    def empty(cls) -> Track:
        """A track that has seen nothing: the forecast's own band holds."""
        return cls(np.zeros(N_BINS))

    def min_width(self, unit: float) -> float:
        """The least width of a side; `unit` is the smallest difference that matters."""
        return max(unit, MIN_WIDTH_SHARE * self.mean_error)

    def usual_error(self, unit: float) -> float:
        """What a forecast is off by on average; `unit` is the smallest difference that matters."""
        return max(unit, self.mean_error)

    def offsets(self, lead_h: float, *, moves_middle: bool) -> FloatArray:
        """Where the quantiles 0.1, 0.5, 0.9 lie, in widths from the forecast's median, [3].

        With `moves_middle` the median is moved when most errors lie on one side of it (it comes to lie within the
        middle of them), else it stays, within the band.
        """
        if self.evidence_h <= 0.0:
            return _RAW_OFFSETS.copy()
        # The finite-sample correction of split conformal prediction: of few errors the outermost.
        n = 1.0 + ERRORS_A_LEAD * self.evidence_h / max(lead_h, MIN_LEAD_H)
        below, above = (level - (1.0 - level) / n for level in (self.level_below, self.level_above))
        # So far may a level of n errors be off by chance (binomial): what an afternoon showed moves no median.
        luck = 0.5 / np.sqrt(n)
        middle = MIDDLE_LEVELS[0] - luck, MIDDLE_LEVELS[1] + luck
        levels = np.clip([below, *middle, 1.0 - above], 0.01, 0.99)
        lowest, lower, upper, highest = _quantiles(self.histogram, levels)
        found = np.array([lowest, np.clip(0.0, lower, upper) if moves_middle else 0.0, highest])
        found[LOW] -= (abs(found[LOW]) + 1.0) * np.expm1(STRETCH * max(-self.level_below, 0.0))
        found[HIGH] += (abs(found[HIGH]) + 1.0) * np.expm1(STRETCH * max(-self.level_above, 0.0))
        weight = self.evidence_h**2 / (self.evidence_h**2 + (PRIOR_H + PRIOR_LEADS * lead_h) ** 2)
        mixed = weight * found + (1.0 - weight) * _RAW_OFFSETS
        mixed[MIDDLE] = np.clip(mixed[MIDDLE], mixed[LOW], mixed[HIGH])
        return np.asarray(mixed)


def calibrate_curve(
    raw: FloatArray,
    lead_s: FloatArray,
    nodes_s: Sequence[float],
    tracks: Sequence[Track],
    *,
    unit: float,
    moves_middle: bool,
) -> tuple[FloatArray, FloatArray]:
    """A forecast's quantiles [3, T] corrected, and the widths below and above they were corrected in, [2, T].

    Within a band's own width it is corrected in proportion to that; what goes beyond is added in usual errors. An
    ensemble that is ten times as wide as at another time does not err ten times as much: errors of ten widths, of a
    certain forecast that lanes closed upon, would make an unsure one of another day wider than any queue.

    Between the horizons `nodes_s` of the tracks the correction goes linearly; at lead 0 nothing is corrected, since
    that is measured. What is not finite stays.

    Args:
        raw: Quantiles 0.1, 0.5, 0.9 by time.
        lead_s: How far ahead each sample is, [T].
        nodes_s: The horizons of `tracks`, ascending.
        tracks: How the forecast fared at each of them.
        unit: The smallest difference that matters.
        moves_middle: Whether the median is corrected too.
    """
    nodes = np.concatenate([[0.0], nodes_s])
    known = [
        track.offsets(node / 3600.0, moves_middle=moves_middle) for node, track in zip(nodes_s, tracks, strict=True)
    ]
    offsets = np.array([np.interp(lead_s, nodes, values) for values in np.array([_RAW_OFFSETS, *known]).T])
    least = np.interp(lead_s, nodes, [0.0, *(track.min_width(unit) for track in tracks)])
    usual = np.interp(lead_s, nodes, [0.0, *(track.usual_error(unit) for track in tracks)])
    with np.errstate(invalid="ignore"):
        widths = np.maximum(np.diff(raw, axis=0), least)
        own, inner = np.where(offsets < 0.0, widths[0], widths[1]), np.clip(offsets, -1.0, 1.0)
        found = raw[MIDDLE] + inner * own + (offsets - inner) * np.minimum(own, usual)
    found = np.maximum.accumulate(np.maximum(found, 0.0), axis=0)
    return np.where(np.isfinite(raw).all(axis=0), found, raw), widths


def learn(
    track: Track, bands: Sequence[Band], centres: Sequence[float], observed: Sequence[float], time_h: float
) -> Track:
    """The track after what came of some forecasts is known; those of one call share the time since the last one.

    Args:
        track: How the forecasts fared before.
        bands: What was issued.
        centres: The medians before their correction, from which errors are measured.
        observed: What came, finite.
        time_h: The hour of the epoch.
    """
    if not len(observed):
        return track
    gap_h = 1.0 / 12.0 if track.time_h is None else min(max(time_h - track.time_h, 0.0), MAX_GAP_H)
    elapsed_h = 0.0 if track.time_h is None else max(time_h - track.time_h, 0.0)
    kept = 0.5 ** (elapsed_h / HALF_LIFE_H)
    worth_h = gap_h / len(observed)
    histogram = track.histogram * kept
    errors = [abs(value - band.middle) for band, value in zip(bands, observed, strict=True)]
    evidence_h = track.evidence_h * kept + gap_h
    error_h = track.evidence_h * kept * track.mean_error + worth_h * sum(errors)
    mean_error = error_h / evidence_h if evidence_h > 0.0 else 0.0
    # An error that nobody reckoned with counts in widths that know of it, or it would stretch every later band.
    min_width = max(MIN_WIDTH_SHARE * mean_error, 1e-9)
    below, above = track.level_below, track.level_above
    for band, centre, value in zip(bands, centres, observed, strict=True):
        error = value - centre
        width = band.width_above if error >= 0.0 else band.width_below
        histogram[np.searchsorted(EDGES, error / max(width, min_width))] += worth_h
        below += LEVEL_RATE_PER_H * worth_h * (OUTSIDE - (value < band.low))
        above += LEVEL_RATE_PER_H * worth_h * (OUTSIDE - (value > band.high))
    return replace(
        track,
        histogram=histogram,
        level_below=float(np.clip(below, MIN_LEVEL, MAX_LEVEL)),
        level_above=float(np.clip(above, MIN_LEVEL, MAX_LEVEL)),
        mean_error=mean_error,
        evidence_h=evidence_h,
        time_h=time_h if track.time_h is None else max(time_h, track.time_h),
    )


LOST_BY: Final = 0.1
"""A rival takes the forecast's place when its error is this share below, or more where less is known; the forecast
returns when it is no worse."""
LUCK: Final = 0.4
"""Of two forecasts that are equally good, one seems better by so much by chance, as a share of one error: errors of
horizons that do not overlap scatter by three quarters of their mean, and those of two forecasts go together."""
MIN_EVIDENCE_H: Final = 2.0


def choose_source(present: Name, model: Name, tracks: Mapping[Name, Track], lead_h: float) -> Name:
    """Which forecast to publish: the model, or a rival that has been clearly better of late.

    With hysteresis: a rival takes over when it is better by `LOST_BY`, and by what may be chance at the few horizons
    that the evidence lasts; the model is back when it is no worse. So a bad afternoon, whose errors three hours ahead
    are all one error, is no reason to leave the model, and to be worse throughout is one. Nothing changes before there
    is evidence of both for `MIN_EVIDENCE_H` and as long as the horizon.
    """
    needed_h = MIN_EVIDENCE_H + lead_h
    judged = {name: track.mean_error for name, track in tracks.items() if track.evidence_h >= needed_h}
    if model not in judged:
        return model
    if present not in judged:
        present = model
    best = min((name for name in judged if name != model), key=lambda name: judged[name], default=model)
    if present != model and judged[model] <= judged[present]:
        present = model
    horizons = min(tracks[best].evidence_h, tracks[model].evidence_h) / max(lead_h, MIN_LEAD_H)
    clearly = 1.0 - LOST_BY - LUCK / np.sqrt(horizons)
    return best if judged[best] < clearly * judged[present] else present


def _quantiles(histogram: FloatArray, levels: FloatArray) -> FloatArray:
    """Quantiles of a histogram on `EDGES`, linear within a bin; the outer bins end at their edge times 1.5."""
    edges = np.concatenate([[EDGES[0] * 1.5], EDGES, [EDGES[-1] * 1.5]])
    below = np.concatenate([[0.0], np.cumsum(histogram)])
    steps = np.flatnonzero(np.diff(below, prepend=-1.0) > 0.0)
    # The left edge of the first bin with anything in it belongs to the curve as well.
    first = max(int(steps[1]) - 1, 0) if steps.size > 1 else 0
    chosen = np.unique(np.concatenate([[first], steps[1:] - 1, steps[1:]]))
    return np.asarray(np.interp(np.asarray(levels) * below[-1], below[chosen], edges[chosen]))
