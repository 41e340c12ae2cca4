"""Count forecasts on queues whose future is known, and files as people make them."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from geo.errors import InvalidInputError, MalformedError
from routing.backtest import BacktestSettings, forecast_series, run_backtest
from routing.queue_baselines import ets, grid_forecasts, theta
from routing.queue_calibration import LEVELS, LOWER, MEDIAN, UPPER, CalibrationSettings, calibrated_quantiles
from routing.queue_features import WEEKLESS, forecast_rows, tolerance_h, value_at
from routing.queue_learner import FOREST_LEVELS, LearnerSettings
from routing.queue_scores import coverage, crps, gain, mean_absolute_error
from routing.queue_series import QueueSeries, read_queue_series

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
QUICK = BacktestSettings(learner=LearnerSettings(trees=10, refit_every_h=84.0), with_ets=False)
WITH_ETS = replace(QUICK, with_ets=True)


def hourly(queue_veh: np.ndarray, crossing_id: str = "chop", step_h: float = 1.0) -> QueueSeries:
    time_s = START.timestamp() + 3600.0 * step_h * np.arange(len(queue_veh))
    return QueueSeries(crossing_id, time_s, np.asarray(queue_veh, dtype=float))


def weekly_queue(weeks: int, rng: np.random.Generator | None = None, noise_veh: float = 0.0) -> np.ndarray:
    """A queue that fills on Sunday and drains by day through the week, hour by hour."""
    hour = np.arange(weeks * 168)
    week = 150 - 150 * np.cos(2 * np.pi * hour / 168) + 20 * np.sin(2 * np.pi * hour / 24)
    noise = 0.0 if rng is None else rng.normal(0, noise_veh, len(hour))
    return np.maximum(week + noise, 0.0)


def after(days: float) -> datetime:
    return START + timedelta(days=days)


def test_the_future_changes_nothing() -> None:
    queue = weekly_queue(6, np.random.default_rng(1), 8.0)
    cut = 36 * 24
    altered = queue.copy()
    np.random.default_rng(2).shuffle(altered[cut:])
    altered[cut:] *= 3.0
    known = forecast_series([hourly(queue)], after(28), UTC, WITH_ETS)
    other = forecast_series([hourly(altered)], after(28), UTC, WITH_ETS)
    cut_h = START.timestamp() / 3600 + cut
    for a, b in zip(known, other, strict=True):
        before = a.rows.origin_h < cut_h
        assert before.sum() > 150
        assert (a.rows.origin_h[before] + a.rows.horizon_h).max() >= cut_h  # targets after the cut are among them
        np.testing.assert_array_equal(a.quantiles[before], b.quantiles[before])
        for name in ("persistence", "seasonal", "ets", "theta"):
            np.testing.assert_array_equal(a.rivals[name][before], b.rivals[name][before])
        assert not np.array_equal(a.quantiles[~before], b.quantiles[~before])


def test_a_shorter_file_gives_the_same_forecasts() -> None:
    queue = weekly_queue(6, np.random.default_rng(1), 8.0)
    whole = forecast_series([hourly(queue)], after(28), UTC, QUICK)
    short = forecast_series([hourly(queue[: 35 * 24])], after(28), UTC, QUICK)
    for a, b in zip(whole, short, strict=True):
        np.testing.assert_array_equal(a.quantiles[: len(b.quantiles)], b.quantiles)


def test_a_pattern_of_the_week_is_learned() -> None:
    report: Any = run_backtest([hourly(weekly_queue(7))], after(35), settings=WITH_ETS)
    assert report["horizons_h"] == [1, 3, 6, 12, 24]
    assert report["scored"] == [335, 333, 330, 324, 312]
    assert np.array(report["seasonal"]["mae"]) == pytest.approx(0.0, abs=1e-3)
    assert min(report["model"]["gain"][1:]) > 0.85
    assert max(report["model"]["mae"]) < 6.0  # of a queue of up to 320
    assert len(report["ets"]["mae"]) == 5


def test_a_constant_queue_is_forecast_exactly() -> None:
    report: Any = run_backtest([hourly(np.full(30 * 24, 40.0))], after(20), settings=WITH_ETS)
    for name in ("model", "persistence", "seasonal", "ets", "theta"):
        assert report[name]["mae"] == [0.0] * 5
    assert report["model"]["coverage80"] == [1.0] * 5
    assert report["model"]["gain"] == [None] * 5  # there is no error to be below


def test_intervals_hold_on_noise() -> None:
    queue = weekly_queue(9, np.random.default_rng(3), 25.0)
    report: Any = run_backtest([hourly(queue)], after(42), settings=QUICK)
    assert all(0.75 <= share <= 0.85 for share in report["model"]["coverage80"])
    assert all(np.array(report["model"]["crps"]) < report["model"]["mae"])


@pytest.mark.parametrize("change", ["larger", "more", "smaller"])
def test_intervals_hold_after_a_change_of_regime(change: str) -> None:
    queue = weekly_queue(9, np.random.default_rng(4), 15.0)
    later = np.arange(len(queue)) >= 42 * 24
    queue = np.where(later, {"larger": queue * 2, "more": queue + 200, "smaller": queue / 2}[change], queue)
    report: Any = run_backtest([hourly(queue)], after(43), settings=QUICK)
    assert all(0.73 <= share <= 0.87 for share in report["model"]["coverage80"])
    assert all(np.array(report["model"]["gain"][2:]) > [0.25, 0.2, 0.15])


def test_a_week_that_has_become_another_is_not_believed_for_long() -> None:
    """After six weeks trucks come three days earlier: what earlier weeks did at that hour misleads from then on."""
    queue = weekly_queue(10, np.random.default_rng(9), 15.0)
    queue = np.concatenate([queue[: 42 * 24], queue[45 * 24 :]])
    report: Any = run_backtest([hourly(queue)], after(42), settings=QUICK)
    assert all(np.array(report["model"]["gain"][2:]) > [0.25, 0.2, 0.15])
    assert all(0.7 <= share <= 0.9 for share in report["model"]["coverage80"])


def test_no_warning_reaches_the_terminal() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        run_backtest([hourly(weekly_queue(3))], after(14), settings=WITH_ETS)
    assert [str(warning.message) for warning in heard] == []


def test_what_the_second_forest_knows_does_not_change_with_the_week() -> None:
    """Of a queue that goes alike every day, one of any weekday has the same features; the first forest tells them."""
    hours = START.timestamp() / 3600 + np.arange(21 * 24.0)
    rows = forecast_rows([(hours, 100 + 50 * np.sin(2 * np.pi * hours / 24))], 6.0, zone=UTC, known_until_h=np.inf)
    features = rows.features[[15 * 24 + 5, 17 * 24 + 5]]
    assert np.ptp(features[:, WEEKLESS], axis=0).max() < 0.1  # windows that begin at another hour of the day
    assert np.ptp(features[:, ~WEEKLESS], axis=0).max() > 1.0


def test_that_a_forest_is_lost_is_known_from_the_next_hours() -> None:
    """From an hour on the first forest takes changes for twice what they are: for tomorrow, too, the second is believed
    before tomorrow has come."""
    hours = START.timestamp() / 3600 + np.arange(20 * 24.0)
    values = 200 + 150 * np.sin(2 * np.pi * np.arange(len(hours)) / 97.0)
    lost_h = hours[15 * 24]
    horizons, raw = [], []
    for horizon_h in (1.0, 3.0, 6.0, 24.0):
        rows = forecast_rows([(hours, values)], horizon_h, zone=UTC, known_until_h=lost_h)
        change = np.nan_to_num(rows.target - rows.value)
        first = rows.value + change * np.where(rows.origin_h < lost_h, 1.1, 2.0)
        around = np.linspace(-4.0, 4.0, len(FOREST_LEVELS))
        raw.append(np.stack([first[:, None] + around, (rows.value + change * 1.2)[:, None] + around], axis=1))
        horizons.append(rows)
    tomorrow, own = horizons[-1], raw[-1][:, :, len(FOREST_LEVELS) // 2]
    asked = (tomorrow.origin_h > lost_h + 8) & (tomorrow.origin_h < lost_h + 24)
    together = calibrated_quantiles(horizons, raw, CalibrationSettings())[-1][asked, MEDIAN]
    alone = calibrated_quantiles(horizons[-1:], raw[-1:], CalibrationSettings())[0][asked, MEDIAN]
    error, error_alone = (np.abs(median - tomorrow.target[asked]).mean() for median in (together, alone))
    assert np.abs(own[asked, 0] - tomorrow.target[asked]).mean() > 50.0
    assert error < 0.6 * error_alone


def test_a_three_hourly_series_is_scored_where_it_was_observed() -> None:
    every = np.arange(0, 6 * 168, 3)
    observed = np.random.default_rng(5).random(len(every)) > 0.25
    series = hourly(weekly_queue(6)[every], step_h=3.0)
    series = QueueSeries("zosin", series.time_s[observed], series.queue_veh[observed])
    report: Any = run_backtest([series], after(30), settings=QUICK)
    assert report["scored"][0] == 0  # no stamp an hour after another
    assert report["model"]["mae"][0] is None
    origins = int(np.sum(series.time_s >= after(30).timestamp()))
    assert all(0.5 * origins < count < 0.95 * origins for count in report["scored"][1:])


def test_targets_are_the_nearest_stamps_within_the_tolerance() -> None:
    hours = np.array([0.0, 1.0, 2.4, 3.6, 6.4, 12.0])
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    rows = forecast_rows([(hours, values)], 3.0, zone=UTC, known_until_h=100.0)
    # step 1.4 h: 0.7 h of tolerance; 3 h after 0 lie 2.4 and 3.6, both 0.6 away: the earlier counts
    assert tolerance_h(1.4, 3.0) == pytest.approx(0.7)
    np.testing.assert_array_equal(rows.target, [3.0, 4.0, np.nan, 5.0, np.nan, np.nan])
    assert tolerance_h(3.0, 1.0) == 0.25
    assert tolerance_h(3.0, 24.0) == 1.5
    assert tolerance_h(0.25, 24.0) == 0.5


def test_nothing_is_interpolated_over_long_gaps() -> None:
    hours, values = np.array([0.0, 10.0, 40.0]), np.array([0.0, 10.0, 40.0])
    np.testing.assert_array_equal(
        value_at(hours, values, np.array([-1.0, 0.0, 5.0, 10.0, 25.0, 40.0, 41.0])),
        [np.nan, 0.0, 5.0, 10.0, np.nan, 40.0, np.nan],
    )


def test_crossings_are_pooled_by_forecast_and_scored_each() -> None:
    rng = np.random.default_rng(6)
    small, large = weekly_queue(5, rng, 5.0) / 10, weekly_queue(5, rng, 20.0) * 5
    report: Any = run_backtest([hourly(small, "a"), hourly(large[: 33 * 24], "b")], after(25), settings=QUICK)
    by_crossing = report["crossings"]
    assert list(by_crossing) == ["a", "b"]
    for k in range(5):
        counts = [by_crossing[name]["scored"][k] for name in "ab"]
        errors = [by_crossing[name]["model"]["mae"][k] for name in "ab"]
        assert counts[0] > counts[1]
        assert report["scored"][k] == sum(counts)
        assert report["model"]["mae"][k] == pytest.approx(np.average(errors, weights=counts), rel=1e-3)
        assert errors[0] < errors[1] / 10


def test_hours_are_those_of_the_zone_also_when_clocks_change() -> None:
    """Clocks in Budapest went from 2:00 to 3:00 on 29 March 2026: the target 6 h after midnight is at 7."""
    midnight_h = datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp() / 3600
    hours = midnight_h + np.arange(-30.0, 30.0)
    rows = forecast_rows([(hours, hours - midnight_h)], 6.0, zone=ZoneInfo("Europe/Budapest"), known_until_h=np.inf)
    at = int(np.flatnonzero(rows.origin_h == midnight_h)[0])
    origin_hour, origin_day = rows.features[at, -14], rows.features[at, -13]
    target_hour, target_day = rows.features[at, -7], rows.features[at, -6]
    assert (origin_hour, origin_day) == (0.0, 6.0)
    assert (target_hour, target_day) == (7.0, 6.0)
    assert rows.features[at - 24, -7] == 6.0


def test_waits_are_scored_beside_the_rules_of_drivers() -> None:
    queue = weekly_queue(5) + 20
    series = replace(hourly(queue), wait_s=queue * 120.0, served_veh=np.full(len(queue), 30.0))
    report: Any = run_backtest([series], after(28), settings=QUICK)
    wait = report["wait"]
    assert wait["age_of_head"]["mae"] == wait["persistence"]["mae"]
    assert wait["queue_over_throughput"]["mae"] == pytest.approx(wait["age_of_head"]["mae"])  # 30 an hour is 120 s each
    assert wait["model"]["mae"][4] < wait["age_of_head"]["mae"][4] / 2
    assert set(wait["model"]["pinball"]) == {"0.1", "0.5", "0.9"}
    no_rule: Any = run_backtest([replace(series, served_veh=None)], after(28), settings=QUICK)
    assert "queue_over_throughput" not in no_rule["wait"]


def test_scores_are_those_of_their_formulas() -> None:
    observed = np.array([1.0, 5.0])
    quantiles = np.tile(np.linspace(0.0, 4.0, len(LEVELS)), (2, 1))
    assert mean_absolute_error(quantiles[:, MEDIAN], observed) == 2.0
    assert coverage(quantiles[:, LOWER], quantiles[:, UPPER], observed) == 0.5
    certain = np.full((1, len(LEVELS)), 3.0)
    assert crps(certain, LEVELS, np.array([5.0])) == pytest.approx(2.0)  # of a point: the absolute error
    assert gain(3.0, 4.0) == 0.25
    assert gain(3.0, 0.0) is None
    assert mean_absolute_error(np.array([]), np.array([])) is None


@pytest.mark.parametrize("make_model", [ets, theta])
def test_models_on_a_grid_know_a_day(make_model: Any) -> None:
    hours = np.arange(21 * 24.0)
    values = 100 + 50 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(7).normal(0, 1, len(hours))
    found = grid_forecasts(hours, values, (6, 24), 14 * 24.0, make_model)
    assert np.isnan(found[: 14 * 24]).all()
    asked = slice(14 * 24, 20 * 24)
    assert np.abs(found[asked, 0] - values[14 * 24 + 6 : 20 * 24 + 6]).mean() < 6.0


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "queues.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_stamps_without_a_time_of_their_own_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "crossing_id,time_utc,trucks_queued,cars_per_hour,ts_synthetic\n"
        "zosin,2026-07-01T06:00:00Z,5,46,0\nzosin,2026-07-01T09:00:00Z,999,46,1\n"
        "zosin,2026-07-01T03:00:00Z,4,46,\nmedyka,2026-07-01T06:00:00Z,7,68,0\n",
    )
    medyka, zosin = read_queue_series(path)
    assert (medyka.crossing_id, zosin.crossing_id) == ("medyka", "zosin")
    np.testing.assert_array_equal(zosin.queue_veh, [4.0, 5.0])
    assert zosin.wait_s is None


def test_times_keep_their_offset_and_are_utc_without_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "checkpoint_time,wait_time,vehicles_in_queue\n"
        "2026-07-01 07:00:00,60,1\n2026-07-01T15:00:00+07:00,,2\n2026-07-01 09:00:00,90,\n2026-07-01 08:00:00,70,3\n",
    )
    (only,) = read_queue_series(path)
    assert only.time_s.tolist() == [datetime(2026, 7, 1, hour, tzinfo=UTC).timestamp() for hour in (7, 8)]
    assert only.queue_veh.tolist() == [1.0, 3.0]  # of two rows of a time the later; none without a queue
    assert only.wait_s is not None
    assert only.wait_s.tolist() == [60.0, 70.0]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", MalformedError, "the file has no header"),
        ("time,cars\n", MalformedError, "No column of queues.*time, cars"),
        ("time,queue\n", MalformedError, "no row"),
        ("time,queue\n2026-07-01,3\nyesterday,4\n", InvalidInputError, "Line 3: 'yesterday'"),
        ("time,queue\n2026-07-01,3\n2026-07-02,many\n", InvalidInputError, "Line 3: queue is 'many'"),
        ("time,queue\n2026-07-01,-3\n", InvalidInputError, "Line 2: queue is '-3'"),
        ("time,queue\n2026-07-01,nan\n", InvalidInputError, "Line 2: queue is 'nan'"),
        ("time,queue,wait\n2026-07-01,3,long\n", InvalidInputError, "Line 2: wait is 'long'"),
        ("crossing_id,time,queue\n,2026-07-01,3\n", InvalidInputError, "Line 2: crossing_id is empty"),
    ],
)
def test_a_bad_file_says_line_and_value(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_queue_series(write(tmp_path, text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queues.csv"
    path.write_bytes(b"time,queue\n\xff\xfe\n")
    with pytest.raises(MalformedError, match=r"queues\.csv is not a CSV file"):
        read_queue_series(path)


@pytest.mark.parametrize("days", [-1.0, 0.2, 90.0])
def test_a_test_needs_a_past_and_a_future(days: float) -> None:
    with pytest.raises(InvalidInputError, match="runs from 2026-03-02T00:00"):
        run_backtest([hourly(weekly_queue(4))], after(days), settings=QUICK)


def test_a_start_without_an_offset_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no offset"):
        run_backtest([hourly(weekly_queue(4))], after(9).replace(tzinfo=None), settings=QUICK)


def test_the_command_prints_a_document(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from app.cli import app

    queue = weekly_queue(3, np.random.default_rng(8), 5.0)
    rows = [f"{(START + timedelta(hours=3 * i)).isoformat()},{q:.0f}" for i, q in enumerate(queue[::3])]
    path = write(tmp_path, "\n".join(["time,queue", *rows]))
    arguments = ["backtest", str(path), "--tz", "Europe/Budapest", "--test-from", "2026-03-18", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["horizons_h"] == [1, 3, 6, 12, 24]
    assert {key: len(values) for key, values in report["model"].items() if key != "pinball"} == {
        "mae": 5,
        "gain": 5,
        "crps": 5,
        "coverage80": 5,
    }
    for name in ("persistence", "seasonal", "ets", "theta"):
        assert len(report[name]["mae"]) == 5
    assert "Forecasting" not in done.stdout


def test_the_command_refuses_an_unknown_zone(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from app.cli import app

    path = write(tmp_path, "time,queue\n2026-03-02,1\n")
    done = CliRunner().invoke(app, ["backtest", str(path), "--tz", "Mars/Crater", "--test-from", "2026-03-18"])
    assert isinstance(done.exception, InvalidInputError)
    assert "Mars/Crater is not a time zone" in str(done.exception)
