"""Every page opens for its role, on a phone and on a desktop, without an error and without scrolling sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Platform, SignedIn

PAGES = {
    "traffic_police": "/police",
    "driver": "/driver",
    "enterprise": "/enterprise",
    "planner": "/planner",
    "yard_operator": "/yard",
    "administrator": "/admin",
    "auditor": "/audit",
    "border_guard": "/station",
}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("role", PAGES)
def test_page_opens(platform: Platform, signed_in: SignedIn, role: str, phone: bool) -> None:
    page = signed_in(role, phone=phone)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    page.on("console", lambda line: failed.append(line.text) if "Content Security Policy" in line.text else None)
    page.goto(f"{platform.url}{PAGES[role]}")
    expect(page.locator("main")).to_be_visible()
    page.wait_for_timeout(1500)
    assert not failed
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 1, "the page is wider than the window"


def test_an_enterprise_enters_a_trip_and_is_told_what_is_wrong(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("enterprise")
    page.goto(f"{platform.url}/enterprise/trips/new")
    page.fill("#plate", "29X")
    page.select_option("#goods_class", "fresh_fruit")
    page.fill("#goods", "Thanh long tươi")
    page.select_option("#regime", "export")
    page.select_option("#gate_id", "huu-nghi")
    page.fill("#planned_arrival", page.evaluate("new Date(Date.now() + 36e6).toISOString().slice(0, 16)"))
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#plate-problem")).to_be_visible()
    page.fill("#plate", "29C-818.20")
    page.locator("main form button[type=submit]").click()
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
