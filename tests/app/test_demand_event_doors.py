"""Planners tell of events at other borders, by the API and by the page; forecasts read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app.forecasting.state_readings import read
from app.platform.runtime import Runtime
from geo.clock import LOCAL_ZONE

PATH = "/api/v1/demand-events"


def event(now: datetime, **more: object) -> dict[str, object]:
    span = {"starts_at": (now + timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(days=2)).isoformat()}
    return {"factor": 1.4, "cause": "Móng Cái tạm dừng", "gate_id": None, **span, **more}


def test_an_event_is_told_once_read_by_the_state_and_withdrawn(
    runtime: Runtime, sign_in: Callable[..., TestClient]
) -> None:
    planner, now = sign_in("planner"), runtime.clock.now()
    key = {"Idempotency-Key": "one-event"}
    made = [planner.post(PATH, json=event(now), headers=key) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json() == made[1].json()
    (listed,) = planner.get(PATH).json()["items"]
    assert (listed["factor"], listed["cause"], listed["gate_id"]) == (1.4, "Móng Cái tạm dừng", None)
    with runtime.sessions() as session:
        (known,) = read(session, now).events
        assert (known.event_id, known.factor) == (listed["event_id"], 1.4)
    assert sign_in("traffic_police").get(PATH).json()["items"] == [listed]
    assert planner.delete(f"{PATH}/{listed['event_id']}").status_code == 204
    assert planner.delete(f"{PATH}/{listed['event_id']}").status_code == 404
    assert planner.get(PATH).json()["items"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("factor", -0.5),
        ("factor", 11.0),
        ("gate_id", "nowhere"),
        ("cause", ""),
        ("cause", "   "),
        ("ends_at", "2026-01-01T00:00:00+07:00"),
        ("starts_at", "2026-03-05T07:00:00"),
    ],
)
def test_what_cannot_be_is_refused_and_named(
    runtime: Runtime, sign_in: Callable[..., TestClient], field: str, value: object
) -> None:
    planner = sign_in("planner")
    answer = planner.post(PATH, json=event(runtime.clock.now(), **{field: value}))
    assert answer.status_code == 422
    assert field in answer.text
    assert planner.get(PATH).json()["items"] == []


def test_who_only_reads_tells_of_no_event(runtime: Runtime, sign_in: Callable[..., TestClient]) -> None:
    police = sign_in("traffic_police")
    assert police.post(PATH, json=event(runtime.clock.now())).status_code == 403
    assert "new-demand-event" not in police.get("/forecast/events").text


def test_the_page_tells_of_events_and_keeps_what_was_refused(
    runtime: Runtime, sign_in: Callable[..., TestClient]
) -> None:
    planner, now = sign_in("planner"), runtime.clock.now()
    token = re.search(r'name="csrf_token" value="([^"]+)"', planner.get("/forecast/events").text)
    assert token is not None
    local = now.astimezone(LOCAL_ZONE)
    form = {
        "csrf_token": token[1],
        "cause": "Lễ hội ở Bằng Tường",
        "starts_at": local.strftime("%Y-%m-%dT%H:%M"),
        "ends_at": (local + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        "factor": "viel",
        "gate_id": "tan-thanh",
    }
    refused = planner.post("/forecast/events", data=form)
    assert refused.status_code == 422
    assert "Lễ hội ở Bằng Tường" in refused.text
    assert planner.post("/forecast/events", data={**form, "factor": "0,6"}, follow_redirects=False).status_code == 303
    (listed,) = planner.get(PATH).json()["items"]
    assert (listed["factor"], listed["gate_id"]) == (0.6, "tan-thanh")
    address = f"/forecast/events/{listed['event_id']}/withdrawal"
    assert planner.post(address, data={"csrf_token": token[1]}, follow_redirects=False).status_code == 303
    assert planner.get(PATH).json()["items"] == []
