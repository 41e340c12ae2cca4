"""What lies ahead of a trip, over the API and on the pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from app.control.minute import Minute
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store

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
