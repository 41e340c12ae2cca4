"""Of several receivers on a truck one leads."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.receivers import LEADER_SILENT_US, NO_LEADER, find_seconds
from tests.profiles import examples


def seconds(rows: list[tuple[int, int, int]], leader: dict[int, tuple[int, int]] | None = None) -> list[bool]:
    """`rows` of vehicle index, device, seconds, by vehicle and time."""
    vehicle, device, time_s = (np.array(column) for column in zip(*rows, strict=True))
    leader_id, leader_us = np.zeros(5, np.int64), np.zeros(5, np.int64)
    for who, (device_id, at_s) in (leader or {}).items():
        leader_id[who], leader_us[who] = device_id, at_s * 1_000_000
    return find_seconds(vehicle, device, time_s * 1_000_000, leader_id, leader_us).tolist()


def test_the_first_leads_until_it_is_silent() -> None:
    rows = [(0, 7, 0), (0, 8, 5), (0, 7, 30), (0, 8, 35), (0, 8, 91), (0, 7, 95), (0, 8, 100)]
    assert seconds(rows) == [False, True, False, True, False, True, False]


def test_trucks_with_one_receiver_are_left_alone() -> None:
    assert seconds([(0, 7, 0), (0, 7, 9), (1, 8, 0), (2, 9, 0), (2, 9, 900)]) == [False] * 5


def test_a_leader_from_before_leads_on() -> None:
    assert seconds([(1, 7, 20), (1, 8, 25)], {1: (8, 0)}) == [True, False]
    assert seconds([(1, 7, 61), (1, 8, 65)], {1: (8, 0)}) == [False, True]


def test_a_camera_never_leads_and_counts() -> None:
    assert seconds([(0, -3, 0), (0, 7, 5), (0, -3, 6), (0, 8, 7)]) == [False, False, False, True]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 400)), min_size=1), st.integers(0, 40))
@examples(300)
def test_in_pieces_as_in_one(found: list[tuple[int, int, int]], cut: int) -> None:
    rows = sorted({(vehicle, time): (vehicle, device, time) for vehicle, device, time in found}.values())
    rows.sort(key=lambda row: (row[0], row[2]))
    vehicle, device, time_s = (np.array(column) for column in zip(*rows, strict=True))
    time_us = time_s * 1_000_000

    def run(chosen: list[np.ndarray]) -> list[bool]:
        leader_id, leader_us = np.full(3, NO_LEADER, np.int64), np.zeros(3, np.int64)
        second = np.zeros(len(rows), bool)
        for part in chosen:
            second[part] = find_seconds(vehicle[part], device[part], time_us[part], leader_id, leader_us)
        return second.tolist()

    limit = np.sort(time_s)[min(cut, len(rows) - 1)]
    pieces = [np.flatnonzero(time_s < limit), np.flatnonzero(time_s >= limit)]
    assert run(pieces) == run([np.arange(len(rows))])


def test_silence_is_longer_than_a_report_may_take() -> None:
    assert LEADER_SILENT_US >= 30_000_000
