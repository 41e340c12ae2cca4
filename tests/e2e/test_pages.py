"""Forms that tell what is wrong, and a phone without a line. That every page opens: test_accessibility.py."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.conftest import Platform, SignedIn, eventually
from tests.e2e.fresh import fresh_plate
from tests.e2e.test_crossing import declared, fill_form


def test_an_enterprise_is_told_what_is_wrong_with_a_declaration(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("enterprise", at="/enterprise")
    page.locator(".ck-page-head .btn-primary").click()
    fill_form(page, declared("29X"))
    page.get_by_test_id("submit").click()
    expect(page.locator("#plate-problem-1")).to_be_visible()
    page.fill("[name=plate]", fresh_plate())
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


def test_a_phone_without_a_line_says_so_and_opens_the_trip_from_the_first_visit_on(
    platform: Platform, signed_in: SignedIn
) -> None:
    page = signed_in("driver", phone=True)
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    assert eventually(lambda: page.evaluate("caches.match('/driver').then(Boolean)"), within_s=60, every_s=0.5)
    assert eventually(lambda: "sheets=" in page.evaluate("document.cookie"), within_s=60, every_s=0.5)
    page.context.set_offline(True)
    lost = page.locator("#connection-banner")
    for _ in range(2):
        expect(lost).to_be_visible()
        expect(page.locator("#trip-title")).to_be_visible()
        road = page.locator("#road")
        expect(road.locator(".line.unknown, .line.behind").first).to_be_attached()
        expect(road.locator(".queue:not(.old), .queue-later")).to_have_count(0)
        expect(road.locator(".line:not(.unknown):not(.behind)")).to_have_count(0)
        bare = page.evaluate(
            "[...document.querySelectorAll('link[rel=stylesheet]')].filter((link) => !link.sheet).length"
        )
        assert bare == 0, "every style sheet is there"
        page.reload()
    page.context.set_offline(False)
    page.reload()
    expect(lost).to_be_hidden()
