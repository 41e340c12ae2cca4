"""What lies ahead of a trip, over the API and on the pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from app.control.minute import Minute
from app.forecasting.service import FORECAST_WITHIN
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from geo.clock import LOCAL_ZONE

from .test_control import put_trucks


def test_position_arrival_wait_and_yard_of_a_trip(runtime: Runtime, sign_in) -> None:
    runtime.settings.forecast_runs = 8
    now = runtime.clock.now()
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    near, far = put_trucks(runtime, [10.0, 30.0])
    police = sign_in("traffic_police")
    before = police.get("/api/v1/outlooks").json()["items"]
    assert {arrival["vehicle_id"] for arrival in before} == {near, far}
    assert all(arrival["arrive_at"] is None and arrival["yard"] is None for arrival in before)
    assert Minute.of(runtime).run().failed == []
    (own,) = sign_in("driver", vehicle_id=near).get("/api/v1/outlooks").json()["items"]
    assert own["vehicle_id"] == near
    assert own["position"]["road"] == "QL1A"
    assert own["position"]["km"] == 10.0
    assert own["position"]["site"] is None
    assert 8.0 < own["to_gate_km"] < 10.5
    arrive = [datetime.fromisoformat(moment) for moment in own["arrive_at"]]
    assert now < arrive[0] <= arrive[1] <= arrive[2]
    assert len(own["wait_s"]) == 3
    assert own["yard"]["yard_id"] == "xuan-cuong"
    assert own["yard"]["reason"]
    enter = datetime.fromisoformat(own["enter_at"][1])
    in_place = datetime.fromisoformat(own["yard"]["in_place_at"])
    assert in_place == max(enter, datetime.fromisoformat(own["yard"]["place_free_at"]))  # not before the entrance
    assert f"{in_place.astimezone(LOCAL_ZONE):%H:%M}" in own["yard"]["text"]
    page = sign_in("driver", vehicle_id=far).get("/driver", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert '"arrive_at": ["2026-' in page.text
    since = now - timedelta(minutes=25)
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE app.trip SET stage = 'queued', stage_since = :since WHERE vehicle_id = :vehicle_id"),
            {"since": since, "vehicle_id": near},
        )
        session.commit()
    (queued,) = sign_in("driver", vehicle_id=near).get("/api/v1/outlooks").json()["items"]
    assert [datetime.fromisoformat(moment) for moment in queued["arrive_at"]] == [since] * 3
    assert queued["wait_s"] == own["wait_s"]

    runtime.clock.advance(FORECAST_WITHIN.total_seconds() - 1)
    assert sign_in("driver", vehicle_id=near).get("/api/v1/outlooks").json()["items"][0]["wait_s"] == own["wait_s"]
    runtime.clock.advance(2)  # what was forecast and planned says nothing of the present any more
    (old,) = sign_in("driver", vehicle_id=near).get("/api/v1/outlooks").json()["items"]
    assert [old[name] for name in ("forecast_at", "arrive_at", "enter_at", "wait_s", "yard")] == [None] * 5
