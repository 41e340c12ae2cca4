"""Bands hold their share on series of many kinds, also in the weeks after a change; the better source is published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from routing.calibration import (
    HIGH,
    LOW,
    MIDDLE,
    N_BINS,
    OUTSIDE,
    Band,
    Track,
    calibrate_curve,
    choose_source,
    learn,
)

STEP_H = 0.25
DAYS = 42
WEEK = round(7 * 24 / STEP_H)
Floats = NDArray[np.float64]


def wandering(rng: np.random.Generator, n: int, memory: float = 0.985) -> Floats:
    steps, found = rng.normal(size=n), np.zeros(n)
    for i in range(1, n):
        found[i] = memory * found[i - 1] + steps[i]
    return found


def make_series(kind: str, seed: int) -> tuple[Floats, Floats, Floats]:
    """Queue, the daily cycle that a model believes in, and the bias of that model; all change halfway."""
    rng = np.random.default_rng(seed)
    n = round(DAYS * 24 / STEP_H)
    after = np.arange(n) >= n // 2
    day = np.sin(2 * np.pi * np.arange(n) * STEP_H / 24)
    cycle, noise = 60 + 30 * day, wandering(rng, n)
    bias = np.zeros(n)
    queue = cycle + noise
    if kind == "level shift":
        queue = queue + 150 * after
    elif kind == "more variance":
        queue = cycle + noise * np.where(after, 4, 1)
    elif kind == "less variance":
        queue = cycle + noise * np.where(after, 0.3, 1)
    elif kind == "other season":
        queue = 100 + np.where(after, 90, 30) * day + noise
    elif kind == "jumps":
        queue = queue + 80 * (np.cumsum(rng.random(n) < 0.01) % 2) * after
    elif kind == "model loses its gate":
        bias = -40.0 * after
    return np.maximum(queue, 0.0), cycle, bias


def play(kind: str, lead_h: float, seed: int, *, raw_width: float = 0.7) -> tuple[Floats, Floats, Floats]:
    """Coverage of the calibrated and of the raw band and the error of the median, by time of origin."""
    queue, cycle, bias = make_series(kind, seed)
    ahead = round(lead_h / STEP_H)
    n = queue.size - ahead
    middle = np.maximum(queue[:n] + cycle[ahead:] - cycle[:n] + bias[:n], 0.0)
    width = raw_width * np.sqrt(ahead)
    raw = np.stack([np.maximum(middle - width, 0.0), middle, middle + width])
    held, raw_held, errors = np.zeros(n), np.zeros(n), np.zeros(n)
    track, issued = Track.empty(), []
    lead_s = lead_h * 3600.0
    for i in range(n):
        if i >= ahead:  # only what came until now is known
            j = i - ahead
            track = learn(track, [issued[j]], [float(middle[j])], [float(queue[i])], i * STEP_H)
        quantiles, widths = calibrate_curve(
            raw[:, [i]], np.array([lead_s]), [lead_s], [track], unit=0.5, moves_middle=True
        )
        issued.append(Band(*quantiles[:, 0], *widths[:, 0]))
        came = queue[i + ahead]
        held[i] = issued[i].low <= came <= issued[i].high
        raw_held[i] = raw[LOW, i] <= came <= raw[HIGH, i]
        errors[i] = abs(issued[i].middle - came)
    return held, raw_held, errors


KINDS = ("level shift", "more variance", "less variance", "other season", "jumps", "model loses its gate")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lead_h", [1.0, 6.0])
def test_bands_of_80_percent_hold_80_percent_also_in_the_weeks_after_a_change(kind: str, lead_h: float) -> None:
    held, raw_held, _ = play(kind, lead_h, seed=7)
    half = round(DAYS * 12 / STEP_H)
    three_weeks_after = slice(half, half + 3 * WEEK)
    assert 0.75 <= held[three_weeks_after].mean() <= 0.85
    assert 0.75 <= held[WEEK:half].mean() <= 0.85, "before the change"
    assert not 0.75 <= raw_held[three_weeks_after].mean() <= 0.85, "the case needs calibration"


def test_a_median_that_is_always_off_is_moved() -> None:
    _, _, errors = play("model loses its gate", 1.0, seed=3)
    half = round(DAYS * 12 / STEP_H)
    assert errors[half : half + 8].mean() > 35
    assert errors[half + WEEK :].mean() < 15


@given(
    values=st.lists(st.floats(0, 5000), min_size=1, max_size=60),
    widths=st.tuples(st.floats(0, 300), st.floats(0, 300)),
    median=st.floats(0, 5000),
    lead_s=st.sampled_from([300.0, 3600.0, 21600.0]),
    moves=st.booleans(),
)
def test_a_band_is_ordered_finite_and_not_negative_whatever_came(
    values: list[float], widths: tuple[float, float], median: float, lead_s: float, moves: bool
) -> None:
    raw = np.array([[max(median - widths[0], 0.0)], [median], [median + widths[1]]])
    track = Track.empty()
    for hour, value in enumerate(values):
        quantiles, sides = calibrate_curve(raw, np.array([lead_s]), [lead_s], [track], unit=0.5, moves_middle=moves)
        assert np.isfinite(quantiles).all()
        assert quantiles.min() >= 0.0
        assert quantiles[LOW, 0] <= quantiles[MIDDLE, 0] <= quantiles[HIGH, 0]
        track = learn(track, [Band(*quantiles[:, 0], *sides[:, 0])], [median], [value], hour / 4)
        assert track.histogram.shape == (N_BINS,)
        assert track.histogram.sum() == pytest.approx(track.evidence_h)


def test_without_evidence_the_forecasts_own_band_holds_and_what_is_measured_stays() -> None:
    raw = np.array([[10.0, 12.0, 15.0], [10.0, 20.0, 30.0], [10.0, 30.0, 50.0]])
    lead_s = np.array([0.0, 1800.0, 3600.0])
    quantiles, _ = calibrate_curve(raw, lead_s, [1800.0, 3600.0], [Track.empty()] * 2, unit=0.5, moves_middle=True)
    np.testing.assert_allclose(quantiles, raw)


def test_errors_of_a_certain_forecast_do_not_stretch_an_unsure_one_as_much() -> None:
    """Lanes closed upon a band of two trucks, and the queue came to 30; the day after the band is 32 wide by itself."""
    came, track = 30.0, Track.empty()
    for step in range(24):
        narrow = np.array([[0.0], [1.0], [3.0]])
        quantiles, widths = calibrate_curve(narrow, np.array([3600.0]), [3600.0], [track], unit=0.5, moves_middle=True)
        track = learn(track, [Band(*quantiles[:, 0], *widths[:, 0])], [1.0], [came], step / 4)
    assert quantiles[HIGH, 0] >= came, "the narrow band has learned"
    wide = np.array([[0.0], [5.0], [37.0]])
    stretched, _ = calibrate_curve(wide, np.array([3600.0]), [3600.0], [track], unit=0.5, moves_middle=True)
    assert 37.0 < stretched[HIGH, 0] < 37.0 + 2.0 * came


def test_what_is_beyond_the_horizon_stays_so() -> None:
    raw = np.array([[100.0], [np.inf], [np.inf]])
    track = learn(Track.empty(), [Band(0, 1, 2, 1, 1)], [1.0], [50.0], 1.0)
    quantiles, _ = calibrate_curve(raw, np.array([600.0]), [600.0], [track], unit=1.0, moves_middle=True)
    np.testing.assert_array_equal(quantiles, raw)


def test_several_observations_of_one_moment_count_like_one() -> None:
    band = Band(0.0, 10.0, 20.0, 10.0, 10.0)
    alone = learn(Track.empty(), [band], [10.0], [25.0], 5.0)
    together = learn(Track.empty(), [band] * 4, [10.0] * 4, [25.0] * 4, 5.0)
    np.testing.assert_allclose(together.histogram, alone.histogram)
    assert together.evidence_h == pytest.approx(alone.evidence_h)
    assert together.level_above == pytest.approx(alone.level_above)


def first_hours(came: Floats, width: float) -> tuple[Floats, Floats]:
    """Bands five minutes ahead, each minute, around a constant 100 with a spread of `width`; low and high by time."""
    track, lows, highs, issued = Track.empty(), [], [], []
    raw = np.array([[100.0 - width], [100.0], [100.0 + width]])
    for minute, value in enumerate(came):
        if minute >= 5:
            track = learn(track, [issued[minute - 5]], [100.0], [float(value)], minute / 60)
        quantiles, widths = calibrate_curve(raw, np.array([300.0]), [300.0], [track], unit=0.5, moves_middle=True)
        issued.append(Band(*quantiles[:, 0], *widths[:, 0]))
        lows.append(quantiles[LOW, 0])
        highs.append(quantiles[HIGH, 0])
    return np.array(lows), np.array(highs)


def test_a_band_that_knows_nothing_of_its_errors_holds_after_an_hour() -> None:
    """The model is certain, and always 20 too low."""
    came = 120.0 + np.random.default_rng(2).normal(0, 5, 360)
    lows, highs = first_hours(came, width=0.0)
    held = (lows[60:-5] <= came[65:]) & (came[65:] <= highs[60:-5])
    assert held.mean() >= 0.7
    assert (highs - lows)[180:].mean() < 40


@pytest.mark.parametrize("shock", [300.0, 5000.0])
def test_a_shock_at_the_start_does_not_stretch_later_bands(shock: float) -> None:
    """The first errors are those of a platform that has just begun to see trucks."""
    came = 100.0 + np.random.default_rng(3).normal(0, 5, 360)
    came[5:15] += shock
    _, highs = first_hours(came, width=0.5)
    assert highs[240:].max() < 100.0 + 0.5 * shock
    calm = came.copy()
    calm[5:15] -= shock
    assert highs[-1] - 100.0 < 8 * (first_hours(calm, width=0.5)[1][-1] - 100.0)


def test_nothing_is_learned_from_nothing() -> None:
    track = Track.empty()
    assert learn(track, [], [], [], 1.0) is track


def test_a_miss_asks_for_more_room_on_its_side() -> None:
    track = learn(Track.empty(), [Band(5.0, 10.0, 15.0, 5.0, 5.0)], [10.0], [40.0], 5.0)
    assert track.level_above < OUTSIDE < track.level_below


def track_of(error: float, hours: float = 20.0) -> Track:
    return Track(np.full(N_BINS, hours / N_BINS), mean_error=error, evidence_h=hours, time_h=0.0)


@pytest.mark.parametrize(
    ("present", "model", "rival", "hours", "expected"),
    [
        ("model", 10.0, 9.5, 20.0, "model"),  # not clearly better
        ("model", 10.0, 8.0, 20.0, "rival"),
        ("model", 10.0, 8.0, 2.5, "model"),  # too little is known at this horizon
        ("model", 10.0, 7.0, 3.5, "model"),  # may be the luck of an afternoon
        ("model", 10.0, 5.0, 3.5, "rival"),
        ("rival", 8.5, 8.0, 20.0, "rival"),  # the model is not yet as good
        ("rival", 8.0, 8.0, 20.0, "model"),
        ("rival", 5.0, 8.0, 20.0, "model"),
        ("model", 0.0, 0.0, 20.0, "model"),
    ],
)
def test_a_rival_takes_over_when_clearly_better_and_the_model_returns_when_as_good(
    present: str, model: float, rival: float, hours: float, expected: str
) -> None:
    tracks = {"model": track_of(model, hours), "rival": track_of(rival, hours)}
    assert choose_source(present, "model", tracks, 1.0) == expected


def test_the_source_does_not_flutter() -> None:
    """While both errors wander around each other the source stays."""
    rng = np.random.default_rng(5)
    present, better = "model", 0
    for _ in range(500):
        model, rival = 10 + 0.15 * rng.standard_normal(2)
        better += rival < model
        present = choose_source(present, "model", {"model": track_of(model), "rival": track_of(rival)}, 1.0)
        assert present == "model"
    assert better > 200
