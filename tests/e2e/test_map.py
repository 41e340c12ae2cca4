"""The map seen from afar, and the strip of the last kilometres below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import MAP_MS, SignedIn

MODULE = (Path(__file__).parents[2] / "app/web/static/map/bins.js").read_text(encoding="utf-8")
RUN = """async ([source, trucks, zoom, scale]) => {
  const module = await import("data:text/javascript;charset=utf-8," + encodeURIComponent(source));
  const { binTrucks, mergeNear, radiusPx } = module;
  const project = ([lon, lat]) => ({ x: lon * scale, y: lat * scale });
  const merged = mergeNear(binTrucks(trucks, zoom), project);
  return merged.map(({ properties, geometry }) => (
    { ...properties, at: project(geometry.coordinates), radius: radiusPx(properties.count) }));
}"""


LOOK_ALIKE = """async ([source, bins, before]) => {
  const { looksAlike } = await import("data:text/javascript;charset=utf-8," + encodeURIComponent(source));
  return looksAlike(bins, before, ([x, y]) => ({ x, y }));
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def bins(
    page: Page, trucks: list[dict[str, Any]], zoom: float = 9.0, px_a_degree: float = 1000.0
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(RUN, [MODULE, trucks, zoom, px_a_degree])
    return found


def truck(km: float | None, state: str = "moving", road: str | None = "QL1A") -> dict[str, Any]:
    return {"road": road, "km": km, "lon": 106.0 + (km or 0) / 100, "lat": 21.5, "state": state}


def test_a_stretch_is_one_disc_and_far_ones_are_apart(page: Page) -> None:
    found = bins(page, [truck(1), truck(3), truck(9), truck(95)])
    assert sorted(disc["count"] for disc in found) == [1, 3]


def test_a_third_that_waits_makes_it_a_queue(page: Page) -> None:
    (told,) = bins(page, [truck(1, "queued"), truck(2), truck(3)])
    assert (told["state"], told["queued"], told["count"]) == ("queued", 1, 3)
    (free,) = bins(page, [truck(1, "queued"), truck(2), truck(3), truck(4)])
    assert free["state"] == "moving"


def test_trucks_off_the_road_are_counted_too(page: Page) -> None:
    (told,) = bins(page, [truck(None, "off_road"), truck(None, "yard", road=None)])
    assert told["count"] == 2


@given(
    trucks=st.lists(
        st.builds(truck, st.floats(0, 170), st.sampled_from(["moving", "queued", "yard"])), min_size=1, max_size=60
    ),
    zoom=st.sampled_from([7.0, 8.5, 9.5, 10.8]),
)
def test_no_truck_is_lost_and_no_disc_covers_another(page: Page, trucks: list[dict[str, Any]], zoom: float) -> None:
    found = bins(page, trucks, zoom)
    assert sum(disc["count"] for disc in found) == len(trucks)
    assert sum(disc["queued"] for disc in found) == sum(truck["state"] == "queued" for truck in trucks)
    # A disc grows as others join it, so that those of before may touch its new edge; none stands in another.
    for i, disc in enumerate(found):
        for other in found[:i]:
            gap = ((disc["at"]["x"] - other["at"]["x"]) ** 2 + (disc["at"]["y"] - other["at"]["y"]) ** 2) ** 0.5
            assert gap >= min(disc["radius"], other["radius"])


def disc(x: float = 10.0, count: int = 5, state: str = "moving") -> dict[str, Any]:
    return {"properties": {"count": count, "state": state}, "geometry": {"coordinates": [x, 20.0]}}


@pytest.mark.parametrize(
    ("now", "is_alike"),
    [
        ([disc(10.4)], True),
        ([disc(10.6)], False),
        ([disc(count=6)], False),
        ([disc(state="queued")], False),
        ([disc(), disc(30.0)], False),
    ],
)
def test_discs_are_drawn_again_where_something_is_to_be_seen(
    page: Page, now: list[dict[str, Any]], is_alike: bool
) -> None:
    assert page.evaluate(LOOK_ALIKE, [MODULE, now, [disc()]]) is is_alike


def test_the_strip_tells_the_queue_that_the_figures_tell(signed_in: SignedIn) -> None:
    police = signed_in("traffic_police", at="/police")
    police.wait_for_selector("live-map[data-ready=true]", timeout=MAP_MS)
    lane = police.get_by_test_id("road-strip-huu-nghi")
    expect(lane.locator(".ck-road-truck").first).to_be_attached(timeout=60_000)
    police.wait_for_function(  # both follow the same forecast; the strip is drawn up to two seconds later
        """() => {
            const digits = (selector) => document.querySelector(selector)?.textContent.trim().match(/^[\\d.]+/)?.[0];
            const told = digits("[data-testid=strip-huu-nghi] .ck-strip-big");
            return told && told === digits("[data-testid=road-strip-huu-nghi] .ck-road-figure");
        }""",
        timeout=60_000,
    )
    towns = police.evaluate(
        """() => document.querySelector("live-map").map.querySourceFeatures("base", {sourceLayer: "places"}).length"""
    )
    assert towns > 0


def test_a_truck_is_found_followed_back_and_ordered(signed_in: SignedIn) -> None:
    page = signed_in("traffic_police")
    expect(page.locator("body")).to_have_attribute("data-ready", "true", timeout=MAP_MS)
    plate = page.evaluate(
        """() => [...document.getElementById("police-map").trucks.byId.values()].find(({ trip_id: id }) => id).plate"""
    )
    page.keyboard.press("/")
    find = page.get_by_test_id("find")
    expect(find).to_be_focused()
    find.fill(plate.replace("-", "").replace(".", "").lower())
    expect(page.get_by_test_id("found").first).to_contain_text(plate)
    find.press("Enter")
    card = page.get_by_test_id("truck-card")
    expect(card).to_contain_text(plate)
    card.get_by_test_id("truck-trail").click()
    expect(card.get_by_test_id("truck-trail")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.getElementById('police-map').trail.length") == 1
    card.get_by_test_id("truck-order").click()
    expect(page.get_by_test_id("tab-composer")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#pane-composer")).to_contain_text("1 xe")
    assert page.evaluate("document.getElementById('police-map').trail.length") == 0  # it goes with the card


def test_the_past_is_shown_with_its_own_figures_and_obeys_the_keys(signed_in: SignedIn) -> None:
    page = signed_in("traffic_police")
    expect(page.locator("body")).to_have_attribute("data-ready", "true", timeout=MAP_MS)
    shown, state = page.locator("body"), page.get_by_test_id("timeline-state")
    page.get_by_test_id("timeline-back").click()
    expect(shown).to_have_class(re.compile("ck-shows-past"))
    expect(page.get_by_test_id("past-note")).to_be_visible()
    expect(page.locator("release-plan, [data-testid$=-take]")).to_have_count(0)  # nothing of the past can be done
    first = state.inner_text()
    page.get_by_test_id("timeline-slider").focus()
    page.keyboard.press(".")
    expect(state).not_to_have_text(first)
    figures = page.get_by_test_id("strip-huu-nghi").locator(".ck-strip-figures > span")
    expect(figures).to_have_count(3)  # queue, wait, free places of then; no growth
    page.keyboard.press("L")
    expect(shown).not_to_have_class(re.compile("ck-shows-past"))
    expect(page.locator("release-plan").first).to_be_attached()

    page.evaluate("() => dispatchEvent(new CustomEvent('theme-choice', { detail: 'dark' }))")
    expect(page.locator("live-map")).to_have_attribute("data-drawn", "dark")
    page.emulate_media(media="print")  # paper is light, and a printer waits for no style
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    expect(page.locator("live-map .maplibregl-canvas")).to_have_css("filter", "invert(1) hue-rotate(180deg)")
    expect(page.locator("live-map")).to_have_attribute("data-drawn", "dark")


def test_kilometre_by_time_is_drawn_for_each_gate(signed_in: SignedIn) -> None:
    page = signed_in("traffic_police")
    expect(page.locator("body")).to_have_attribute("data-ready", "true", timeout=MAP_MS)
    page.get_by_test_id("heat-toggle").click()
    for gate in ("huu-nghi", "tan-thanh"):
        drawn = page.get_by_test_id(f"heat-{gate}")
        expect(drawn.locator("canvas").first).to_be_visible()
        expect(drawn.locator(".ck-chart")).to_have_accessible_name(re.compile(r"trong ngày qua hàng chờ kéo đến km \d"))
    page.keyboard.press("h")
    expect(page.get_by_test_id("heat-huu-nghi")).to_have_count(0)


def test_a_stretch_that_is_typed_is_the_one_that_was_meant(signed_in: SignedIn) -> None:
    """The lower end may be typed first though it is higher than the other end was."""
    page = signed_in("traffic_police")
    page.wait_for_selector("body[data-ready=true]", timeout=MAP_MS)
    page.keyboard.press("n")
    page.get_by_test_id("stretch-typed").click()
    page.get_by_test_id("stretch-km_from").fill("25")
    page.get_by_test_id("stretch-km_to").click()
    expect(page.get_by_test_id("preview")).to_contain_text("km 10,0–25,0")  # what stands there now, in order
    page.get_by_test_id("stretch-km_to").fill("60")
    page.get_by_test_id("parameter-reason").click()
    expect(page.get_by_test_id("preview")).to_contain_text("km 25,0–60,0")
    expect(page.get_by_test_id("stretch-km_from")).to_have_value("25")
