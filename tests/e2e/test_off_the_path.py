"""Off the straight path, in a real browser: no GPS, a divert, an undone and a corrected confirmation, another truck's
trailer, one truck into two, a convoy, a ban."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ingest.plates import squeeze
from tests.app.declaring import declaration_line
from tests.e2e.conftest import MAP_MS, Platform, SignedIn, act, eventually
from tests.e2e.fresh import fresh_chinese_plate, fresh_trailer
from tests.e2e.off_the_path import THERE, confirm_there, divert, hire, open_station
from tests.e2e.test_crossing import (
    ACCOUNT,
    Trip,
    confirm,
    give_to_a_driver,
    read_code,
    report_transfer,
    set_out,
)
from tests.e2e.test_taps import open_sheet, read_plate

# A truck without GPS

HERE_SILENT = "Đang ở đây, mất tín hiệu"
ORE = declaration_line(
    hs_code="2601.11", description="Quặng sắt", goods_class="ore", perishable=False, temperature_c=None
)
"""Of a class that no truck of the demonstration carries: the day's figures of it are this truck's."""
FIGURES = ("Xe lên trong ngày", "Xuất (sang Trung Quốc)", "Tồn lúc 20:00", "trong đó ngoài cửa khẩu")


def ore_of_the_day(page: Page, url: str) -> np.ndarray:
    """Arrivals, out, standing, of these outside: of ore, as the page of the day in figures has it."""
    page.goto(f"{url}/statistics/day?gate=huu-nghi")
    row = page.get_by_test_id("day").first.locator("tbody tr", has_text="Quặng")
    cells = [row.locator(f"td[data-label='{label}']") for label in FIGURES] if row.count() else []
    return np.array([int(cell.inner_text()) for cell in cells] or [0] * len(FIGURES))


def on_map(page: Page, vehicle_id: int) -> str | None:
    """The state in which the map that is open has a truck, `None` if it has none."""
    found = page.evaluate("id => document.getElementById('police-map').trucks.byId.get(id)?.state ?? null", vehicle_id)
    return None if found is None else str(found)


def in_the_yard(page: Page, trip: Trip) -> bool:
    """Whether the yard's board lists the truck inside."""
    page.goto(f"{trip.platform.url}/yard")
    return page.locator(f"[data-kind=leave][data-plate='{squeeze(trip.plate)}']").count() == 1


def test_a_truck_without_gps_is_counted_from_barrier_1_to_exit(platform: Platform, signed_in: SignedIn) -> None:
    """No device, no camera, no yard's hand: acts of officers alone."""
    url = platform.url
    police = signed_in("traffic_police", at="/police")
    expect(police.locator("#police-map[data-ready=true]")).to_be_attached(timeout=MAP_MS)
    figures, yard = signed_in("planner", at=None), signed_in("yard_operator", at=None)
    trip = Trip.declared(platform, lines=[ORE], refrigerated=False)
    vehicle_id = int(trip.get(f"/api/v1/trips/{trip.trip_id}")["vehicle_id"])
    before = ore_of_the_day(figures, url)

    def ore() -> list[int]:
        """What came to the figures with this truck."""
        return (ore_of_the_day(figures, url) - before).tolist()

    trip.pass_steps(("health_quarantine", "health"))
    assert eventually(lambda: ore() == [1, 0, 1, 1], within_s=60)

    guard = open_sheet(signed_in, "border_guard", "barrier_1", trip)
    confirm(guard, "barrier_1")
    assert trip.stage() == "in_the_yard"
    assert ore() == [1, 0, 1, 0]
    assert not in_the_yard(yard, trip)
    assert eventually(lambda: on_map(police, vehicle_id) == "here_silent", within_s=60)
    police.evaluate("id => document.getElementById('police-map').showTruck(id)", vehicle_id)
    card = police.get_by_test_id("truck-card")
    expect(card).to_contain_text(trip.plate)
    expect(card).to_contain_text(HERE_SILENT)

    trip.pass_steps(("yard_operator", "yard"))
    assert in_the_yard(yard, trip)
    expect(yard.locator("tr", has_text=trip.plate)).to_contain_text("theo tác nghiệp")
    assert ore() == [1, 0, 1, 0]
    trip.pass_steps(("customs", "customs"))
    fee = trip.settle_amount()
    with platform.client(fee["collector"]) as collector:
        paid = collector.post(
            f"/api/v1/fees/{fee['fee_id']}/cash",
            json={"amount_vnd": fee["outstanding_vnd"]},
            headers={"If-Match": f'"{fee["version"]}"'},
        )
    assert paid.status_code == 200, paid.text
    assert in_the_yard(yard, trip)

    guard.goto(f"{url}/station?at=barrier_2&trip={trip.trip_id}")
    guard.locator("[data-act=confirm]").click()
    assert eventually(lambda: trip.stage() == "out", within_s=60), trip.stage()
    assert not in_the_yard(yard, trip)
    assert ore() == [1, 1, 0, 0]
    assert eventually(lambda: on_map(police, vehicle_id) is None, within_s=60)


# Another gate, and what was confirmed wrongly

TO_FEE = (
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)


def test_a_diverted_truck_pays_and_leaves_at_the_other_gate(platform: Platform, signed_in: SignedIn) -> None:
    trip = Trip.declared(platform)
    vehicle_id = set_out(platform, trip.plate)
    order_id = divert(platform, vehicle_id)
    driver = signed_in("driver", phone=True, account=give_to_a_driver(platform, vehicle_id), at="/driver")
    card = driver.get_by_test_id(f"order-{order_id}")
    card.get_by_test_id("confirm").click()
    expect(card).to_have_attribute("data-status", "acknowledged")
    assert eventually(lambda: trip.sheet()["trip"]["gate_id"] == THERE, within_s=60)

    health = signed_in("health_quarantine", account=hire(platform, "health_quarantine", THERE), at=None)
    confirm(open_station(platform, health, "health", trip.trip_id), "health")
    undo = health.locator("[data-act=undo]")
    expect(undo.locator("[data-countdown]")).to_have_text(re.compile(r"^[12]?\d$"))
    undo.click()
    expect(health.locator(".st-sheet[data-state*='health:ready']")).to_be_visible()
    confirm(health, "health")

    for role, step in TO_FEE:
        confirm_there(platform, role, trip.trip_id, step)

    fee = trip.fee()
    assert fee["gate_id"] == THERE
    collector = fee["collector"] or "gate_management"
    account = hire(platform, collector, THERE)
    if fee["status"] == "open_question":
        with platform.client(account=account) as office:
            body = {"amount_vnd": 150_000, "reason": "Tra theo biểu phí"}
            read = f"/api/v1/fees/of-trip/{trip.trip_id}"
            answer = act(office, read, "POST", f"/api/v1/fees/{fee['fee_id']}/decision", body)
        assert answer.status_code == 200, answer.text
    cashier = signed_in(collector, account=account, at=f"/fees/of-trip/{trip.trip_id}")
    cashier.on("dialog", lambda dialog: dialog.accept())
    cashier.get_by_test_id("take-cash").click()
    assert eventually(lambda: trip.fee()["status"] == "paid", within_s=60)

    guard = signed_in("border_guard", account=hire(platform, "border_guard", THERE), at=None)
    open_station(platform, guard, "barrier_2", trip.trip_id).locator("[data-act=confirm]").click()
    assert eventually(lambda: trip.stage() == "out", within_s=60), trip.stage()
    open_station(platform, guard, "barrier_2", trip.trip_id)
    expect(guard.locator("[data-act=print]")).to_be_visible()
    guard.emulate_media(media="print")
    expect(guard.locator("[data-act=print]")).to_be_hidden()
    page_px, sheet_px = guard.evaluate(
        "[document.documentElement.scrollHeight, document.querySelector('.st-sheet').scrollHeight]"
    )
    assert page_px >= sheet_px > 0, "the whole sheet is printed, not the part that the window shows"


def test_a_wrong_confirmation_is_corrected_by_two_persons(platform: Platform, signed_in: SignedIn) -> None:
    trip = Trip.declared(platform)
    first = signed_in("health_quarantine", account=hire(platform, "health_quarantine", "huu-nghi"), at=None)
    open_station(platform, first, "health", trip.trip_id).locator("[data-act=confirm]").click()
    expect(first.locator(".st-sheet[data-state*='health:done']")).to_be_visible()
    form = first.locator("[data-correction-form]")
    first.locator("details:has([data-correction-form]) summary").click()
    form.locator("[name=reason]").fill("Xác nhận nhầm xe")
    form.locator("button[type=submit]").click()
    expect(first.locator("[data-correction]")).to_be_visible()
    expect(first.locator("[data-act=correction-approve]")).to_have_count(0)

    other = signed_in("health_quarantine", account=hire(platform, "health_quarantine", "huu-nghi"), at=None)
    open_station(platform, other, "health", trip.trip_id).locator("[data-act=correction-approve]").click()
    expect(other.locator(".st-sheet[data-state*='health:ready']")).to_be_visible()
    expect(other.locator("[data-correction] del")).to_be_visible()


# Another truck's trailer

WHY = "Nghi cướp lốt, đưa vào bãi chờ làm rõ"


def findings(trip: Trip) -> list[str]:
    """The values that were seen and do not belong to a trip, as border guard reads them."""
    found = trip.get(f"/api/v1/trips/{trip.trip_id}/findings", "border_guard")
    return [finding["seen"] for finding in found["items"]]


def confirm_with_reason(page: Page) -> None:
    """Confirm against the warning, in place."""
    page.locator("[data-act=confirm]").click()
    dialog = page.locator("[data-override-dialog]")
    expect(dialog).to_be_visible()
    dialog.locator("button[value=confirm]").click()
    expect(dialog.locator("[role=alert]")).not_to_be_empty()
    dialog.locator("textarea").fill(WHY)
    dialog.locator("button[value=confirm]").click()
    expect(dialog).to_be_hidden()


def test_a_lot_swap_is_stopped_until_somebody_decides(platform: Platform, signed_in: SignedIn) -> None:
    own, other_trailer = Trip.declared(platform, trailer_plate=fresh_trailer()), fresh_trailer()
    other = Trip.declared(platform, trailer_plate=other_trailer)
    guard = open_sheet(signed_in, "border_guard", "barrier_1", own)
    expect(guard.locator(".st-sheet h1")).to_contain_text(own.plate)
    together = datetime.now(UTC)  # in one picture: trucks of the demonstration pass the camera as well
    read_plate(platform, "barrier_1", own.plate, together)
    read_plate(platform, "barrier_1", other_trailer, together)
    eventually(lambda: findings(own) == [other_trailer] and findings(other) == [own.plate], within_s=60)

    # The alarm comes to the sheet that border guard has open, and names the other trip.
    finding = guard.get_by_test_id("finding")
    expect(finding).to_contain_text(other_trailer)
    expect(finding).to_contain_text(other.plate)

    # The health check is confirmed with a reason only, asked for in place.
    health = open_sheet(signed_in, "health_quarantine", "health", own)
    confirm_with_reason(health)
    eventually(lambda: {step["step"]: step["status"] for step in own.sheet()["steps"]}["health"] == "done", within_s=60)

    # Customs see the same on the other truck's sheet.
    customs = open_sheet(signed_in, "customs", "customs", other)
    expect(customs.get_by_test_id("finding")).to_contain_text(own.plate)

    # A decision without a reason is none; with one it stands on the sheet, and on both.
    finding.locator("[data-act=finding-explained]").click()
    assert findings(own) == [other_trailer]
    expect(finding.locator("[data-act=finding-explained]")).to_be_visible()
    finding.locator(".st-hand-reason").fill("Đầu kéo thay do hỏng máy, biên bản số 12")
    finding.locator("[data-act=finding-explained]").click()
    expect(guard.get_by_test_id("finding")).to_contain_text("biên bản số 12")
    expect(guard.locator("[data-act=finding-explained]")).to_have_count(0)
    decided = other.get(f"/api/v1/trips/{other.trip_id}/findings", "customs")["items"]
    assert [finding["verdict"] for finding in decided] == ["explained"]

    # The supervisor's page of the day.
    supervisor = signed_in("gate_management", at="/overrides")
    row = supervisor.get_by_test_id("overrides").locator("tr", has_text=own.plate)
    expect(row.filter(has_text=WHY).first).to_be_visible()
    day = datetime.now(UTC).date().isoformat()
    assert WHY in supervisor.request.get(f"{platform.url}/overrides/day.csv").text(), day


def test_an_officer_enters_what_stands_there(platform: Platform, signed_in: SignedIn) -> None:
    first, other_trailer = Trip.declared(platform, trailer_plate=fresh_trailer()), fresh_trailer()
    guard = open_sheet(signed_in, "border_guard", "barrier_1", first)
    guard.locator(".st-observe summary").click()
    guard.locator("[data-observe] [name=container_number]").fill("CSQU3054384")
    guard.locator("[data-observe] button").click()
    expect(guard.locator("body")).to_contain_text("CSQU 305438 4")
    assert findings(first) == []
    guard.locator(".st-observe summary").click() if not guard.locator("[data-observe]").is_visible() else None
    guard.locator("[data-observe] [name=container_number]").fill("")
    guard.locator("[data-observe] [name=trailer_plate]").fill(other_trailer)
    guard.locator("[data-observe] button").click()
    expect(guard.get_by_test_id("finding")).to_contain_text(other_trailer)
    guard.locator(".st-observe summary").click() if not guard.locator("[data-observe]").is_visible() else None
    guard.locator("[data-observe] [name=trailer_plate]").fill("-")
    guard.locator("[data-observe] button").click()
    expect(guard.get_by_test_id("finding")).to_have_count(2)
    assert set(findings(first)) == {other_trailer, "–"}, "the declared trailer is not there"


# One truck into two

WAY = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
)


def declare_past_quarantine(platform: Platform) -> Trip:
    """A load of fruit that can change vehicles."""
    line = declaration_line(packages=901, gross_weight_kg=18_001.5, net_weight_kg=17_001.5, quantity=17_001.5)
    trip = Trip.declared(platform, lines=[line])
    trip.pass_steps(*WAY)
    return trip


def do(page: Page, what: str) -> None:
    """Press one of the acts of a transshipment and wait until the page shows what came of it."""
    with page.expect_navigation():
        page.locator(f"[data-do={what}]").click()


def test_one_into_two_and_each_leaves_by_its_own_sheet(platform: Platform, signed_in: SignedIn) -> None:
    giver = declare_past_quarantine(platform)
    plates = fresh_chinese_plate(), fresh_chinese_plate()
    trip_id = giver.trip_id
    enterprise = signed_in("enterprise", at=f"/transshipments/new?trip={trip_id}")
    enterprise.locator("[data-receiver] [name=plate]").fill(plates[0])
    enterprise.locator("[data-add]").click()
    second = enterprise.locator("[data-receiver]").nth(1)
    second.locator("[name=plate]").fill(plates[1])
    second.locator("[name=driver_name]").fill("王伟")
    enterprise.locator("[data-row] [name=packages]").first.fill("600")
    expect(enterprise.locator("[data-left]")).to_contain_text("301")
    enterprise.locator("[data-row]").nth(1).locator("[data-rest]").click()
    expect(enterprise.locator("[data-left]")).to_contain_text("0")
    expect(enterprise.locator("[data-outcome]")).to_be_visible()
    weights = [float(enterprise.locator("[data-row] [name=weight_kg]").nth(each).input_value()) for each in (0, 1)]
    assert sum(weights) == 18_001.5
    enterprise.locator("form[data-register] button:not([type=button])").click()
    enterprise.wait_for_url(re.compile(r"/transshipments/\d+$"))
    where = enterprise.url

    customs = signed_in("customs", at=where.removeprefix(platform.url))
    expect(customs.locator("[data-receiver]")).to_have_count(2)
    do(customs, "approve")
    yard = signed_in("yard_operator", phone=True, at="/station?at=transshipment")
    yard.locator(f'a.st-row[href="{where.removeprefix(platform.url)}"]').click()
    yard.wait_for_url(where)
    do(yard, "begin")
    for tick in yard.locator("[name=moved]").all():
        tick.check()
    do(yard, "carry-out")

    enterprise.goto(f"{platform.url}/enterprise/trips/{trip_id}")
    vehicles = enterprise.get_by_test_id("vehicles")
    expect(vehicles).to_contain_text(plates[0])
    expect(vehicles).to_contain_text(plates[1])
    with enterprise.expect_navigation():
        vehicles.get_by_text(plates[1]).click()
    expect(enterprise.get_by_test_id("vehicles")).to_contain_text(giver.plate)
    receiver = int(enterprise.url.rsplit("/", 1)[1])
    assert receiver != trip_id

    customs.goto(f"{platform.url}/station?at=customs&trip={receiver}")
    sheet = customs.locator("article.st-sheet")
    expect(sheet.get_by_test_id("vehicles")).to_contain_text(giver.plate)
    sheet.locator("[data-act=confirm]").click()
    expect(customs.locator("article.st-sheet[data-state*='customs:done']")).to_be_visible()
    Trip(platform, receiver).pass_steps(("health_quarantine", "health"))

    guard = signed_in("border_guard", at=f"/station?at=barrier_1&trip={trip_id}")
    expect(guard.get_by_test_id("vehicles")).to_contain_text(plates[0])
    guard.locator("[data-act=confirm]").click()
    expect(guard.locator("article.st-sheet[data-state*='barrier_1:done']")).to_be_visible()
    emptied = giver.sheet()
    assert emptied["is_finished"]
    assert emptied["transshipment"]["vehicle_role"] == "empty_inward"
    assert float(Trip(platform, receiver).sheet()["transshipment"]["left_kg"]) == weights[1]


# A convoy

TRUCKS = 12


@pytest.mark.one_at_a_time("transfers")
@pytest.mark.one_at_a_time("bills")
def test_twelve_trucks_are_paid_by_one_transfer(platform: Platform, signed_in: SignedIn) -> None:
    trips = [Trip.declared(platform) for _ in range(TRUCKS)]
    due_vnd = sum(trip.settle_amount()["outstanding_vnd"] for trip in trips)
    with platform.client("administrator") as administrator:
        account = administrator.post("/api/v1/payments/accounts", json={**ACCOUNT, "collector": "gate_management"})
    assert account.status_code == 201, account.text

    enterprise = signed_in("enterprise", at=f"/enterprise?q={trips[0].plate}")
    row = enterprise.locator(f"tr[data-trip='{trips[0].trip_id}']")
    expect(row.get_by_test_id("pay-fee")).to_contain_text("Nộp")
    enterprise.locator("#bills").click()
    for trip in trips:
        enterprise.locator(f"input[name=fee][value='{trip.fee()['fee_id']}']").check()
    expect(enterprise.locator("[data-chosen]")).to_contain_text(f"{TRUCKS} chuyến")
    enterprise.get_by_test_id("pay-together").click()
    code = read_code(str(enterprise.get_by_test_id("vietqr").get_attribute("data-payload")))
    assert int(code["54"]) == due_vnd
    report_transfer(platform, account.json(), due_vnd, read_code(code["62"])["08"])
    expect(enterprise.get_by_test_id("vietqr")).to_have_count(0)  # the page followed

    cashier = signed_in("gate_management", at="/fees")
    transfer = cashier.locator(".fee-item", has_text=trips[0].plate).get_by_test_id("confirm-transfer")
    transfer.click()
    expect(transfer).to_have_count(0)
    fees = [trip.fee() for trip in trips]
    assert {fee["status"] for fee in fees} == {"paid"}
    assert len({fee["payments"][0]["receipt_number"] for fee in fees}) == TRUCKS


# A ban

CAUSE = "Cửa khẩu bạn dừng tiếp nhận để kiểm dịch"


@pytest.fixture
def no_ban_left(platform: Platform) -> Iterator[None]:
    """Whatever a test banned is let in again after it."""
    yield
    with platform.client("planner") as planner:
        for notice in planner.get("/api/v1/gate-notices").json()["items"]:
            if notice["cause"] == CAUSE:
                where = f"/api/v1/gate-notices/{notice['notice_id']}", f"/api/v1/bans/{notice['notice_id']}/end"
                assert act(planner, where[0], "POST", where[1], {"reason": "Đã mở lại"}).status_code == 200


@pytest.mark.alone  # while it stands declarations are refused
def test_a_ban_reaches_a_driver_on_the_road(platform: Platform, signed_in: SignedIn, no_ban_left: None) -> None:
    driver = signed_in("driver", phone=True, at="/driver")
    expect(driver.get_by_test_id("gate-notices")).to_be_attached()
    with platform.client("driver") as client:
        gate_id = client.get("/api/v1/outlooks").json()["items"][0]["gate_id"]
    driver.evaluate("window.notLoadedAgain = true")

    planner = signed_in("planner", at="/gate-notices")
    form = planner.get_by_test_id("new-ban")
    form.locator("[name=gate_id]").select_option(gate_id)
    form.locator("[name=cause]").fill(CAUSE)
    form.locator("button.btn-primary").click()
    expect(planner.get_by_test_id("notice").first).to_contain_text(CAUSE)

    expect(driver.get_by_test_id("gate-notices")).to_contain_text(CAUSE)
    assert driver.evaluate("window.notLoadedAgain") is True
    enterprise = signed_in("enterprise", at="/enterprise")
    expect(enterprise.get_by_test_id("gate-notices")).to_contain_text(CAUSE)
    police = signed_in("traffic_police", at="/police")
    expect(police.locator("#police-notices")).to_contain_text(CAUSE)

    notice = planner.get_by_test_id("notice").first
    notice.locator("summary", has_text="kết thúc").click()
    notice.locator("[name=reason]").fill("Đã mở lại")
    notice.locator("button[value=end]").click()
    expect(planner.get_by_test_id("notice").first).to_contain_text("Đã mở lại")
    expect(driver.get_by_test_id("gate-notices")).not_to_contain_text(CAUSE)
