"""A booking that was moved: the same sentence for enterprise and driver, on their pages and with the page closed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app.declarations.contacts import declared_telephones
from app.declarations.tables import DeclarationRow
from app.integrations.exchange import Exchanger
from app.integrations.text_messages import OutboxTexts, text_messages
from app.notifications import feed, reach
from app.platform.runtime import Runtime
from tests.app.booking import PLATE, Desk
from tests.app.neighbouring import connect
from tests.app.pushing import Browser, PushService, base64url

SignIn = Callable[..., TestClient]
SAID = f"{PLATE}: Xuân Cương yard was closed (Ngập nước); a place is booked in Xuân Cương yard, 16:00 02/03"


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    runtime.settings.webhook_allow_private = True
    return Desk.open(runtime, sign_in)


@pytest.fixture
def push_service() -> Iterator[PushService]:
    running = PushService()
    yield running
    running.close()


def driver_of(desk: Desk, trip_id: int) -> TestClient:
    with desk.runtime.sessions() as session:
        vehicle_id = session.scalar(
            text("SELECT vehicle_id FROM app.trip WHERE trip_id = :trip_id"), {"trip_id": trip_id}
        )
    return desk.gate.sign_in("driver", organisation_id=desk.gate.organisation_id, vehicle_id=vehicle_id, locale="en")


def subscribe(driver: TestClient, service: PushService, browser: Browser) -> None:
    keys = {"p256dh": base64url(browser.public), "auth": base64url(browser.secret)}
    body = {"endpoint": f"{service.origin}/send/1", "expirationTime": None, "keys": keys}
    assert driver.post("/api/v1/push/subscriptions", json=body).status_code == 201


def close_yard(desk: Desk) -> None:
    body = {"until": desk.hour(6).isoformat(), "reason": "Ngập nước"}
    closed = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures", json=body)
    assert closed.status_code == 201, closed.text


def send(desk: Desk, gateway: Exchanger | None = None, after_s: float = 0.0) -> int:
    """Let time pass, then what control does every few seconds; how many messages left."""
    desk.advance(after_s / 3600.0)
    now = desk.runtime.clock.now()
    for _ in range(2):  # put down twice, sent once
        with desk.runtime.sessions.begin() as session:
            feed.follow(session, now)
            reach.put_down(session, now, OutboxTexts(), channel="sms", declared=declared_telephones)
    return reach.send_due(desk.runtime, now) + (0 if gateway is None else gateway.send_due())


def test_a_closed_page_hears_of_a_closed_yard_in_the_words_of_the_pages(
    desk: Desk, push_service: PushService, tmp_path: Path
) -> None:
    trip_id = desk.trip()
    desk.book(trip_id, 3)
    driver, browser = driver_of(desk, trip_id), Browser()
    subscribe(driver, push_service, browser)
    assert send(desk) == 0, "booking was the enterprise's own doing"
    close_yard(desk)
    assert send(desk) == 1
    assert send(desk, after_s=30) == 0
    (pushed,) = push_service.got
    message = json.loads(browser.read(pushed.body))
    assert (message["kind"], message["title"], message["text"]) == ("booking", "Your booked place", SAID)
    assert message["tag"] == pushed.headers["topic"]
    assert SAID in driver.get("/driver").text
    for page in ("/bookings", f"/enterprise/trips/{trip_id}"):
        assert SAID in desk.enterprise.get(page).text, page

    contact = {"full_name": "Lò Văn Tài", "phone": "0912 345 678", "account_id": driver.account_id, "language": "zh"}  # type: ignore[attr-defined]
    assert desk.enterprise.post("/api/v1/registers/drivers", json=contact).status_code == 201
    gateway = connect(desk.runtime, text_messages(), f"file://{tmp_path}/texts.jsonl")
    assert send(desk, gateway, after_s=121) == 1
    written = json.loads((tmp_path / "texts.jsonl").read_text(encoding="utf-8"))["text"]
    assert written.startswith("您预约的车位: 29C-123.45：Xuân Cương 停车场已关闭（Ngập nước）")
    assert send(desk, gateway, after_s=121) == 0


def test_a_driver_without_account_hears_of_a_move_and_a_call_up_by_text_once_each(desk: Desk, tmp_path: Path) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 3)
    close_yard(desk)
    file = tmp_path / "texts.jsonl"
    texts = connect(desk.runtime, text_messages(), f"file://{file}")
    assert send(desk, texts) == 1, "at once: nobody could look"
    assert send(desk, texts, after_s=300) == 0
    (moved,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    declared = desk.enterprise.get(f"/api/v1/declarations/{trip_id}").json()["data"]["driver_phone"]
    assert moved["to"] == declared
    assert "Ngập nước" in moved["text"]
    page = desk.enterprise.get(f"/enterprise/trips/{trip_id}").text
    assert 'data-testid="driver-reached"' in page
    assert "text message sent" in page
    assert "text message sent" in desk.enterprise.get("/bookings").text

    desk.advance(6.0)  # the yard is open again
    desk.minute()
    assert desk.state(booking_id)["state"] == "called_up"
    assert send(desk, texts) == 1
    assert send(desk, texts, after_s=300) == 0
    called = json.loads(file.read_text(encoding="utf-8").splitlines()[-1])
    assert (called["to"], called["id"] != moved["id"]) == (declared, True)


def test_who_has_no_telephone_is_shown_to_the_enterprise(desk: Desk, tmp_path: Path) -> None:
    trip_id = desk.trip()
    desk.book(trip_id, 3)
    with desk.runtime.sessions.begin() as session:
        row = session.scalars(select(DeclarationRow).where(DeclarationRow.trip_id == trip_id)).one()
        row.data = {**row.data, "driver_phone": ""}
    close_yard(desk)
    texts = connect(desk.runtime, text_messages(), f"file://{tmp_path}/texts.jsonl")
    assert send(desk, texts) == 0
    desk.advance(0.1)
    for page in (f"/enterprise/trips/{trip_id}", "/bookings"):
        shown = desk.enterprise.get(page).text
        assert "cannot be reached" in shown, page
        assert "Neither the declaration nor the register has a telephone" in shown, page


def test_what_was_read_behind_the_bell_is_not_sent(desk: Desk, push_service: PushService, tmp_path: Path) -> None:
    trip_id = desk.trip()
    desk.book(trip_id, 3)
    driver = driver_of(desk, trip_id)
    close_yard(desk)
    gateway = connect(desk.runtime, text_messages(), f"file://{tmp_path}/texts.jsonl")
    assert send(desk, gateway) == 0
    newest = driver.get("/api/v1/notifications").json()["items"][0]
    assert newest["text"] == SAID
    assert driver.post("/api/v1/notifications/read", json={"until": newest["notification_id"]}).status_code == 200
    subscribe(driver, push_service, Browser())
    assert send(desk, gateway, after_s=300) == 0


def test_a_yard_closed_for_good_says_so_when_the_place_is_lost(desk: Desk) -> None:
    trip_id = desk.trip()
    desk.book(trip_id, 3)
    desk.set_places(0, "bao-nguyen")  # and no other gate has a place
    body = {"until": desk.hour(24 * 7).isoformat(), "reason": "Sạt lở"}
    closed = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures", json=body)
    assert closed.status_code == 201, closed.text
    said = "Xuân Cương yard was closed (Sạt lở), and no other place is free; the booking counts against nobody"
    assert desk.told()[0] == f"{PLATE}: {said}"
    assert said in desk.enterprise.get(f"/enterprise/trips/{trip_id}").text
