"""Zones and closures over the API, and what the yard then holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.platform.runtime import Runtime
from capacity import store as capacity_store
from capacity import zone_store

URL = "/api/v1/yards/xuan-cuong"


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return runtime


def test_a_sudden_closure_is_in_the_free_places_and_the_plan_at_once_and_can_be_ended(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    now = ready.clock.now()
    until = (now + timedelta(hours=2)).isoformat()
    made = operator.post(f"{URL}/closures", json={"places_left_veh": 100, "until": until, "reason": "Ngập"})
    assert (made.status_code, made.json()["is_planned"]) == (201, False)
    assert operator.get(URL).json()["free"] == 100
    with ready.sessions() as session:
        ahead = zone_store.places_ahead(session, now, 1800.0, 6)["xuan-cuong"]
    assert ahead == [100, 100, 100, 100, 450, 450]
    ended = operator.post(f"{URL}/closures/{made.json()['closure_id']}/end")
    assert ended.status_code == 200
    assert operator.get(URL).json()["free"] == 450
    assert operator.post(f"{URL}/closures/{made.json()['closure_id']}/end").status_code == 409


def test_zones_have_effect_from_their_time(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    later = ready.clock.now() + timedelta(hours=1)
    assert planner.put(f"{URL}/zones/cold", json={"kind": "reefer", "places_veh": 60}).status_code == 200
    planner.put(f"{URL}/zones/cold", json={"kind": "reefer", "places_veh": 90, "since": later.isoformat()})
    assert planner.get(URL).json()["capacity"] == 60
    ready.clock.advance(3600)
    assert planner.get(URL).json()["capacity"] == 90
    found = planner.get(f"{URL}/places").json()
    assert [change["places_veh"] for change in found["zones"][0]["changes"]] == [60, 90]


@pytest.mark.parametrize(
    ("role", "gate_id", "body", "status"),
    [
        ("yard_operator", "tan-thanh", {"reason": "x"}, 403),
        ("driver", None, {"reason": "x"}, 403),
        ("yard_operator", "huu-nghi", {"reason": ""}, 422),
        ("yard_operator", "huu-nghi", {"reason": "x", "zone_id": "nowhere"}, 404),
        ("yard_operator", "huu-nghi", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, 422),
        ("yard_operator", "huu-nghi", {"reason": "x", "places_left_veh": -1}, 422),
    ],
)
def test_what_cannot_be_is_refused(ready: Runtime, sign_in, role, gate_id, body, status) -> None:
    caller = sign_in(role, gate_id=gate_id) if gate_id else sign_in(role)
    assert caller.post(f"{URL}/closures", json=body).status_code == status
    assert sign_in("planner").get(URL).json()["free"] == 450
