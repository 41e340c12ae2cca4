"""The screen beside the road: it runs for weeks, through restarts of the platform."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import free_port, run_platform


@pytest.mark.own_platform
@pytest.mark.long
def test_a_screen_says_that_it_is_old_and_goes_on_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="vi-VN")
    try:
        page = context.new_page()
        page.clock.install()  # time goes on, and can be put forward
        with run_platform(tmp_path, "--no-demo", port=port) as platform:
            page.goto(f"{platform.url}/board/huu-nghi")
            board = page.get_by_test_id("screen")
            first = board.get_attribute("data-made-at")
            page.evaluate("window.isFirst = true")
            page.wait_for_timeout(6000)  # as long as a board is kept
            page.clock.fast_forward(16_000)
            expect(board).not_to_have_attribute("data-made-at", str(first))
        last = board.get_attribute("data-made-at")
        for _ in range(8):
            page.clock.fast_forward(16_000)
        expect(page.locator(".ck-board-old")).to_be_visible()
        expect(board).to_have_attribute("data-made-at", str(last))
        assert page.locator("#toasts > *").count() <= 1
        expect(page.locator("#toasts")).to_be_hidden()
        with run_platform(tmp_path, "--no-demo", port=port):
            page.clock.fast_forward(16_000)
            expect(board).not_to_have_attribute("data-made-at", str(last))
            page.clock.fast_forward(6000)
            expect(page.locator(".ck-board-old")).to_be_hidden()
            assert page.evaluate("window.isFirst") is True
            with page.expect_navigation():  # afresh, by itself
                page.clock.fast_forward("06:01:00")
            assert page.evaluate("window.isFirst") is None
            expect(page.get_by_test_id("screen")).to_be_visible()
    finally:
        context.close()
