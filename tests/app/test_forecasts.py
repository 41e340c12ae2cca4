"""Forecasts over the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from app.control.minute import Minute
from app.forecasting import engine_state
from app.forecasting.service import FORECAST_WITHIN, MEASURED_WITHIN, OLD_AFTER
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store

from .test_control import put_trucks


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    runtime.settings.forecast_runs = 16
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    return runtime


def test_before_the_first_forecast(ready: Runtime, sign_in) -> None:
    driver = sign_in("driver")
    assert driver.get("/api/v1/forecasts/latest?gate=huu-nghi").status_code == 404
    assert driver.get("/api/v1/forecasts/latest?gate=nowhere").status_code == 404
    assert driver.get("/api/v1/forecasts/latest").status_code == 422
    assert driver.get("/api/v1/forecasts/yards").json() == {"items": []}


def test_while_the_engine_is_prepared_the_answer_says_how_far_it_is(ready: Runtime, sign_in) -> None:
    driver = sign_in("driver")
    ready.redis.set(engine_state.KEY, '{"done": 3, "parts": 43}')
    answer = driver.get("/api/v1/forecasts/latest?gate=huu-nghi")
    assert answer.status_code == 404
    assert "3/43" in answer.json()["detail"]
    engine_state.prepare_engine(ready.redis)
    assert engine_state.find_progress(ready.redis) is None
    answer = driver.get("/api/v1/forecasts/latest?gate=huu-nghi")
    assert answer.status_code == 404
    assert "43" not in answer.json()["detail"]


def test_the_newest_forecast_as_the_contract_names_it(ready: Runtime, sign_in) -> None:
    put_trucks(ready, list(np.linspace(2, 40, 60)), speed_mps=1.0)
    Minute.of(ready).run()
    driver = sign_in("driver")
    answer = driver.get("/api/v1/forecasts/latest?gate=huu-nghi")
    found = answer.json()
    assert found["step_s"] == 300
    assert found["quantiles"] == [0.1, 0.5, 0.9]
    assert found["runs"] == 16
    assert {"made_at", "seed", "code_version", "gate"} <= set(found)
    for name in ("queue_veh", "wait_s", "tail_km"):
        values = np.array(found[name])
        assert values.shape[0] == 3
        assert values.shape[1] >= 72
        assert (np.diff(values, axis=0) >= 0).all(), name
    assert found["now"]["tail_km"] >= 1.0
    same = driver.get("/api/v1/forecasts/latest?gate=huu-nghi", headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304
    measured, made = found["now"], datetime.fromisoformat(found["made_at"])
    assert (
        datetime.fromisoformat(measured["current_until"]) == datetime.fromisoformat(measured["time"]) + MEASURED_WITHIN
    )
    assert datetime.fromisoformat(found["old_from"]) == made + OLD_AFTER
    assert datetime.fromisoformat(found["current_until"]) == made + FORECAST_WITHIN
    ready.clock.advance(MEASURED_WITHIN.total_seconds() + 1)  # nothing is measured any more, and no forecast made
    later = driver.get("/api/v1/forecasts/latest?gate=huu-nghi", headers={"If-None-Match": answer.headers["ETag"]})
    assert (later.status_code, later.json()["now"]) == (
        200,
        None,
    )  # what had been measured is not taken for the present
    yards = driver.get("/api/v1/forecasts/yards").json()["items"]
    assert {yard["yard_id"] for yard in yards} == {"xuan-cuong", "bao-nguyen"}
    listed = driver.get("/api/v1/yards").json()["items"]
    assert next(y for y in listed if y["yard_id"] == "xuan-cuong")["forecast"]["quantiles"] == [0.1, 0.5, 0.9]


def test_kept_forecasts(ready: Runtime, sign_in) -> None:
    loop = Minute.of(ready)
    for _ in range(3):
        loop.run()
        ready.clock.advance(60)
    driver = sign_in("driver")
    now = ready.clock.now()
    span = {"gate": "huu-nghi", "from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat(), "every": 1}
    items = driver.get("/api/v1/forecasts", params=span).json()["items"]
    assert len(items) == 3
    assert len(items[0]["queue_veh"][1]) == 6
    too_long = span | {"from": (now - timedelta(days=3)).isoformat()}
    assert driver.get("/api/v1/forecasts", params=too_long).status_code == 422
    assert driver.get("/api/v1/forecasts", params=span | {"from": "2026-03-02T03:00:00"}).status_code == 422


def test_places_are_seen_by_those_they_concern(ready: Runtime, sign_in) -> None:
    vehicles = put_trucks(ready, [10.0, 20.0])
    Minute.of(ready).run()
    own = sign_in("driver", vehicle_id=vehicles[0]).get("/api/v1/assignments").json()["items"]
    assert [forecast["vehicle_id"] for forecast in own] == [vehicles[0]]
    assert own[0]["text"]
    assert own[0]["yard_id"] == "xuan-cuong"
    assert len(sign_in("traffic_police").get("/api/v1/assignments").json()["items"]) == 2
    assert sign_in("driver").get("/api/v1/assignments").json()["items"] == []
