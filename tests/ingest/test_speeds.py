"""Units of reported speeds are learned from the way moved; what no truck can drive is not kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.geodesy import METRES_PER_DEGREE
from geo.motion import MAX_TRUCK_MPS
from geo.units import MPS_PER_KMH, MPS_PER_KNOT
from ingest.fixes import FIX
from ingest.speeds import FACTORS, UNUSABLE, derived_mps, judge_speeds, new_units
from tests.profiles import examples


def drive(
    speeds_mps: Any,
    *,
    step_s: float = 10.0,
    factor: float = 1.0,
    noise_m: float = 0.0,
    start_s: float = 0.0,
    seed: int = 1,
) -> np.ndarray:
    """Fixes to the north at these true speeds, reported as the true speed divided by `factor`."""
    speeds = np.asarray(speeds_mps, float)
    made = np.zeros(len(speeds), FIX)
    made["time_us"] = ((start_s + np.arange(len(speeds)) * step_s) * 1e6).astype(np.int64)
    rng = np.random.default_rng(seed)
    way_m = np.concatenate([[0.0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * step_s)]) + start_s * speeds[0]
    made["lat"] = 21.0 + (way_m + rng.normal(0, noise_m, len(speeds))) / METRES_PER_DEGREE
    made["lon"] = 106.5
    made["speed_mps"] = speeds / factor
    return made


def judge(made: np.ndarray, units: np.ndarray | None = None) -> Any:
    return judge_speeds(made, np.zeros(len(made), np.intp), new_units([1]) if units is None else units)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("step_s", [5.0, 10.0, 30.0, 60.0])
def test_the_unit_is_learned_and_the_speed_corrected(factor: float, step_s: float) -> None:
    units = new_units([1])
    speeds = 14.0 + 3.0 * np.sin(np.arange(40) / 6.0)
    judge(drive(speeds, factor=factor, noise_m=5.0, step_s=step_s), units)
    found = judge(drive(speeds, factor=factor, start_s=3_600, step_s=step_s), units)
    assert units["factor"][0] == pytest.approx(factor, rel=0.06)
    assert found.speed_mps == pytest.approx(speeds, rel=0.06)
    assert found.corrected.all() == (factor != 1.0)


def test_one_by_one_learns_the_same() -> None:
    units, whole = new_units([1]), new_units([1])
    made = drive(np.full(30, 12.0), factor=1 / MPS_PER_KNOT, noise_m=3.0)
    for row in range(len(made)):
        judge(made[row : row + 1], units)
    judge(made, whole)
    assert units["factor"][0] == whole["factor"][0] == 1 / MPS_PER_KNOT


@given(st.floats(6, 25), st.floats(0, 8), st.integers(0, 1000), st.sampled_from([5.0, 10.0, 20.0]))
@examples(300)
def test_a_device_that_is_right_is_never_corrected(mean: float, swing: float, seed: int, step_s: float) -> None:
    rng = np.random.default_rng(seed)
    speeds = np.clip(mean + swing * np.sin(np.arange(200) / rng.uniform(2, 20)) + rng.normal(0, 0.5, 200), 0.0, 27.0)
    units = new_units([1])
    judge(drive(speeds, noise_m=6.0, step_s=step_s, seed=seed), units)
    assert units["factor"][0] == 1.0


def test_few_pairs_prove_nothing_and_a_queue_none() -> None:
    units = new_units([1])
    judge(drive(np.full(8, 12.0), factor=0.514), units)
    assert units["factor"][0] == 1.0
    judge(drive(np.tile([0.0, 2.0, 1.0, 0.0], 50), factor=0.514), units)
    assert units["factor"][0] == 1.0


def test_a_device_that_always_says_it_stands_says_nothing() -> None:
    made = drive(np.full(30, 15.0))
    made["speed_mps"] = 0.0
    units = new_units([1])
    found = judge(made, units)
    assert units["factor"][0] == UNUSABLE
    assert np.isnan(found.speed_mps).all()


def test_a_mended_device_is_seen_to_be() -> None:
    units = new_units([1])
    judge(drive(np.full(40, 12.0), factor=1 / MPS_PER_KNOT), units)
    assert units["factor"][0] != 1.0
    judge(drive(np.full(400, 12.0), start_s=10_000), units)
    assert units["factor"][0] == 1.0


def test_what_a_person_set_stays() -> None:
    units = new_units([1])
    units["factor"], units["is_set"] = MPS_PER_KMH, True
    judge(drive(np.full(40, 12.0), factor=1 / MPS_PER_KNOT), units)
    assert units["factor"][0] == MPS_PER_KMH


@pytest.mark.parametrize("said", [MAX_TRUCK_MPS + 0.1, 60.0, 1e30, -3.0])
def test_what_no_truck_drives_is_not_kept(said: float) -> None:
    made = drive(np.full(3, 12.0))
    made["speed_mps"][1] = said
    found = judge(made)
    assert np.isnan(found.speed_mps[1])
    assert found.doubted.tolist() == [False, True, False]


def test_a_speed_that_the_way_contradicts_is_not_kept() -> None:
    made = drive(np.zeros(5), step_s=60.0)
    made["speed_mps"][3] = 25.0
    assert judge(made).doubted.tolist() == [False, False, False, True, False]
    starting = drive([0.0, 0.0, 8.0], step_s=30.0)
    assert not judge(starting).doubted.any()


@given(st.lists(st.floats(0, 80), min_size=2, max_size=30), st.floats(1, 120))
@examples(200)
def test_nothing_over_160_kmh(speeds: list[float], step_s: float) -> None:
    found = judge(drive(speeds, step_s=step_s)).speed_mps
    assert not (found > MAX_TRUCK_MPS).any()
    assert not (derived_mps(np.array(speeds) * step_s, step_s) > 160 / 3.6).any()


def test_devices_do_not_touch_each_other() -> None:
    a, b = drive(np.full(40, 12.0), factor=1 / MPS_PER_KNOT), drive(np.full(40, 15.0))
    made = np.stack([a, b], axis=1).reshape(-1)
    units = new_units([1, 2])
    found = judge_speeds(made, np.tile([0, 1], 40), units)
    assert units["factor"].tolist() == [1 / MPS_PER_KNOT, 1.0]
    assert found.learned.tolist() == [0]
