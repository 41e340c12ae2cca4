"""Answers to persons are kept by nobody, the policy lets nothing inline in, foreign hosts are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from app.equipment.config_secrets import HIDDEN
from app.settings import Settings
from app.web.headers import content_security_policy
from app.web.hosts import host_of, known_hosts
from tests.conftest import SignIn

ROOT = Path(__file__).parents[2]


def settings_of(**values: object) -> Settings:
    return Settings(demo=True, **values)  # type: ignore[arg-type]


def test_nothing_inline_is_let_in() -> None:
    assert "unsafe" not in content_security_policy("https://tile.example/{z}/{x}/{y}.png")


def test_our_own_markup_has_no_inline_style() -> None:
    """What the policy would refuse: style attributes and elements, in templates and in text that scripts write.

    The sheet that a page brings on a first visit is known to its policy.
    """
    written = re.compile(r"<style(?! data-sheet=)|[\s\"'`]style=|setAttribute\(.style")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:80]}"
        for folder in ("app", "maps/static")
        for suffix in ("*.html", "*.js")
        for path in sorted((ROOT / folder).rglob(suffix))
        for line in path.read_text("utf-8").splitlines()
        if written.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("address", ["/account", "/api/v1/me", "/api/v1/notifications", "/enterprise"])
def test_answers_to_persons_are_not_kept(sign_in: SignIn, address: str) -> None:
    answer = sign_in("enterprise").get(address, follow_redirects=False)
    assert answer.headers["cache-control"] == "no-store", answer.status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "a/b", "[::1"]
)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/signin", headers={"Host": host})
    assert answer.status_code == 421
    assert "evil" not in answer.headers.get("link", "")
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1", "testserver"])
def test_the_machines_own_names_are_known(client: TestClient, host: str) -> None:
    assert client.get("/signin", headers={"Host": host}).status_code == 200


def test_hosts_follow_from_the_public_url_and_the_setting() -> None:
    names = known_hosts(
        settings_of(public_url="https://CuaKhau.example:8443/x", allowed_hosts=" a.example , B.example")
    )
    assert {"cuakhau.example", "a.example", "b.example", "localhost", "127.0.0.1", "::1"} <= names
    assert host_of("CuaKhau.example.:8443") == "cuakhau.example"


def test_cookies_are_secure_under_https() -> None:
    assert settings_of(public_url="https://cuakhau.example").cookies_secure
    assert not settings_of(public_url="http://cuakhau.example").cookies_secure
    assert settings_of(cookies_secure=True).cookies_secure


def test_security_txt_has_what_rfc_9116_wants(client: TestClient) -> None:
    answer = client.get("/.well-known/security.txt")
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert answer.headers["content-type"].startswith("text/plain")
    assert fields["Contact"] == "mailto:security@testserver"
    expires = datetime.fromisoformat(fields["Expires"])
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert timedelta(days=30) < expires - now < timedelta(days=365)
    assert client.get("/security.txt", follow_redirects=False).headers["location"] == "/.well-known/security.txt"


@pytest.fixture
def barrier() -> dict[str, object]:
    return {
        "kind": "barrier",
        "name": "Barrier",
        "vendor": "http",
        "gate_id": "huu-nghi",
        "station": "barrier_1",
        "config": {"url": "http://root:hunter2@10.0.0.8/open"},
    }


def test_a_barriers_password_is_shown_to_nobody(sign_in: SignIn, barrier: dict[str, object]) -> None:
    administrator, auditor = sign_in("administrator"), sign_in("auditor")
    made = administrator.post("/api/v1/equipment", json=barrier)
    assert made.status_code == 201, made.text
    device = made.json()
    path, version = f"/api/v1/equipment/{device['equipment_id']}", {"If-Match": made.headers.get("etag", '"1"')}
    changed = administrator.patch(path, json={"config": {"url": f"http://{HIDDEN}@10.0.0.9/open"}}, headers=version)
    assert changed.status_code == 422, changed.text
    kept = administrator.patch(path, json={"config": device["config"], "name": "B"}, headers=version)
    assert kept.status_code == 200, kept.text
    log = auditor.get("/api/v1/audit", params={"limit": 100})
    pages = [administrator.get(path), administrator.get("/equipment"), log]
    assert [page.status_code for page in pages] == [200] * 3
    assert not any("hunter2" in page.text for page in [made, kept, *pages])


SAFE = {
    "app/fees/templates/pieces.html": "the drawing of a code, made by segno from a payload of ours",
    "app/stations/static/station.js": "a fragment that the server rendered, escaped there",
    "app/web/pages.py": "JSON inside script elements, escaped there; the import map, our own constant",
}
"""Where text may be marked as safe, and why it is."""


def marked_safe() -> Iterator[str]:
    marks = re.compile(
        r"\|\s*safe\b|\bMarkup[(.]|autoescape\s+false|autoescape\s*=\s*False|__html__|unsafeHTML|innerHTML\s*="
    )
    for folder in ("app", "maps"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".html", ".py", ".js") and marks.search(path.read_text("utf-8")):
                yield str(path.relative_to(ROOT))


def test_text_is_marked_safe_in_few_places() -> None:
    assert set(marked_safe()) == set(SAFE)


def test_who_was_refused_is_in_the_log(sign_in: SignIn, client: TestClient) -> None:
    driver = sign_in("driver")
    with capture_logs() as logged:
        assert driver.get("/api/v1/accounts?q=secret").status_code == 403
        assert driver.get("/api/v1/me").status_code == 200
        assert client.get("/api/v1/accounts").status_code == 401
    told = [(line["path"], line["status"], line.get("account_id")) for line in logged if line["event"] == "request"]
    assert told == [
        ("/api/v1/accounts", 403, driver.account_id),  # type: ignore[attr-defined]
        ("/api/v1/me", 200, None),
        ("/api/v1/accounts", 401, None),
    ]
