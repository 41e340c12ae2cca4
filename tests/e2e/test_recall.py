"""An order that is taken back reaches its driver: on the open page, and pushed to a browser whose page is closed."""

from __future__ import annotations

import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from tests.app.dispatching import trip_body
from tests.e2e.conftest import Platform, SignedIn, act, eventually
from tests.e2e.fresh import fresh_plate

RECORD = """() => {
    self.shown = [];
    ServiceWorkerRegistration.prototype.showNotification = async (title, { body }) => self.shown.push([title, body]);
}"""
"""A browser without a screen refuses every notification: what the service worker would show is written down."""
ALARMS = "document.addEventListener('driver-alarm', () => { window.alarms = (window.alarms ?? 0) + 1; })"


def drive_a_truck(platform: Platform) -> tuple[dict[str, str], int]:
    """A driver of a truck on a trip, none of the demonstration's: the account, and the truck."""
    plate = fresh_plate()
    with platform.client("enterprise") as enterprise:
        trip = enterprise.post("/api/v1/trips", json=trip_body(plate, datetime.now(UTC) + timedelta(hours=4)))
    assert trip.status_code == 201, trip.text
    vehicle_id = int(trip.json()["vehicle_id"])
    account = {"username": f"lai-xe-{uuid.uuid4().hex[:8]}", "password": f"{secrets.token_hex(12)} at first"}
    body = {**account, "full_name": "Lái Xe", "role": "driver", "vehicle_id": vehicle_id}
    with platform.client("administrator") as administrator:
        answer = administrator.post("/api/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text
    return platform.taken_over(account), vehicle_id


def order(platform: Platform, vehicle_id: int) -> int:
    """The traffic police tell one truck to wait; the order."""
    body = {
        "kind": "hold",
        "selection": {"vehicle_ids": [vehicle_id]},
        "parameters": {"site_id": "staging-lang-son", "reason": "queue"},
        "valid_to": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
    }
    with platform.client("traffic_police") as police:
        answer = police.post("/api/v1/orders", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["order_id"])


def look_up(platform: Platform, order_id: int) -> dict[str, Any]:
    with platform.client("traffic_police") as police:
        return dict(police.get(f"/api/v1/orders/{order_id}").json())


def push(page: Page, message: dict[str, Any]) -> None:
    """What a push service would hand to the browser: given to its service worker by the browser's own tools."""
    tools = page.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda sent: found.extend(each["registrationId"] for each in sent["registrations"] if not each["isDeleted"]),
    )
    tools.send("ServiceWorker.enable")
    assert eventually(lambda: page.evaluate("1") and found, within_s=60)
    origin = page.evaluate("location.origin")
    given = {"origin": origin, "registrationId": found[0], "data": json.dumps(message)}
    tools.send("ServiceWorker.deliverPushMessage", given)


def test_a_recall_reaches_a_driver(platform: Platform, signed_in: SignedIn) -> None:
    account, vehicle_id = drive_a_truck(platform)
    page = signed_in("driver", at=None, phone=True, account=account)
    page.add_init_script(ALARMS)
    page.goto(f"{platform.url}/driver")
    order_id = order(platform, vehicle_id)
    page.get_by_test_id("confirm").click(timeout=60_000)
    expect(page.get_by_test_id(f"order-{order_id}")).to_have_attribute("data-status", "acknowledged", timeout=60_000)
    with platform.client("traffic_police") as police:
        where = f"/api/v1/orders/{order_id}"
        assert act(police, where, "POST", f"{where}/cancel", {}).status_code == 200
    recall = page.get_by_test_id("recall")
    expect(recall).to_be_visible(timeout=60_000)
    expect(recall).to_contain_text("Lệnh đã thu hồi")
    box, screen = recall.bounding_box(), page.viewport_size
    assert box is not None
    assert screen is not None
    assert (box["width"], box["height"]) == (screen["width"], screen["height"]), "nothing else is seen"
    assert page.evaluate("window.alarms") >= 1
    page.keyboard.press("Escape")
    expect(recall).to_be_visible()
    assert look_up(platform, order_id)["recall"] == {"reached": 1, "confirmed": 1, "read": 0}
    page.get_by_test_id("recall-read").click()
    expect(recall).to_be_hidden(timeout=60_000)
    assert eventually(lambda: look_up(platform, order_id)["recall"]["read"] == 1, within_s=60)

    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.goto(f"{platform.url}/t")
    pushed = order(platform, vehicle_id)
    title, text = "Lệnh của cảnh sát giao thông", look_up(platform, pushed)["text"]["vi"]
    message = {"kind": "order", "tag": f"order-{pushed}", "title": title, "text": text, "language": "vi"}
    (worker,) = page.context.service_workers
    worker.evaluate(RECORD)
    push(page, message)
    assert eventually(lambda: worker.evaluate("self.shown"), within_s=60) == [[title, text]]
    assert eventually(lambda: look_up(platform, pushed)["recipients"][0]["status"] == "delivered", within_s=60)
