"""Clocks that are wrong are recognised; buffers and clocks that are right are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clocks import HOUR_S, ROLLOVER_US, ClocksAhead, ClocksBehind, hours_ahead, unroll_weeks
from tests.profiles import examples

NOW_US = 1_780_000_000_000_000
S = 1_000_000
DAY_US = 86_400 * S


@given(st.integers(1, 14), st.floats(0, 115))
@examples(300)
def test_whole_hours_ahead(hours: int, delay_s: float) -> None:
    assert hours_ahead(hours * HOUR_S - delay_s) == hours
    clocks = ClocksAhead()
    notes = [
        clocks.note(1, NOW_US + int((hours * HOUR_S + n * 10 - delay_s) * S), NOW_US + n * 10 * S) for n in range(3)
    ]
    assert notes == [None, None, hours * HOUR_S]


def test_a_buffer_of_a_clock_ahead_is_recognised_by_its_live_end() -> None:
    clocks = ClocksAhead()
    times = NOW_US + 7 * HOUR_S * S - np.arange(0, 3000, 30)[::-1] * S
    notes = [clocks.note(1, int(time_us), NOW_US) for time_us in times]
    assert next(note for note in notes if note is not None) == 7 * HOUR_S


def test_one_time_said_again_proves_nothing() -> None:
    clocks = ClocksAhead()
    assert [clocks.note(1, NOW_US + 7 * HOUR_S * S, NOW_US + n * S) for n in range(9)] == [None] * 9


@pytest.mark.parametrize("ahead_s", [400, 754, 1800, 5000])
def test_a_constant_is_believed_after_a_minute(ahead_s: int) -> None:
    clocks = ClocksAhead()
    notes = [clocks.note(1, NOW_US + (ahead_s + n * 20 - n % 3) * S, NOW_US + n * 20 * S) for n in range(5)]
    assert notes == [None] * 4 + [ahead_s]


def test_a_wild_clock_is_not_believed() -> None:
    clocks = ClocksAhead()
    rng = np.random.default_rng(1)
    for n in range(200):
        ahead_s = int(rng.integers(300, 3_000))
        assert clocks.note(1, NOW_US + (ahead_s + n * 20) * S, NOW_US + n * 20 * S) is None


@given(st.integers(0, 29 * 86_400), st.sampled_from([1, 2]))
@examples(200)
def test_weeks_rolled_over(ago_s: int, rolls: int) -> None:
    true_us = NOW_US - ago_s * S
    times = np.array([true_us - rolls * ROLLOVER_US, true_us])
    found = unroll_weeks(times, NOW_US - 30 * DAY_US, NOW_US + 120 * S)
    assert found.tolist() == [true_us, true_us]


def test_other_dates_long_ago_stay() -> None:
    times = np.array([0, NOW_US - 40 * DAY_US, NOW_US - 1024 * 7 * DAY_US - 31 * DAY_US])
    assert unroll_weeks(times, NOW_US - 30 * DAY_US, NOW_US).tolist() == times.tolist()


def behind(late_s: list[float], step_s: float = 60.0) -> dict[int, int]:
    clocks = ClocksBehind()
    found: dict[int, int] = {}
    for n, late in enumerate(late_s):
        received_us = NOW_US + int(n * step_s * S)
        found |= clocks.note(np.array([5]), np.array([received_us - int(late * S)]), np.array([received_us]))
    return found


@given(st.integers(1, 14), st.lists(st.floats(0, 110), min_size=12, max_size=30))
@examples(200)
def test_whole_hours_behind_for_long(hours: int, delays_s: list[float]) -> None:
    assert behind([hours * HOUR_S + delay for delay in delays_s]) == {5: hours * HOUR_S}


def test_what_is_no_clock_behind() -> None:
    assert behind([7 * HOUR_S + 5.0] * 9) == {}  # nine minutes
    assert behind([7 * HOUR_S - n * 40.0 for n in range(60)]) == {}  # a buffer that empties
    assert behind([7 * HOUR_S + 5.0, 3.0] * 30) == {}  # live ones between
    assert behind([5.0] * 60) == {}
    received_us = np.full(500, NOW_US)
    times_us = received_us - np.arange(500) * 60 * S
    assert ClocksBehind().note(np.full(500, 5), times_us, received_us) == {}  # a buffer at once
