"""Notifications: made from events, once, for those concerned, and read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.notifications import feed
from app.platform import outbox
from app.platform.outbox import Audience
from app.platform.runtime import Runtime
from tests.app.dispatching import Stage, set_stage

SignIn = Callable[..., TestClient]


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    return set_stage(runtime, sign_in)


def happen(stage: Stage, type_: str, /, **data: Any) -> None:
    with stage.runtime.sessions() as session:
        audience = Audience(organisations=(stage.organisation_id,), vehicles=(stage.vehicle_id,))
        outbox.publish_event(session, type_, audience, data, at=stage.runtime.clock.now())
        session.commit()


def follow(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        new = feed.follow(session, runtime.clock.now())
        session.commit()
    return new


def told(client: TestClient) -> list[str]:
    return [notification["kind"] for notification in client.get("/api/v1/notifications").json()["items"]]


def test_enterprise_and_driver_are_told_and_nobody_else(stage: Stage, sign_in: SignIn) -> None:
    other = sign_in("driver", vehicle_id=None)
    happen(stage, "sheet", trip_id=stage.trip_id, step="barrier_1", status="returned", version=3)
    follow(stage.runtime)
    for client in (stage.enterprise, stage.driver):
        answer = client.get("/api/v1/notifications").json()
        assert answer["unread"] == 1
        notification = answer["items"][0]
        assert (notification["kind"], notification["trip_id"], notification["plate"], notification["urgent"]) == (
            "step.returned",
            stage.trip_id,
            "29C-123.45",
            True,
        )
        assert notification["text"] == "Bị trả lại để sửa: Barie số 1"
    assert told(other) == told(stage.police) == []


def test_the_same_is_told_once(stage: Stage) -> None:
    for _ in range(2):
        happen(stage, "trip", trip_id=stage.trip_id, stage="in_the_yard")
        follow(stage.runtime)
    assert told(stage.enterprise) == ["trip.in_the_yard"]


def test_reading_the_outbox_twice_tells_once(stage: Stage) -> None:
    happen(stage, "fee", trip_id=stage.trip_id, status="due")
    assert follow(stage.runtime) > 0
    assert follow(stage.runtime) == 0
    with stage.runtime.sessions() as session:
        session.execute(text("UPDATE app.event_feed SET position = 0"))
        session.commit()
    follow(stage.runtime)
    assert told(stage.driver) == ["fee.due"]


def test_a_fee_leads_to_its_payment_and_is_told_again_when_its_amount_changes(stage: Stage) -> None:
    for amount_vnd, outstanding_vnd in ((150_000, 150_000), (150_000, 50_000), (4_000_000, 3_900_000)):
        money = {"amount_vnd": amount_vnd, "outstanding_vnd": outstanding_vnd}
        happen(stage, "fee", trip_id=stage.trip_id, status="due", **money)
        follow(stage.runtime)
    assert told(stage.enterprise) == ["fee.due", "fee.due"]
    page = stage.enterprise.get("/notifications").text
    assert f'href="/fees/of-trip/{stage.trip_id}"' in page
    assert "Nộp 3.900.000 đ" in page
    assert "Nộp 150.000 đ" not in page  # one fee has one amount to pay, the last one told


def test_what_is_done_or_holds_no_more_asks_for_nothing(stage: Stage) -> None:
    happen(stage, "order", order_id=7, status="active")
    happen(stage, "order", order_id=8, status="active")
    happen(stage, "order", order_id=7, status="cancelled")
    happen(stage, "sheet", trip_id=stage.trip_id, step="barrier_1", status="returned", version=3)
    happen(stage, "sheet", trip_id=stage.trip_id, step="quarantine_plant", status="returned", version=4)
    happen(stage, "sheet", trip_id=stage.trip_id, step="barrier_1", status="done", version=5)
    happen(stage, "fee", trip_id=stage.trip_id, status="due", amount_vnd=150_000, outstanding_vnd=150_000)
    follow(stage.runtime)
    asks = {
        (each["kind"], each["data"].get("order_id", each["data"].get("step"))): each["urgent"]
        for each in stage.enterprise.get("/api/v1/notifications").json()["items"]
    }
    assert {told for told, is_urgent in asks.items() if is_urgent} == {
        ("order.active", 8),
        ("step.returned", "quarantine_plant"),
        ("fee.due", None),
    }
    happen(stage, "fee", trip_id=stage.trip_id, status="paid", amount_vnd=150_000, outstanding_vnd=0)
    follow(stage.runtime)
    assert 'data-testid="pay-fee"' not in stage.enterprise.get("/notifications").text


def test_plans_and_passing_states_are_not_told(stage: Stage) -> None:
    happen(stage, "trip", trip_id=stage.trip_id, stage="on_the_road")
    happen(stage, "sheet", trip_id=stage.trip_id, step="yard", status="ready", version=2)
    follow(stage.runtime)
    assert told(stage.enterprise) == []


def test_an_order_is_told(stage: Stage) -> None:
    stage.issue()
    follow(stage.runtime)
    assert told(stage.driver) == ["order.active"]


def test_the_bell_is_rung_by_an_event(stage: Stage) -> None:
    happen(stage, "trip", trip_id=stage.trip_id, stage="out")
    follow(stage.runtime)
    with stage.runtime.sessions() as session:
        audience = session.execute(text("SELECT audience FROM app.outbox WHERE type = 'notification'")).scalar_one()
    expected = {stage.enterprise.account_id, stage.driver.account_id}  # type: ignore[attr-defined]
    assert set(audience["accounts"]) == expected


def test_read_is_remembered_for_the_reader_only(stage: Stage) -> None:
    happen(stage, "trip", trip_id=stage.trip_id, stage="out")
    follow(stage.runtime)
    newest = stage.enterprise.get("/api/v1/notifications").json()["items"][0]["notification_id"]
    assert stage.enterprise.post("/api/v1/notifications/read", json={"until": newest + 10}).json() == {"unread": 0}
    assert stage.enterprise.get("/api/v1/notifications").json()["items"][0]["read_at"] is not None
    assert stage.driver.get("/api/v1/notifications/unread").json() == {"unread": 1}


def test_the_list_comes_in_pages(stage: Stage) -> None:
    for version in range(5):
        happen(stage, "sheet", trip_id=stage.trip_id, step="health", status="returned", version=version)
    follow(stage.runtime)
    first = stage.enterprise.get("/api/v1/notifications?limit=3")
    link = first.headers["link"].split(">")[0][1:]
    second = stage.enterprise.get(link)
    assert [len(answer.json()["items"]) for answer in (first, second)] == [3, 2]
    assert "link" not in second.headers


def test_what_is_told_late_stands_where_it_happened(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    audience = Audience(organisations=(stage.organisation_id,))
    for ago in (20, 40, 10, 30):
        data = {"trip_id": stage.trip_id, "step": "health", "status": "returned", "version": ago}
        with stage.runtime.sessions() as session:
            outbox.publish_event(session, "sheet", audience, data, at=now - timedelta(minutes=ago))
            session.commit()
        follow(stage.runtime)
    seen, address = [], "/api/v1/notifications?limit=1"
    while address:
        answer = stage.enterprise.get(address)
        seen += [notification["at"] for notification in answer.json()["items"]]
        address = answer.links.get("next", {}).get("url", "")
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    page = stage.enterprise.get("/notifications").text
    until = page.partition('name="until" value="')[2].partition('"')[0]
    stage.enterprise.post("/notifications/read", data={"until": until})
    assert stage.enterprise.get("/api/v1/notifications").json()["unread"] == 0


def test_the_page_shows_the_list(stage: Stage) -> None:
    happen(stage, "sheet", trip_id=stage.trip_id, step="customs", status="done", version=9)
    follow(stage.runtime)
    page = stage.enterprise.get("/notifications")
    assert page.status_code == 200
    assert f"/enterprise/trips/{stage.trip_id}" in page.text
    assert "Kiểm hóa hải quan" in page.text
    assert 'data-testid="bell"' in page.text
    assert 'data-testid="bell"' in stage.police.get("/notifications").text, "calls for help ring there"


def test_who_is_never_told_has_no_bell(stage: Stage, sign_in: SignIn) -> None:
    assert 'data-testid="bell"' not in sign_in("planner").get("/notifications").text


def test_what_is_old_is_forgotten(stage: Stage) -> None:
    from app.notifications import service as notifications

    happen(stage, "trip", trip_id=stage.trip_id, stage="out")
    follow(stage.runtime)
    with stage.runtime.sessions() as session:
        notifications.prune(session, stage.runtime.clock.now() + notifications.KEPT / 2)
        session.commit()
    assert told(stage.driver) == ["trip.out"]
    with stage.runtime.sessions() as session:
        notifications.prune(session, stage.runtime.clock.now() + 2 * notifications.KEPT)
        session.commit()
    assert told(stage.driver) == []
