"""A third gate with two yards, by clicks and a file alone: added, declared for, crossed, paid, forecast, drawn."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.e2e.conftest import FEW_TRUCKS, ROOT, Platform, SignedIn, eventually, run_platform, signing_in
from tests.e2e.test_crossing import confirm, declared, fill_form

ADDITION = ROOT / "docs" / "recipes" / "coc-nam.geojson"
GATE, NAME = "coc-nam", "Cửa khẩu Cốc Nam"
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
    """A platform to which the administrator added the gate by its file; started again, as the page says."""
    data_dir = tmp_path_factory.mktemp("third-gate")
    with run_platform(data_dir, settings=FEW_TRUCKS) as before, signing_in(browser, before) as sign_in:
        add_gate(sign_in("administrator"), before.url)
    with run_platform(data_dir, settings=FEW_TRUCKS) as after:
        yield after


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
    expect(administrator.get_by_test_id("waiting")).to_contain_text(NAME)
    administrator.set_input_files("#gate-file", ADDITION)  # a second time: nothing is doubled
    administrator.locator(".ga-add button").click()
    expect(administrator.locator(".ck-severity-alarm")).to_be_visible()
    expect(administrator.get_by_test_id("waiting")).to_have_text(administrator.get_by_test_id("waiting").inner_text())


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
        account = {"username": f"{role.replace('_', '.')}.cn", "password": uuid.uuid4().hex}
        administrator.goto(f"{url}/admin/accounts/new")
        for name, value in {**account, "full_name": f"Cốc Nam {role}"}.items():
            administrator.fill(f"#account-form [name={name}]", value)
        administrator.select_option("#account-form [name=role]", role)
        administrator.select_option("#account-form [name=gate_id]", label=NAME)
        administrator.locator("#account-form button[type=submit]").click()
        administrator.wait_for_url(lambda address: address.rsplit("/", 1)[1].isdigit())
        made[role] = account
    return made


def declare(enterprise: Page, url: str) -> int:
    """A declaration for the gate, written into the form; the trip's number."""
    enterprise.goto(f"{url}/declarations/new")
    body = declared("29C-773.01")
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
    trip_id = declare(enterprise, url)
    expect(enterprise.locator("main")).to_contain_text(NAME)

    people = {role: sign_in(role, account=account) for role, account in accounts.items()}
    for role, step in STEPS:
        people[role].goto(f"{url}/station?at={step}")
        if step == "health":  # found as the officer finds it: by its plate
            people[role].fill("#scan-text", "29C77301")
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
    for yard in ("coc-nam-1", "coc-nam-2"):
        card = operator.locator(f"[data-yard={yard}]")
        expect(card).to_be_visible()
        expect(card.locator("fan-chart")).to_be_visible()
    planner.goto(f"{url}/planner/settings")
    expect(planner.locator(f"#gate-{GATE}-export [name=lanes]")).to_have_value("3")
    for yard in ("coc-nam-1", "coc-nam-2"):
        expect(planner.locator(f"#yard-{yard}")).to_be_visible()
