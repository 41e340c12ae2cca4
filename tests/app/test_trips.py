"""Trips through the API, and their stages by what trucks do, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.sheets.presence import make_keeper
from app.trips import progress
from tests.app.dispatching import Stage, add_organisation, pass_site, put_truck, set_stage, trip_body

SignIn = Callable[..., TestClient]


@pytest.fixture
def enterprise(runtime: Runtime, sign_in: SignIn) -> TestClient:
    return sign_in("enterprise", organisation_id=add_organisation(runtime, "Nông sản Lạng Sơn"))


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    return set_stage(runtime, sign_in)


def test_a_trip_is_entered_and_read_back(enterprise: TestClient, runtime: Runtime) -> None:
    arrival = runtime.clock.now() + timedelta(hours=5)
    body = trip_body("29c 123.45", arrival, trailer_plate="29R-012.34")
    made = enterprise.post("/api/v1/trips", json=body)
    assert made.status_code == 201, made.text
    trip = made.json()
    assert made.headers["Location"] == f"/api/v1/trips/{trip['trip_id']}"
    assert made.headers["ETag"] == '"1"'
    assert (trip["plate"], trip["trailer_plate"]) == ("29C-123.45", "29R-012.34")
    assert (trip["stage"], trip["direction"], trip["perishable"]) == ("planned", "export", True)
    assert [line["kind"] for line in trip["timeline"]] == ["created"]
    assert len(trip["code"]) == 14
    read = enterprise.get(made.headers["Location"]).json()
    assert read == trip
    with runtime.sessions() as session:
        kinds = (
            session.execute(text("SELECT action FROM app.audit WHERE object_type = 'trip' ORDER BY audit_id"))
            .scalars()
            .all()
        )
    assert kinds == ["trips.create"]


def test_the_same_request_again_is_one_trip(enterprise: TestClient, runtime: Runtime) -> None:
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    key = {"Idempotency-Key": "a-key"}
    first = enterprise.post("/api/v1/trips", json=body, headers=key)
    again = enterprise.post("/api/v1/trips", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["trip_id"] == again.json()["trip_id"]
    other = enterprise.post("/api/v1/trips", json={**body, "goods": "Xoài"}, headers=key)
    assert other.status_code == 422
    assert other.json()["field"] == "Idempotency-Key"


def test_a_failed_request_leaves_its_key_free(enterprise: TestClient, runtime: Runtime) -> None:
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    key = {"Idempotency-Key": "a-key"}
    assert enterprise.post("/api/v1/trips", json={**body, "gate_id": "nowhere"}, headers=key).status_code == 422
    assert enterprise.post("/api/v1/trips", json=body, headers=key).status_code == 201


def test_requests_at_once_are_one_trip(enterprise: TestClient, runtime: Runtime) -> None:
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))

    def send(_: int) -> int:
        answer = enterprise.post("/api/v1/trips", json=body, headers={"Idempotency-Key": "a-key"})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["trip_id"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(4)))) == 1


def test_a_truck_has_one_open_trip(enterprise: TestClient, runtime: Runtime) -> None:
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    first = enterprise.post("/api/v1/trips", json=body).json()
    second = enterprise.post("/api/v1/trips", json=body)
    assert second.status_code == 409
    assert first["code"] in second.json()["detail"]
    cancelled = enterprise.post(f"/api/v1/trips/{first['trip_id']}/cancel", headers={"If-Match": '"1"'})
    assert cancelled.json()["stage"] == "cancelled"
    assert enterprise.post("/api/v1/trips", json=body).status_code == 201


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"plate": "hello"}, "plate"),
    ({"plate": "29R-012.34"}, "plate"),
    ({"trailer_plate": "hello"}, "trailer_plate"),
    ({"goods": "  "}, "goods"),
    ({"goods_class": "dreams"}, "goods_class"),
    ({"gate_id": "nowhere"}, "gate_id"),
    ({"regime": "transit"}, "direction"),
    ({"direction": "import"}, "direction"),
    ({"driver_id": 999}, "driver_id"),
    ({"planned_arrival": "2026-01-02T10:00:00+07:00"}, "planned_arrival"),
    ({"planned_arrival": "2027-03-02T10:00:00+07:00"}, "planned_arrival"),
]


def test_a_refusal_names_the_field(enterprise: TestClient, runtime: Runtime) -> None:
    for changes, field in REFUSED:
        body = {**trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5)), **changes}
        answer = enterprise.post("/api/v1/trips", json=body)
        assert (answer.status_code, answer.json().get("field")) == (422, field), (changes, answer.text)


def test_a_time_without_offset_is_refused(enterprise: TestClient, runtime: Runtime) -> None:
    body = trip_body("29C-123.45", runtime.clock.now())
    answer = enterprise.post("/api/v1/trips", json={**body, "planned_arrival": "2026-03-02T15:00:00"})
    assert answer.status_code == 422


def test_amending_needs_the_present_version(stage: Stage) -> None:
    where = f"/api/v1/trips/{stage.trip_id}"
    change = {"goods_class": "timber", "goods": "Gỗ xẻ"}
    assert stage.enterprise.patch(where, json=change).status_code == 428
    assert stage.enterprise.patch(where, json=change, headers={"If-Match": '"7"'}).status_code == 412
    answer = stage.enterprise.patch(where, json=change, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    trip = answer.json()
    assert (trip["version"], trip["perishable"], answer.headers["ETag"]) == (2, False, '"2"')
    changed = trip["timeline"][-1]["data"]["changed"]
    assert changed["goods_class"] == {"before": "fresh_fruit", "after": "timber"}


def test_a_trip_in_the_queue_is_no_longer_amended(stage: Stage) -> None:
    with stage.runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'queued'"))
        session.commit()
    where = f"/api/v1/trips/{stage.trip_id}"
    answer = stage.enterprise.patch(where, json={"goods": "Gỗ"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 409
    assert stage.enterprise.post(f"{where}/cancel", headers={"If-Match": '"1"'}).status_code == 409


def test_pages_link_to_the_next(enterprise: TestClient, runtime: Runtime) -> None:
    for number in range(5):
        body = trip_body(f"29C-123.4{number}", runtime.clock.now() + timedelta(hours=number + 1))
        assert enterprise.post("/api/v1/trips", json=body).status_code == 201
    seen: list[str] = []
    url = "/api/v1/trips?limit=2"
    while url:
        page = enterprise.get(url)
        seen += [trip["plate"] for trip in page.json()["items"]]
        url = page.links.get("next", {}).get("url", "")
    assert seen == [f"29C-123.4{number}" for number in (4, 3, 2, 1, 0)]
    only = enterprise.get("/api/v1/trips", params={"plate": "29C12342", "stage": "planned", "gate": "huu-nghi"})
    assert [trip["plate"] for trip in only.json()["items"]] == ["29C-123.42"]
    since = (runtime.clock.now() + timedelta(hours=4)).isoformat()
    assert len(enterprise.get("/api/v1/trips", params={"since": since}).json()["items"]) == 2


def test_each_sees_only_what_is_theirs(stage: Stage, sign_in: SignIn) -> None:
    foreign = sign_in("enterprise", organisation_id=add_organisation(stage.runtime, "Công ty khác"))
    stranger = sign_in("driver", vehicle_id=None)
    station = sign_in("border_guard", gate_id="tan-thanh")
    where = f"/api/v1/trips/{stage.trip_id}"
    for client in (foreign, stranger, station):
        assert client.get(where).status_code == 404
        assert client.get("/api/v1/trips").json()["items"] == []
    for client in (stage.enterprise, stage.driver, stage.police, sign_in("border_guard", gate_id="huu-nghi")):
        assert client.get(where).status_code == 200
    for client in (stage.driver, stage.police):
        assert client.patch(where, json={"goods": "x"}, headers={"If-Match": '"1"'}).status_code == 403
    assert foreign.patch(where, json={"goods": "x"}, headers={"If-Match": '"1"'}).status_code == 404
    body = trip_body("29C-123.45", stage.runtime.clock.now() + timedelta(hours=5))
    assert foreign.post("/api/v1/trips", json=body).status_code == 201
    assert stage.trip_id not in [trip["trip_id"] for trip in foreign.get("/api/v1/trips").json()["items"]]


def test_the_driver_named_is_bound_to_the_truck(stage: Stage, sign_in: SignIn) -> None:
    driver = sign_in("driver", organisation_id=stage.organisation_id)
    arrival = stage.runtime.clock.now() + timedelta(hours=5)
    made = stage.enterprise.post(
        "/api/v1/trips",
        json=trip_body("12C-001.23", arrival, driver_id=driver.account_id),  # type: ignore[attr-defined]
    )
    assert made.status_code == 201, made.text
    assert driver.get("/api/v1/trips").json()["items"][0]["plate"] == "12C-001.23"
    busy = stage.enterprise.post(
        "/api/v1/trips",
        json=trip_body("12C-004.56", arrival, driver_id=driver.account_id),  # type: ignore[attr-defined]
    )
    assert (busy.status_code, busy.json()["field"]) == (409, "driver_id")


def test_a_trip_advances_as_its_truck_does(stage: Stage) -> None:
    runtime, keeper = stage.runtime, make_keeper()
    stages: list[str] = []
    last: progress.Advanced | None = None

    def look() -> None:
        nonlocal last
        with runtime.sessions() as session:
            last = progress.advance(session, runtime.clock.now(), keeper=keeper, tails_km={"huu-nghi": 5.0}, last=last)
            session.commit()
        stages.append(stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()["stage"])

    look()
    stage.move(4.2, speed_mps=1.0, after=timedelta(hours=1))
    look()
    stage.move(0.9, speed_mps=0.0, site_id="xuan-cuong", motion="yard")
    look()
    stage.move(0.8, speed_mps=0.0, site_id="xuan-cuong", motion="yard")
    look()
    with runtime.sessions() as session:
        pass_site(session, stage.vehicle_id, "xuan-cuong", "enter", runtime.clock.now() - timedelta(minutes=9))
        pass_site(session, stage.vehicle_id, "xuan-cuong", "leave", runtime.clock.now())
        session.commit()
    stage.move(0.3, speed_mps=4.0, site_id="huu-nghi", motion="gate")
    look()
    assert stages == ["on_the_road", "queued", "in_the_yard", "in_the_yard", "out"]
    trip = stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()
    assert [line["kind"] for line in trip["timeline"]] == ["created", *["stage"] * 4]
    assert trip["timeline"][-1]["data"] == {
        "before": "in_the_yard",
        "after": "out",
        "reason": "over_the_border",
        "source": "gps",
    }
    assert trip["position"] is None
    with runtime.sessions() as session:
        events = session.execute(
            text("SELECT data ->> 'stage' FROM app.outbox WHERE type = 'trip' ORDER BY event_id")
        ).scalars()
        assert list(events) == ["planned", "on_the_road", "queued", "in_the_yard", "out"]


def test_looking_again_changes_nothing(stage: Stage) -> None:
    keeper = make_keeper()
    with stage.runtime.sessions() as session:
        now = stage.runtime.clock.now()
        first = progress.advance(session, now, keeper=keeper, tails_km={})
        again = progress.advance(session, now, keeper=keeper, tails_km={}, last=None)
        later = progress.advance(session, now, keeper=keeper, tails_km={}, last=again)
        assert (first.changed, again.changed, later.changed) == (1, 0, 0)


def test_silence_beyond_the_yard_ends_a_trip_that_no_officer_saw(stage: Stage) -> None:
    keeper, last = make_keeper(), None

    def look(after: timedelta = timedelta()) -> int:
        nonlocal last
        with stage.runtime.sessions() as session:
            last = progress.advance(session, stage.runtime.clock.now() + after, keeper=keeper, tails_km={}, last=last)
            session.commit()
        return last.changed

    stage.move(2.0, speed_mps=1.0, after=timedelta(hours=1))
    look()
    stage.move(0.8, speed_mps=0.0, site_id="xuan-cuong", motion="yard")
    look()
    with stage.runtime.sessions() as session:
        pass_site(session, stage.vehicle_id, "xuan-cuong", "leave", stage.runtime.clock.now() + timedelta(minutes=4))
        session.commit()
    stage.move(0.7, speed_mps=1.0, site_id="huu-nghi", motion="gate")
    assert look() == 0
    assert stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()["stage"] == "in_the_yard"
    assert look(timedelta(minutes=50)) == 0
    assert look(timedelta(minutes=70)) == 1
    assert stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").json()["stage"] == "out"


def test_what_an_earlier_trip_did_does_not_count(runtime: Runtime, enterprise: TestClient) -> None:
    now = runtime.clock.now()
    with runtime.sessions() as session:
        vehicle_id = put_truck(session, runtime.corridor, "29C-123.45", time=now, km=60.0, speed_mps=0.0)
        pass_site(session, vehicle_id, "xuan-cuong", "enter", now - timedelta(hours=6))
        session.commit()
    body = trip_body("29C-123.45", now + timedelta(hours=5))
    first = enterprise.post("/api/v1/trips", json=body).json()["trip_id"]
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'out'"))
        session.commit()
    second = enterprise.post("/api/v1/trips", json=body).json()["trip_id"]
    assert second != first
    with runtime.sessions() as session:
        assert progress.advance(session, now, keeper=make_keeper(), tails_km={}).changed == 0
