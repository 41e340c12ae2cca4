"""A tracker's call for help, from its TCP connection to the traffic police's page, as `bin/up` starts both."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import FEW_TRUCKS, Platform, free_port, run_platform, signing_in
from tests.e2e.fresh import fresh_number, fresh_plate
from tests.ingest.terminals import frame, location

pytestmark = [pytest.mark.own_platform, pytest.mark.xdist_group("emergencies")]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Platform]:
    """A platform with a gateway for JT/T 808."""
    with run_platform(
        tmp_path_factory.mktemp("emergencies"), settings=FEW_TRUCKS | {"JT808_PORT": str(port)}
    ) as running:
        yield running


def connect(port: int) -> socket.socket:
    """A connection to the gateway, which starts once the platform is ready."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.5)


def call(port: int, phone: str, serial: int, moment: datetime, alarm: int) -> int:
    """Report once as a terminal; the result in the general reply."""
    with connect(port) as line:
        line.sendall(frame(0x0200, location(21.95, 106.7, moment=moment, alarm=alarm), phone, serial=serial))
        answer = b""
        while answer.count(b"\x7e") < 2:
            answer += line.recv(100)
    return answer[-3]


def test_the_police_see_a_call_for_help_and_say_so(guarded: Platform, browser: Browser, port: int) -> None:
    plate, number = fresh_plate(), f"138000{fresh_number():05d}"
    phone = f"0{number}"  # as the terminal writes it
    with guarded.client("administrator") as administrator:
        device = {"plate": plate, "kind": "tracker", "imei": number}
        assert call(port, phone, 0, datetime.now(UTC), 1) == 1, "nobody enrolled it yet"
        assert number in {unknown["number"] for unknown in administrator.get("/api/v1/devices/unknown").json()}
        assert administrator.post("/api/v1/devices", json=device).status_code == 201
    with signing_in(browser, guarded) as signed_in:
        page = signed_in("traffic_police")
        emergencies = page.get_by_test_id("emergencies")
        expect(emergencies).to_be_attached()
        rung = int(page.locator("#bell-count").inner_text() or 0)
        expect(emergencies).not_to_contain_text(plate)
        moment = datetime.now(UTC)
        for step in range(3):  # the alarm stands until the driver lets go
            with_alarm = moment + timedelta(seconds=step)
            deadline = time.monotonic() + 20  # who enrolled a moment ago is known to the gateway within seconds
            while call(port, phone, step, with_alarm, 1) != 0:
                assert time.monotonic() < deadline
                time.sleep(0.5)
        expect(emergencies).to_contain_text(plate)
        expect(emergencies).to_contain_text("Gọi trợ giúp khẩn cấp (SOS)")
        page.get_by_test_id("tab-orders").click()
        expect(emergencies.get_by_text(plate)).to_be_visible()  # on every tab
        wall = signed_in("traffic_police", at="/police/wall")
        expect(wall.get_by_test_id("emergencies").get_by_text(plate)).to_be_visible()
        emergencies.locator(".ck-severity", has_text=plate).get_by_test_id("emergency-truck").click()
        expect(page.get_by_test_id("truck-card")).to_contain_text(plate)
        expect(page.locator("#bell-count")).to_have_text(str(rung + 1))
        emergencies.locator(".ck-severity", has_text=plate).get_by_test_id("emergency-seen").click()
        expect(emergencies).not_to_contain_text(plate)
        page.goto(f"{guarded.url}/notifications")
        expect(page.locator("main")).to_contain_text(f"Lái xe {plate} gọi trợ giúp khẩn cấp (SOS)")
