"""Everybody sees the same queue now: police, planner, enterprises and stations are shown what was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.conftest import run_platform, signing_in

GATE = "huu-nghi"
ROUNDS = 100
PAUSE_MS = 3000
SOON_MS = 45_000
"""A map asks again each half minute."""
SETTINGS = {"CUAKHAU_DEMO_EVERY": "2", "CUAKHAU_FORECAST_INTERVAL_S": "60", "CUAKHAU_FORECAST_RUNS": "16"}


@dataclass(frozen=True)
class Measured:
    """The queue measured last, as the API says it."""

    time: str
    queue_veh: int


def measured(client: httpx.Client) -> Measured | None:
    answer = client.get("/api/v1/forecasts/latest", params={"gate": GATE})
    now = answer.json().get("now") if answer.status_code == 200 else None
    return None if now is None else Measured(now["time"], round(now["queue_veh"]))


@pytest.mark.own_platform
def test_police_planner_enterprises_and_stations_see_the_same_queue_now(browser: Browser, tmp_path: Path) -> None:
    with (
        run_platform(tmp_path, settings=SETTINGS) as platform,
        signing_in(browser, platform) as sign_in,
        platform.client("planner") as client,
    ):
        police, enterprise = sign_in("traffic_police"), sign_in("enterprise")
        planner, station = sign_in("planner", at="/planner?start=now"), sign_in("customs", at="/station/gates")
        mark = f'[data-testid="map-gate-{GATE}"] .ck-mark-row b'
        shown: dict[str, tuple[Locator, str]] = {
            "police, strip": (police.get_by_test_id(f"strip-{GATE}").locator(".ck-strip-big"), r"^{}$"),
            "police, map": (police.locator(mark).first, r"^{}$"),
            "enterprise, map": (enterprise.locator(mark).first, r"^{}$"),
            "planner": (planner.get_by_test_id(f"present-{GATE}"), r"hiện có {} xe trong hàng chờ"),
            "board": (station.locator(f'section[aria-labelledby="gate-{GATE}"] .ck-figure').first, r"^\s*{} xe"),
        }
        # Until there is a queue, and a moment in which it is not measured again while pages are read.
        for _ in range(ROUNDS):
            before = measured(client)
            if before is not None and before.queue_veh > 0:
                for page in (planner, station):  # maps are kept up to date by events
                    page.reload()
                try:
                    for name, (locator, text) in shown.items():
                        expect(locator, name).to_have_text(re.compile(text.format(before.queue_veh)), timeout=SOON_MS)
                except AssertionError:
                    if measured(client) == before:
                        raise
                else:
                    if measured(client) == before:
                        return
            police.wait_for_timeout(PAUSE_MS)
        raise AssertionError(f"no queue at {GATE} that stood still for a moment")
