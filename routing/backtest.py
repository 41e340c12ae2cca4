"""Rolling-origin test of count forecasts on the history of real queues.

At every observed stamp from a given time on, the queue (and the wait, where the file has it) is forecast for fixed
horizons from what was observed until then, and scored at the observation nearest to the horizon. Every forecast is
scored on the same pairs of origin and target. docs/decisions/0012-queue-backtest-learner.md says why this learner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import numpy as np

from geo.errors import InvalidInputError
from routing.arrays import BoolArray, FloatArray
from routing.queue_baselines import ets, grid_forecasts, theta
from routing.queue_calibration import LEVELS, LOWER, MEDIAN, UPPER, CalibrationSettings, calibrated_quantiles
from routing.queue_features import DAY_H, HORIZONS_H, HOUR_S, ForecastRows, forecast_rows
from routing.queue_learner import LearnerSettings, rolling_quantiles
from routing.queue_scores import coverage, crps, gain, mean_absolute_error, pinball_losses, rounded
from routing.queue_series import QueueSeries

WARM_UP_H = 21 * DAY_H
WARM_UP_SHARE = 0.4
"""For three weeks before the first scored origin, at most this share of the past, forecasts are made and corrected."""
MIN_PAST = 10
Progress = Callable[[float], None]
Numbers = list[float | None]


@dataclass(frozen=True)
class BacktestSettings:
    """Of learner and calibration, and whether AutoETS and Theta are fitted, which takes about half of the time."""

    learner: LearnerSettings = field(default_factory=LearnerSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    with_ets: bool = True


@dataclass(frozen=True)
class HorizonForecasts:
    """The forecasts of a horizon that can be scored, [n] each by time of origin; `quantiles` is [n, level]."""

    rows: ForecastRows
    quantiles: FloatArray
    rivals: dict[str, FloatArray]

    def scores(self, which: BoolArray, name: str) -> dict[str, float | None]:
        """Scores of the model or a rival on some of the rows."""
        observed = self.rows.target[which]
        persistence = mean_absolute_error(self.rows.value[which], observed)
        if name != "model":
            error = mean_absolute_error(self.rivals[name][which], observed)
            return {"mae": error, "gain": gain(error, persistence)}
        quantiles = self.quantiles[which]
        error = mean_absolute_error(quantiles[:, MEDIAN], observed)
        return {
            "mae": error,
            "gain": gain(error, persistence),
            "crps": crps(quantiles, LEVELS, observed),
            "coverage80": coverage(quantiles[:, LOWER], quantiles[:, UPPER], observed),
        }


def run_backtest(
    series: Sequence[QueueSeries],
    test_from: datetime,
    *,
    zone: tzinfo = UTC,
    settings: BacktestSettings | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, object]:
    """Scores of the model and of its rivals, as `cuakhau backtest --json` prints them.

    Args:
        series: The crossings, as from `read_queue_series`.
        test_from: The first origin that may be scored, aware.
        zone: Whose hours and weekdays the traffic follows.
        settings: Of the learner; the defaults are what the platform uses.
        progress: Told the share that is done.

    Returns:
        `horizons_h`; `scored`, how many forecasts; `model`, `persistence`, `seasonal` (the same hour a week before),
        `ets` and `theta`, each with `mae` in trucks and `gain` against persistence, the model with `crps`, `coverage80`
        and `pinball` too: one value a horizon over the forecasts of all crossings, None where nothing was scored;
        `crossings`, the same of each; `wait`, the same in seconds with the drivers' rules, where the file has waits.

    Raises:
        InvalidInputError: `test_from` is naive, or leaves nothing to learn from or nothing to score.
    """
    if test_from.tzinfo is None:
        raise InvalidInputError("{value} has no offset", value=test_from.isoformat(), field="test_from")
    settings = settings or BacktestSettings()
    waits = [_waits(crossing) for crossing in series if crossing.wait_s is not None]
    waits = [crossing for crossing in waits if len(crossing.time_s)]
    share = 0.5 if waits else 1.0
    report = _score_all(
        series, forecast_series(series, test_from, zone, settings, lambda done: progress(share * done)), test_from
    )
    if waits:
        forecasts = forecast_series(
            waits, test_from, zone, settings, lambda done: progress(share + (1 - share) * done), is_wait=True
        )
        report["wait"] = _score_all(waits, forecasts, test_from)
    progress(1.0)
    return report


def forecast_series(
    series: Sequence[QueueSeries],
    test_from: datetime,
    zone: tzinfo,
    settings: BacktestSettings,
    progress: Progress = lambda _: None,
    *,
    is_wait: bool = False,
) -> list[HorizonForecasts]:
    """The forecasts of each horizon whose origin is `test_from` or later and whose target was observed."""
    start_h = test_from.timestamp() / HOUR_S
    crossings = [(sample.time_s / HOUR_S, sample.queue_veh) for sample in series]
    first_h, last_h = min(hours[0] for hours, _ in crossings), max(hours[-1] for hours, _ in crossings)
    if sum(int(np.sum(hours < start_h)) for hours, _ in crossings) < MIN_PAST or last_h <= start_h:
        raise InvalidInputError(
            "The series runs from {first} to {last}: {value} leaves too little before it to learn from "
            "or nothing after it to score",
            first=_text(first_h),
            last=_text(last_h),
            value=test_from.isoformat(),
            field="test_from",
        )
    rivals = _grid_rivals(crossings, start_h, settings, lambda done: progress(0.5 * done))
    warm_h = start_h - min(WARM_UP_H, WARM_UP_SHARE * (start_h - first_h))
    horizons, raw = [], []
    for number, horizon_h in enumerate(HORIZONS_H):
        rows = forecast_rows(crossings, horizon_h, zone=zone, known_until_h=start_h)

        def told(done: float, number: int = number) -> None:
            progress(0.5 + 0.5 * (number + done) / len(HORIZONS_H))

        horizons.append(rows)
        raw.append(rolling_quantiles(rows, warm_h, settings.learner, told))
    calibrated = calibrated_quantiles(horizons, raw, settings.calibration)
    found = []
    for number, (rows, quantiles) in enumerate(zip(horizons, calibrated, strict=True)):
        scored = np.flatnonzero((rows.origin_h >= start_h) & ~np.isnan(rows.target))
        own = {"persistence": rows.value, "seasonal": rows.week_ago}
        for name, by_crossing in rivals.items():
            own[name] = _of_rows(rows, crossings, [values[:, number] for values in by_crossing])
        if is_wait:
            own |= _driver_rules(rows, series)
        found.append(
            HorizonForecasts(
                rows.take(scored), quantiles[scored], {name: values[scored] for name, values in own.items()}
            )
        )
    return found


def _grid_rivals(
    crossings: Sequence[tuple[FloatArray, FloatArray]], start_h: float, settings: BacktestSettings, progress: Progress
) -> dict[str, list[FloatArray]]:
    """Forecasts of AutoETS and Theta at each observation of each crossing, [n, horizon]."""
    if not settings.with_ets:
        return {}
    makers = {"ets": ets, "theta": theta}
    found: dict[str, list[FloatArray]] = {name: [] for name in makers}
    for number, (hours, values) in enumerate(crossings):
        for name, make_model in makers.items():
            found[name].append(grid_forecasts(hours, values, HORIZONS_H, start_h, make_model))
        progress((number + 1) / len(crossings))
    return found


def _of_rows(
    rows: ForecastRows, crossings: Sequence[tuple[FloatArray, FloatArray]], by_crossing: Sequence[FloatArray]
) -> FloatArray:
    """What is known at each observation of each crossing, in the order of `rows`."""
    found = np.empty(len(rows.origin_h))
    for number, (hours, _) in enumerate(crossings):
        mine = rows.crossing == number
        found[mine] = by_crossing[number][np.searchsorted(hours, rows.origin_h[mine])]
    return found


def _waits(crossing: QueueSeries) -> QueueSeries:
    """The crossing where its wait is known, the wait as the value that is forecast.

    `served_veh` becomes the wait by the drivers' second rule: queue ÷ last hour's throughput, in seconds.
    """
    assert crossing.wait_s is not None
    known = ~np.isnan(crossing.wait_s)
    rule = None
    if crossing.served_veh is not None:
        served = crossing.served_veh[known]
        rule = np.full(len(served), np.nan)
        np.divide(crossing.queue_veh[known] * HOUR_S, served, out=rule, where=served > 0)
    return QueueSeries(
        crossing.crossing_id, crossing.time_s[known], crossing.wait_s[known], wait_s=None, served_veh=rule
    )


def _driver_rules(rows: ForecastRows, series: Sequence[QueueSeries]) -> dict[str, FloatArray]:
    """The drivers' rules for the wait.

    The age of the truck at the head, that is, the wait that was just over; and queue ÷ last hour's throughput where the
    file has it (where none was served, the age of the head).
    """
    found = {"age_of_head": rows.value}
    if any(sample.served_veh is not None for sample in series):
        crossings = [(sample.time_s / HOUR_S, sample.queue_veh) for sample in series]
        rule = [sample.queue_veh if sample.served_veh is None else sample.served_veh for sample in series]
        by_rule = _of_rows(rows, crossings, rule)
        found["queue_over_throughput"] = np.where(np.isnan(by_rule), rows.value, by_rule)
    return found


def _score_all(
    series: Sequence[QueueSeries], forecasts: Sequence[HorizonForecasts], test_from: datetime
) -> dict[str, object]:
    everything = [np.ones(len(forecast.rows.target), dtype=bool) for forecast in forecasts]
    report: dict[str, object] = {
        "horizons_h": list(HORIZONS_H),
        "test_from": test_from.isoformat(),
        **_score_rows(forecasts, everything),
    }
    if len(series) > 1:
        report["crossings"] = {
            crossing.crossing_id: _score_rows(forecasts, [forecast.rows.crossing == number for forecast in forecasts])
            for number, crossing in enumerate(series)
        }
    return report


def _score_rows(forecasts: Sequence[HorizonForecasts], which: Sequence[BoolArray]) -> dict[str, object]:
    """The scores of the model and every rival on some rows of each horizon."""
    report: dict[str, object] = {"scored": [int(mask.sum()) for mask in which]}
    for name in ("model", *forecasts[0].rivals):
        by_horizon = [forecast.scores(mask, name) for forecast, mask in zip(forecasts, which, strict=True)]
        scores = {key: [values[key] for values in by_horizon] for key in by_horizon[0]}
        report[name] = scores | ({"pinball": _pinball(forecasts, which)} if name == "model" else {})
    return report


def _pinball(forecasts: Sequence[HorizonForecasts], which: Sequence[BoolArray]) -> dict[str, Numbers]:
    """Mean pinball loss at the levels 0.1, 0.5 and 0.9, one value a horizon."""
    found: dict[str, Numbers] = {}
    for index in (LOWER, MEDIAN, UPPER):
        level = LEVELS[index : index + 1]
        found[f"{LEVELS[index]:g}"] = [
            rounded(
                float(pinball_losses(forecast.quantiles[mask][:, [index]], level, forecast.rows.target[mask]).mean())
            )
            if mask.any()
            else None
            for forecast, mask in zip(forecasts, which, strict=True)
        ]
    return found


def _text(hour: float) -> str:
    return datetime.fromtimestamp(hour * HOUR_S, tz=UTC).isoformat(timespec="minutes")
