"""Counts that are hard to believe, and what reads tell of who is inside."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from bench.yard_days.reads import CAPACITY_VEH, play_month
from capacity.counting import doubt_count, shift_at
from capacity.reconciling import Occupancy, Reads, estimate, longer_share


def known(inside_veh: float, spread_veh: float) -> Occupancy:
    return Occupancy(inside_veh, spread_veh, 0.0, 0.05, np.empty(0))


@pytest.mark.parametrize(
    ("counted", "expected", "asked"),
    [
        (999, None, "the yard has {capacity} places"),
        (541, None, "the yard has {capacity} places"),
        (540, None, None),
        (0, None, None),
        (300, known(290.0, 5.0), None),
        (340, known(300.0, 5.0), None),
        (346, known(300.0, 5.0), "{expected} were expected"),
        (0, known(300.0, 5.0), "{expected} were expected"),
        (380, known(300.0, 30.0), None),
    ],
)
def test_a_count_that_is_hard_to_believe_is_asked_about(
    counted: int, expected: Occupancy | None, asked: str | None
) -> None:
    doubt = doubt_count(counted, capacity_veh=450, known=expected)
    assert (doubt is not None) == (asked is not None)
    if doubt is not None and asked is not None:
        assert asked in doubt.message
        assert doubt.values["counted"] == counted


def test_shifts_are_those_of_the_border() -> None:
    assert shift_at(datetime(2026, 1, 1, 23, 0, tzinfo=UTC)) == "day"  # 06:00 there
    assert shift_at(datetime(2026, 1, 1, 11, 0, tzinfo=UTC)) == "night"


def test_a_month_of_missed_and_false_reads_needs_no_count() -> None:
    month = play_month(7, days=20)
    share = np.abs(month.error_veh) / CAPACITY_VEH
    assert share.mean() < 0.03
    assert share.max() < 0.1
    assert month.covered > 0.8
    assert np.abs(month.list_error_veh).mean() / CAPACITY_VEH > 0.5, "the plain list of who was not seen leaving drifts"


def test_reads_without_errors_are_believed() -> None:
    month = play_month(3, missed=0.0, false=0.0, days=8)
    assert np.abs(month.error_veh).mean() < 0.02 * CAPACITY_VEH


def test_who_came_long_ago_is_hardly_inside_and_who_came_now_is() -> None:
    stays = np.linspace(3600.0, 10 * 3600.0, 200)
    ages = np.array([600.0, 5 * 3600.0, 20 * 3600.0])
    entries = np.concatenate([ages, np.full(400, 30 * 3600.0)])
    found = estimate(Reads(ages, stays, entries, np.linspace(0.0, 20 * 3600.0, 500), unmatched_exits=20))
    assert found.inside_share[0] > 0.99
    assert found.inside_share[1] > 0.9
    assert found.inside_share[2] == 0.0


def test_without_any_stay_seen_stays_are_assumed() -> None:
    assert longer_share(np.empty(0), np.array([0.0, 5 * 3600.0])).tolist() == pytest.approx([1.0, np.exp(-1.0)])
    nothing = estimate(Reads(np.empty(0), np.empty(0), np.empty(0), np.empty(0), unmatched_exits=0))
    assert (nothing.inside_veh, nothing.low_veh, nothing.high_veh) == (0.0, 0, 0)


def test_a_yard_whose_records_began_two_hours_ago_does_not_lose_those_who_stay_longer() -> None:
    """Ninety are inside since the first hours, forty have left: all stays seen are short, longer ones cannot be yet."""
    ages = np.linspace(600.0, 2.5 * 3600.0, 90)
    short = np.linspace(1200.0, 4000.0, 40)
    entries = np.concatenate([ages, np.linspace(3600.0, 2.4 * 3600.0, 40)])
    exits = np.linspace(60.0, 2.4 * 3600.0, 100)
    found = estimate(Reads(ages, short, entries, exits, unmatched_exits=60))  # sixty came in before that
    assert found.low_veh <= 90 <= found.high_veh
    assert found.inside_veh == pytest.approx(90, abs=3)
    days = np.concatenate([entries, np.full(400, 30 * 3600.0)])
    later = estimate(Reads(ages, short, days, np.linspace(60.0, 29 * 3600.0, 440), unmatched_exits=20))
    assert later.inside_veh < 50, "records of a day tell how long trucks stay"
