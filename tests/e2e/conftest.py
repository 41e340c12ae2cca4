"""The whole platform, started as a person starts it, and a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[2]
READY_S = 180.0
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}


@dataclass(frozen=True)
class Platform:
    """A running platform and the accounts of its demonstration."""

    url: str
    data_dir: Path
    accounts: dict[str, dict[str, str]]
    ready_after_s: float

    def client(self, role: str | None = None) -> httpx.Client:
        """An HTTP client, signed in as `role` if given."""
        headers = {"Authorization": f"Bearer {self.token(role)}"} if role else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)

    def token(self, role: str) -> str:
        """A bearer token of the demo account of `role`."""
        answer = httpx.post(f"{self.url}/api/v1/tokens", data=self.accounts[role], timeout=20)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`cuakhau up` with the demo day on servers of its own; everything it started must end with it."""
    data_dir = tmp_path_factory.mktemp("platform")
    port = _free_port()
    environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "app.cli", "up", "--port", str(port), "--data-dir", str(data_dir)]
    started = time.monotonic()
    log = (data_dir / "up.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _await_ready(process, url, data_dir)
        accounts = json.loads((data_dir / "demo-accounts.json").read_text())
        yield Platform(url, data_dir, accounts, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
    left = _processes_naming(str(data_dir))
    assert not left, f"left behind: {left}"


def _await_ready(process: subprocess.Popen[bytes], url: str, data_dir: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (data_dir / "up.log").read_text()
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not ready after {READY_S} s: {(data_dir / 'up.log').read_text()}")


def _processes_naming(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(command)
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


SignedIn = Callable[..., Page]


@pytest.fixture
def signed_in(browser: Browser, platform: Platform) -> Iterator[SignedIn]:
    """A function `signed_in(role, phone=False, **context) -> Page`: a browser of its own, signed in by the form.

    `account` is another than the demonstration's account of the role.

    A page that logs an error or throws one fails the test.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(role: str, *, phone: bool = False, account: dict[str, str] | None = None, **options: Any) -> Page:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP, is_mobile=phone, has_touch=phone, locale="vi-VN", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{role}: {error}"))
        account = account or platform.accounts[role]
        page.goto(f"{platform.url}/signin")
        page.fill("input[name=username]", account["username"])
        page.fill("input[name=password]", account["password"])
        page.locator("main form button[type=submit]").first.click()
        page.wait_for_url(lambda url: "/signin" not in url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, problems
