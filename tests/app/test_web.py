"""The frame of the pages: security headers, languages, errors, static files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from babel.messages.extract import extract_from_dir
from fastapi import Request
from fastapi.testclient import TestClient

from app.bootstrap import web
from app.platform.permissions import PERMISSIONS, Role
from app.transshipments.vocabulary import TransshipmentStatus
from app.web import i18n
from app.web.assets import Assets
from app.web.headers import content_security_policy
from app.web.i18n import (
    choose_language,
    format_duration,
    format_exactly,
    format_km,
    format_number,
    format_time,
    load_catalogues,
)
from app.web.pages import lead_on
from geo.clock import parse_time

APP = Path(i18n.__file__).parents[1]
HTML = {"accept": "text/html"}
MAX_FIRST_SHEET_BYTES = 20_000
"""Packed, as it goes over the line."""


def test_every_answer_carries_the_security_headers(client):
    for path in ("/signin", "/healthz", "/api/v1/me", "/static/theme.css", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin"
        assert "geolocation=(self)" in headers["permissions-policy"]
        policy = headers["content-security-policy"]
        assert "script-src 'self' 'sha256-" in policy
        assert "object-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-inline'" not in re.search(r"script-src [^;]*", policy)[0]
        assert "unsafe-eval" not in policy


def test_the_policy_knows_the_scripts_within_the_page_and_no_others(client):
    answer = client.get("/signin")
    allowed = re.findall(r"'sha256-([^']+)'", answer.headers["content-security-policy"])
    within = re.findall(r"<script(?: type=\"importmap\")?>(.*?)</script>", answer.text, re.DOTALL)
    assert len(within) == 2
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in within)
    assert set(allowed) == set(digests)


def test_a_page_waits_for_a_single_sheet_before_it_is_drawn(client, sign_in):
    for asking, path in ((client, "/signin"), (client, "/board"), (sign_in("planner"), "/planner")):
        page = asking.get(path, headers=HTML).text
        head = page[: page.index("</head>")]
        sheets = [tag for tag in re.findall(r'<link rel="stylesheet"[^>]*>', head)]
        assert len(sheets) == 1, path
        assert not re.findall(r"<script (?:src|type=\"module\")", page), path
        answer = asking.get(re.search(r'href="([^"]+)"', sheets[0])[1])
        assert "immutable" in answer.headers["cache-control"]
        assert len(gzip.compress(answer.content, 3)) < MAX_FIRST_SHEET_BYTES, path
        assert ".ck-navbar" in answer.text
        assert "@font-face" in answer.text


@pytest.mark.parametrize("path", ["/signin", "/board", "/board/huu-nghi"])
def test_a_page_brings_its_sheet_to_who_has_not_kept_it_and_to_nobody_else(client, path):
    opened = HTML | {"Sec-Fetch-Dest": "document"}
    first = client.get(path, headers=opened)
    assert '<link rel="stylesheet"' not in first.text
    brought = re.search(r'<style data-sheet="([^"]+)" data-key="([^"]+)">(.*?)</style>', first.text, re.DOTALL)
    url, key, rules = brought.groups()
    assert rules == client.get(url).text, "the same rules"
    digest = base64.b64encode(hashlib.sha256(rules.encode()).digest()).decode()
    policy = first.headers["content-security-policy"]
    assert f"style-src 'self' 'sha256-{digest}';" in policy
    named = f'<link rel="stylesheet" href="{url}">'
    asked = (
        opened | {"Cookie": f"sheets=0011aabb.{key}"},
        HTML | {"Sec-Fetch-Dest": "empty"},  # a script takes a part out of it
        HTML,
    )
    for headers in asked:
        again = client.get(path, headers=headers)
        assert named in again.text, headers
        assert "<style" not in again.text, headers
        assert "style-src 'self';" in again.headers["content-security-policy"]
        assert re.search("script-src[^;]*", policy)[0] in again.headers["content-security-policy"]
    other = client.get(path, headers=opened | {"Cookie": "sheets=0011aabb"})
    assert rules in other.text, "another page's sheet is not this one's"


def test_files_of_ours_are_kept_under_their_release_alone(client):
    named = re.search(r'src="(/static/(r-[0-9a-f]{16})/app\.js)"', client.get("/signin").text)
    kept, other, plain = (client.get(path) for path in (named[1], "/static/r-0123/app.js", "/static/app.js"))
    assert kept.content == other.content == plain.content
    assert "immutable" in kept.headers["cache-control"]
    assert other.headers["cache-control"] == plain.headers["cache-control"] == "no-cache"
    missing = client.get(f"/static/{named[2]}/nothing.js")
    assert missing.status_code == 404
    assert "immutable" not in missing.headers.get("cache-control", "")
    changing = Assets.load(are_changing=True)
    assert changing.own("app.js") == "/static/app.js"
    assert named[2] not in changing.import_map()


def test_a_configured_base_map_may_be_asked(client):
    policy = content_security_policy(["https://tile.example"])
    assert "img-src 'self' data: blob: https://tile.example;" in policy
    assert "connect-src 'self' https://tile.example;" in policy
    assert "example" not in content_security_policy()


def test_no_template_has_an_inline_script_or_handler():
    for path in APP.glob("*/templates/*.html"):
        source = path.read_text(encoding="utf-8")
        for tag in re.findall(r"<script\b[^>]*>", source):
            is_known = f"{tag}{{{{ first_script }}}}</script>" in source
            assert "src=" in tag or "application/json" in tag or "importmap" in tag or is_known, f"{path.name}: {tag}"
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.DOTALL)
        for tag in re.findall(r"<[a-z][^<>]*>", bare):
            assert not re.search(r"\son[a-z]+=", tag), f"{path.name}: {tag}"
        assert "javascript:" not in source, path.name


def test_everything_in_the_import_map_is_there(client):
    source = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', client.get("/signin").text)[1]
    imports = json.loads(source)["imports"]
    assert {"lit", "lit/", "maplibre-gl", "echarts"} <= set(imports)
    for name, address in imports.items():
        if not name.endswith("/"):
            answer = client.get(address)
            assert answer.status_code == 200, address
            assert "javascript" in answer.headers["content-type"]
            assert "immutable" in answer.headers["cache-control"]


ON_MAPS_ALONE = {"maplibre-gl", "echarts-full"}
"""Modules that only pages with a map ask for."""
MAX_SCRIPT_BYTES = 300_000
"""Packed, as it goes over the line (`SelectiveGZip`)."""


def test_no_script_outside_the_map_is_large(client):
    sign_in = client.get("/signin").text
    imports = json.loads(re.search(r'<script type="importmap"[^>]*>(.*?)</script>', sign_in)[1])["imports"]
    modules = {name: address for name, address in imports.items() if not name.endswith("/")}
    sources = [path.read_text(encoding="utf-8") for path in APP.glob("*/templates/*.html")]
    assets = Assets.load()
    named = {
        assets.vendor(package, file)
        for source in sources
        for package, file in re.findall(r"vendor\(['\"]([\w-]+)['\"], ['\"]([^'\"]+\.m?js)['\"]\)", source)
    }
    assert len(named) >= 2
    for address in named | {address for name, address in modules.items() if name not in ON_MAPS_ALONE}:
        assert len(gzip.compress(client.get(address).content, 3)) < MAX_SCRIPT_BYTES, address
    for path in APP.glob("*/static/**/*.js"):
        source = path.read_text(encoding="utf-8")
        assert len(source.encode()) < MAX_SCRIPT_BYTES, path
        asked = set(re.findall(r'(?:from|import\()\s*"([\w-]+)"', source)) & ON_MAPS_ALONE
        of_maps = path.name in ("live-map.js", "marks.js", "space-time.js") or "map/live-map.js" in source
        assert not asked or of_maps, f"{path} asks for {asked}"


def test_everything_the_sign_in_page_names_is_there(client):
    page = client.get("/signin").text
    for address in set(re.findall(r'(?:src|href)="(/(?:static|vendor)/[^"]+)"', page)):
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("path", ["/vendor/lit-3.3.3/package.json", "/static/../pages.py", "/vendor/lit-3.3.3/../etc"])
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("account", "cookie", "accept", "language"),
    [
        (None, None, "", "vi"),
        (None, None, "en-GB,en;q=0.9,vi;q=0.8", "en"),
        (None, None, "fr,zh-CN;q=0.5,en;q=0.4", "zh"),
        (None, "zh", "en", "zh"),
        ("en", "zh", "vi", "en"),
        ("xx", "xx", "fr;q=x", "vi"),
    ],
)
def test_the_language_is_chosen(account, cookie, accept, language):
    assert choose_language(account, cookie, accept) == language


def test_formats_are_local():
    moment = parse_time("2026-03-02T03:04:00Z")
    assert format_time(moment, "vi") == "10:04 02/03"
    assert format_number(12345.6, "vi", 1) == "12.345,6"
    assert format_number(12345.6, "en", 1) == "12,345.6"
    assert format_number(10**30, "vi") == "1" + ".000" * 10
    assert format_number(-(10**4000), "en", 1) == "-10" + ",000" * 1333 + ".0"
    assert len(format_exactly(1e308, "vi")) > 308
    assert (format_number(float("inf"), "vi"), format_exactly(float("nan"), "vi")) == ("∞", "NaN")
    assert format_number(-0.2, "vi") == "0"
    assert format_number(-0.2, "vi", 1) == "-0,2"
    assert format_km(6540.0, "vi") == "6,5 km"
    catalogues = load_catalogues()
    assert format_duration(4800, catalogues["vi"]) == "1 giờ 20 phút"
    assert format_duration(4800, catalogues["en"]) == "1 h 20 min"
    assert format_duration(59 * 60 + 40, catalogues["en"]) == "1 h 00 min"
    assert format_duration((47 * 60 + 59) * 60, catalogues["en"]) == "47 h 59 min"
    assert format_duration((74 * 60 + 29) * 60, catalogues["vi"]) == "3 ngày 2 giờ"
    assert format_duration(None, catalogues["en"]) == "–"


@pytest.fixture(scope="module")
def messages() -> dict[str, set[str]]:
    """Every message of the templates and of Python marked with N_, with the files it is in."""
    found: dict[str, set[str]] = {}
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    options = {"**.html": {"newstyle_gettext": "true", "trimmed": "false", "extensions": "jinja2.ext.do"}}
    for directory, method in ((APP, [("**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]),):
        for file, _, message, *_ in extract_from_dir(directory, method, options, keywords=keywords):
            for form in [message] if isinstance(message, str) else message[:1]:
                found.setdefault(form, set()).add(file)
    return found


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_every_message_is_translated(messages, language):
    catalogue = load_catalogues()[language]
    known = {key[0] if isinstance(key, tuple) else key for key, value in catalogue._catalog.items() if value}
    missing = {message: sorted(files) for message, files in messages.items() if message not in known}
    assert not missing


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_translations_keep_the_placeholders(language):
    pattern = re.compile(r"%\(\w+\)|\{\w+\}")
    for message, translation in load_catalogues()[language]._catalog.items():
        if isinstance(message, str) and message:
            assert set(pattern.findall(message)) == set(pattern.findall(translation)), message


def test_pages_speak_the_language_asked_for(client):
    assert "Đăng nhập" in client.get("/signin").text
    page = client.get("/signin", headers={"accept-language": "zh-CN"}).text
    assert '<html lang="zh">' in page
    assert "登录" in page


def test_the_language_is_remembered_without_signing_in(client):
    client.post("/language", data={"language": "en", "next": "/signin"})
    assert '<html lang="en">' in client.get("/signin").text


def test_errors_are_pages_to_browsers_and_problems_to_programs(client, sign_in):
    page = client.get("/nowhere", headers=HTML)
    assert page.status_code == 404
    assert "Không tìm thấy" in page.text
    problem = client.get("/api/v1/nowhere", headers=HTML)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == 404
    refused = sign_in("driver").get("/admin", headers=HTML)
    assert refused.status_code == 403
    assert "Không được phép" in refused.text
    assert "accounts.read" not in refused.text  # what programs call it


def test_who_is_not_signed_in_is_led_to_sign_in_and_back(client):
    answer = client.get("/audit", headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=/audit"
    assert 'name="next" value="/audit"' in client.get("/audit", headers=HTML).text


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_start_page_it_may_see(role, sign_in):
    pages = {
        "/police": "pages.police",
        "/driver": "pages.driver",
        "/enterprise": "pages.enterprise",
        "/planner": "pages.planner",
        "/yard": "pages.yard",
        "/station": "pages.station",
        "/support": "pages.support",
        "/admin": "accounts.read",
        "/audit": "audit.read",
    }
    assert role in PERMISSIONS[pages[role.home_page]]
    if role.home_page == "/station":
        answer = sign_in(role, gate_id="huu-nghi").get("/", headers=HTML)
        assert answer.url.path == "/station"
        assert answer.status_code == 200
        assert "Hữu Nghị" in answer.text


def test_pages_tell_that_the_data_is_simulated(client, runtime):
    assert "Dữ liệu mô phỏng" in client.get("/signin").text
    runtime.settings.demo = False
    assert "Dữ liệu mô phỏng" not in client.get("/signin").text


def test_text_from_people_is_escaped(sign_in):
    admin = sign_in("administrator")
    admin.post("/api/v1/organisations", json={"name": "<script>alert(1)</script>", "kind": "yard"})
    page = admin.get("/admin/organisations").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_large_answers_and_pages_are_compressed(client):
    headers = {"accept-encoding": "gzip", "accept": "text/html"}
    assert client.get("/static/theme.css", headers=headers).headers["content-encoding"] == "gzip"
    assert client.get("/signin", headers=headers).headers["content-encoding"] == "gzip"


def test_the_openapi_document_says_how_to_sign_in(client):
    document = client.get("/api/v1/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"token", "session"}
    assert "/api/v1/events" in document["paths"]
    assert "/signin" not in document["paths"]


def test_a_fault_of_ours_is_told_without_its_inside(sign_in, monkeypatch):
    def fail(*_arguments, **_named):
        raise RuntimeError("the inside")

    auditor = sign_in("auditor")
    monkeypatch.setattr("app.platform.audit_store.search_audit", fail)
    outside = TestClient(auditor.app, raise_server_exceptions=False, headers=auditor.headers)
    answer = outside.get("/api/v1/audit")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    page = outside.get("/audit", headers=HTML)
    assert page.status_code == 500
    assert "thử lại" in page.text
    assert "the inside" not in answer.text + page.text


def test_a_fault_of_ours_is_answered_like_everything_else_and_tells_nothing_of_itself(runtime):
    app = web(runtime)

    @app.get("/broken")
    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("the secret inside")

    with TestClient(app, raise_server_exceptions=False) as client:
        page = client.get("/broken", headers={"Accept": "text/html", "Accept-Language": "vi"})
        answer = client.get("/api/v1/broken")
    assert (page.status_code, answer.status_code) == (500, 500)
    assert "Có lỗi từ phía hệ thống" in page.text
    assert answer.json()["title"] == "Internal error"
    for shown in (page, answer):
        assert "the secret inside" not in shown.text
        assert "default-src 'self'" in shown.headers["Content-Security-Policy"]
        assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_refusals_name_steps_states_and_places_as_people_do(client, sign_in):
    pages, request = client.app.state.pages, Request({"type": "http", "headers": [(b"accept-language", b"vi")]})
    request.scope["app"] = client.app
    said = pages.say_values(
        request,
        {
            "step": "barrier_1",
            "steps": "quarantine_plant, fee",
            "stage": "queued",
            "status": TransshipmentStatus.APPROVED,
            "gate": "huu-nghi",
            "field": "barrier_1",
            "hours": 3,
            "step_written": "queued",
        },
    )
    assert said == {
        "step": "Barie số 1",
        "steps": "Kiểm dịch thực vật, Phí",
        "stage": "Đang xếp hàng",
        "status": "Đã duyệt, chờ bến bãi",
        "gate": "Cửa khẩu Hữu Nghị",
        "field": "barrier_1",
        "hours": 3,
        "step_written": "queued",
    }


def test_what_a_form_did_is_said_on_the_page_that_it_leads_to(client):
    request = Request({"type": "http", "headers": [(b"accept-language", b"vi")], "scheme": "http", "path": "/"})
    request.scope["app"] = client.app
    answer = lead_on(request, "/support", "Noted: the truck left undeclared.")
    assert (answer.status_code, answer.headers["location"]) == (303, "/support")
    cookie = answer.headers["set-cookie"]
    assert unquote(cookie.split("=", 1)[1].split(";")[0]) == "Đã ghi nhận: xe rời đi khi chưa khai báo."
    assert "Max-Age=60" in cookie
    assert "SameSite=lax" in cookie
