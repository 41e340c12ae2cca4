"""The first five minutes on an empty machine: a link, an administrator, people, a tracker, the first truck."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PHONE, ROOT, TRUST, Platform, run_platform

PASSWORD = "correct horse battery staple"


@pytest.mark.own_platform
def test_from_an_empty_machine_to_the_first_truck(browser: Browser, tmp_path: Path) -> None:
    with run_platform(tmp_path, "--no-demo") as platform:
        context = browser.new_context(locale="vi-VN", viewport=PHONE)
        page = context.new_page()
        page.goto(link_of(platform))
        for label, value in (
            ("Họ và tên của bạn", "Trần Thị Chỉ Huy"),
            ("Tên đăng nhập", "chi.huy"),
            ("Nhập lại mật khẩu", PASSWORD),
        ):
            page.get_by_label(label).fill(value)
        page.get_by_label("Mật khẩu ít nhất 12 ký tự").fill(PASSWORD)
        page.get_by_role("button", name="Trở thành quản trị viên").click()
        page.get_by_text("Không quét được bằng camera").click()
        page.get_by_label("Mã của ứng dụng").fill(code_of(page.locator(".ck-key").inner_text()))
        page.get_by_role("button", name="Thêm ứng dụng").click()
        recovery_code = page.locator(".ck-codes code").first.inner_text()
        page.get_by_role("button", name="Tôi đã cất giữ").click()
        page.get_by_role("button", name="Tôi đã đọc và đồng ý").click()
        expect(page.get_by_role("heading", name="Các bước đầu tiên")).to_be_visible()
        assert done(page) == []
        page.get_by_role("link", name="Hữu Nghị").click()
        page.locator("button[value=publish]").click()
        expect(page.locator(".ck-severity-ok")).to_be_visible()
        make_by_command(tmp_path, "canh.sat", "traffic_police")
        make_by_command(tmp_path, "ke.hoach", "planner")
        report_a_truck(platform, recovery_code)
        page.goto(f"{platform.url}/admin/first-steps")
        expect(page.get_by_test_id("step-1")).not_to_contain_text("Hữu Nghị")
        expect(page.get_by_test_id("step-3")).not_to_contain_text("Cảnh sát giao thông")
        assert done(page) == ["5", "6"]
        context.close()
        with httpx.Client(base_url=platform.url, verify=TRUST) as client:
            assert client.get(link_of(platform)).status_code == 404


def link_of(platform: Platform) -> str:
    """The link that `cuakhau up` printed."""
    log = platform.data_dir / "up.log"
    deadline = time.monotonic() + 20
    while (found := re.search(r"http://\S+/first-administrator/\w+", log.read_text())) is None:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found.group()


def done(page: Page) -> list[str]:
    steps = page.locator("[data-done=yes]").all()
    return [(step.get_attribute("data-testid") or "").removeprefix("step-") for step in steps]


def make_by_command(data_dir: Path, name: str, role: str) -> None:
    """As the operator does it, from another terminal."""
    command = [sys.executable, "-m", "app.cli", "user", "create", name, "--role", role, "--data-dir", str(data_dir)]
    command.append("--own-password")
    made = subprocess.run(command, cwd=ROOT, input=f"{PASSWORD}\n", capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def code_of(secret: str) -> str:
    """The code that an authenticator app shows now."""
    return pyotp.TOTP(re.sub(r"\s", "", secret)).now()


def sign_in_at_first(client: httpx.Client, name: str) -> None:
    """The first sign-in of somebody whose role needs a second factor: an app is added."""
    assert (
        client.post("/signin", data={"username": name, "password": PASSWORD}).headers["location"] == "/signin/enrolment"
    )
    secret = re.search(r'class="ck-key">([^<]+)<', client.get("/signin/enrolment").text)
    assert secret
    assert client.post("/signin/enrolment", data={"code": code_of(secret[1])}).status_code == 200
    assert client.post("/signin/finish").status_code == 303


def report_a_truck(platform: Platform, recovery_code: str) -> None:
    """The administrator enrols a tracker; it reports, and its truck is there."""
    with httpx.Client(base_url=platform.url, verify=TRUST, timeout=60) as client:
        form = {"username": "chi.huy", "password": PASSWORD, "code": recovery_code}
        token = client.post("/api/v1/tokens", data=form).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        enrolled = client.post("/api/v1/devices", json={"plate": "29C-123.45", "kind": "tracker"})
        assert enrolled.status_code == 201, enrolled.text
        fix = {"id": enrolled.json()["device_id"], "lat": "21.9", "lon": "106.7", "speed": "10"}
        now = datetime.now(UTC).isoformat()
        assert client.get("/gps/osmand", params=fix | {"timestamp": now}).status_code == 200
        deadline = time.monotonic() + 20
        del client.headers["Authorization"]
        sign_in_at_first(client, "canh.sat")
        while not client.get("/api/v1/positions").json()["features"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
