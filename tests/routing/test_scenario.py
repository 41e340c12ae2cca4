"""Scenarios: what they accept, what they refuse by name, and what comes of a change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError
from routing.scenario import library, load_scenario, parse_scenario, run_scenario


def scenario(**change: object):
    return parse_scenario(
        {
            "name": "test",
            "start": "07:00",
            "horizon_h": 8,
            "step_s": 600,
            "world": {
                "gates": {
                    "huu-nghi": {"exports_veh_per_day": 700, "entrance_lanes": 1, "entrance_service_mean_s": 120},
                    "tan-thanh": {"exports_veh_per_day": 100},
                }
            },
            "change": change,
        }
    )


def run(corridor: Corridor, **change: object):
    result = run_scenario(corridor, scenario(**change), seed=3, runs=16)
    assert result is not None
    return result


def test_no_change_makes_no_difference(corridor: Corridor) -> None:
    result = run(corridor)
    np.testing.assert_array_equal(result.queue_veh[0], result.queue_veh[1])
    for base, variant in result.totals.values():
        np.testing.assert_array_equal(base, variant)


def test_the_same_seed_gives_the_same_bits(corridor: Corridor) -> None:
    a = run_scenario(corridor, scenario(demand=[{"factor": 1.3}]), seed=3, runs=8, threads=1)
    b = run_scenario(corridor, scenario(demand=[{"factor": 1.3}]), seed=3, runs=8, threads=3)
    assert a is not None
    assert b is not None
    assert a.queue_veh.tobytes() == b.queue_veh.tobytes()
    assert a.totals["truck_hours"].tobytes() == b.totals["truck_hours"].tobytes()


@pytest.mark.parametrize(
    ("change", "total", "better"),
    [
        ({"demand": [{"factor": 0.7, "gate": "huu-nghi"}]}, "waiting_truck_hours", True),
        ({"demand": [{"factor": 1.5, "goods": "perishable"}]}, "fruit_truck_hours", False),
        ({"gates": {"huu-nghi": {"entrance_lanes": 2}}}, "waiting_truck_hours", True),
        ({"gates": {"huu-nghi": {"service_mean_s": 3000}}}, "truck_hours", False),
        ({"yards": {"xuan-cuong": {"capacity_veh": 10}}}, "waiting_truck_hours", False),
        (
            {"diversions": [{"from_gate": "huu-nghi", "to_gate": "tan-thanh", "share": 0.5}]},
            "waiting_truck_hours",
            True,
        ),
        ({"closures": [{"road": "QL1A", "km_from": 30, "km_to": 31, "to_h": 6}]}, "crossed_veh", True),
    ],
)
def test_changes_work_the_way_they_must(corridor: Corridor, change: dict, total: str, better: bool) -> None:
    summary = run(corridor, **change).summary()[total]
    assert summary["significant"]
    assert (summary["difference"] < 0) is better


def test_holding_trucks_moves_the_queue_off_the_road(corridor: Corridor) -> None:
    hold = {"staging": "staging-lang-son", "until_h": 7, "gate": "huu-nghi", "release_veh_per_h": 25}
    held = run(corridor, holds=[hold])
    assert held.queue_veh[1, 1, 0].max() < 0.5 * held.queue_veh[0, 1, 0].max()


def test_progress_and_cancelling(corridor: Corridor) -> None:
    told: list[float] = []
    run_scenario(corridor, scenario(), seed=1, runs=10, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert run_scenario(corridor, scenario(), seed=1, runs=10, cancelled=lambda: True) is None


def test_the_result_is_plain_json_and_the_scenario_reads_back(corridor: Corridor) -> None:
    result = run(corridor, demand=[{"factor": 1.2}])
    record = json.loads(json.dumps(result.to_record(), allow_nan=False))
    assert len(record["gates"]["huu-nghi"]["queue_veh"]["variant"][1]) == 49
    assert parse_scenario(record["scenario"]) == result.scenario


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"name": "x", "world": {"gates": {"huu-nghi": {"lanes": 0}}}}, r"world\.gates\.huu-nghi\.lanes .*value 0"),
        ({"name": "x", "world": {"gates": {}}}, r"world\.gates"),
        ({"name": "x", "start": "26:00", "world": {"gates": {"huu-nghi": {}}}}, "26:00"),
        ({"name": "x", "world": {"gates": {"huu-nghi": {"lane": 3}}}}, "lane"),
        ({"name": "x", "world": {"gates": {"huu-nghi": {"exports_veh_per_h": [1, 2]}}}}, "exports_veh_per_h"),
        ({"name": "x", "world": {"gates": {"huu-nghi": {}}}, "change": {"demand": [{"factor": -1}]}}, "factor"),
        (
            {
                "name": "x",
                "world": {"gates": {"huu-nghi": {}}},
                "change": {"closures": [{"road": "QL1A", "km_from": 1, "km_to": 2, "from_h": 3, "to_h": 2}]},
            },
            "before it begins",
        ),
        ("nothing", "scenario"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_value(values: object, match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        parse_scenario(values)


def test_names_the_corridor_does_not_have_are_refused(corridor: Corridor) -> None:
    for change, match in (
        ({"gates": {"lao-cai": {"lanes": 2}}}, "lao-cai"),
        ({"yards": {"nowhere": {"capacity_veh": 2}}}, "nowhere"),
        ({"holds": [{"staging": "moon", "until_h": 2}]}, "moon"),
        ({"closures": [{"road": "QL99", "km_from": 1, "km_to": 2, "to_h": 2}]}, "QL99"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            run_scenario(corridor, scenario(**change), seed=1, runs=1)


def test_yaml_times_without_quotes_and_bad_yaml(tmp_path: Path) -> None:
    read = load_scenario("name: x\nstart: 19:30\nworld: {gates: {huu-nghi: {opens: 07:00, closes: 19:00}}}")
    assert (read.start, read.world.gates["huu-nghi"].closes) == ("19:30", "19:00")
    with pytest.raises(InvalidInputError, match="no YAML"):
        load_scenario("{")
    with pytest.raises(NotFoundError, match=r"missing\.yaml"):
        load_scenario(tmp_path / "missing.yaml")


def test_every_scenario_of_the_library_names_its_sources_and_runs(corridor: Corridor) -> None:
    found = library()
    assert {"ordinary-day", "december-2021"} <= set(found)
    for one in found.values():
        assert one.sources
        assert {"vi", "en", "zh"} <= set(one.title)
        assert run_scenario(corridor, one, seed=1, runs=2) is not None


def test_december_2021_stands_as_it_stood(corridor: Corridor) -> None:
    result = run_scenario(corridor, library()["december-2021"], seed=1, runs=4)
    assert result is not None
    standing = result.queue_veh[0, 1, :, 0] + result.occupancy_veh[0, 1, :, 0]
    np.testing.assert_allclose(standing, [1263, 2601], atol=10)
    crossed = result.totals["crossed_veh"][0].mean() / 3
    # 350 a day in all three gates, 297 of them at these two.
    assert crossed == pytest.approx(297, rel=0.15)
