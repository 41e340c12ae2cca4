"""Scenarios: what they accept, what they refuse by name, and what comes of a change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError, NotFoundError
from geo.opening_hours import OpeningHours
from routing.gates import assumed_settings
from routing.scenario import Scenario, dump_scenario, library, load_scenario, parse_scenario, run_scenario


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
    for found_scenario in found.values():
        assert found_scenario.sources
        assert {"vi", "en", "zh"} <= set(found_scenario.title)
        assert run_scenario(corridor, found_scenario, seed=1, runs=2) is not None


def test_december_2021_stands_as_it_stood(corridor: Corridor) -> None:
    result = run_scenario(corridor, library()["december-2021"], seed=1, runs=4)
    assert result is not None
    standing = result.queue_veh[0, 1, :, 0] + result.occupancy_veh[0, 1, :, 0]
    np.testing.assert_allclose(standing, [1263, 2601], atol=10)
    crossed = result.totals["crossed_veh"][0].mean() / 3
    # 350 a day in all three gates, 297 of them at these two.
    assert crossed == pytest.approx(297, rel=0.15)


VARIANTS = [
    {"name": "more-lanes", "change": {"gates": {"huu-nghi": {"entrance_lanes": 2}}}},
    {"name": "fewer", "change": {"demand": [{"factor": 0.5}]}},
    {"name": "closed", "change": {"closures": [{"road": "QL1A", "km_from": 30, "km_to": 31, "to_h": 3}]}},
]


def with_more(base: Scenario, **values: object) -> Scenario:
    return parse_scenario({**base.to_record(), **values})


def test_each_of_many_variants_is_what_it_is_alone(corridor: Corridor) -> None:
    together = run_scenario(corridor, with_more(scenario(), variants=VARIANTS), seed=3, runs=8)
    assert together is not None
    assert [variant["name"] for variant in together.variants()] == [str(variant["name"]) for variant in VARIANTS]
    for world, variant in enumerate(VARIANTS[:2], 1):
        alone = run_scenario(corridor, with_more(scenario(), change=variant["change"]), seed=3, runs=8)
        assert alone is not None
        # The closure of the third splits a road of all worlds: the same to a thousandth, not to the bit.
        for name in ("truck_hours", "crossed_veh"):
            np.testing.assert_allclose(alone.totals[name][1], together.totals[name][world], rtol=2e-3, err_msg=name)
    again = parse_scenario(json.loads(json.dumps(together.to_record()))["scenario"])
    assert again == together.scenario


def test_names_that_variants_do_not_have_are_refused_with_their_place(corridor: Corridor) -> None:
    wrong = with_more(scenario(), variants=[*VARIANTS, {"name": "x", "change": {"bans": [{"gate": "lao-cai"}]}}])
    with pytest.raises(InvalidInputError, match=r"variants\.3\.change\.bans\.gate names lao-cai"):
        run_scenario(corridor, wrong, seed=1, runs=1)
    for name in ("fewer", "base"):
        with pytest.raises(InvalidInputError, match=name):
            with_more(scenario(), variants=[*VARIANTS, {"name": name, "change": {}}])


def test_a_ban_keeps_away_whom_it_names(corridor: Corridor) -> None:
    banned = run(corridor, bans=[{"goods": "perishable", "to_h": 8}])
    np.testing.assert_array_equal(banned.totals["fruit_truck_hours"][1], 0.0)
    assert (banned.totals["truck_hours"][1] > 0.0).all()
    late = run(corridor, bans=[{"goods": "perishable", "from_h": 7.99, "to_h": 8}])
    assert late.totals["truck_hours"][1].mean() > 0.99 * late.totals["truck_hours"][0].mean()
    elsewhere = run(corridor, bans=[{"gate": "tan-thanh", "to_h": 8}])
    np.testing.assert_array_equal(elsewhere.queue_veh[1, 2, 1], 0.0)
    assert elsewhere.queue_veh[1, 1, 0].max() > 5.0


def test_reversed_lanes_go_from_imports_to_exports(corridor: Corridor) -> None:
    gates = {"huu-nghi": {"service_mean_s": 900, "reversed_lanes": 2}}
    world = {"gates": {"huu-nghi": {"exports_veh_per_day": 500, "service_mean_s": 900, "imports_veh_per_day": 300}}}
    helped = run_scenario(corridor, with_more(scenario(gates=gates), world=world), seed=3, runs=8)
    assert helped is not None
    base, variant = helped.totals["crossed_veh"].mean(axis=1)
    assert variant == pytest.approx(1.5 * base, rel=0.12)  # six lanes for four
    slow = {"huu-nghi": {"exports_veh_per_day": 900, "entrance_lanes": 4, "entrance_service_mean_s": 600}}
    entrance = with_more(scenario(gates={"huu-nghi": {"reversed_lanes": 1}}), world={"gates": slow})
    helped = run_scenario(corridor, entrance, seed=3, runs=4)
    assert helped is not None
    base, variant = helped.totals["crossed_veh"].mean(axis=1)
    assert variant > 1.1 * base, "a lane goes through the entrance, too"
    with pytest.raises(InvalidInputError, match="huu-nghi has 4 lanes for imports; 4 cannot be reversed"):
        run(corridor, gates={"huu-nghi": {"reversed_lanes": 4}})


def test_spoiled_goods_and_cost_follow_from_the_hours(corridor: Corridor) -> None:
    costs = {"truck_hour_vnd": 1000, "load_t": 10, "goods_vnd_per_t": 7, "shelf_life_h": 1000}
    result = run_scenario(corridor, with_more(scenario(), costs=costs), seed=3, runs=4)
    assert result is not None
    totals = result.totals
    np.testing.assert_allclose(totals["spoiled_t"], totals["fruit_truck_hours"] * 10 / 1000)
    np.testing.assert_allclose(totals["cost_vnd"], totals["truck_hours"] * 1000 + totals["spoiled_t"] * 7)
    soon = run_scenario(corridor, with_more(scenario(), costs=costs | {"shelf_life_h": 1e-6}), seed=3, runs=4)
    assert soon is not None
    assert (soon.totals["spoiled_t"] % 10 == 0.0).all()  # each truck's whole load and no more


def test_a_new_gate_and_a_new_yard_are_the_variants_alone(corridor: Corridor) -> None:
    shipped = json.loads(json.dumps(corridor.to_geojson()["features"]))
    features = {f["properties"]["site_id"]: f for f in shipped if f["properties"]["feature"] == "site"}

    def added(source: str, **properties: object) -> dict[str, object]:
        feature = features[source]
        return {**feature, "properties": {**feature["properties"], **properties}}

    additions = [
        added("huu-nghi", site_id="coc-nam", gate_id="coc-nam", km=6.0),
        added("xuan-cuong", site_id="coc-nam-yard", gate_id="coc-nam", km=6.2),
        added("xuan-cuong", site_id="xuan-cuong-2", km=0.9),
    ]
    change = {
        "yards": {"xuan-cuong-2": {"capacity_veh": 50}},
        "diversions": [{"from_gate": "huu-nghi", "to_gate": "coc-nam", "share": 0.5}],
    }
    full = {"huu-nghi": {"exports_veh_per_day": 700, "standing_veh": 480}}
    built = with_more(scenario(), change=change, additions=additions, world={"gates": full})
    result = run_scenario(corridor, built, seed=3, runs=8)
    assert result is not None
    yard, gate = result.yard_ids.index("xuan-cuong-2"), result.yard_ids.index("coc-nam-yard")
    np.testing.assert_array_equal(result.occupancy_veh[0][:, [yard, gate]], 0.0)
    assert result.occupancy_veh[1, 1, yard].max() > 10
    assert result.occupancy_veh[1, 1, gate].max() > 10
    assert result.summary()["waiting_truck_hours"]["difference"] < 0
    assert parse_scenario(json.loads(json.dumps(built.to_record()))) == built


@pytest.mark.parametrize("features", [[{"type": "Feature"}], [{"type": "Feature", "geometry": None, "properties": {}}]])
def test_additions_that_cannot_be_read_are_refused(corridor: Corridor, features: list[dict]) -> None:
    with pytest.raises(CuaKhauError):
        run_scenario(corridor, with_more(scenario(), additions=features), seed=1, runs=1)


def test_a_base_that_begins_now_takes_no_additions() -> None:
    with pytest.raises(InvalidInputError, match="describe the base to add to it"):
        parse_scenario({"name": "x", "world": {"begins": "now"}, "additions": [{"type": "Feature"}]})


def test_what_helps_in_the_library_does_not_hang_on_how_gates_are_set_now(corridor: Corridor) -> None:
    always = [
        replace(setting, crossing=replace(setting.crossing, hours=OpeningHours.always()))
        for setting in assumed_settings(corridor)
    ]
    for name in ("december-2021", "tet-peak", "after-closure"):
        result = run_scenario(corridor, library()[name], seed=1, runs=3, settings=always)
        assert result is not None
        titles = {variant["title"]["en"]: variant["summary"] for variant in result.variants()}
        assert titles["Gates open until 22:00"]["crossed_veh"]["difference"] > 0, name


def test_a_base_drives_as_fast_as_it_says(corridor: Corridor) -> None:
    world = scenario().world.model_dump(mode="json", exclude_defaults=True)

    def hours_on_the_way(share: float) -> float:
        speeds = {road.edge_id: share * road.free_speed_mps for road in corridor.roads}
        built = with_more(scenario(), world={**world, "free_speed_mps": speeds})
        assert load_scenario(dump_scenario(built)) == built
        result = run_scenario(corridor, built, seed=3, runs=4)
        assert result is not None
        return float(result.totals["truck_hours"][0].mean())

    assert hours_on_the_way(0.6) > 1.1 * hours_on_the_way(1.0)
    with pytest.raises(InvalidInputError, match="no edge nowhere"):
        run_scenario(corridor, with_more(scenario(), world={**world, "free_speed_mps": {"nowhere": 10.0}}), seed=1)
    with pytest.raises(InvalidInputError, match="give no free speeds"):
        parse_scenario({"name": "x", "world": {"begins": "now", "free_speed_mps": {"a": 10.0}}})
