"""Scenarios over the API: queued, run in a child process, cancelled."""

from __future__ import annotations

import json
import time

import pytest

from app.gates.service import seed_profiles
from app.planning.scenarios import ScenarioRunner
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from routing import store as routing_store

SCENARIO = {
    "name": "one-lane-less",
    "horizon_h": 2,
    "world": {"gates": {"huu-nghi": {"exports_veh_per_day": 400}, "tan-thanh": {"exports_veh_per_day": 100}}},
    "change": {"gates": {"huu-nghi": {"lanes": 2}}},
}


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    return runtime


def tend_until(runner: ScenarioRunner, condition, timeout_s: float = 120.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        runner.tend()
        if condition():
            return True
        time.sleep(0.2)
    return False


def test_a_scenario_is_run_beside_its_base(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    queued = planner.post("/api/v1/scenarios", json={"scenario": SCENARIO, "runs": 3, "seed": 7})
    assert queued.status_code == 202, queued.text
    url = queued.headers["Location"]
    assert planner.get(url).json()["status"] == "queued"
    runner = ScenarioRunner(ready)
    try:
        assert tend_until(runner, lambda: planner.get(url).json()["status"] not in ("queued", "running"))
    finally:
        runner.stop()
    done = planner.get(url).json()
    assert done["status"] == "done", done["error"]
    assert done["progress"] == 1
    assert done["result"]
    assert done["scenario"]["name"] == "one-lane-less"
    assert sign_in("auditor").get(url).status_code == 200
    assert sign_in("traffic_police").get(url).status_code == 403


def test_a_running_scenario_is_cancelled(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    body = {"scenario": SCENARIO | {"horizon_h": 168}, "runs": 2000}
    urls = []
    for _ in range(2):
        urls.append(planner.post("/api/v1/scenarios", json=body).headers["Location"])
        ready.clock.advance(1)  # the one that was queued first is taken first
    runner = ScenarioRunner(ready)
    try:
        assert tend_until(runner, lambda: planner.get(urls[0]).json()["status"] == "running")
        assert planner.get(urls[1]).json()["status"] == "queued"  # one at a time
        assert planner.post(urls[1] + "/cancel").json()["status"] == "cancelled"
        child = runner.child
        assert child is not None
        assert planner.post(urls[0] + "/cancel").status_code == 200
        assert tend_until(runner, lambda: child.poll() is not None, 30)
        assert planner.get(urls[0]).json()["status"] == "cancelled"
        assert planner.post(urls[0] + "/cancel").status_code == 409
        runner.tend()
        assert runner.child is None
    finally:
        runner.stop()


def test_scenarios_that_name_nothing_are_refused(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    wrong = SCENARIO | {"change": {"yards": {"nowhere": {"capacity_veh": 3}}}}
    answer = planner.post("/api/v1/scenarios", json={"scenario": wrong})
    assert answer.status_code == 422
    assert "nowhere" in answer.json()["detail"]
    assert planner.post("/api/v1/scenarios", json={"scenario": {"name": "x"}}).status_code == 422
    assert sign_in("driver").post("/api/v1/scenarios", json={"scenario": SCENARIO}).status_code == 403


def test_the_library(ready: Runtime, sign_in) -> None:
    names = [scenario["name"] for scenario in sign_in("planner").get("/api/v1/scenarios/library").json()["items"]]
    assert "december-2021" in names


def test_an_interrupted_run_is_taken_up_again(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    url = planner.post("/api/v1/scenarios", json={"scenario": SCENARIO, "runs": 2}).headers["Location"]
    with ready.sessions() as session:
        assert routing_store.claim_scenario_run(session, now=ready.clock.now()) is not None
        session.commit()
    runner = ScenarioRunner(ready)
    try:
        assert tend_until(runner, lambda: planner.get(url).json()["status"] == "done")
    finally:
        runner.stop()


def test_a_scenario_with_a_new_yard_and_variants_is_run(ready: Runtime, sign_in) -> None:
    shipped = json.loads(json.dumps(ready.corridor.to_geojson()["features"]))
    yard = next(f for f in shipped if f["properties"].get("site_id") == "xuan-cuong")
    yard["properties"] |= {"site_id": "xuan-cuong-2", "km": 0.9}
    more = {"name": "more", "change": {"yards": {"xuan-cuong-2": {"capacity_veh": 80}}}}
    wanted = SCENARIO | {"additions": [yard], "variants": [more]}
    planner = sign_in("planner")
    queued = planner.post("/api/v1/scenarios", json={"scenario": wanted, "runs": 2, "seed": 7})
    assert queued.status_code == 202, queued.text
    url = queued.headers["Location"]
    runner = ScenarioRunner(ready)
    try:
        assert tend_until(runner, lambda: planner.get(url).json()["status"] not in ("queued", "running"))
    finally:
        runner.stop()
    done = planner.get(url).json()
    assert done["status"] == "done", done["error"]
    assert [variant["name"] for variant in done["result"]["variants"]] == ["variant", "more"]
    assert "xuan-cuong-2" in done["result"]["yards"]
    wrong = wanted | {"variants": [more | {"change": {"yards": {"xuan-cuong-3": {"capacity_veh": 80}}}}]}
    refused = planner.post("/api/v1/scenarios", json={"scenario": wrong})
    assert refused.status_code == 422
    assert "variants.0.change.yards names xuan-cuong-3" in refused.json()["detail"]
