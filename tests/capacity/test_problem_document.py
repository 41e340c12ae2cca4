"""The yard problem as a document: what it says is in the plan, and what cannot be meant is named."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capacity.compiling import compile_document
from capacity.plan import make_plan
from capacity.plan_report import PlanReport, report_plan
from capacity.problem import whole_trucks
from capacity.problem_document import YardDocument, read_document
from geo.errors import InvalidInputError

START = datetime(2026, 1, 30, 0, 0, tzinfo=UTC)


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def truck(number: int, hours: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"truck_id": f"T{number}", "gate_id": "huu-nghi", "arrive_at": {"huu-nghi": at(hours)}} | more


def document(trucks: list[dict[str, Any]], zones: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "start": START.isoformat(),
        "steps": 12,
        "gates": [
            {"gate_id": "huu-nghi", "crossing_veh_per_h": 60},
            {"gate_id": "tan-thanh", "crossing_veh_per_h": 60, "goods": ["fruit"]},
        ],
        "yards": [{"yard_id": "xuan-cuong", "gate_id": "huu-nghi"}, {"yard_id": "bao-nguyen", "gate_id": "tan-thanh"}],
        "zones": zones,
        "stays": [{"stay_id": "long", "mean_s": 30 * 86400.0}],
        "trucks": trucks,
    } | more


def zone(zone_id: str, capacity: float, yard_id: str = "xuan-cuong", **more: Any) -> dict[str, Any]:
    return {"zone_id": zone_id, "yard_id": yard_id, "capacity": capacity} | more


def plan(given: dict[str, Any]) -> PlanReport:
    read = YardDocument.model_validate(given)
    compiled = compile_document(read)
    return report_plan(read, compiled, make_plan(compiled.problem, time_limit_s=20.0))


def test_each_kind_of_truck_stands_on_its_kind_of_place() -> None:
    zones = [zone("plain", 5), zone("cold", 5, kind="reefer"), zone("dangerous", 5, kind="dangerous")]
    trucks = [truck(1), truck(2, kinds=["reefer"]), truck(3, kinds=["dangerous"]), truck(4, kinds=["livestock"])]
    made = plan(document(trucks, zones))
    assert [planned.zone_id for planned in made.trucks] == ["plain", "cold", "dangerous", None]
    assert made.trucks[3].reason == "no_yard"


def test_the_other_gate_only_takes_what_its_profile_names() -> None:
    zones = [zone("a", 0), zone("b", 9, "bao-nguyen")]
    both = {"arrive_at": {"huu-nghi": at(0), "tan-thanh": at(0.5)}}
    made = plan(document([truck(1, **both, goods="fruit"), truck(2, **both, goods="ore")], zones))
    assert [planned.gate_id for planned in made.trucks] == ["tan-thanh", None]


def test_contracts_keep_places_for_their_enterprise() -> None:
    zones = [zone("a", 3, contracts=[{"enterprise": "An Phat", "places": 2}])]
    trucks = [truck(1), truck(2), truck(3, enterprise="An Phat"), truck(4, enterprise="An Phat")]
    made = plan(document(trucks, zones))
    assert [planned.zone_id for planned in made.trucks].count("a") == 3
    assert all(planned.zone_id == "a" for planned in made.trucks[2:])


def test_a_closure_takes_places_for_its_time() -> None:
    closed = [{"since": at(0), "until": at(3), "capacity": 0}]
    made = plan(document([truck(1)], [zone("a", 5, closures=closed)]))
    assert made.trucks[0].place_at == START + timedelta(hours=3)


def test_a_yard_takes_nobody_while_it_is_closed_and_says_so() -> None:
    given = document([truck(1)], [zone("a", 5)])
    given["yards"][0]["opening_hours"] = "09:00–18:00"  # 02:00 UTC
    made = plan(given)
    assert made.trucks[0].place_at == START + timedelta(hours=2)
    assert made.trucks[0].reason == "closed"


def test_an_entrance_that_two_yards_share_is_the_limit_of_both() -> None:
    given = document([truck(n) for n in range(6)], [zone("a", 9), zone("b", 9, "second")], entrances=[])
    given["entrances"] = [{"entrance_id": "road", "veh_per_h": 4}]
    given["yards"] = [
        {"yard_id": name, "gate_id": "huu-nghi", "entrance_id": "road"} for name in ("xuan-cuong", "second")
    ]
    made = plan(given)
    times = Counter(planned.place_at for planned in made.trucks)
    assert sorted(times.values()) == [2, 2, 2]


def test_docks_without_staff_take_nobody() -> None:
    given = document([truck(n, kinds=["dock"]) for n in range(4)], [zone("docks", 4, kind="dock")])
    given["yards"][0]["dock_staff"] = 1
    assert sum(planned.zone_id is not None for planned in plan(given).trucks) == 1


def test_a_convoy_gets_places_in_one_zone_at_one_time() -> None:
    zones = [zone("small", 2), zone("wide", 4)]
    trucks = [truck(1, convoy="c"), truck(2, 0.8, convoy="c"), truck(3, convoy="c"), truck(4), truck(5)]
    made = plan(document(trucks, zones))
    assert len({(planned.zone_id, planned.place_at) for planned in made.trucks[:3]}) == 1
    assert made.trucks[0].zone_id == "wide"
    with pytest.raises(InvalidInputError, match=r"convoy c has 3 trucks, and no zone .* more than 2"):
        plan(document(trucks[:3], zones[:1]))


def test_a_driver_who_has_to_rest_comes_later() -> None:
    made = plan(document([truck(1, 2.0, driving_left_s=3600.0), truck(2, 2.0)], [zone("a", 5)]))
    arrivals = [planned.arrive_at - START for planned in made.trucks]
    assert arrivals == [timedelta(hours=2.25), timedelta(hours=2)]


def test_the_queue_forecast_delays_who_comes_into_it() -> None:
    given = document([truck(1), truck(2, 4.0)], [zone("a", 5)])
    given["gates"][0]["queue_wait_s"] = [3600.0] * 4 + [0.0] * 8
    arrivals = [planned.arrive_at - START for planned in plan(given).trucks]
    assert arrivals == [timedelta(hours=1), timedelta(hours=4)]


def test_who_finds_no_place_to_wait_stands_on_the_road_and_is_counted() -> None:
    staging = [{"area_id": "s", "capacity": 1, "gates": ["huu-nghi"]}]
    trucks = [truck(1), truck(2), truck(3, on_road=False)]
    made = plan(document(trucks, [zone("a", 0)], staging=staging))
    assert sorted(planned.staging_area or "" for planned in made.trucks) == ["", "", "s"]
    assert made.overflow_truck_hours == 6.0  # one of two on the road, twelve half hours
    assert made.trucks[2].waits_at_home


def test_no_overflow_where_a_plan_avoids_it_even_if_perishables_wait() -> None:
    """One place an hour: the truck that stands on the road gets it before fruit that waits at home."""
    zones = [zone("a", 1, stay="hour")]
    stays = [{"stay_id": "hour", "mean_s": 10 * 86400.0}]
    trucks = [truck(1, on_road=False, perishable=True), truck(2)]
    made = plan(document(trucks, zones, stays=stays))
    assert (made.overflow_truck_hours, made.trucks[1].wait_s) == (0.0, 0)


def test_stays_by_class_free_places_sooner() -> None:
    stays = [{"stay_id": "long", "mean_s": 10 * 86400.0}, {"stay_id": "short", "mean_s": 3600.0, "spread": 0.3}]
    trucks = [truck(1, stay="short"), truck(2, 0.6), truck(3, 0.6, stay="short")]
    made = plan(document(trucks, [zone("a", 1)], stays=stays))
    assert made.trucks[0].wait_s == 0
    assert sorted(planned.zone_id is None for planned in made.trucks) == [False, False, True]


def test_a_plan_says_how_good_it_is() -> None:
    made = plan(document([truck(1)], [zone("a", 5)]))
    assert (made.status, made.gap) == ("optimal", 0.0)
    assert made.text == "The plan costs at most 0.0 % more than the best there is."
    hurried = YardDocument.model_validate(document([truck(n) for n in range(30)], [zone("a", 5)]))
    compiled = compile_document(hurried)
    late = report_plan(hurried, compiled, make_plan(compiled.problem, time_limit_s=0.0))
    assert late.status in ("greedy", "optimal")
    assert sum(planned.zone_id is not None for planned in late.trucks) == 5


VALID = document([truck(1), truck(2)], [zone("a", 5), zone("b", 5)])


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("zones", 0, "kind"), "fridge", "zones.0.kind: 'fridge': Input should be 'standard', 'forty_foot'"),
        (("zones", 0, "capacity"), -3, "-3"),
        (("zones", 1, "zone_id"), "a", "zones.zone_id: a is there 2 times"),
        (("zones", 1, "yard_id"), "nowhere", "zones.1.yard_id: nowhere is not one of bao-nguyen, xuan-cuong"),
        (("zones", 0, "capacity"), [1, 2], "zones.0.capacity: 2 values for 12 steps"),
        (("zones", 0, "closures"), [{"since": at(2), "until": at(1)}], "is not after since"),
        (("trucks", 1, "arrive_at"), {"huu-nghi": "2026-01-30T07:00:00"}, "2026-01-30T07:00:00"),
        (("trucks", 1, "arrive_at"), {"tan-thanh": at(0)}, "no time for its own gate huu-nghi"),
        (("trucks", 1, "stay"), "brief", "trucks.1.stay: brief is not one of long"),
        (("trucks", 1, "weight"), 3, "trucks.1.weight: 3: Extra inputs are not permitted"),
        (("yards", 0, "opening_hours"), "9 to 5", "9 to 5"),
        (("yards", 0, "entrance_id"), "north", "yards.0.entrance_id: north is not one of none"),
        (("step_s",), 0, "step_s: 0"),
        (("stays", 0, "mean_s"), "long", "stays.0.mean_s: 'long'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(
    tmp_path: Path, place: tuple[str | int, ...], value: object, said: str
) -> None:
    broken: Any = deepcopy(VALID)
    target = broken
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(InvalidInputError) as caught:
        read_document(path)
    assert said in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    broken = deepcopy(VALID)
    broken["zones"][0]["yard_id"] = "x"
    broken["trucks"][0]["stay"] = "y"
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"zones.0.yard_id: x .*; trucks.0.stay: y "):
        read_document(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="Invalid JSON"):
        read_document(path)


def test_more_contracts_than_places_are_refused() -> None:
    given = document([], [zone("a", 3, contracts=[{"enterprise": "An Phat", "places": 4}])])
    with pytest.raises(InvalidInputError, match=r"zone a add up to 4\.0; its capacity is 3"):
        compile_document(YardDocument.model_validate(given))


def test_stays_are_shares_that_fall() -> None:
    stays = [{"stay_id": "l", "mean_s": 7200.0, "spread": 0.7}, {"stay_id": "e", "mean_s": 7200.0}]
    shares = compile_document(YardDocument.model_validate(document([], [zone("a", 3)], stays=stays))).problem.stays()
    assert shares.shape == (2, 1, 12, 12)
    assert (np.diff(shares[:, 0, 0], axis=1) <= 0.0).all()
    assert shares[:, 0, 0, 0].tolist() == [1.0, 1.0]
    assert shares[1, 0, 0, 4] == pytest.approx(np.exp(-1.0))


def test_the_problem_of_the_documentation_can_be_planned() -> None:
    text = (Path(__file__).parents[2] / "docs" / "yards.md").read_text(encoding="utf-8")
    example = json.loads(text.split("```json")[1].split("```")[0])
    made = plan(example)
    assert [planned.zone_id for planned in made.trucks] == ["cold"]
    assert made.trucks[0].text


def test_an_entrance_slower_than_a_truck_a_step_still_takes_trucks() -> None:
    given = document([truck(n) for n in range(4)], [zone("a", 9)])
    given["yards"][0]["entrance_veh_per_h"] = 1.0
    made = plan(given)
    places = sorted((planned.place_at - START).total_seconds() / 3600 for planned in made.trucks if planned.place_at)
    assert places == [0.5, 1.5, 2.5, 3.5]


def test_an_entrance_of_broken_numbers_takes_all_it_can_in_the_long_run() -> None:
    assert whole_trucks(np.full(4, 22.5)).tolist() == [22, 23, 22, 23]
    assert whole_trucks(np.array([[np.inf, np.inf], [0.0, 0.9]])).tolist() == [[np.inf, np.inf], [0.0, 0.0]]
