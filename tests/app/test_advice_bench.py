"""The bench of advice: an act changes of a driven day what it says and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.advice import Followed, figures
from bench.days.acts import can_play, follow, read_changes, write_changes
from bench.days.kinds import KINDS, draw_day
from routing.acts import Act, Banned, Diverted, Held, Released, Worked

DAY = draw_day(KINDS["closed"], 5)
NOW_S = 6.5 * 3600.0
TRUCKS = {row: truck for row, truck in enumerate(plan.truck for plan in DAY.plans if plan.gate == "huu-nghi")}


@pytest.fixture
def driven(tmp_path: Path) -> Path:
    """As if each truck had come by kilometre 16 at the eighth hour."""
    n = len(DAY.plans)
    path = tmp_path / "day.npz"
    km = np.concatenate([np.full(n, 30.0), np.full(n, 15.0)])
    time_s = np.concatenate([np.full(n, 7 * 3600.0), np.full(n, 8 * 3600.0)])
    np.savez(path, truck=np.tile(np.arange(float(n)), 2), t=time_s, km=km)
    return path


def followed(act: Act, driven: Path, tmp_path: Path):
    changed = follow(DAY, act, TRUCKS, NOW_S, driven)
    write_changes(DAY, changed, tmp_path / "changes.json")
    again = read_changes(DAY, tmp_path / "changes.json")
    assert {plan.truck: plan for plan in again.plans} == {plan.truck: plan for plan in changed.plans}
    assert again.lane_changes == changed.lane_changes
    return changed


def differing(changed) -> set[int]:
    return {after.truck for before, after in zip(DAY.plans, changed.plans, strict=True) if before != after}


def test_diverted_trucks_go_to_the_other_gate(driven: Path, tmp_path: Path) -> None:
    changed = followed((Diverted(np.arange(5), "tan-thanh"),), driven, tmp_path)
    assert differing(changed) == {TRUCKS[row] for row in range(5)}
    assert {changed.plans[truck].gate for truck in differing(changed)} == {"tan-thanh"}


def test_held_trucks_rest_from_when_they_come_by_until_they_may_go(driven: Path, tmp_path: Path) -> None:
    changed = followed((Held(np.arange(8), "staging-lang-son", np.full(8, 3 * 3600.0)),), driven, tmp_path)
    assert 0 < len(differing(changed)) <= 8
    for truck in differing(changed):
        plan = changed.plans[truck]
        assert (plan.rest_site, plan.rest_s) == ("staging-lang-son", pytest.approx(NOW_S + 3 * 3600 - 8 * 3600))


def test_who_may_not_set_out_does_so_when_the_ban_is_over(driven: Path, tmp_path: Path) -> None:
    changed = followed((Banned("huu-nghi", 7200.0),), driven, tmp_path)
    assert differing(changed)
    for plan in changed.plans:
        assert plan.gate != "huu-nghi" or not NOW_S < plan.depart_s < NOW_S + 7200.0


def test_a_lane_more_is_worked_from_now_on_and_never_one_that_is_not_there(driven: Path, tmp_path: Path) -> None:
    changed = followed((Worked("huu-nghi", faster=1.5),), driven, tmp_path)
    lanes = {change.at_s: change.lanes for change in changed.lane_changes}
    assert lanes[NOW_S] == 3, "two of four are open at that hour"
    assert max(lanes.values()) == 4
    more = followed((Worked("huu-nghi", faster=1.5, imports_slower=1.3),), driven, tmp_path)
    assert max(change.lanes for change in more.lane_changes) == 5


def test_what_a_driven_day_cannot_play_is_passed_over() -> None:
    assert can_play((Worked("huu-nghi", faster=1.2),))
    assert not can_play((Worked("huu-nghi", longer_s=3600.0),))
    assert not can_play((Released(np.arange(2), np.zeros(2)),))


def test_days_on_which_nothing_was_advised_count_for_nothing() -> None:
    days = [
        Followed("peak", 1, "divert_other", 30.0, 40.0, 800.0, 2.0, 1.5, 26),
        Followed("peak", 2, "hold_other", 10.0, -4.0, 1000.0, 3.0, 1.0, 20),
        Followed("ordinary", 1, None, 0.0, 0.0, 500.0, 0.0, 0.0, 0),
    ]
    found = figures(days)
    assert (found["days"], found["days_with_an_act"], found["days_better"]) == (3, 2, 1)
    assert (found["saved_h_a_day"], found["saved_share"], found["list_s"]) == (18.0, pytest.approx(0.02), 3.0)
