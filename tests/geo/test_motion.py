"""Motion and distances: the ladder of speeds, and the sphere beside the metric frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from geo import motion
from geo.geodesy import METRES_PER_DEGREE, displacement_m, distance_m
from geo.motion import Pace

SLOWER = (motion.is_standing, motion.is_stopped, motion.is_creeping, motion.is_queueing, motion.is_slow)


def test_the_steps_of_the_ladder_rise() -> None:
    steps = list(motion.THRESHOLDS_MPS.values())
    assert steps == sorted(set(steps))
    assert list(motion.THRESHOLDS_MPS) == ["standing", "stopped", "moving", "creeping", "queueing", "free"]


@given(st.floats(0.0, 30.0))
def test_who_is_slower_by_one_step_is_slower_by_all_above(speed_mps: float) -> None:
    answers = [bool(test(speed_mps)) for test in SLOWER]
    assert answers == sorted(answers)
    assert bool(motion.is_free(speed_mps)) is not bool(motion.is_slow(speed_mps))
    assert not (motion.is_moving(speed_mps) and motion.is_stopped(speed_mps))


def test_an_unknown_speed_is_none_of_all_this() -> None:
    for test in (*SLOWER, motion.is_moving, motion.is_free):
        assert not test(np.nan)
    assert motion.pace([0.0, 0.79, 0.8, 5.59, 5.6, np.nan]).tolist() == [
        Pace.STOPPED,
        Pace.STOPPED,
        Pace.SLOW,
        Pace.SLOW,
        Pace.MOVING,
        Pace.MOVING,
    ]


def test_metres_a_degree() -> None:
    assert pytest.approx(111_195.08, abs=0.01) == METRES_PER_DEGREE


@given(st.floats(103.0, 109.0), st.floats(8.0, 24.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_distance_is_near_the_geodesic(lon: float, lat: float, east: float, north: float) -> None:
    _, _, geodesic_m = Geod(ellps="WGS84").inv(lon, lat, lon + east, lat + north)
    assert distance_m(lon, lat, lon + east, lat + north) == pytest.approx(geodesic_m, rel=0.0065, abs=0.01)
    there, back = displacement_m(lon, lat, lon + east, lat + north), displacement_m(lon + east, lat + north, lon, lat)
    assert np.allclose(there, np.negative(back))
