"""A declaration that customs' system and the register of vehicles know, and one for which customs do not answer: the
gate goes on, and all is compared when they return. The neighbours are simulated, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from geo.clock import LOCAL_ZONE
from ingest.plates import squeeze
from tests.e2e.conftest import FEW_TRUCKS, ROOT, eventually, free_port, run_platform, signing_in
from tests.e2e.fresh import fresh_customs_number, fresh_plate
from tests.e2e.test_crossing import Trip
from tests.e2e.test_taps import open_sheet

SOON_S = 120.0
BEFORE_CUSTOMS = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
)


@contextmanager
def simulated(name: str, port: int, folder: Path) -> Iterator[str]:
    """A neighbour as `cuakhau neighbour` simulates it, until the context ends; its address."""
    command = [sys.executable, "-m", "app.cli", "neighbour", name, "--port", str(port), "--data-dir", str(folder)]
    process = subprocess.Popen([*command, "--repeats", "0.5", "--shuffle"], cwd=ROOT, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    try:
        assert eventually(lambda: answers(url), within_s=SOON_S)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    """Whether a simulator is there, and says that it is one."""
    try:
        status = httpx.get(f"{url}/status", trust_env=False)
    except httpx.HTTPError:
        return False
    return bool(status.json()["simulated"])


def tell(url: str, key: str, record: dict[str, Any]) -> None:
    """Let a neighbour know something from now on."""
    httpx.put(f"{url}/records/{key}", json=record, trust_env=False).raise_for_status()


def story(state: str, channel: str) -> dict[str, Any]:
    return {"story": [{"state": state, "channel": channel, "lines": [{"number": 1, "gross_kg": 19500}]}]}


def is_done(trip: Trip) -> bool:
    return {step["step"]: step["status"] for step in trip.sheet()["steps"]}["customs"] == "done"


def says(page: Page, url: str, name: str, health: str) -> bool:
    """Whether the administrator's page says that a neighbour does so."""
    page.goto(f"{url}/admin/neighbours")
    return page.locator(f"[data-neighbour={name}][data-health={health}]").count() == 1


@pytest.mark.own_platform
def test_one_declaration_with_customs_and_the_register_and_without_them(browser: Browser, tmp_path: Path) -> None:
    ports = {"customs": free_port(), "registration": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    settings = FEW_TRUCKS | {"CUAKHAU_NEIGHBOUR_URLS": json.dumps(urls)}
    tomorrow = datetime.now(UTC).astimezone(LOCAL_ZONE).date() + timedelta(days=1)
    plate, number, other_number = fresh_plate(), fresh_customs_number(), fresh_customs_number()
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    with (
        simulated("registration", ports["registration"], there) as register,
        run_platform(here, settings=settings) as platform,
        signing_in(browser, platform) as signed_in,
    ):
        tell(register, squeeze(plate), {"inspection_expires": tomorrow.isoformat()})
        administrator = signed_in("administrator", at=None)
        with simulated("customs", ports["customs"], there) as customs_url:
            tell(customs_url, number, story("registered", "yellow"))
            trip = Trip.declared(platform, plate, customs_number=number)
            assert eventually(lambda: trip.sheet()["trip"]["channel"] == "yellow", within_s=SOON_S)
            customs = open_sheet(signed_in, "customs", "customs", trip)
            shown = customs.get_by_test_id("neighbours")
            expect(shown.locator(f"[data-customs-number='{number}']")).to_contain_text("Vàng")
            expect(shown.get_by_text("Mô phỏng").first).to_be_visible()
            expect(shown.get_by_test_id("inspection-soon")).to_contain_text(tomorrow.strftime("%d/%m/%Y"))
            expect(customs.locator("[data-channel]")).to_have_count(0)
            trip.pass_steps(*BEFORE_CUSTOMS)
            customs.reload()
            expect(customs.get_by_test_id("channel-given")).to_be_visible()
            tell(customs_url, number, story("released", "yellow"))
            assert eventually(lambda: is_done(trip), within_s=SOON_S), "customs' release confirms their step"
            assert eventually(lambda: says(administrator, platform.url, "customs", "up"), within_s=SOON_S)

        # customs' system is away: the gate goes on
        other = Trip.declared(platform, customs_number=other_number)
        assert eventually(lambda: says(administrator, platform.url, "customs", "down"), within_s=SOON_S, every_s=1.0)
        other.pass_steps(*BEFORE_CUSTOMS)
        customs = open_sheet(signed_in, "customs", "customs", other)
        expect(customs.get_by_test_id("neighbour-away")).to_be_visible()
        customs.locator("[data-channel-reason]").fill("VNACCS không trả lời, đã xem tờ khai giấy")
        customs.locator("[data-channel=green]").click()
        expect(customs.locator(".st-sheet[data-state*='customs:done']")).to_be_visible()
        assert is_done(other)

        # it returns, and says otherwise
        with simulated("customs", ports["customs"], there) as customs_url:
            tell(customs_url, other_number, story("registered", "red"))
            assert eventually(lambda: says(administrator, platform.url, "customs", "up"), within_s=SOON_S, every_s=1.0)
            difference = administrator.get_by_test_id("difference").filter(has_text=other_number)
            assert eventually(
                lambda: says(administrator, platform.url, "customs", "up") and difference.count() == 1,
                within_s=SOON_S,
                every_s=1.0,
            )
            expect(difference).to_contain_text("ở đây Xanh, bên kia Đỏ")
            difference.get_by_role("textbox").fill("Đã kiểm hóa bổ sung, hồ sơ giấy đủ")
            difference.get_by_role("button").click()
            expect(difference).to_have_attribute("data-open", "no")
            expect(administrator.locator("#exports")).to_be_visible()  # a part that comes from another page
            expect(administrator).to_have_title("Hệ thống kết nối · Cửa Khẩu Số")
            expect(difference).to_contain_text("kiểm hóa bổ sung")
            assert other.sheet()["neighbours"]["declarations"][0]["channel"] == "red"
