"""Every page opens for its role, on a phone and on a desktop, without an error, in the reader's language, and without
scrolling sideways; axe-core finds nothing against WCAG 2.2 AA on it, light and dark. One visit shows all of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, MAP_MS, PHONE, Platform, SignedIn, eventually
from tests.e2e.english import machine_text

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
RUN = """async (runOnly) => {
  const shown = { exclude: ["[data-alike]"] };
  const { violations } = await axe.run(shown, { runOnly, resultTypes: ["violations"], preload: false });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""
ALIKE = """() => {
  const kept = 3, many = 6;
  const told = /^(class|style|role|type|hidden|disabled|lang|aria-.*)$/;
  const shapeOf = (element) => {
    const attributes = [...element.attributes].filter(({ name }) => told.test(name));
    const names = attributes.map(({ name, value }) => (name.startsWith("aria-") ? name + !value : `${name}=${value}`));
    const inside = [...element.children].map(shapeOf).join() || Boolean(element.textContent.trim());
    return `${element.localName} ${names.sort().join(" ")}(${inside})`;
  };
  for (const list of document.body.querySelectorAll("*")) {
    if (list.childElementCount <= many || list.closest("svg, [data-alike]")) continue;
    const seen = new Map();
    for (const element of list.children) {
      const shape = shapeOf(element), times = (seen.get(shape) ?? 0) + 1;
      seen.set(shape, times);
      element.toggleAttribute("data-alike", times > kept);
    }
  }
}"""
"""Of rows, cards and options that differ in their words and numbers alone the first three are looked at: the others
come from the same lines of the same template."""
MAPS_STAY = (
    "document.querySelectorAll('live-map').forEach((map) => document.removeEventListener('theme', map.themeListener))"
)
"""Maps keep their colours when the theme changes: they are pictures, in which axe sees nothing."""
ASKED = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "dark": {"type": "rule", "values": ["color-contrast"]},  # no other depends on the theme
}
FOR_EVERYBODY = ("/", "/board", "/board/huu-nghi", "/forecast", "/signin", "/t")
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
        "/admin/gates/map",
        "/admin/neighbours",
        "/admin/neighbours/exports",
        "/admin/privacy",
        "/equipment",
        "/claims",
    ),
    "auditor": (
        "/audit",
        "/police",
        "/yard",
        "/enterprise",
        "/station",
        "/driver",
        "/claims",
        "/appeals",
        "/fees",
        "/bookings",
        "/enterprise/register",
        "/station/handover",
    ),
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


@cache
def axe() -> str:
    """The checker as a script."""
    return AXE.read_text()


def violations(page: Page) -> list[str]:
    """What axe finds on the page that is open, each with its theme, rule, element and reason; [] if nothing."""
    found: list[str] = []
    page.evaluate(axe())
    page.evaluate(MAPS_STAY)
    page.evaluate(ALIKE)
    for theme, rules in ASKED.items():
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        found += [f"{theme}: {each}" for each in page.evaluate(RUN, rules)]
    page.emulate_media(color_scheme="light")
    return found


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("role", PAGES)
def test_every_page_of_a_role(platform: Platform, signed_in: SignedIn, role: str, phone: bool) -> None:
    page = signed_in(role, phone=phone, by_form=True) if not phone else signed_in(role, phone=True, at=None)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("console", lambda line: failed.append(line.text) if "Content Security Policy" in line.text else None)
    against: list[str] = []
    for path in (*PAGES[role], "/account"):
        page.goto(platform.url + path, wait_until="networkidle")  # whatever the scripts ask for has come
        expect(page.locator("main")).to_be_visible()
        for drawn in page.locator("live-map").all():
            expect(drawn).to_have_attribute("data-ready", "true", timeout=MAP_MS)
        assert not failed
        for width in (360, 390) if phone else (820, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            assert eventually(lambda: not page.evaluate(CUT), within_s=10), (path, width, page.evaluate(CUT))
        against += [f"{path}: {each}" for each in violations(page)]
        found = machine_text(page.evaluate(TEXT_FOR_PEOPLE), "vi")
        assert not found, f"{path} is not in Vietnamese: {found}"
    assert not against, "\n".join(against)
    for width in (360,) if phone else (1280, 820):
        page.set_viewport_size({"width": width, "height": 800})
        assert eventually(lambda: not page.evaluate(CUT_ITEMS), within_s=10), page.evaluate(CUT_ITEMS)
    if page.locator(".ck-menu-more").is_visible():
        page.locator(".ck-menu-more > button").click()
        expect(page.locator(".ck-menu-more .dropdown-menu")).to_be_in_viewport(ratio=1)


def test_pages_for_everybody(platform: Platform, browser: Browser) -> None:
    found: list[str] = []
    for size in (DESKTOP, PHONE):
        with browser.new_context(locale="vi-VN", viewport=size, reduced_motion="reduce") as context:
            page = context.new_page()
            for path in FOR_EVERYBODY:
                assert (page.goto(platform.url + path, wait_until="networkidle") or pytest.fail(path)).ok
                found += [f"{path}, {size['width']} px: {each}" for each in violations(page)]
    assert not found, "\n".join(found)
