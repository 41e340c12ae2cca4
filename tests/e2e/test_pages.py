"""Every page opens for its role, on a phone and on a desktop, without an error, in the reader's language, and without
scrolling sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Platform, SignedIn, eventually
from tests.e2e.english import machine_text
from tests.e2e.test_crossing import declared, fill_form

PAGES = {
    "traffic_police": ("/police/wall", "/police"),
    "driver": ("/driver", "/notifications", "/claims/answer", "/asked-trips"),
    "enterprise": (
        "/enterprise",
        "/declarations",
        "/declarations/new",
        "/declarations/import",
        "/bookings",
        "/enterprise/webhooks",
        "/enterprise/register",
        "/enterprise/register/vehicles/new",
        "/enterprise/register/drivers/new",
        "/enterprise/register/containers/new",
        "/asked-trips",
    ),
    "planner": (
        "/planner",
        "/statistics",
        "/statistics/bulletin",
        "/statistics/day",
        "/gate-notices",
        "/forecast/skill",
    ),
    "yard_operator": ("/yard", "/yard/xuan-cuong/places", "/station?at=yard", "/transshipments"),
    "administrator": (
        "/admin",
        "/admin/accounts/new",
        "/admin/accounts/import",
        "/admin/procedures",
        "/admin/gates",
        "/admin/gates/huu-nghi",
        "/admin/privacy",
        "/equipment",
        "/claims",
    ),
    "auditor": ("/audit", "/police", "/yard", "/enterprise"),
    "border_guard": ("/station?at=barrier_1", "/station?at=barrier_2", "/station/gates", "/station/handover"),
    "health_quarantine": ("/station",),
    "animal_quarantine": ("/station",),
    "plant_quarantine": ("/station",),
    "customs": ("/station",),
    "gate_management": ("/fees", "/appeals"),
    "tax": ("/fees",),
    "support": ("/support", "/claims"),
}


@pytest.fixture(scope="module", autouse=True)
def first_forecast(platform: Platform) -> None:
    """Pages that ask for a forecast find one: the first is made within minutes of the start."""
    with platform.client("traffic_police") as client:
        for gate in ("huu-nghi", "tan-thanh"):
            asked = f"/api/v1/forecasts/latest?gate={gate}"
            assert eventually(lambda asked=asked: client.get(asked).status_code == 200, within_s=300, every_s=1), gate


# What is read on a page, but for what is shown as code: names that programs use, entries of the audit log.
TEXT_FOR_PEOPLE = """() => {
  document.querySelectorAll("code, pre").forEach((element) => element.remove());
  return document.body.innerText;
}"""

# What is wider than the window, or than the box that it is shown in: a table that does not fit stands row by row.
CUT = """() => {
  const wraps = [...document.querySelectorAll(".ck-table-wrap")];
  const wide = wraps.filter((wrap) => wrap.scrollWidth > wrap.clientWidth + 2);
  const { scrollWidth, clientWidth } = document.documentElement;
  return [...(scrollWidth > clientWidth + 1 ? ["the page"] : []), ...wide.map((wrap) => wrap.innerText.slice(0, 60))];
}"""

# Items of the menu that reach over the edge of their line, or into what stands beside it.
CUT_ITEMS = """() => {
  const edges = (element) => element.getBoundingClientRect();
  const left = edges(document.querySelector(".ck-brand")).right;
  const right = edges(document.querySelector(".ck-tools")).left;
  const shown = [...document.querySelectorAll(".ck-menu > .ck-menu-item, .ck-menu-more:not([hidden]) > .ck-menu-item")];
  return shown.filter((item) => edges(item).left < left || edges(item).right > right + 1).map((item) => item.innerText);
}"""


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("role", PAGES)
def test_a_page_opens_without_an_error(platform: Platform, signed_in: SignedIn, role: str, phone: bool) -> None:
    page = signed_in(role, phone=phone, by_form=True) if not phone else signed_in(role, phone=True, at=None)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("console", lambda line: failed.append(line.text) if "Content Security Policy" in line.text else None)
    for path in PAGES[role]:
        page.goto(platform.url + path, wait_until="networkidle")  # whatever the scripts ask for has come
        expect(page.locator("main")).to_be_visible()
        for drawn in page.locator("live-map").all():
            expect(drawn).to_have_attribute("data-ready", "true")
        assert not failed
        for width in (390, 360) if phone else (1440, 820):
            page.set_viewport_size({"width": width, "height": 844})
            assert eventually(lambda: not page.evaluate(CUT), within_s=10), (path, width, page.evaluate(CUT))
        found = machine_text(page.evaluate(TEXT_FOR_PEOPLE), "vi")
        assert not found, f"{path} is not in Vietnamese: {found}"
    for width in (360,) if phone else (1280, 820):
        page.set_viewport_size({"width": width, "height": 800})
        assert eventually(lambda: not page.evaluate(CUT_ITEMS), within_s=10), page.evaluate(CUT_ITEMS)
    if page.locator(".ck-menu-more").is_visible():
        page.locator(".ck-menu-more > button").click()
        expect(page.locator(".ck-menu-more .dropdown-menu")).to_be_in_viewport(ratio=1)


def test_an_enterprise_is_told_what_is_wrong_with_a_declaration(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("enterprise", at="/enterprise")
    page.locator(".ck-page-head .btn-primary").click()
    fill_form(page, declared("29X"))
    page.get_by_test_id("submit").click()
    expect(page.locator("#plate-problem-1")).to_be_visible()
    page.fill("[name=plate]", "29C-818.20")
    page.get_by_test_id("submit").click()
    page.wait_for_url(lambda url: url.rsplit("/", 1)[1].isdigit())
    page.goto(page.url.replace("/declarations/", "/enterprise/trips/"))
    expect(page.get_by_test_id("timeline")).to_be_visible()


def test_a_phone_keeps_positions_without_a_line_and_sends_them_later(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in(
        "driver", phone=True, permissions=["geolocation"], geolocation={"latitude": 21.70, "longitude": 106.66}
    )
    page.wait_for_timeout(500)
    page.context.route("**/gps/batch", lambda route: route.abort())
    page.get_by_test_id("share").check(force=True)
    unsent = page.locator("#sharing-state")
    expect(unsent).to_have_attribute("data-unsent", "1")
    page.context.unroute("**/gps/batch")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(unsent).to_have_attribute("data-unsent", "0")
