"""The page that shows how good the forecast is fills during the demonstration."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import FEW_TRUCKS, run_platform, signing_in

SENTENCE = re.compile(r"Trong 7 ngày qua, dự báo hàng chờ trước \d+ phút lệch trung bình [\d,]+ xe")
SOON_MS = 240_000
"""Five minutes pass in fifty seconds."""


@pytest.mark.own_platform
def test_the_skill_page_fills_during_the_demo(browser: Browser, tmp_path: Path) -> None:
    settings = FEW_TRUCKS | {"CUAKHAU_FORECAST_INTERVAL_S": "10"}
    with (
        run_platform(tmp_path, "--speed", "6", settings=settings) as platform,
        signing_in(browser, platform) as sign_in,
    ):
        planner = sign_in("planner")
        planner.get_by_role("link", name="Kiểm chứng dự báo").click()
        expect(planner.locator("main h1")).to_have_text("Dự báo đúng đến đâu")
        card = planner.get_by_test_id("skill-queue_veh")
        expect(card).to_have_count(0)
        expect(planner.get_by_test_id("skill-empty")).to_be_visible()
        for _ in range(SOON_MS // 5000):
            planner.wait_for_timeout(5000)
            planner.reload()
            if card.count():
                break
        sentence = card.get_by_test_id("skill-sentence")
        expect(sentence).to_have_text(SENTENCE)
        expect(sentence).to_contain_text("giữ nguyên như hiện tại")
        expect(planner.locator("skill-chart svg").first).to_be_visible()
        police = sign_in("traffic_police")
        said = police.get_by_test_id("skill-huu-nghi")
        expect(said).to_contain_text("dự báo hàng chờ")
        public = httpx.get(f"{platform.url}/forecast", timeout=20, headers={"accept-language": "en"})
        assert "In the last 7 days the forecast of the queue for" in public.text
