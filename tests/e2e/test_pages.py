"""Every page opens for its role, on a phone and on a desktop, without an error and without scrolling sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Platform, SignedIn
from tests.e2e.test_crossing import declared, fill_form

PAGES = {
    "traffic_police": ("/police",),
    "driver": ("/driver", "/notifications"),
    "enterprise": ("/enterprise", "/declarations", "/declarations/new", "/declarations/import", "/enterprise/webhooks"),
    "planner": ("/planner", "/statistics", "/statistics/bulletin"),
    "yard_operator": ("/yard", "/station?at=yard", "/transshipments"),
    "administrator": ("/admin", "/admin/procedures", "/admin/gates", "/admin/gates/huu-nghi", "/equipment"),
    "auditor": ("/audit",),
    "border_guard": ("/station?at=barrier_1", "/station?at=barrier_2", "/station/gates"),
    "health_quarantine": ("/station",),
    "animal_quarantine": ("/station",),
    "plant_quarantine": ("/station",),
    "customs": ("/station",),
    "gate_management": ("/fees",),
    "tax": ("/fees",),
    "support": ("/support",),
}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("role", PAGES)
def test_a_page_opens_without_an_error(platform: Platform, signed_in: SignedIn, role: str, phone: bool) -> None:
    page = signed_in(role, phone=phone)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("console", lambda line: failed.append(line.text) if "Content Security Policy" in line.text else None)
    for path in PAGES[role]:
        page.goto(platform.url + path)
        expect(page.locator("main")).to_be_visible()
        page.wait_for_timeout(1000)
        assert not failed
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 1, f"{path} is wider than the window"


def test_an_enterprise_is_told_what_is_wrong_with_a_declaration(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("enterprise")
    page.goto(f"{platform.url}/enterprise")
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
    expect(unsent).to_have_attribute("data-unsent", "1", timeout=15_000)
    page.context.unroute("**/gps/batch")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(unsent).to_have_attribute("data-unsent", "0", timeout=15_000)
