"""Everybody is shown the same queue, wait, free places and hours of a gate, whoever looks, on whichever page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.web.i18n import format_number, format_wait, load_catalogues
from tests.e2e.conftest import Platform, SignedIn, eventually, run_platform, signing_in

GATE = "huu-nghi"
SETTINGS = {"CUAKHAU_DEMO_EVERY": "2", "CUAKHAU_FORECAST_INTERVAL_S": "60", "CUAKHAU_FORECAST_RUNS": "16"}
VIETNAMESE = load_catalogues()["vi"]


@dataclass(frozen=True)
class Quantity:
    """A number of the gate: what the API says of it (`None`: nothing yet), and the elements that show it.

    `ask` gives what tells one measurement from the next, and the text; `shown` has the form of each element's text.
    """

    ask: Callable[[], tuple[object, str] | None]
    shown: Mapping[str, tuple[Locator, str]]
    told: Mapping[str, tuple[Locator, str]] = field(default_factory=dict)
    """Pictures that say it to those who hear them."""


@dataclass(frozen=True)
class Pages:
    """A page of everybody who is shown something of the gate."""

    police: Page
    enterprise: Page
    driver: Page
    planner: Page
    station: Page
    yard: Page
    board: Page
    trip: Page


@pytest.mark.own_platform
def test_every_page_shows_the_same_queue_wait_places_and_hours(browser: Browser, tmp_path: Path) -> None:
    with (
        run_platform(tmp_path, settings=SETTINGS) as platform,
        signing_in(browser, platform) as sign_in,
        browser.new_context(locale="vi-VN", reduced_motion="reduce") as anonymous,
        platform.client("planner") as client,
    ):
        known = eventually(lambda: queue_now(client) and wait_now(client), within_s=300, every_s=1)
        assert known, "there is a queue, and a forecast of the wait"
        with standing_still(platform):
            pages = open_pages(platform, sign_in, anonymous.new_page(), anonymous.new_page(), client)
            agree_on_hours(client, pages)
            for quantity in (queue(client, pages), wait(client, pages), free_places(client, pages)):
                agree(quantity)


@contextmanager
def standing_still(platform: Platform) -> Iterator[None]:
    """Nothing is reported, measured or forecast until the end: every page is to show what is known now."""
    running = psutil.process_iter(["cmdline"])
    (supervisor,) = (each for each in running if str(platform.data_dir) in (each.info["cmdline"] or ()))
    parts = [part for part in supervisor.children() if {"control", "demo", "worker"} & set(part.cmdline())]
    assert len(parts) == 3, parts
    for part in parts:
        part.suspend()
    try:
        yield
    finally:
        for part in parts:
            part.resume()


def open_pages(platform: Platform, sign_in: SignedIn, board: Page, trip: Page, client: httpx.Client) -> Pages:
    asked = {"gate": GATE, "stage": "planned", "limit": "100"}
    exports = [
        each for each in client.get("/api/v1/trips", params=asked).json()["items"] if each["direction"] == "export"
    ]
    last = max(exports, key=lambda each: each["planned_arrival"])  # it does not come before the numbers are compared
    board.goto(f"{platform.url}/board")
    trip.goto(f"{platform.url}/t/{last['code']}")
    return Pages(
        police=sign_in("traffic_police"),
        enterprise=sign_in("enterprise"),
        driver=sign_in("driver"),
        planner=sign_in("planner", at="/planner?start=now"),
        station=sign_in("customs", at="/station/gates"),
        yard=sign_in("yard_operator"),
        board=board,
        trip=trip,
    )


def agree(quantity: Quantity) -> None:
    """Every page shows the number that the API says, which stands still."""
    known = quantity.ask()
    assert known is not None
    for name, (locator, text) in quantity.shown.items():
        expect(locator, name).to_have_text(re.compile(text.format(re.escape(known[1]))))
    for name, (locator, text) in quantity.told.items():
        expect(locator, name).to_have_accessible_name(re.compile(text.format(re.escape(known[1]))))
    assert quantity.ask() == known


def at_station(pages: Pages, within: str) -> Locator:
    return pages.station.locator(f'section[aria-labelledby="gate-{GATE}"] {within}')


def on_board(pages: Pages, what: str) -> Locator:
    return pages.board.get_by_test_id(f"board-{GATE}").get_by_test_id(f"board-{what}")


def in_strip(pages: Pages, nth: int) -> Locator:
    return pages.police.get_by_test_id(f"strip-{GATE}").locator(".ck-strip-figures > span").nth(nth).locator("b")


def queue_now(client: httpx.Client) -> tuple[object, str] | None:
    answer = client.get("/api/v1/forecasts/latest", params={"gate": GATE})
    now = answer.json()["now"] if answer.status_code == 200 else None
    return (now["time"], format_number(now["queue_veh"], "vi")) if now and now["queue_veh"] >= 1 else None


def wait_now(client: httpx.Client) -> tuple[object, str] | None:
    gate = next(each for each in client.get("/api/v1/board").json()["gates"] if each["gate_id"] == GATE)
    if gate["wait_s"] is None or gate["queue_veh"] is None:
        return None
    return gate["forecast_made_at"], format_wait(gate["wait_s"][1], gate["reach_s"], "vi", VIETNAMESE)


def queue(client: httpx.Client, pages: Pages) -> Quantity:
    mark = f'[data-testid="map-gate-{GATE}"] .ck-mark-row b'
    return Quantity(
        lambda: queue_now(client),
        {
            "police, strip": (in_strip(pages, 0), r"^{}$"),
            "police, map": (pages.police.locator(mark).first, r"^{}$"),
            "police, road": (pages.police.get_by_test_id(f"road-strip-{GATE}").locator(".ck-road-figure"), r"^{} "),
            "enterprise, map": (pages.enterprise.locator(mark).first, r"^{}$"),
            "planner": (pages.planner.get_by_test_id(f"present-{GATE}"), r"hiện có {} xe trong hàng chờ"),
            "station": (at_station(pages, ".ck-figure").first, r"^\s*{} xe"),
            "board": (on_board(pages, "queue"), r"^{}$"),
        },
        told={"driver, road": (pages.driver.locator("#road"), r"^Hàng chờ: {} xe")},
    )


def wait(client: httpx.Client, pages: Pages) -> Quantity:
    return Quantity(
        lambda: wait_now(client),
        {
            "police": (in_strip(pages, 1), r"^{}$"),
            "station": (pages.station.get_by_test_id(f"wait-{GATE}"), r"^{}$"),
            "board": (on_board(pages, "wait"), r"^\s*{}\s*$"),
            "trip": (pages.trip.get_by_test_id("wait"), r"^{}$"),
        },
    )


def free_places(client: httpx.Client, pages: Pages) -> Quantity:
    """The gate has one yard for everybody."""

    def ask() -> tuple[object, str] | None:
        yards = [yard for yard in client.get("/api/v1/yards").json()["items"] if yard["gate_id"] == GATE]
        (yard,) = (yard for yard in yards if yard["kind"] == "yard")
        return yard["inside"], format_number(yard["free"], "vi")

    return Quantity(
        ask,
        {
            "police": (pages.police.get_by_test_id(f"strip-{GATE}").locator(".ck-strip-figures > span").last, r"^{}\D"),
            "yard": (pages.yard.locator(".ck-yard-figures .ck-figure").first, r"^{}$"),
            "station": (at_station(pages, ".ck-yard-head span").first, r"\b{}\b"),
            "board": (on_board(pages, "free"), r"^{}$"),
        },
    )


def agree_on_hours(client: httpx.Client, pages: Pages) -> None:
    """They do not change while the test runs."""
    gate = next(each for each in client.get("/api/v1/board").json()["gates"] if each["gate_id"] == GATE)
    opens, closes = re.fullmatch(r"(\d\d:\d\d).*(\d\d:\d\d)", gate["hours"]).groups()  # type: ignore[union-attr]
    is_always_open = gate["hours"] == "00:00–24:00"
    hours = VIETNAMESE.gettext("round the clock") if is_always_open else gate["hours"]
    for name, locator in {
        "station": at_station(pages, ".card-body > .ck-muted").first,
        "trip": pages.trip.locator(".fo-card .ck-muted").filter(has_text=hours),
        "driver": pages.driver.locator(".dr-trip .ck-muted").filter(has_text=hours),
        "board": on_board(pages, "hours"),
    }.items():
        expect(locator, name).to_contain_text(hours)
    for name, time in (("opens", opens), ("closes", "00:00" if closes == "24:00" else closes)):
        field = pages.planner.locator(f'[name="world.gates.{GATE}.{name}"]').locator("xpath=..")
        expect(field, f"planner, {name}").to_contain_text(time)
