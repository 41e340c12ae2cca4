"""Any number of variants by the planner's form, and new gates, yards and roads."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from routing.scenario import Change, library
from tests.app.test_planner import FORM, planner, sent_again, value_of

__all__ = ["planner"]


def change(planner: TestClient, fields: dict[str, str], act: str) -> dict[str, str]:
    answer = planner.post("/planner/form", data=fields | {"act": act})
    assert answer.status_code == 200, answer.text
    return sent_again(answer.text)


def test_variants_are_added_copied_and_removed(planner: TestClient) -> None:
    form = change(planner, FORM, "add")
    assert form["variants.0.name"] == ""
    two = change(
        planner, form | {"variants.0.name": "Đảo làn", "variants.0.change.gates.huu-nghi.reversed_lanes": "1"}, "copy:0"
    )
    assert two["variants.1.name"] == "Đảo làn (3)"
    assert two["variants.1.change.gates.huu-nghi.reversed_lanes"] == "1"
    three = change(planner, two, "copy:change")
    assert three["variants.2.change.closures.0.km_from"] == "40"
    assert three["variants.2.change.gates.huu-nghi.lanes"] == "6"
    left = change(planner, three, "remove:0")
    assert left["variants.0.name"] == "Đảo làn (3)"
    assert "variants.2.name" not in left
    answer = planner.post("/planner", data=left | {"variants.1.name": "Cấm xe", "runs": "2"}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    run = planner.get(f"/api/v1{answer.headers['location'].replace('/planner/runs', '/scenarios')}").json()
    assert [variant["name"] for variant in run["scenario"]["variants"]] == ["Đảo làn (3)", "Cấm xe"]
    assert run["scenario"]["variants"][1]["change"]["closures"][0]["km_to"] == 42.0
    assert planner.get("/api/v1/scenarios").json()["items"][0]["run_id"] == run["run_id"], "only one run was queued"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"variants.0.name": "", "variants.0.change.gates.huu-nghi.lanes": "3"}, "variants.0.name"),
        ({"variants.0.name": "Không gì"}, "variants.0.name"),
        ({"variants.0.name": "Đóng", "variants.0.change.closures.0.km_from": "400"}, "variants.0.change.closures.0"),
        ({"variants.0.name": "base", "variants.0.change.gates.huu-nghi.lanes": "3"}, "variants"),
        ({"additions": "{"}, "additions"),
        ({"additions": "7"}, "additions"),
    ],
)
def test_what_is_wrong_with_a_variant_is_said_at_its_field(
    planner: TestClient, fields: dict[str, str], place: str
) -> None:
    answer = planner.post("/planner", data=FORM | fields, follow_redirects=False)
    assert answer.status_code == 422
    assert re.search(rf'id="{re.escape(place)}[\w.]*-problem-1"', answer.text)
    assert value_of(answer.text, "name") == FORM["name"]
    assert planner.get("/api/v1/scenarios").json()["items"] == []


def test_the_variants_of_the_library_stand_in_the_form_and_go_out_again(planner: TestClient) -> None:
    fields = sent_again(planner.get("/planner?start=december-2021").text)
    assert len({name for name in fields if re.fullmatch(r"variants\.\d+\.name", name)}) == 7
    answer = planner.post("/planner", data=fields | {"runs": "1"}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    run = planner.get(f"/api/v1{answer.headers['location'].replace('/planner/runs', '/scenarios')}").json()
    wanted = [variant.change for variant in library()["december-2021"].variants]
    assert [Change.model_validate(v["change"]) for v in run["scenario"]["variants"]] == wanted


def test_a_new_yard_has_its_fields_in_every_variant(planner: TestClient, runtime: Runtime) -> None:
    shipped = json.loads(json.dumps(runtime.corridor.to_geojson()["features"]))
    yard = next(f for f in shipped if f["properties"].get("site_id") == "xuan-cuong")
    yard["properties"] |= {"site_id": "xuan-cuong-2", "km": 0.9}
    fields = change(planner, FORM | {"additions": json.dumps([yard])}, "add")
    assert "change.yards.xuan-cuong-2.capacity_veh" in fields
    assert "variants.0.change.yards.xuan-cuong-2.capacity_veh" in fields
    fields |= {"variants.0.name": "Bãi mới", "variants.0.change.yards.xuan-cuong-2.capacity_veh": "80"}
    answer = planner.post("/planner", data=fields, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    run = planner.get(f"/api/v1{answer.headers['location'].replace('/planner/runs', '/scenarios')}").json()
    assert run["scenario"]["additions"][0]["geometry"] == yard["geometry"]
    again = sent_again(planner.get(f"/planner?repeat={run['run_id']}").text)
    assert json.loads(again["additions"])["features"][0]["properties"]["site_id"] == "xuan-cuong-2"
