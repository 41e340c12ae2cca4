"""A third gate with two yards, by clicks and a file alone: added, declared for, crossed, paid, forecast, drawn; one of
its yards is closed over a booked place."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from geo.clock import LOCAL_ZONE
from ingest.plates import squeeze
from tests.app.pushing import Browser as PushBrowser
from tests.app.pushing import PushService, base64url
from tests.e2e.conftest import FEW_TRUCKS, ROOT, Platform, SignedIn, eventually, run_platform, signing_in
from tests.e2e.fresh import fresh_plate
from tests.e2e.test_booking import declare_proven
from tests.e2e.test_crossing import confirm, declared, fill_form
from tests.e2e.test_recall import RECORD, push

ADDITION = ROOT / "docs" / "recipes" / "coc-nam.geojson"
GATE, NAME = "coc-nam", "Cửa khẩu Cốc Nam"
YARDS = {"coc-nam-1": "Bến bãi Cốc Nam 1", "coc-nam-2": "Bến bãi Cốc Nam 2"}
ROLES = ("health_quarantine", "border_guard", "yard_operator", "plant_quarantine", "customs", "gate_management")
STEPS = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)
pytestmark = [pytest.mark.own_platform, pytest.mark.xdist_group("third-gate")]


@pytest.fixture(scope="module")
def enlarged(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Platform]:
    """A platform to which the administrator added the gate by its file while it runs."""
    data_dir = tmp_path_factory.mktemp("third-gate")
    settings = {**FEW_TRUCKS, "CUAKHAU_WEBHOOK_ALLOW_PRIVATE": "true"}  # the push service of a test is on this machine
    with run_platform(data_dir, settings=settings) as running:
        with signing_in(browser, running) as sign_in:
            add_gate(sign_in("administrator"), running.url)
        yield running


def add_gate(administrator: Page, url: str) -> None:
    """Send the gate's file, once wrongly."""
    administrator.goto(f"{url}/admin/gates")
    expect(administrator.locator("tbody")).not_to_contain_text(NAME)
    for content, refusal in ((b"{", "JSON"), (b"{}", "FeatureCollection")):
        wrong = {"name": "x.geojson", "mimeType": "application/geo+json", "buffer": content}
        administrator.set_input_files("#gate-file", wrong)  # type: ignore[arg-type]
        administrator.locator(".ga-add button").click()
        expect(administrator.locator(".ck-severity-alarm")).to_contain_text(refusal)
    administrator.set_input_files("#gate-file", ADDITION)
    administrator.locator(".ga-add button").click()
    expect(administrator.get_by_test_id("added")).to_be_visible()
    expect(administrator.locator("tbody a", has_text=NAME)).to_be_visible()
    administrator.set_input_files("#gate-file", ADDITION)  # a second time: nothing is doubled
    administrator.locator(".ga-add button").click()
    expect(administrator.locator(".ck-severity-alarm")).to_be_visible()
    expect(administrator.locator("tbody a", has_text=NAME)).to_have_count(1)


@pytest.fixture
def sign_in(enlarged: Platform, browser: Browser) -> Iterator[SignedIn]:
    """As `signed_in`, on the enlarged platform."""
    with signing_in(browser, enlarged) as opened:
        yield opened


def correct_profile(administrator: Page, url: str) -> None:
    """What the file assumed is corrected on the gate's page, with a break and a holiday, and published."""
    administrator.goto(f"{url}/admin/gates")
    administrator.locator("tbody a", has_text=NAME).click()
    administrator.fill('[name="exports.hours.intervals"]', "06:00–12:00, 11:00–20:00")
    administrator.fill('[name="exports.lanes"]', "0")
    administrator.locator("button[value=publish]").click()
    hours = administrator.locator('[name="exports.hours.intervals"]')
    expect(hours).to_have_attribute("aria-invalid", "true")
    expect(administrator.locator("main")).to_contain_text("chồng lên nhau")
    administrator.fill('[name="exports.hours.intervals"]', "00:00–24:00")
    administrator.fill('[name="exports.hours.breaks"]', "03:00–03:30")
    administrator.fill('[name="exports.hours.holidays.0.day"]', "2030-02-03")
    administrator.fill('[name="exports.lanes"]', "3")
    administrator.locator("button[value=publish]").click()
    expect(administrator.locator(".ck-severity-ok")).to_be_visible()
    expect(administrator.locator("main table")).to_contain_text("03:30")
    expect(administrator.locator('[name="exports.hours.holidays.0.day"]')).to_have_value("2030-02-03")
    expect(administrator.locator('[name="exports.lanes"]')).to_have_value("3")


def make_accounts(administrator: Page, url: str) -> dict[str, dict[str, str]]:
    """The people of the gate's stations, each by the form of a new account."""
    made = {}
    for role in ROLES:
        account = {"username": f"{role.replace('_', '.')}.{uuid.uuid4().hex[:8]}", "password": uuid.uuid4().hex}
        administrator.goto(f"{url}/admin/accounts/new")
        for name, value in {**account, "full_name": f"Cốc Nam {role}"}.items():
            administrator.fill(f"#account-form [name={name}]", value)
        administrator.select_option("#account-form [name=role]", role)
        administrator.select_option("#account-form [name=gate_id]", label=NAME)
        administrator.locator("#account-form button[type=submit]").click()
        administrator.wait_for_url(lambda address: address.rsplit("/", 1)[1].isdigit())
        made[role] = account
    return made


def declare(enterprise: Page, url: str, plate: str) -> int:
    """A declaration for the gate, written into the form; the trip's number."""
    enterprise.goto(f"{url}/declarations/new")
    body = declared(plate)
    del body["gate_id"]
    enterprise.select_option("[data-testid=declaration-form] [name=gate_id]", label=NAME)
    fill_form(enterprise, body)
    enterprise.get_by_test_id("submit").click()
    enterprise.wait_for_url(lambda address: address.rsplit("/", 1)[1].isdigit())
    return int(enterprise.url.rsplit("/", 1)[1])


def pay(cashier: Page, url: str, trip_id: int) -> None:
    """Take the fee in cash; where the tariff leaves the amount open, decide it first."""
    cashier.goto(f"{url}/fees/of-trip/{trip_id}")
    decide = cashier.get_by_test_id("decide-amount")
    if decide.count():
        form = cashier.locator("form", has=decide)
        form.locator("[name=amount_vnd]").fill("150000")
        form.locator("[name=reason]").fill("Tra theo biểu phí")
        decide.click()
    cashier.on("dialog", lambda dialog: dialog.accept())
    cashier.get_by_test_id("take-cash").click()
    expect(cashier.locator("a[href$='/receipt']")).to_be_visible()


def test_a_third_gate_works_from_its_file_to_the_exit_of_a_truck(enlarged: Platform, sign_in: SignedIn) -> None:
    url = enlarged.url
    administrator = sign_in("administrator")
    correct_profile(administrator, url)
    made = make_accounts(administrator, url)
    accounts = {role: enlarged.taken_over(account) for role, account in made.items()}
    enterprise = sign_in("enterprise")
    plate = fresh_plate()
    trip_id = declare(enterprise, url, plate)
    expect(enterprise.locator("main")).to_contain_text(NAME)

    people = {role: sign_in(role, account=account) for role, account in accounts.items()}
    for role, step in STEPS:
        people[role].goto(f"{url}/station?at={step}")
        if step == "health":  # found as the officer finds it: by its plate
            people[role].fill("#scan-text", squeeze(plate))
            people[role].keyboard.press("Enter")
        else:
            people[role].locator(f"#work a[data-trip='{trip_id}']").click()
        confirm(people[role], step)
    pay(people["gate_management"], url, trip_id)
    guard = people["border_guard"]
    guard.goto(f"{url}/station?at=barrier_2&trip={trip_id}")
    guard.locator("[data-act=confirm]").click()
    with enlarged.client("enterprise") as client:
        found = eventually(lambda: client.get(f"/api/v1/trips/{trip_id}").json()["stage"] == "out", within_s=60)
    assert found

    see_it_everywhere(people["yard_operator"], sign_in("traffic_police"), sign_in("planner"), url)


def overlap(box: FloatRect, other: FloatRect) -> bool:
    """Whether two boxes have a point in common."""
    apart = box["x"] + box["width"] <= other["x"] or other["x"] + other["width"] <= box["x"]
    return not (apart or box["y"] + box["height"] <= other["y"] or other["y"] + other["height"] <= box["y"])


def see_it_everywhere(operator: Page, police: Page, planner: Page, url: str) -> None:
    """Queue and forecast in the control room, both yards with their plan, the settings of the planner."""
    police.goto(f"{url}/police")
    strip = police.get_by_test_id(f"strip-{GATE}")
    expect(strip).to_contain_text(NAME)
    expect(strip.locator(".ck-strip-big")).not_to_have_text("–", timeout=90_000)  # its forecast, once a minute
    drawn = "id => document.getElementById('police-map').map.querySourceFeatures('sites', {sourceLayer: 'sites'})"
    strip.click()
    assert eventually(
        lambda: GATE in police.evaluate(f"{drawn}.map(({{properties}}) => properties.site_id)", None), within_s=60
    )
    marks = [mark.bounding_box() for mark in police.locator("[data-testid^=map-gate-]").all()]
    assert len(marks) == 3
    assert not any(overlap(box, other) for box, other in itertools.combinations(filter(None, marks), 2)), marks
    operator.goto(f"{url}/yard")
    for yard in YARDS:
        card = operator.locator(f"[data-yard={yard}]")
        expect(card).to_be_visible()
        expect(card.locator("fan-chart")).to_be_visible()
    planner.goto(f"{url}/planner/settings")
    expect(planner.locator(f"#gate-{GATE}-export [name=lanes]")).to_have_value("3")
    for yard in YARDS:
        expect(planner.locator(f"#yard-{yard}")).to_be_visible()


def make_account(platform: Platform, **values: object) -> dict[str, str]:
    """An account made by the administrator and taken over by its owner."""
    account = {"username": f"x-{uuid.uuid4().hex[:8]}", "password": f"{uuid.uuid4().hex} at first"}
    with platform.client("administrator") as administrator:
        answer = administrator.post("/api/v1/accounts", json={**account, "full_name": "Người Cốc Nam", **values})
    assert answer.status_code == 201, answer.text
    return platform.taken_over(account)


def close_until(platform: Platform, yard_id: str, since: datetime, until: datetime) -> None:
    """Close a yard for a time that is planned."""
    body = {"since": since.isoformat(), "until": until.isoformat(), "reason": "Sửa cổng"}
    with platform.client("planner") as planner:
        assert planner.post(f"/api/v1/yards/{yard_id}/closures", json=body).status_code == 201


def reopen_yards(platform: Platform) -> None:
    """Nothing of the gate is closed, whatever a first try of the test closed."""
    with platform.client("planner") as planner:
        for yard_id in YARDS:
            for closure in planner.get(f"/api/v1/yards/{yard_id}/places").json()["closures"]:
                ended = planner.post(f"/api/v1/yards/{yard_id}/closures/{closure['closure_id']}/end")
                assert ended.status_code == 200, ended.text


def booked_veh(platform: Platform) -> int:
    """How many trucks have booked a place of the gate, as the public board says."""
    with platform.client() as anybody:
        gates = anybody.get("/api/v1/board").json()["gates"]
    return next(int(gate["booked_veh"]) for gate in gates if gate["gate_id"] == GATE)


def test_a_closed_yard_moves_a_booking_and_everybody_is_told_the_same(enlarged: Platform, sign_in: SignedIn) -> None:
    url, plate, cause = enlarged.url, fresh_plate(), "Ngập nước cổng vào"
    reopen_yards(enlarged)
    booked_before = booked_veh(enlarged)
    trip_id = declare_proven(enlarged, plate, GATE)
    with enlarged.client("enterprise") as client:
        vehicle_id = client.get(f"/api/v1/trips/{trip_id}").json()["vehicle_id"]
    enterprise = sign_in("enterprise", at=f"/bookings?trip_id={trip_id}")
    enterprise.get_by_test_id("week").locator("button[name=starts_at]").first.click()
    enterprise.get_by_test_id("held").filter(has_text=plate).get_by_test_id("confirm").click()
    own = enterprise.get_by_test_id("booking").filter(has_text=plate)
    expect(own).to_have_attribute("data-state", "booked")

    def booking() -> dict[str, Any]:
        with enlarged.client("enterprise") as client:
            (found,) = client.get("/api/v1/bookings", params={"trip_id": trip_id}).json()["items"]
        return dict(found)

    before = booking()
    starts_at = datetime.fromisoformat(before["starts_at"])
    closed = before["yard_id"]
    (other,) = YARDS.keys() - {closed}
    close_until(enlarged, other, starts_at, starts_at + timedelta(hours=1))

    # The driver lets messages reach the phone and closes the page. Chromium without a screen has no push service of its
    # own: one of this test takes the platform's message, and the browser's own tools give it to the service worker.
    phone = sign_in(
        "driver", at="/driver", phone=True, account=make_account(enlarged, role="driver", vehicle_id=vehicle_id)
    )
    expect(phone.get_by_test_id("booking")).to_contain_text(YARDS[closed])
    browser, service = PushBrowser(), PushService()
    try:
        keys = {"p256dh": base64url(browser.public), "auth": base64url(browser.secret)}
        answer = phone.request.post(
            f"{url}/api/v1/push/subscriptions",
            data={"endpoint": f"{service.origin}/send/1", "expirationTime": None, "keys": keys},
            headers={"X-CSRF-Token": str(phone.locator("meta[name=csrf-token]").get_attribute("content"))},
        )
        assert answer.status == 201, answer.text()
        phone.evaluate("navigator.serviceWorker.ready.then(() => null)")
        phone.goto(f"{url}/t")

        operator = sign_in(
            "yard_operator",
            at=f"/yard/{closed}/places",
            account=make_account(enlarged, role="yard_operator", gate_id=GATE),
        )
        operator.on("dialog", lambda dialog: dialog.accept())
        form = operator.get_by_test_id("form-closure")
        form.locator("[name=reason]").fill(cause)
        form.locator("button[value=close]").click()
        expect(operator.get_by_test_id("closure")).to_contain_text(cause)
        assert eventually(lambda: service.got, within_s=60)
    finally:
        service.close()
    message = json.loads(browser.read(service.got[0].body))
    after = booking()
    moved_to = datetime.fromisoformat(after["starts_at"])
    assert (after["yard_id"], after["state"], after["reason"]) == (other, "booked", cause)
    assert moved_to > starts_at
    shown_at = f"{moved_to.astimezone(LOCAL_ZONE):%H:%M %d/%m}"
    said = f"{plate}: {YARDS[closed]} đã đóng cửa ({cause}); đã đặt chỗ tại {YARDS[other]}, {shown_at}"
    assert (message["title"], message["text"]) == ("Chỗ đã đặt của bạn", said)
    (worker,) = phone.context.service_workers
    worker.evaluate(RECORD)
    push(phone, message)
    assert eventually(lambda: worker.evaluate("self.shown"), within_s=60) == [[message["title"], said]]

    phone.goto(f"{url}/driver")
    expect(phone.get_by_test_id("moved")).to_have_text(said)
    expect(phone.get_by_test_id("booking")).to_contain_text(YARDS[other])
    enterprise.goto(f"{url}/bookings")
    expect(own.get_by_test_id("moved")).to_have_text(said)
    enterprise.goto(f"{url}/enterprise/trips/{trip_id}")
    expect(enterprise.get_by_test_id("moved")).to_have_text(said)
    enterprise.goto(f"{url}/notifications")
    expect(enterprise.locator("main")).to_contain_text(said)

    def board_says() -> bool:
        enterprise.goto(f"{url}/board")
        return cause in enterprise.get_by_test_id(f"board-yard-{closed}").inner_text()

    assert eventually(board_says, within_s=60)
    yard, gate = enterprise.get_by_test_id(f"board-yard-{closed}"), enterprise.get_by_test_id(f"board-{GATE}")
    expect(yard).to_contain_text(YARDS[closed])
    expect(yard).to_contain_text("không có chỗ khi đang đóng")
    expect(gate.get_by_test_id("board-booked")).to_have_text(str(booked_before + 1))
