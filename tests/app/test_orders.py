"""Orders through the API: composing, delivery, answers, replacing, running out, judging, and who sees what."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.dispatch import orders
from app.platform.runtime import Runtime
from app.trips.places import Places
from tests.app.dispatching import Stage, add_organisation, put_truck, set_stage, trip_body

SignIn = Callable[..., TestClient]


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    return set_stage(runtime, sign_in)


def own(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/orders", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def tick(stage: Stage) -> int:
    """What control does every few seconds."""
    places, now = Places.of(stage.runtime.corridor), stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        ended = orders.expire_orders(session, now, places=places)
        orders.judge(session, now, places=places)
        session.commit()
    return ended


def events(runtime: Runtime, type_: str) -> list[dict[str, Any]]:
    with runtime.sessions() as session:
        query = text("SELECT data FROM app.outbox WHERE type = :type ORDER BY event_id")
        return list(session.execute(query, {"type": type_}).scalars())


def compliance(stage: Stage, order_id: int) -> str:
    return str(stage.police.get(f"/api/v1/orders/{order_id}").json()["recipients"][0]["compliance"])


# Composing


def test_an_order_goes_from_preview_to_confirmation(stage: Stage) -> None:
    preview = stage.police.post("/api/v1/orders/preview", json=stage.order())
    assert preview.status_code == 200, preview.text
    (truck,) = preview.json()["recipients"]
    assert (truck["plate"], truck["km"], truck["trip_id"]) == ("29C-123.45", 30.0, stage.trip_id)
    assert (truck["has_driver"], truck["has_device"], truck["is_past"]) == (True, False, False)
    assert preview.json()["text"] == {
        "vi": "Dừng chờ tại Điểm dừng chờ Lạng Sơn đến 12:00. Cửa khẩu đang ùn tắc.",
        "en": "Wait at Lang Son staging area until 12:00. There is a long queue at the gate.",
        "zh": "请在谅山待行区停车等候至12:00。口岸拥堵。",
    }
    assert own(stage.driver) == []

    order_id = stage.issue()
    (order,) = own(stage.driver)
    assert (order["order_id"], order["recipients"][0]["status"]) == (order_id, "delivered")
    answer = stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    assert answer.status_code == 200, answer.text
    (listed,) = own(stage.police)
    assert listed["counts"] == {
        "total": 1,
        "waiting": 0,
        "sent": 0,
        "delivered": 0,
        "acknowledged": 1,
        "refused": 0,
        "expired": 0,
        "cancelled": 0,
        "superseded": 0,
    }
    assert listed["compliance"] == {"pending": 1, "complied": 0, "not_complied": 0, "unknown": 0}
    assert listed["recipients"] is None
    assert [event["status"] for event in events(stage.runtime, "order_response")] == ["delivered", "acknowledged"]
    with stage.runtime.sessions() as session:
        (audience,) = session.execute(text("SELECT audience FROM app.outbox WHERE type = 'order'")).scalars()
        actions = session.execute(text("SELECT action FROM app.audit WHERE object_type = 'order' ORDER BY audit_id"))
        assert list(actions.scalars()) == ["orders.issue", "orders.acknowledge"]
    assert audience["roles"] == ["traffic_police"]
    assert audience["vehicles"] == [stage.vehicle_id]
    assert audience["organisations"] == [stage.organisation_id]


def test_edited_texts_are_filled(stage: Stage) -> None:
    body = stage.order(text={"vi": "Anh em dừng ở {place} tới {until} nhé"})
    text_vi = stage.police.post("/api/v1/orders/preview", json=body).json()["text"]["vi"]
    assert text_vi == "Anh em dừng ở Điểm dừng chờ Lạng Sơn tới 12:00 nhé"
    body["text"] = {"vi": "Dừng {đâu}"}
    assert stage.police.post("/api/v1/orders", json=body).json()["field"] == "text.vi"


BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"parameters": {}}, "site_id"),
    ({"parameters": {"site_id": "xuan-cuong"}}, "site_id"),
    ({"kind": "divert", "parameters": {"gate_id": "nowhere"}}, "gate_id"),
    ({"kind": "yard", "parameters": {"yard_id": "huu-nghi"}}, "yard_id"),
    ({"kind": "notice", "parameters": {}}, "reason"),
    ({"selection": {}}, "selection"),
    ({"selection": {"perishable": False}}, "selection"),
    ({"selection": {"gate_id": "nowhere"}}, "selection.gate_id"),
    ({"selection": {"goods_classes": ["dreams"]}}, "selection.goods_classes"),
    ({"selection": {"stretch": {"road": "QL9", "km_from": 1, "km_to": 2}}}, "selection.stretch.road"),
    ({"selection": {"stretch": {"road": "QL1A", "km_from": 9, "km_to": 2}}}, "selection.stretch.km_from"),
    ({"selection": {"area": {"type": "Polygon", "coordinates": ["x"]}}}, "selection.area"),
    ({"selection": {"area": BOW_TIE}}, "selection.area"),
    ({"valid_to": "2026-03-02T09:00:00+07:00"}, "valid_to"),
    ({"valid_to": "2026-04-02T09:00:00+07:00"}, "valid_to"),
    ({"valid_from": "2026-03-02T08:00:00+07:00"}, "valid_from"),
    ({"parameters": {"site_id": "staging-lang-son", "release": {"veh": 5, "every_s": 600}}}, "release"),
]


def test_a_refusal_names_the_field(stage: Stage) -> None:
    for changes, field in REFUSED:
        answer = stage.police.post("/api/v1/orders", json=stage.order(**changes))
        assert (answer.status_code, answer.json().get("field")) == (422, field), (changes, answer.text)


def test_criteria_narrow_each_other(stage: Stage) -> None:
    runtime, now = stage.runtime, stage.runtime.clock.now()
    with runtime.sessions() as session:
        for number, km in enumerate((20.0, 25.0, 40.0, 60.0)):
            put_truck(
                session, runtime.corridor, f"12C-000.0{number}", time=now, km=km, organisation_id=stage.organisation_id
            )
        put_truck(session, runtime.corridor, "12C-111.11", time=now, km=22.0, direction=-1)
        put_truck(session, runtime.corridor, "12C-222.22", time=now - timedelta(hours=2), km=23.0)
        session.commit()
    for number, goods_class in enumerate(("timber", "fresh_fruit", "timber", "timber")):
        gate_id = "tan-thanh" if number == 2 else "huu-nghi"
        body = trip_body(f"12C-000.0{number}", now + timedelta(hours=4), goods_class=goods_class, gate_id=gate_id)
        assert stage.enterprise.post("/api/v1/trips", json=body).status_code == 201

    def plates(**selection: Any) -> list[str]:
        answer = stage.police.post("/api/v1/orders/preview", json=stage.order(selection=selection))
        assert answer.status_code == 200, answer.text
        return [truck["plate"] for truck in answer.json()["recipients"]]

    stretch = {"road": "QL1A", "km_from": 10, "km_to": 50}
    assert plates(stretch=stretch) == ["12C-000.00", "12C-000.01", "29C-123.45", "12C-000.02"]
    assert plates(stretch={**stretch, "direction": "from_border"}) == ["12C-111.11"]
    assert plates(stretch=stretch, limit_veh=2) == ["12C-000.00", "12C-000.01"]
    assert plates(stretch=stretch, gate_id="huu-nghi") == ["12C-000.00", "12C-000.01", "29C-123.45"]
    assert plates(stretch=stretch, perishable=False) == ["12C-000.00", "12C-000.02"]
    assert plates(gate_id="huu-nghi", goods_classes=["timber"]) == ["12C-000.00", "12C-000.03"]
    assert plates(regimes=["transit"]) == []
    (west,), (south,) = runtime.corridor.position("QL1A", [61.0])
    (east,), (north,) = runtime.corridor.position("QL1A", [59.0])
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    assert plates(area={"type": "Polygon", "coordinates": [ring]}) == ["12C-000.03"]


def test_nobody_to_send_to_is_an_error_only_when_issued(stage: Stage) -> None:
    body = stage.order(selection={"gate_id": "tan-thanh"})
    assert stage.police.post("/api/v1/orders/preview", json=body).json()["recipients"] == []
    assert stage.police.post("/api/v1/orders", json=body).status_code == 422


def test_an_order_sent_twice_is_one(stage: Stage) -> None:
    body, key = stage.order(), {"Idempotency-Key": "order-1"}

    def send(_: int) -> int:
        answer = stage.police.post("/api/v1/orders", json=body, headers=key)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["order_id"])

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(send, range(3)))) == 1
    assert len(own(stage.police)) == 1


# Answers


def test_a_double_tap_is_one_effect(stage: Stage) -> None:
    order_id = stage.issue()

    def tap(_: int) -> int:
        return int(stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge").status_code)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(tap, range(4))) == [200] * 4
    assert [event["status"] for event in events(stage.runtime, "order_response")] == ["acknowledged"]
    with stage.runtime.sessions() as session:
        count = session.execute(text("SELECT count(*) FROM app.audit WHERE action = 'orders.acknowledge'"))
        assert count.scalar_one() == 1


def test_a_refusal_needs_a_reason_and_can_be_taken_back(stage: Stage) -> None:
    order_id = stage.issue()
    where = f"/api/v1/orders/{order_id}"
    assert stage.driver.post(f"{where}/refuse", json={"reason": " "}).status_code == 422
    refused = stage.driver.post(f"{where}/refuse", json={"reason": "Xe hỏng lốp"})
    assert refused.status_code == 200, refused.text
    (recipient,) = refused.json()["recipients"]
    assert (recipient["status"], recipient["refusal_reason"]) == ("refused", "Xe hỏng lốp")
    assert events(stage.runtime, "order_response")[-1]["reason"] == "Xe hỏng lốp"
    assert stage.driver.post(f"{where}/acknowledge").json()["recipients"][0]["status"] == "acknowledged"
    assert stage.driver.post(f"{where}/acknowledge").json()["recipients"][0]["refusal_reason"] is None


def test_delivery_is_noted_once(stage: Stage) -> None:
    order_id = stage.issue()
    for _ in range(2):
        assert stage.driver.post(f"/api/v1/orders/{order_id}/delivered").status_code == 200
    assert [event["status"] for event in events(stage.runtime, "order_response")] == ["delivered"]


def test_a_confirmed_divert_takes_the_trip_along(stage: Stage) -> None:
    order_id = stage.issue(kind="divert", parameters={"gate_id": "tan-thanh", "reason": "shorter_wait"})
    assert stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()["gate_id"] == "huu-nghi"
    stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    trip = stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()
    assert trip["gate_id"] == "tan-thanh"
    assert trip["timeline"][-1]["kind"] == "gate_changed"
    assert trip["timeline"][-1]["data"] == {"before": "huu-nghi", "after": "tan-thanh", "order_id": order_id}


# Ending


def test_cancelling_takes_the_order_from_the_driver(stage: Stage) -> None:
    order_id = stage.issue()
    where = f"/api/v1/orders/{order_id}"
    assert stage.police.post(f"{where}/cancel").status_code == 428
    assert stage.police.post(f"{where}/cancel", headers={"If-Match": '"9"'}).status_code == 412
    cancelled = stage.police.post(f"{where}/cancel", headers={"If-Match": '"1"'})
    assert (cancelled.json()["status"], cancelled.json()["counts"]["cancelled"]) == ("cancelled", 1)
    assert own(stage.driver) == []
    late = stage.driver.post(f"{where}/acknowledge")
    assert late.status_code == 409
    assert "đã hủy" in late.json()["detail"]
    assert stage.police.post(f"{where}/cancel", headers={"If-Match": '"2"'}).status_code == 409


def test_an_order_runs_out(stage: Stage) -> None:
    order_id = stage.issue()
    stage.runtime.clock.advance(2 * 3600 + 1)  # type: ignore[attr-defined]
    late = stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    assert late.status_code == 409
    assert "đã kết thúc" in late.json()["detail"]
    assert tick(stage) == 1
    order = stage.police.get(f"/api/v1/orders/{order_id}").json()
    assert (order["status"], order["recipients"][0]["status"]) == ("expired", "expired")
    assert order["compliance"] == {"pending": 0, "complied": 0, "not_complied": 0, "unknown": 1}
    assert tick(stage) == 0
    assert events(stage.runtime, "order")[-1]["status"] == "expired"


def test_the_newest_order_replaces_what_it_contradicts(stage: Stage) -> None:
    hold = stage.issue()
    notice = stage.issue(kind="notice", parameters={"reason": "Trời mưa, đi chậm"})
    divert = stage.issue(kind="divert", parameters={"gate_id": "tan-thanh"})
    assert [order["order_id"] for order in own(stage.driver)] == [divert, notice, hold]
    stage.driver.post(f"/api/v1/orders/{hold}/acknowledge")
    proceed = stage.issue(kind="proceed", parameters={})
    assert [order["order_id"] for order in own(stage.driver)] == [proceed, divert, notice]
    late = stage.driver.post(f"/api/v1/orders/{hold}/refuse", json={"reason": "x"})
    assert late.status_code == 409
    assert str(proceed) in late.json()["detail"]
    order = stage.police.get(f"/api/v1/orders/{hold}").json()
    assert (order["status"], order["recipients"][0]["superseded_by"]) == ("superseded", proceed)


def test_only_the_trucks_of_the_newer_order_are_freed(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        other = put_truck(session, stage.runtime.corridor, "12C-000.01", time=now, km=40.0)
        session.commit()
    hold = stage.issue(selection={"vehicle_ids": [stage.vehicle_id, other]})
    stage.issue(kind="proceed", parameters={}, selection={"vehicle_ids": [other]})
    order = stage.police.get(f"/api/v1/orders/{hold}").json()
    assert (order["status"], order["counts"]["sent"], order["counts"]["superseded"]) == ("active", 1, 1)


def test_an_order_of_later_replaces_only_when_it_begins(stage: Stage) -> None:
    hold = stage.issue()
    start = stage.runtime.clock.now() + timedelta(hours=1)
    proceed = stage.issue(kind="proceed", parameters={}, valid_from=start.isoformat())
    tick(stage)
    assert {order["order_id"] for order in own(stage.driver)} == {hold, proceed}
    stage.runtime.clock.advance(3601)  # type: ignore[attr-defined]
    tick(stage)
    assert [order["order_id"] for order in own(stage.driver)] == [proceed]


def test_an_order_can_replace_another_for_everyone(stage: Stage) -> None:
    hold = stage.issue()
    newer = stage.issue(kind="notice", parameters={"reason": "Hủy lệnh dừng"}, supersedes=hold)
    assert stage.police.get(f"/api/v1/orders/{hold}").json()["status"] == "superseded"
    assert [order["order_id"] for order in own(stage.driver)] == [newer]
    again = stage.police.post("/api/v1/orders", json=stage.order(supersedes=hold))
    assert (again.status_code, again.json()["field"]) == (409, "supersedes")


def test_slow_release_lets_the_nearest_go_first(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        for number, km in enumerate((16.0, 17.0, 18.0)):
            put_truck(session, stage.runtime.corridor, f"12C-000.0{number}", time=now, km=km)
        session.commit()
    body = stage.order(
        kind="proceed",
        selection={"stretch": {"road": "QL1A", "km_from": 15, "km_to": 35}},
        parameters={"release": {"veh": 2, "every_s": 1800}},
    )
    order = stage.police.post("/api/v1/orders", json=body).json()
    times = {recipient["plate"]: recipient["release_at"] for recipient in order["recipients"]}
    first, second = now.isoformat(), (now + timedelta(minutes=30)).isoformat()
    assert {plate: time.replace("Z", "+00:00") for plate, time in times.items()} == {
        "12C-000.00": first,
        "12C-000.01": first,
        "12C-000.02": second,
        "29C-123.45": second,
    }
    body["valid_to"] = (now + timedelta(minutes=20)).isoformat()
    assert stage.police.post("/api/v1/orders", json=body).json()["field"] == "valid_to"


# Judging


def test_a_hold_is_judged_to_its_end(stage: Stage) -> None:
    order_id = stage.issue()
    stage.driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    tick(stage)
    assert compliance(stage, order_id) == "pending"
    stage.move(16.1, speed_mps=0.0, site_id="staging-lang-son", motion="staging")
    tick(stage)
    assert compliance(stage, order_id) == "complied"
    assert events(stage.runtime, "order")[-1] == {
        "order_id": order_id,
        "status": "active",
        "compliance_changed": True,
    }
    stage.move(12.0)
    tick(stage)
    assert compliance(stage, order_id) == "not_complied"
    stage.move(16.1, speed_mps=0.0)
    tick(stage)
    assert compliance(stage, order_id) == "not_complied"


def test_a_hold_kept_to_the_end_stays_complied(stage: Stage) -> None:
    order_id = stage.issue()
    stage.move(16.1, speed_mps=0.0, after=timedelta(minutes=100), site_id="staging-lang-son", motion="staging")
    stage.runtime.clock.advance(3600)  # type: ignore[attr-defined]
    assert tick(stage) == 1
    assert compliance(stage, order_id) == "complied"


def test_a_truck_already_past_is_shown_and_not_judged(stage: Stage) -> None:
    stage.move(9.0)
    preview = stage.police.post("/api/v1/orders/preview", json=stage.order()).json()
    assert preview["recipients"][0]["is_past"] is True
    assert compliance(stage, stage.issue()) == "unknown"


def test_a_divert_and_a_yard_are_judged_by_where_the_truck_goes(stage: Stage) -> None:
    divert = stage.issue(kind="divert", parameters={"gate_id": "tan-thanh"})
    stage.move(10.0, road="QL4A")
    tick(stage)
    assert compliance(stage, divert) == "complied"
    yard = stage.issue(kind="yard", parameters={"yard_id": "bao-nguyen"})
    stage.move(0.9, road="QL4A", speed_mps=0.0, site_id="bao-nguyen", motion="yard")
    tick(stage)
    assert compliance(stage, yard) == "complied"


# Who sees what


def test_each_sees_only_what_concerns_them(stage: Stage, sign_in: SignIn) -> None:
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        other = put_truck(session, stage.runtime.corridor, "12C-000.01", time=now, km=40.0)
        session.commit()
    foreign = sign_in("enterprise", organisation_id=add_organisation(stage.runtime, "Công ty khác"))
    stranger = sign_in("driver", vehicle_id=other)
    mine = stage.issue()
    both = stage.issue(kind="notice", parameters={"reason": "x"}, selection={"vehicle_ids": [stage.vehicle_id, other]})
    assert own(foreign) == []
    assert foreign.get(f"/api/v1/orders/{mine}").status_code == 404
    assert stranger.get(f"/api/v1/orders/{mine}").status_code == 404
    for act in ("acknowledge", "delivered"):
        assert stranger.post(f"/api/v1/orders/{mine}/{act}").status_code == 404
    assert stranger.post(f"/api/v1/orders/{mine}/refuse", json={"reason": "x"}).status_code == 404
    mine_only = {stranger: other, stage.driver: stage.vehicle_id, stage.enterprise: stage.vehicle_id}
    for client, vehicle_id in mine_only.items():
        order = client.get(f"/api/v1/orders/{both}").json()
        assert [recipient["vehicle_id"] for recipient in order["recipients"]] == [vehicle_id]
        assert order["counts"]["total"] == 1
    assert stage.police.get(f"/api/v1/orders/{both}").json()["counts"]["total"] == 2
    for client in (stage.driver, stage.enterprise, foreign):
        assert client.post("/api/v1/orders", json=stage.order()).status_code == 403
        assert client.post("/api/v1/orders/preview", json=stage.order()).status_code == 403
    assert stage.police.post(f"/api/v1/orders/{mine}/acknowledge").status_code == 403


def test_pages_link_to_the_next(stage: Stage) -> None:
    made = [stage.issue(kind="notice", parameters={"reason": str(number)}) for number in range(3)]
    seen: list[int] = []
    url = "/api/v1/orders?limit=2"
    while url:
        page = stage.police.get(url)
        seen += [order["order_id"] for order in page.json()["items"]]
        url = page.links.get("next", {}).get("url", "")
    assert seen == made[::-1]
