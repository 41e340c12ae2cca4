"""axe-core finds nothing against WCAG 2.2 AA on any page: desktop and width of a phone, light and dark."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, Platform, SignedIn
from tests.e2e.test_pages import PAGES

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
RUN = """async (runOnly) => {
  const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""
ASKED = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "dark": {"type": "rule", "values": ["color-contrast"]},  # no other depends on the theme
}
FOR_EVERYBODY = ("/", "/board", "/board/huu-nghi", "/forecast", "/signin", "/t")


@cache
def axe() -> str:
    """The checker as a script."""
    return AXE.read_text()


def violations(page: Page) -> list[str]:
    """What axe finds on the page that is open, each with its theme, rule, element and reason; [] if nothing."""
    found: list[str] = []
    page.evaluate(axe())
    for theme, rules in ASKED.items():
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        for size in (DESKTOP, PHONE):
            page.set_viewport_size(size)
            found += [f"{theme}, {size['width']} px: {each}" for each in page.evaluate(RUN, rules)]
    page.emulate_media(color_scheme="light")
    return found


@pytest.mark.parametrize("role", PAGES)
def test_every_page_of_a_role(platform: Platform, signed_in: SignedIn, role: str) -> None:
    page = signed_in(role, at=None)
    found: list[str] = []
    for path in (*PAGES[role], "/account"):
        page.goto(platform.url + path, wait_until="networkidle")
        found += [f"{path}: {each}" for each in violations(page)]
    assert not found, "\n".join(found)


def test_pages_for_everybody(platform: Platform, browser: Browser) -> None:
    with browser.new_context(locale="vi-VN", reduced_motion="reduce") as context:
        page = context.new_page()
        found: list[str] = []
        for path in FOR_EVERYBODY:
            assert (page.goto(platform.url + path, wait_until="networkidle") or pytest.fail(path)).ok
            found += [f"{path}: {each}" for each in violations(page)]
    assert not found, "\n".join(found)
