"""Trips from declaration to exit in a real browser: each role on its own screen, the sheet in between."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from ingest.plates import squeeze
from tests.app.declaring import declaration_body, declaration_line
from tests.e2e.conftest import Platform, SignedIn, act, eventually
from tests.e2e.fresh import fresh_chinese_plate, fresh_customs_number, fresh_plate, fresh_trailer
from tests.e2e.test_main_job import send_as

GATE = "huu-nghi"
LATER = {
    name: (datetime.now(UTC) + timedelta(days=300)).date().isoformat()
    for name in ("inspection_expires", "driver_paper_expires", "driver_licence_expires")
}
ACCOUNT = {
    "gate_id": GATE,
    "bank_bin": "970436",
    "bank_name": "Vietcombank",
    "account_number": "1023456780",
    "account_name": "THU PHI (MO PHONG)",
    "simulated": True,
}


class Trip:
    """One trip of a test: what a person of a role does to it over the API while another's screen is watched."""

    def __init__(self, platform: Platform, trip_id: int, plate: str = "") -> None:
        self.platform, self.trip_id, self.plate = platform, trip_id, plate

    @classmethod
    def declared(cls, platform: Platform, plate: str | None = None, **changes: Any) -> Trip:
        """Declared and submitted by the enterprise, for a truck that nobody knows unless its plate is given."""
        plate = plate or fresh_plate()
        with platform.client("enterprise") as enterprise:
            answer = enterprise.post("/api/v1/declarations", json={**declared(plate, **changes), "submit": True})
        assert answer.status_code == 201, answer.text
        return cls(platform, answer.json()["trip_id"], plate)

    def get(self, path: str, role: str = "enterprise") -> Any:
        """What somebody reads."""
        with self.platform.client(role) as client:
            answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sheet(self) -> dict[str, Any]:
        """The sheet as the enterprise reads it."""
        return dict(self.get(f"/api/v1/trips/{self.trip_id}/sheet"))

    def stage(self) -> str:
        """Where the trip stands."""
        return str(self.get(f"/api/v1/trips/{self.trip_id}")["stage"])

    def fee(self) -> dict[str, Any]:
        """What it owes."""
        return dict(self.get(f"/api/v1/fees/of-trip/{self.trip_id}"))

    def pass_steps(self, *steps: tuple[str, str]) -> None:
        """Confirm steps, each given as role and step."""
        for role, step in steps:
            with self.platform.client(role) as officer:
                where = f"/api/v1/trips/{self.trip_id}/steps/{step}/confirm"
                answer = act(officer, f"/api/v1/trips/{self.trip_id}/sheet", "POST", where, {})
            assert answer.status_code == 200, f"{step}: {answer.text}"

    def settle_amount(self) -> dict[str, Any]:
        """Where the tariff has a question, the collector decides; the fee."""
        fee = self.fee()
        if fee["status"] == "open_question":
            with self.platform.client("gate_management") as collector:
                answer = collector.post(
                    f"/api/v1/fees/{fee['fee_id']}/decision",
                    headers={"If-Match": f'"{fee["version"]}"'},
                    json={"amount_vnd": 150_000, "reason": "Tra theo biểu phí"},
                )
            assert answer.status_code == 200, answer.text
            fee = self.fee()
        assert fee["status"] == "due"
        return fee


def declared(plate: str, **changes: Any) -> dict[str, Any]:
    """A declaration whose truck arrives soon and whose papers are valid."""
    arrival = (datetime.now(UTC) + timedelta(hours=2)).replace(second=0, microsecond=0)  # what a form can hold
    own = {"plate": plate, "trailer_plate": "", "customs_number": fresh_customs_number()}
    return declaration_body(arrival, **{**own, **LATER, **changes})


def as_typed(name: str, value: Any) -> str:
    """A value as a person writes it into the form."""
    if name == "planned_arrival":
        return datetime.fromisoformat(value).astimezone(LOCAL_ZONE).strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def fill_form(page: Page, body: dict[str, Any]) -> None:
    """Write a declaration into its form as a person does."""
    flat = {name: value for name, value in body.items() if name != "lines"}
    for number, line in enumerate(body["lines"], 1):
        flat |= {f"lines.{number}.{name}": value for name, value in line.items()}
    for name, value in flat.items():
        field = page.locator(f'[data-testid=declaration-form] [name="{name}"]')
        text = as_typed(name, value)
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(text)
        elif field.get_attribute("readonly") is None:
            field.fill(text)


Counter = Callable[..., Page]


@pytest.fixture
def at_station(platform: Platform, signed_in: SignedIn) -> Counter:
    """A function `at_station(role, station, trip=None) -> Page`: an officer's tablet, one for each role."""
    tablets: dict[str, Page] = {}

    def open_station(role: str, station: str, trip: Trip | None = None) -> Page:
        page = tablets.get(role) or signed_in(role, at=None)
        tablets[role] = page
        page.goto(f"{platform.url}/station?at={station}" + (f"&trip={trip.trip_id}" if trip else ""))
        return page

    return open_station


def confirm(page: Page, step: str) -> None:
    """Press the big button and see the step done; where the sheet says that it changed under the finger, again."""
    done = page.locator(f".st-sheet[data-state*='{step}:done']")
    again = page.locator(".st-sheet:not(.st-busy):has([data-changed]:not([hidden])) [data-act=confirm]")
    page.locator("[data-act=confirm]").click()
    for _ in range(3):
        expect(done.or_(again).first).to_be_visible()
        if done.count():
            return
        with contextlib.suppress(PlaywrightTimeoutError):
            again.click(timeout=2_000)
    expect(done).to_be_visible()


def scan(page: Page, trip: Trip, written: str) -> None:
    """Find a trip at a station by what a scanner or a person enters."""
    page.fill("#scan-text", written)
    page.keyboard.press("Enter")
    expect(page.locator(f".st-sheet[data-trip='{trip.trip_id}']")).to_be_visible()


def test_dragon_fruit_from_declaration_to_exit(platform: Platform, signed_in: SignedIn, at_station: Counter) -> None:
    """Ten roles: enterprise, driver, traffic police, health quarantine, border guard, yard operator, plant quarantine,
    customs, the fee's collector, auditor."""
    plate = fresh_plate()
    enterprise = signed_in("enterprise", at="/declarations/new")
    fill_form(enterprise, declared(plate, trailer_plate=fresh_trailer(), container="40"))
    enterprise.get_by_test_id("submit").click()
    enterprise.wait_for_url(lambda url: url.rsplit("/", 1)[1].isdigit())
    trip = Trip(platform, int(enterprise.url.rsplit("/", 1)[1]))

    vehicle_id = set_out(platform, plate)
    driver = signed_in("driver", phone=True, account=give_to_a_driver(platform, vehicle_id))
    words = f"Đi chậm, đường ướt {uuid.uuid4().hex[:8]}"
    order(platform, vehicle_id, words)
    card = driver.locator(".dr-order", has_text=words)
    card.get_by_test_id("confirm").click()
    expect(card).to_have_attribute("data-status", "acknowledged")

    nurse = at_station("health_quarantine", "health")
    scan(nurse, trip, read_qr_code(driver))
    confirm(nurse, "health")
    guard = at_station("border_guard", "barrier_1")
    scan(guard, trip, squeeze(plate).lower())  # as a person types it
    confirm(guard, "barrier_1")
    confirm(at_station("yard_operator", "yard", trip), "yard")
    confirm(at_station("plant_quarantine", "quarantine_plant", trip), "quarantine_plant")
    customs = at_station("customs", "customs", trip)
    customs.locator("[data-channel=yellow]").click()
    expect(customs.locator("[data-channel=yellow][aria-pressed=true]")).to_be_visible()
    confirm(customs, "customs")

    fee = trip.settle_amount()
    collector = signed_in(fee["collector"], at=f"/fees/of-trip/{trip.trip_id}")
    collector.on("dialog", lambda dialog: dialog.accept())
    collector.get_by_test_id("take-cash").click()
    expect(collector.locator("a[href$='/receipt']")).to_be_visible()
    expect(collector.locator(".ck-toast-success", has_text="biên lai")).to_be_visible()  # said by the page loaded again
    assert trip.fee()["status"] == "paid"

    guard = at_station("border_guard", "barrier_2", trip)
    guard.locator("[data-act=confirm]").click()
    assert eventually(lambda: trip.stage() == "out", within_s=60), trip.stage()
    steps = {
        step["step"]: step["status"] for step in trip.get(f"/api/v1/trips/{trip.trip_id}/sheet", "auditor")["steps"]
    }
    assert set(steps.values()) <= {"done", "not_needed"}, steps

    auditor = signed_in("auditor", at=f"/audit?action=sheets.&q={trip.trip_id}")
    expect(auditor.locator("table")).to_contain_text("đã xác nhận")
    passer_by = auditor.context.browser.new_page()  # type: ignore[union-attr]
    passer_by.goto(f"{platform.url}/t/{trip.get(f'/api/v1/trips/{trip.trip_id}')['code']}")
    expect(passer_by.locator("body")).not_to_contain_text(plate)
    expect(passer_by.get_by_test_id("stage")).to_be_visible()
    passer_by.close()


def set_out(platform: Platform, plate: str) -> int:
    """The truck gets a tracker and reports itself on the highway; its number."""
    with platform.client("administrator") as administrator:
        enrolled = administrator.post("/api/v1/devices", json={"plate": plate, "kind": "tracker"}).json()
    lon, lat = (float(value[0]) for value in Corridor.default().position("QL1A", [30.0]))
    answer = send_as(platform, "osmand", enrolled["device_id"], lon, lat, time.time())
    assert answer.status_code == 200, answer.text
    return int(enrolled["vehicle_id"])


def give_to_a_driver(platform: Platform, vehicle_id: int) -> dict[str, str]:
    """An account for the one who drives a truck."""
    account = {"username": f"lai.xe.{uuid.uuid4().hex[:8]}", "password": uuid.uuid4().hex}
    with platform.client("administrator") as administrator:
        body = {**account, "full_name": "Lái xe thanh long", "role": "driver", "vehicle_id": vehicle_id}
        answer = administrator.post("/api/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text
    return platform.taken_over(account)


def order(platform: Platform, vehicle_id: int, words: str) -> None:
    """The traffic police send one truck a notice."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"kind": "notice", "selection": {"vehicle_ids": [vehicle_id]}, "text": {"vi": words}, "valid_to": until}
    with platform.client("traffic_police") as police:
        answer = police.post("/api/v1/orders", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code == 201, answer.text


def read_qr_code(driver: Page) -> str:
    """What a scanner reads off the driver's phone, held before it until it beeps: a message may pass over the code."""
    driver.reload()  # without the messages over it
    driver.get_by_test_id("qr").locator("summary").click()
    code = driver.get_by_test_id("qr").locator("img")
    expect(code).to_be_visible()
    eventually(lambda: code.evaluate("one => one.complete && one.naturalWidth > 0"), within_s=60)
    (read,) = eventually(lambda: zxingcpp.read_barcodes(Image.open(io.BytesIO(code.screenshot()))), within_s=60)
    return str(read.text)


def test_an_import_comes_in_by_barrier_2_and_leaves_by_barrier_1(platform: Platform, at_station: Counter) -> None:
    parts = declaration_line(
        hs_code="8534", description="Linh kiện điện tử", goods_class="electronics", perishable=False, temperature_c=None
    )
    trip = Trip.declared(platform, fresh_chinese_plate(), regime="import", refrigerated=False, lines=[parts])
    confirm(at_station("border_guard", "barrier_2", trip), "barrier_2")
    confirm(at_station("health_quarantine", "health", trip), "health")
    confirm(at_station("yard_operator", "yard", trip), "yard")
    confirm(at_station("health_quarantine", "quarantine_health", trip), "quarantine_health")
    customs = at_station("customs", "customs", trip)
    customs.locator("[data-channel=green]").click()  # releases at once
    expect(customs.locator(".st-sheet[data-state*='customs:done']")).to_be_visible()
    fee = trip.settle_amount()
    with platform.client(fee["collector"]) as collector:
        headers = {"If-Match": f'"{fee["version"]}"'}
        body = {"amount_vnd": fee["outstanding_vnd"]}
        assert collector.post(f"/api/v1/fees/{fee['fee_id']}/cash", json=body, headers=headers).status_code == 200
    guard = at_station("border_guard", "barrier_1", trip)
    guard.locator("[data-act=confirm]").click()
    assert eventually(lambda: trip.stage() == "out", within_s=60), trip.stage()


def test_a_return_at_barrier_1_is_redeclared_with_the_differences_shown(
    platform: Platform, signed_in: SignedIn, at_station: Counter
) -> None:
    trailer, other = fresh_trailer(), fresh_trailer()
    trip = Trip.declared(platform, trailer_plate=trailer)
    trip.pass_steps(("health_quarantine", "health"))
    guard = at_station("border_guard", "barrier_1", trip)
    guard.locator("[data-act=return]").click()
    guard.locator("[data-return-form] input[name=reason]").first.check()
    guard.fill("#return-text", f"Rơ-moóc thực tế là {other}")
    guard.locator("[data-return-form] button[value=return]").click()
    expect(guard.locator(".st-sheet[data-state*='declaration:returned']")).to_be_visible()

    enterprise = signed_in("enterprise", at=f"/declarations/{trip.trip_id}")
    expect(enterprise.get_by_test_id("returned")).to_contain_text(other)
    enterprise.goto(f"{platform.url}/declarations/{trip.trip_id}/edit")
    enterprise.fill("[name=trailer_plate]", other)
    enterprise.get_by_test_id("submit").click()
    expect(enterprise.get_by_test_id("differences")).to_contain_text(other)

    differences = guard.locator(".st-differences")  # the tablet was not touched since
    expect(differences.locator("del")).to_contain_text(trailer)
    expect(differences.locator("strong")).to_contain_text(other)
    confirm(guard, "barrier_1")


def test_an_undeclared_vehicle_is_led_aside_and_declared_by_the_desk(
    platform: Platform, signed_in: SignedIn, at_station: Counter
) -> None:
    plate = fresh_plate()
    guard = at_station("border_guard", "barrier_1")
    guard.fill("#scan-text", plate)
    guard.keyboard.press("Enter")
    expect(guard.locator(".st-found .ck-severity-warning")).to_be_visible()  # nobody declared it: aside with it

    desk = signed_in("support", at="/support")
    desk.fill("[data-testid=register] [name=plate]", plate)
    desk.locator("[data-testid=register] button").click()
    row = desk.locator("[data-testid=arrivals] tr", has_text=plate)
    row.locator("form[action$='/open'] button").click()
    expect(desk.get_by_test_id("declaration-form")).to_be_visible()
    desk.fill("[name=new_name]", f"Hộ kinh doanh chợ biên {time.time_ns()}")
    fill_form(desk, declared(plate))
    desk.get_by_test_id("submit").click()
    desk.wait_for_url(lambda url: url.endswith("/support"))
    link = desk.locator("[data-testid=arrivals] tr", has_text=plate).locator("a[href^='/declarations/']")
    trip = Trip(platform, int(str(link.get_attribute("href")).rsplit("/", 1)[1]))

    confirm(at_station("health_quarantine", "health", trip), "health")
    confirm(at_station("border_guard", "barrier_1", trip), "barrier_1")


@pytest.mark.one_at_a_time("transfers")  # of one collector, whose desk lists all of them
def test_an_unpaid_fee_stops_at_barrier_2_until_the_bank_reports_it(
    platform: Platform, signed_in: SignedIn, at_station: Counter
) -> None:
    trip = Trip.declared(platform)
    trip.pass_steps(
        ("health_quarantine", "health"),
        ("border_guard", "barrier_1"),
        ("yard_operator", "yard"),
        ("plant_quarantine", "quarantine_plant"),
        ("customs", "customs"),
    )
    collector = trip.settle_amount()["collector"]
    with platform.client("administrator") as administrator:
        account = administrator.post("/api/v1/payments/accounts", json={**ACCOUNT, "collector": collector})
    assert account.status_code == 201, account.text

    guard = at_station("border_guard", "barrier_2", trip)
    expect(guard.locator(".st-status-waiting").first).to_be_visible()
    expect(guard.locator("[data-act=confirm]")).to_have_count(0)
    assert trip.stage() != "out"

    enterprise = signed_in("enterprise", at=f"/fees/of-trip/{trip.trip_id}")
    code = read_code(str(enterprise.get_by_test_id("vietqr").get_attribute("data-payload")))
    report_transfer(platform, account.json(), int(code["54"]), read_code(code["62"])["08"])
    assert trip.fee()["outstanding_vnd"] == 0

    cashier = signed_in(collector, at=f"/fees/of-trip/{trip.trip_id}")
    cashier.get_by_test_id("confirm-fee").click()
    expect(cashier.locator("a[href$='/receipt']")).to_be_visible()
    guard.locator("[data-act=confirm]").click()  # appeared by itself
    assert eventually(lambda: trip.stage() == "out", within_s=60), trip.stage()


def test_a_tap_is_not_lost_when_the_list_changes_under_the_finger(platform: Platform, at_station: Counter) -> None:
    nurse = at_station("health_quarantine", "health")
    nurse.locator("#work a[data-trip]").last.hover()  # of the demonstration's trucks
    nurse.mouse.down()
    pressed = nurse.locator("#work a[data-trip]:active").get_attribute("data-trip")
    with nurse.expect_response(lambda response: "/station/work" in response.url):  # the list is fetched again
        Trip.declared(platform)
    nurse.wait_for_timeout(300)
    nurse.mouse.up()
    expect(nurse.locator(f".st-sheet[data-trip='{pressed}']")).to_be_visible()


def read_code(payload: str) -> dict[str, str]:
    """The data objects of an EMVCo code: two digits of name, two of length, the value."""
    found = {}
    while payload:
        length = int(payload[2:4])
        found[payload[:2]], payload = payload[4 : 4 + length], payload[4 + length :]
    return found


def report_transfer(platform: Platform, account: dict[str, Any], amount_vnd: int, reference: str) -> None:
    """The bank reports a transfer: signed over time, dot and body."""
    now = datetime.now(UTC)
    body = json.dumps(
        {
            "bank_ref": f"FT{time.time_ns()}",
            "amount_vnd": amount_vnd,
            "received_at": now.isoformat(),
            "content": f"MBVCB.{reference}.CT tu 0123",
            "payer": "NGUYEN VAN A",
        }
    ).encode()
    timestamp = str(int(now.timestamp()))
    signature = hmac.new(account["webhook_key"].encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    answer = httpx.post(
        f"{platform.url}/api/v1/payments/bank/{account['collecting_account_id']}",
        content=body,
        timeout=20,
        headers={"X-Timestamp": timestamp, "X-Signature": signature, "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "matched"), answer.text
