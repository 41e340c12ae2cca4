"""What a count forecast may know at its origin, and what came of it.

A forecast is made at each observed stamp (the origin) for fixed horizons. Everything of a row's features is of the
origin or earlier; the target is the observation nearest to origin + horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from routing.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from pandas.core.window.rolling import Rolling

HORIZONS_H = (1, 3, 6, 12, 24)
HOUR_S = 3600.0
DAY_H, WEEK_H = 24.0, 168.0
LAGS_H = (1, 3, 6, 12, 24, 168)
SAME_HOURS_H = (24, 48, 168, 336, 504)
"""How long ago the same hours of the day or the week were whose change is a feature."""
MAX_GAP_H = 24.0
"""Between observations further apart than this nothing is interpolated."""
SCALE_WINDOW_H = 21 * DAY_H
MIN_CHANGES = 4
"""With fewer changes of a day known, the scale is the spread of the values."""
MIN_TOLERANCE_H = 0.5


_CALENDAR = ("hour", "weekday", "hour_of_week", "hour_sin", "hour_cos", "week_sin", "week_cos")
FEATURES = (
    "crossing",
    "value",
    *(f"change_of_{lag_h}h" for lag_h in LAGS_H),
    *("above_day_max", "above_day_min", "above_week_max", "above_week_min", "above_week_mean", "day_sd", "of_week_max"),
    *(f"change_{ago_h}h_ago" for ago_h in SAME_HOURS_H),
    *("change_of_earlier_weeks", "to_week_ago"),
    *(f"{name}_{when}" for when in ("now", "then") for name in _CALENDAR),
)
"""The columns of `ForecastRows.features`."""
_OF_THE_WEEK = frozenset(
    {
        *(f"change_{ago_h}h_ago" for ago_h in SAME_HOURS_H if ago_h >= WEEK_H),
        *("change_of_earlier_weeks", "to_week_ago"),
        *(f"{name}_{when}" for when in ("now", "then") for name in _CALENDAR if "week" in name),
    }
)
WEEKLESS = np.array([name not in _OF_THE_WEEK for name in FEATURES])
"""Which of them say nothing of the weekday or of earlier weeks at the same hour: they hold when the week changes."""


@dataclass(frozen=True)
class ForecastRows:
    """The forecasts of all crossings for a horizon, [n] each, by time of origin.

    `target` and `target_h` (value and hour of the observation scored) are NaN where none is near enough. `lesson` is
    what may be learned from: the value at origin + horizon by straight line between two observations, of which the
    later was made at `lesson_h`; NaN in long gaps.
    `scale` is the usual change in a day at that crossing, which the learner's features and targets are divided by.
    Times are hours of the Unix epoch.
    """

    horizon_h: float
    crossing: IntArray
    origin_h: FloatArray
    value: FloatArray
    scale: FloatArray
    features: FloatArray  # [n, feature], columns as `FEATURES` names them
    target: FloatArray
    target_h: FloatArray
    lesson: FloatArray
    lesson_h: FloatArray
    week_ago: FloatArray  # the value at the same hour a week before the target; of yesterday if there is no week yet

    def take(self, which: FloatArray | IntArray) -> ForecastRows:
        """The rows chosen by a mask or by indices."""
        arrays = {name: value[which] for name, value in vars(self).items() if name != "horizon_h"}
        return ForecastRows(self.horizon_h, **arrays)


def tolerance_h(step_h: float, horizon_h: float) -> float:
    """How far from origin + horizon an observation may be that is scored: half the usual step between observations, at
    least half an hour, but never more than a quarter of the horizon."""
    return min(max(MIN_TOLERANCE_H, step_h / 2), horizon_h / 4)


def forecast_rows(
    crossings: list[tuple[FloatArray, FloatArray]], horizon_h: float, *, zone: tzinfo, known_until_h: float
) -> ForecastRows:
    """The rows of several crossings for a horizon.

    Args:
        crossings: Hours of the epoch and values of each, [n] each, in order of time.
        horizon_h: How far ahead.
        zone: Whose hours and weekdays the traffic follows.
        known_until_h: The step between observations is judged on what is older.
    """
    parts = [
        _crossing_rows(number, hours, values, horizon_h, zone, known_until_h)
        for number, (hours, values) in enumerate(crossings)
    ]
    names = [name for name in vars(parts[0]) if name != "horizon_h"]
    rows = ForecastRows(horizon_h, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    return rows.take(np.argsort(rows.origin_h, kind="stable"))


def _crossing_rows(
    number: int, hours: FloatArray, values: FloatArray, horizon_h: float, zone: tzinfo, known_until_h: float
) -> ForecastRows:
    scale = change_scale(hours, values)
    past = hours[hours < known_until_h]
    step_h = float(np.median(np.diff(past))) if len(past) > 1 else 1.0
    nearest = nearest_index(hours, hours + horizon_h)
    scored = np.abs(hours[nearest] - hours - horizon_h) <= tolerance_h(step_h, horizon_h)
    scored &= nearest > np.arange(len(hours))
    lesson = value_at(hours, values, hours + horizon_h)
    same_hours = np.array([_change_since(hours, values, lag_h, horizon_h) for lag_h in SAME_HOURS_H])
    week_change = _mean_known(same_hours[2:])
    week_ago = value_at(hours, values, hours - WEEK_H + horizon_h)
    day_ago = value_at(hours, values, hours - DAY_H + horizon_h)
    week_ago = np.where(np.isnan(week_ago), np.where(np.isnan(day_ago), values, day_ago), week_ago)
    columns = [
        np.full(len(hours), float(number)),
        *_levels(hours, values, scale),
        *(same_hours / scale),
        week_change / scale,
        (week_ago - values) / scale,
        *_calendar(hours, horizon_h, zone),
    ]
    return ForecastRows(
        horizon_h,
        np.full(len(hours), number),
        hours,
        values,
        scale,
        np.nan_to_num(np.column_stack(columns)),
        np.where(scored, values[nearest], np.nan),
        np.where(scored, hours[nearest], np.nan),
        lesson,
        np.where(
            np.isnan(lesson), np.nan, hours[np.clip(np.searchsorted(hours, hours + horizon_h), 0, len(hours) - 1)]
        ),
        week_ago,
    )


def nearest_index(hours: FloatArray, wanted_h: FloatArray) -> IntArray:
    """Index of the observation nearest to each wanted hour."""
    if len(hours) == 1:
        return np.zeros(len(wanted_h), dtype=np.int64)
    after = np.clip(np.searchsorted(hours, wanted_h), 1, len(hours) - 1)
    return np.where(wanted_h - hours[after - 1] <= hours[after] - wanted_h, after - 1, after)


def value_at(hours: FloatArray, values: FloatArray, wanted_h: FloatArray) -> FloatArray:
    """Values between two observations, by straight line; NaN before the first, after the last and in long gaps."""
    found = np.interp(wanted_h, hours, values, left=np.nan, right=np.nan)
    if len(hours) > 1:
        after = np.clip(np.searchsorted(hours, wanted_h), 1, len(hours) - 1)
        found[(hours[after] - hours[after - 1] > MAX_GAP_H) & (hours[after] != wanted_h)] = np.nan
    return found


def change_scale(hours: FloatArray, values: FloatArray) -> FloatArray:
    """The usual change in 24 h over the three weeks before each observation, never zero: [n]."""
    changes = np.abs(values - value_at(hours, values, hours - DAY_H))
    spread = _rolling(hours, values, SCALE_WINDOW_H).std(ddof=0).to_numpy()
    change = _rolling(hours, changes, SCALE_WINDOW_H, MIN_CHANGES).mean().to_numpy()
    return np.asarray(np.maximum(np.where(np.isnan(change), spread, change), np.maximum(0.1 * spread, 1.0)))


def _rolling(hours: FloatArray, values: FloatArray, window_h: float, min_known: int = 1) -> Rolling[pd.Series[float]]:
    """The values within `window_h` before each observation and its own, [n] each."""
    index = pd.to_datetime(np.round(hours * HOUR_S), unit="s")
    return pd.Series(values, index).rolling(pd.Timedelta(hours=window_h), min_periods=min_known, closed="both")


def _change_since(hours: FloatArray, values: FloatArray, lag_h: float, horizon_h: float) -> FloatArray:
    return value_at(hours, values, hours - lag_h + horizon_h) - value_at(hours, values, hours - lag_h)


def _mean_known(values: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def _levels(hours: FloatArray, values: FloatArray, scale: FloatArray) -> list[FloatArray]:
    """The value now, its changes, and how it lies in the last day and week, in units of `scale`."""
    found = [values / scale, *((values - value_at(hours, values, hours - lag_h)) / scale for lag_h in LAGS_H)]
    day, week = _rolling(hours, values, DAY_H), _rolling(hours, values, WEEK_H)
    week_max = week.max().to_numpy()
    day_std = day.std(ddof=0).to_numpy()
    levels = (day.max(), day.min(), week_max, week.min(), week.mean())
    found += [(values - np.asarray(level)) / scale for level in levels]
    return [*found, day_std / scale, values / np.maximum(week_max, 1.0)]


def _calendar(hours: FloatArray, horizon_h: float, zone: tzinfo) -> list[FloatArray]:
    """Hour of the day, weekday and hour of the week at origin and target by the clock of `zone`, also as circles."""
    found: list[FloatArray] = []
    for local_h in (_local_hours(hours, zone), _local_hours(hours + horizon_h, zone)):
        # the epoch began on a Thursday; counted here from Monday
        week_h = (local_h + 3 * DAY_H) % WEEK_H
        day_h = local_h % DAY_H
        found += [day_h, np.floor(week_h / DAY_H), week_h]
        for part in (day_h / DAY_H, week_h / WEEK_H):
            found += [np.sin(2 * np.pi * part), np.cos(2 * np.pi * part)]
    return found


def _local_hours(hours: FloatArray, zone: tzinfo) -> FloatArray:
    """Hours of the epoch as the clocks of `zone` show them."""
    local = pd.to_datetime(hours * HOUR_S, unit="s", utc=True).tz_convert(zone).tz_localize(None)
    return np.asarray((local - pd.Timestamp(0)) / pd.Timedelta(hours=1), float)
