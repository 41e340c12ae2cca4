"""Release plans: never more than is held, never a dry gate while trucks wait, never a queue longer than the road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.metering import SLOT_S, HeldAt, plan_releases, release_times

SLOTS = 16
AREAS = st.lists(
    st.builds(HeldAt, st.integers(0, 120), st.floats(0, 3 * 3600), st.none() | st.integers(1, 30)),
    min_size=0,
    max_size=3,
)
FREE = st.lists(st.builds(HeldAt, st.integers(0, 120), st.floats(0, 3 * 3600)), min_size=1, max_size=3)
FLOWS = st.lists(st.floats(0, 30), min_size=SLOTS, max_size=SLOTS).map(np.array)


def delays(areas: list[HeldAt]) -> list[int]:
    return [int(np.ceil(area.way_s / SLOT_S)) for area in areas]


@given(AREAS, st.floats(0, 200), FLOWS, FLOWS, st.floats(0, 40), st.floats(0, 80))
def test_no_more_go_than_are_held_nor_than_may_in_a_slot(areas, queue, arrivals, service, low, more) -> None:
    plan = plan_releases(areas, queue, arrivals, service, low_veh=low, high_veh=low + more)
    assert (plan.release_veh >= 0).all()
    for area, row in zip(areas, plan.release_veh, strict=True):
        assert row.sum() <= area.held_veh
        assert area.group_veh is None or row.max(initial=0) <= area.group_veh


@given(FREE, st.floats(0, 200), FLOWS, FLOWS, st.floats(1, 40), st.floats(5, 80))
def test_the_expected_queue_never_runs_dry_while_trucks_are_held(areas, queue, arrivals, service, low, more) -> None:
    plan = plan_releases(areas, queue, arrivals, service, low_veh=low, high_veh=low + more)
    for slot in range(SLOTS):
        # Those who could have come by then and are held beyond the time at which they would have had to go.
        held = [
            area.held_veh - row[: max(0, slot - delay + 1)].sum()
            for area, row, delay in zip(areas, plan.release_veh, delays(areas), strict=True)
            if delay <= slot
        ]
        if sum(held) > 0:
            assert plan.queue_veh[slot + 1] >= min(low, 1.0) - 1e-6, slot


@given(FREE, st.floats(0, 200), FLOWS, FLOWS, st.floats(0, 40), st.floats(0, 80))
def test_nobody_is_let_go_into_a_queue_that_is_long_enough(areas, queue, arrivals, service, low, more) -> None:
    high = low + more
    plan = plan_releases(areas, queue, arrivals, service, low_veh=low, high_veh=high)
    nobody = plan_releases([], queue, arrivals, service, low_veh=low, high_veh=high)
    for slot in range(SLOTS):
        without = max(0.0, plan.queue_veh[slot] + arrivals[slot] - service[slot])
        assert plan.queue_veh[slot + 1] <= max(without, min(low, high) + 1.0) + 1e-6
    assert (plan.queue_veh >= nobody.queue_veh - 1e-6).all()


@given(FREE, st.floats(0, 200), FLOWS, FLOWS, st.floats(1, 40), st.floats(0, 80), st.floats(0, 60))
def test_a_longer_queue_lets_no_more_go(areas, queue, arrivals, service, low, more, longer) -> None:
    few = plan_releases(areas, queue + longer, arrivals, service, low_veh=low, high_veh=low + more)
    many = plan_releases(areas, queue, arrivals, service, low_veh=low, high_veh=low + more)
    assert few.release_veh.sum() <= many.release_veh.sum() + len(areas) * SLOTS
    if longer == 0:
        assert (few.release_veh == many.release_veh).all()


def test_they_leave_early_enough_to_be_there_in_time() -> None:
    areas = [HeldAt(40, 1800.0)]
    plan = plan_releases(areas, 20.0, np.zeros(SLOTS), np.full(SLOTS, 10.0), low_veh=5.0, high_veh=40.0)
    # 20 trucks last two slots less the five that are kept; those needed in the third slot leave at once.
    assert plan.release_veh[0, 0] == 15
    assert plan.release_veh[0, :5].tolist() == [15, 10, 10, 5, 0]
    assert (plan.queue_veh[3:6] >= 5.0).all()


def test_trucks_of_a_slot_go_one_after_the_other() -> None:
    areas = [HeldAt(4, 0.0)]
    plan = plan_releases(areas, 0.0, np.zeros(4), np.full(4, 1.0), low_veh=1.0, high_veh=9.0)
    assert plan.release_veh[0].tolist() == [2, 1, 1, 0]
    assert release_times(plan, 0, 4) == pytest.approx([0.0, 450.0, 900.0, 1800.0])
    assert np.isinf(release_times(plan, 0, 6)[4:]).all()
