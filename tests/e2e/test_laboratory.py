"""A planner asks what would have helped in December 2021 and reads the answer in one page, desktop and phone."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Platform, SignedIn

PAGE = "/planner/library/december-2021"
RUN_MS = 240_000


@pytest.mark.long
def test_december_2021_is_run_and_answers(platform: Platform, signed_in: SignedIn) -> None:
    page = signed_in("planner", at="/planner?start=december-2021")
    page.get_by_test_id("answers-link").click()
    page.wait_for_url(f"**{PAGE}")
    page.get_by_test_id("run-study").click()
    page.wait_for_url(f"**{PAGE}")
    page.get_by_role("link", name="Theo dõi").click()
    page.locator('[data-testid="status"][data-status="done"]').wait_for(timeout=RUN_MS)
    with page.expect_download() as download:
        page.get_by_test_id("exports").click()
        page.get_by_text("PNG", exact=False).click()
    assert download.value.suggested_filename.endswith(".png")

    page.goto(platform.url + PAGE)
    assert page.locator('[data-testid="answers"] tbody tr').count() == 8
    assert "giờ xe" in page.get_by_test_id("headline").inner_text()
    phone = signed_in("planner", phone=True, at=PAGE)
    assert phone.locator('[data-testid="answers"] tbody tr').count() == 8
    # Nothing is wider than the screen.
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
