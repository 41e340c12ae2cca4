"""A tap at a station is never lost and never hits another truck: it has its effect, or the officer is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from app.demo.state import CAMERAS_FILE
from ingest.plates import squeeze
from tests.e2e.conftest import Platform, SignedIn, act, eventually
from tests.e2e.test_crossing import GATE, Trip, give_to_a_driver, order, set_out

TO_THE_YARD = (("health_quarantine", "health"), ("border_guard", "barrier_1"))
TO_CUSTOMS = (*TO_THE_YARD, ("yard_operator", "yard"), ("plant_quarantine", "quarantine_plant"))
WHEN_THE_NOTICE_COMES = """(selector) => {
  const button = document.querySelector(selector), {left, top, width, height} = button.getBoundingClientRect();
  const at = {clientX: left + width / 2, clientY: top + height / 2};
  new MutationObserver((_, observer) => {
    const notice = document.querySelector("[data-changed]");
    if (!notice || notice.hidden) return;
    observer.disconnect();
    const under = document.elementFromPoint(at.clientX, at.clientY);
    window.found = under.closest("button")?.outerHTML ?? "nothing";
    window.movedBy = button.getBoundingClientRect().top - top;
    under.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, detail: 1, ...at}));
  }).observe(document.getElementById("detail"), {subtree: true, childList: true, attributes: true});
}"""
"""A finger that aimed at a button comes down in the moment in which the page has changed, before anybody can see it."""
WHEN_THE_ORDERS_CHANGE = """() => {
  const orders = document.getElementById("orders"), button = orders.querySelector("[data-testid=confirm]");
  button.scrollIntoView({block: "center"});
  const {left, top, width, height} = button.getBoundingClientRect();
  const at = {clientX: left + width / 2, clientY: top + height / 2};
  new MutationObserver((_, observer) => {
    observer.disconnect();
    const under = orders.querySelector("[data-testid=confirm]");
    window.isOther = under.dataset.order !== button.dataset.order;
    under.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, detail: 1, ...at}));
  }).observe(orders, {childList: true});
}"""
"""The same with a driver's orders: the finger comes down on the first order's button."""


class Held:
    """Requests of a page that wait until the test lets them go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page, self.pattern = page, pattern
        self.routes: list[Route] = []
        self.is_open = False
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.routes.append(route)

    def wait(self) -> None:
        """Until there is one."""
        for _ in range(200):
            if self.routes:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"nothing asked for {self.pattern}")

    def release(self) -> None:
        """Let them go, and all that come after."""
        self.is_open = True
        for route in self.routes:
            route.continue_()


def open_sheet(signed_in: SignedIn, role: str, station: str, trip: Trip | None) -> Page:
    """An officer's tablet."""
    return signed_in(role, at=f"/station?at={station}" + (f"&trip={trip.trip_id}" if trip else ""))


def read_plate(platform: Platform, station: str, plate: str, at: datetime | None = None) -> None:
    """The camera of a barrier reads a plate, now or at a moment."""
    key = json.loads((platform.data_dir / CAMERAS_FILE).read_text(encoding="utf-8"))[f"{GATE}/{station}"]
    best = {"plate": squeeze(plate), "score": 0.98}
    data = {
        "camera_id": f"{GATE}/{station}",
        "timestamp": (at or datetime.now(UTC)).isoformat(),
        "results": [{**best, "candidates": [best]}],
    }
    answer = httpx.post(
        f"{platform.url}/cameras/plate-recogniser",
        json={"hook": {"event": "recognition"}, "data": data},
        headers={"Authorization": f"Bearer {key}"},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text


def events_of(page: Page) -> Callable[[str], bool]:
    """Whether an event that holds a text has come to the page; to be called before it is opened."""
    page.add_init_script(
        """window.heard = [];
        const listen = EventSource.prototype.addEventListener;
        EventSource.prototype.addEventListener = function (type, listener) {
          window.source = this;
          return listen.call(this, type, (event) => { listener(event); window.heard.push(`${type} ${event.data}`); });
        };"""
    )
    return lambda text: bool(page.evaluate("text => window.heard.some((one) => one.includes(text))", text))


def without_others(page: Page, trip: Trip) -> None:
    """The demonstration's trucks, which cameras read all day, get no sheet here."""
    own = f"/station/sheet/{trip.trip_id}?"
    page.route(lambda url: "/station/sheet/" in url and own not in url, lambda route: route.fulfill(status=404))


def until_seen(page: Page) -> None:
    """Wait until a person has seen a change: by the page's own clock, which on a slow machine is late with drawing."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 400))))"
    )


def status_of(trip: Trip, step: str) -> str:
    """How a step of a trip stands."""
    return {step["step"]: step["status"] for step in trip.sheet()["steps"]}[step]


def test_a_tap_on_a_button_whose_script_is_still_under_way_has_its_effect_once(
    platform: Platform, signed_in: SignedIn
) -> None:
    trip = Trip.declared(platform)
    officer = signed_in("health_quarantine", at=None)
    held = Held(officer, "**/stations/station.js")
    sent: list[str] = []
    officer.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    officer.goto(f"{platform.url}/station?at=health&trip={trip.trip_id}", wait_until="commit")
    held.wait()
    officer.locator("[data-act=confirm]").click()
    assert status_of(trip, "health") != "done"
    held.release()
    expect(officer.locator("article.st-sheet[data-state*='health:done']")).to_be_visible()
    assert len([url for url in sent if url.endswith("/confirm")]) == 1, sent


def test_a_form_sent_while_its_script_is_still_under_way_is_sent_once_and_asks_first(
    platform: Platform, signed_in: SignedIn
) -> None:
    trip = Trip.declared(platform)
    cashier = signed_in(trip.settle_amount()["collector"], at=None)
    held = Held(cashier, "**/fees/fees.js")
    asked: list[str] = []
    sent: list[str] = []
    cashier.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    cashier.on("request", lambda request: sent.append(request.url) if request.url.endswith("/cash") else None)
    cashier.goto(f"{platform.url}/fees/of-trip/{trip.trip_id}", wait_until="commit")
    held.wait()
    cashier.get_by_test_id("take-cash").click()
    assert not asked + sent
    held.release()
    expect(cashier.locator("a[href$='/receipt']")).to_be_visible()
    assert len(asked) == len(sent) == 1, (asked, sent)


def test_a_read_of_another_truck_does_not_take_away_the_sheet_that_an_officer_opened(
    platform: Platform, signed_in: SignedIn
) -> None:
    waiting, passing, last = (Trip.declared(platform) for _ in range(3))
    waiting.pass_steps(("health_quarantine", "health"))
    guard = signed_in("border_guard", at=None)
    heard = events_of(guard)
    guard.goto(f"{platform.url}/station?at=barrier_2&trip={waiting.trip_id}")
    expect(guard.locator(".st-status-waiting").first).to_be_visible()
    assert eventually(lambda: heard("hello"), within_s=60)
    read_plate(platform, "barrier_2", passing.plate)
    assert eventually(lambda: heard(f'"trip_id":{passing.trip_id}'), within_s=60)
    guard.wait_for_timeout(1500)
    expect(guard.locator(f".st-sheet[data-trip='{waiting.trip_id}']")).to_be_visible()

    without_others(guard, last)
    guard.goto(f"{platform.url}/station?at=barrier_2")  # who is at work with nobody gets it by itself
    assert eventually(lambda: heard("hello"), within_s=60)
    read_plate(platform, "barrier_2", last.plate)
    expect(guard.locator(f".st-sheet[data-trip='{last.trip_id}']")).to_be_visible()


def test_a_sheet_that_comes_by_itself_does_not_push_aside_what_the_officer_began(
    platform: Platform, signed_in: SignedIn
) -> None:
    passing = Trip.declared(platform)
    guard = signed_in("border_guard", at=None)
    heard = events_of(guard)
    without_others(guard, passing)
    guard.goto(f"{platform.url}/station?at=barrier_2")
    assert eventually(lambda: heard("hello"), within_s=60)
    held = Held(guard, f"**/station/sheet/{passing.trip_id}*")
    read_plate(platform, "barrier_2", passing.plate)
    held.wait()
    guard.fill("#scan-text", "29C")
    with guard.expect_response(f"**/station/sheet/{passing.trip_id}*"):
        held.release()
    guard.wait_for_timeout(500)
    expect(guard.locator(f".st-sheet[data-trip='{passing.trip_id}']")).to_have_count(0)
    assert guard.input_value("#scan-text") == "29C"


def test_a_page_that_is_to_be_loaded_anew_waits_until_its_menu_is_closed(
    platform: Platform, signed_in: SignedIn
) -> None:
    page = signed_in("yard_operator", at="/transshipments")
    page.set_viewport_size({"width": 820, "height": 800})
    page.locator(".ck-menu-more > button").click()
    page.evaluate("window.isOld = true, import('/static/swap.js').then(({ renew }) => { renew(); renew(); })")
    page.wait_for_timeout(500)
    expect(page.locator(".ck-menu-more .dropdown-menu")).to_be_in_viewport(ratio=1)
    assert page.evaluate("window.isOld")
    page.keyboard.press("Escape")
    page.wait_for_function("!window.isOld")
    expect(page.locator(".ck-menu-more .dropdown-menu")).to_be_hidden()


def test_a_tap_on_a_sheet_that_changed_meanwhile_is_answered(platform: Platform, signed_in: SignedIn) -> None:
    trip = Trip.declared(platform)
    trip.pass_steps(*TO_THE_YARD)
    guard = open_sheet(signed_in, "yard_operator", "yard", trip)
    held = Held(guard, f"**/station/sheet/{trip.trip_id}*")
    change_channel(platform, trip, "yellow")
    held.wait()  # the sheet changed, the tablet shows the old one
    guard.locator("[data-act=confirm]").click()
    expect(guard.locator(".ck-toast-danger")).to_be_visible()
    held.release()
    expect(guard.locator("[data-changed]")).to_be_visible()
    guard.locator("[data-act=confirm]").click()
    assert eventually(lambda: status_of(trip, "yard") == "done", within_s=60)


def change_channel(platform: Platform, trip: Trip, channel: str) -> None:
    """Customs set the channel elsewhere."""
    with platform.client("customs") as customs:
        where = f"/api/v1/trips/{trip.trip_id}/channel"
        answer = act(customs, f"/api/v1/trips/{trip.trip_id}/sheet", "PUT", where, {"channel": channel})
    assert answer.status_code == 200, answer.text


def test_a_tap_that_lands_while_the_notice_moves_the_buttons_does_nothing_and_says_so(
    platform: Platform, signed_in: SignedIn
) -> None:
    trip = Trip.declared(platform)
    trip.pass_steps(*TO_CUSTOMS)
    customs = open_sheet(signed_in, "customs", "customs", trip)
    sent: list[Any] = []
    customs.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    customs.evaluate(WHEN_THE_NOTICE_COMES, "[data-channel=red]")
    change_channel(platform, trip, "yellow")
    expect(customs.locator("[data-changed]")).to_be_visible()
    assert customs.evaluate("window.movedBy") > 20.0
    assert 'data-channel="red"' not in customs.evaluate("window.found")
    expect(customs.locator(".ck-toast-warning")).to_be_visible()
    assert sent == []
    until_seen(customs)
    customs.locator("[data-channel=red]").click()
    expect(customs.locator("[data-channel=red][aria-pressed=true]")).to_be_visible()
    expect(customs.locator("[data-changed]")).to_be_hidden()


def test_a_tap_while_another_is_being_sent_is_answered(platform: Platform, signed_in: SignedIn) -> None:
    trip = Trip.declared(platform)
    trip.pass_steps(*TO_CUSTOMS)
    customs = open_sheet(signed_in, "customs", "customs", trip)
    held = Held(customs, f"**/api/v1/trips/{trip.trip_id}/channel")
    customs.locator("[data-channel=yellow]").click()
    held.wait()
    customs.locator("[data-act=confirm]").click(force=True)
    expect(customs.locator(".ck-toast-info")).to_be_visible()
    held.release()
    expect(customs.locator("[data-channel=yellow][aria-pressed=true]")).to_be_visible()
    customs.locator("[data-act=confirm]").click()
    assert eventually(lambda: status_of(trip, "customs") == "done", within_s=60)


def test_a_tap_on_a_truck_whose_sheet_does_not_come_is_answered(platform: Platform, signed_in: SignedIn) -> None:
    nurse = open_sheet(signed_in, "health_quarantine", "health", None)
    nurse.route("**/station/sheet/*", lambda route: route.abort())
    nurse.locator("#work a[data-trip]").last.click()
    expect(nurse.locator(".ck-toast-danger")).to_be_visible()


def test_a_new_order_that_pushes_another_down_is_not_confirmed_in_its_place(
    platform: Platform, signed_in: SignedIn
) -> None:
    vehicle_id = set_out(platform, Trip.declared(platform).plate)
    driver = signed_in("driver", phone=True, account=give_to_a_driver(platform, vehicle_id))
    order(platform, vehicle_id, "Đi chậm")
    card = driver.locator(".dr-order", has_text="Đi chậm")
    expect(card.get_by_test_id("confirm")).to_be_visible()
    until_seen(driver)
    sent: list[str] = []
    driver.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    driver.evaluate(WHEN_THE_ORDERS_CHANGE)
    order(platform, vehicle_id, "Dừng lại")
    expect(driver.locator(".dr-order")).to_have_count(2)
    assert driver.evaluate("window.isOther")
    expect(driver.locator(".ck-toast-warning", has_text="ngón tay")).to_be_visible()
    assert not [url for url in sent if "/orders/" in url]
    until_seen(driver)
    card.get_by_test_id("confirm").click()
    expect(card).to_have_attribute("data-status", "acknowledged")


def test_a_notice_stays_until_the_officer_acts_and_no_message_covers_a_button(
    platform: Platform, signed_in: SignedIn
) -> None:
    trip = Trip.declared(platform)
    trip.pass_steps(*TO_CUSTOMS)
    customs = signed_in("customs", at=None)
    heard = events_of(customs)
    customs.goto(f"{platform.url}/station?at=customs&trip={trip.trip_id}")
    assert eventually(lambda: heard("hello"), within_s=60)
    change_channel(platform, trip, "yellow")
    notice = customs.locator("[data-changed]")
    expect(notice).to_be_visible()
    with customs.expect_response(f"**/station/sheet/{trip.trip_id}*"):  # fetched again, and nothing is new
        customs.evaluate("window.source.dispatchEvent(new MessageEvent('resync', {data: 'null'}))")
    customs.wait_for_timeout(300)
    expect(notice).to_be_visible()
    stale = Held(customs, "**/station/sheet/*")
    change_channel(platform, trip, "red")
    stale.wait()
    customs.locator("[data-channel=green]").click()
    message = customs.locator(".ck-toast-danger")
    expect(message).to_be_visible()
    box, acts = message.bounding_box(), customs.locator(".st-acts").bounding_box()
    assert box is not None
    assert acts is not None
    assert box["y"] + box["height"] <= acts["y"]
    stale.release()
