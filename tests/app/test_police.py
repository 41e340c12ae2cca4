"""The traffic police's page: for them alone, in three languages, with every part in place."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from html import unescape

import pytest

from app.platform.permissions import PERMISSIONS, Role
from app.web.i18n import load_catalogues
from geo.clock import FixedClock, ScaledClock, speed_of
from tests.conftest import SignIn

PARTS = ("police-strip", "police-map", "police-situation", "police-composer", "police-orders", "police-timeline")
PAGE = {"Accept": "text/html"}


def test_page_has_its_parts(sign_in: SignIn) -> None:
    answer = sign_in("traffic_police").get("/police", headers=PAGE)
    assert answer.status_code == 200
    for part in PARTS:
        assert f'id="{part}"' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    for script in re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy, "the policy refuses what it does not know"
    assert not re.search(r"\son\w+=", answer.text)


@pytest.mark.parametrize("role", [role for role in Role if role not in PERMISSIONS["pages.police"]])
def test_page_is_for_the_police_alone(sign_in: SignIn, role: Role) -> None:
    bound = {"gate_id": "huu-nghi"} if PERMISSIONS["positions.read"].get(role) == "own_gate" else {}
    assert sign_in(role, **bound).get("/police", headers=PAGE).status_code == 403


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_every_text_of_the_scripts_is_translated(sign_in: SignIn, language: str) -> None:
    page = sign_in("traffic_police").get("/police", headers=PAGE | {"Cookie": "language=en"}).text
    (strings,) = re.findall(r'<script type="application/json" id="strings">(.*?)</script>', page, re.DOTALL)
    catalogue = load_catalogues()[language]
    missing = [text for text in json.loads(unescape(strings)) if catalogue.gettext(text) == text]
    assert not missing


def test_choices_of_the_composer_are_in_the_page(sign_in: SignIn) -> None:
    page = sign_in("traffic_police").get("/police", headers=PAGE).text
    (data,) = re.findall(r'<script type="application/json" id="police-data">(.*?)</script>', page, re.DOTALL)
    choices = json.loads(data)
    assert "fresh_fruit" in choices["goods"]
    assert set(choices["regimes"]) >= {"export", "import", "transit"}


def test_the_page_brings_the_platforms_clock(sign_in: SignIn, clock: FixedClock) -> None:
    page = sign_in("traffic_police").get("/police", headers=PAGE).text
    (data,) = re.findall(r'<script type="application/json" id="police-data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["clock"] == {"now_ms": clock.now().timestamp() * 1000, "speed": 1.0}
    scaled = ScaledClock(datetime.now(UTC), 10.0)
    assert speed_of(scaled) == 10.0
