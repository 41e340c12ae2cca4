"""The report of a scenario run opens in a browser without a network."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.maps.test_report import record, report  # noqa: F401 - fixtures


def test_it_opens_in_a_browser_without_network(report: str, tmp_path: Path, browser: Browser) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(report, encoding="utf-8")
    problems: list[str] = []
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(page_file.as_uri())
    page.wait_for_selector(".leaflet-overlay-pane path", state="attached")
    paths = page.locator(".leaflet-overlay-pane path")
    assert page.locator("[data-fan] svg").count() == 8
    assert page.locator("[data-fan] svg text", has_text=":00").count() >= 8
    before = paths.count()
    assert before > 20
    page.get_by_label("Base: queue at its longest").uncheck()
    assert paths.count() < before
    page.locator("path.leaflet-interactive[fill='#1d4ed8']").first.click(force=True)
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert "Places for trucks" in popup.inner_text()
    context.close()
    assert [problem for problem in problems if "net::ERR" not in problem] == []
