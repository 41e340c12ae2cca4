"""The administrator's pages of tariffs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.fees import tariffs
from app.platform.runtime import Runtime

SignIn = Callable[..., TestClient]

HTML = {"accept": "text/html"}


@pytest.fixture
def administrator(sign_in: SignIn, runtime: Runtime) -> TestClient:
    with runtime.sessions() as session:
        tariffs.seed_tariffs(session, now=runtime.clock.now())
        session.commit()
    return sign_in("administrator", locale="en")


def make_draft(client: TestClient) -> dict[str, Any]:
    """The draft that the button of the list makes."""
    listed = client.get("/admin/tariffs", headers=HTML).text
    body = json.loads(html.unescape(re.search(r"data-draft='([^']+)'", listed)[1]))  # type: ignore[index]
    answer = client.post("/api/v1/tariffs", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_draft_begins_as_a_copy_in_force_from_tomorrow_on(administrator: TestClient, runtime: Runtime) -> None:
    made = make_draft(administrator)
    assert (made["version"], made["status"], made["valid_to"]) == (2, "draft", None)
    assert made["valid_from"] > runtime.clock.now().date().isoformat()
    shipped = tariffs.shipped_definitions()[0]
    assert made["rules"] == {**shipped, "version": 2, "valid_from": made["valid_from"], "valid_to": None}
    page = administrator.get(f"/admin/tariffs/{made['tariff_id']}", headers=HTML).text
    assert "data-publish" in page
    assert f'value="{made["valid_from"]}"' in page


def test_what_differs_from_the_version_before_is_shown(administrator: TestClient) -> None:
    made = make_draft(administrator)
    rules = made["rules"]
    rules["rates"][0]["amount_vnd"] = 123_456
    where = f"/api/v1/tariffs/{made['tariff_id']}"
    assert administrator.put(where, json={"rules": rules}, headers={"If-Match": '"1"'}).status_code == 200
    page = administrator.get(f"/admin/tariffs/{made['tariff_id']}", headers=HTML).text
    changes = page.split('data-testid="changes"')[1].split("</details>")[0]
    assert set(re.findall(r'<th scope="row">([^<]+)</th>', changes)) == {
        "In force from",
        f"Rates › {rules['rates'][0]['rate']} › Amount, đồng",
    }
    assert "123456" in changes


def test_a_published_version_can_be_read_not_edited(administrator: TestClient, sign_in: SignIn) -> None:
    first = administrator.get("/api/v1/tariffs").json()[0]["tariff_id"]
    page = administrator.get(f"/admin/tariffs/{first}", headers=HTML).text
    assert "<fieldset disabled>" in page
    assert "data-publish" not in page
    assert administrator.get("/admin/tariffs/999", headers=HTML).status_code == 404
    auditor = sign_in("auditor")
    assert "data-draft" not in auditor.get("/admin/tariffs", headers=HTML).text
    assert sign_in("planner").get("/admin/tariffs", headers=HTML).status_code == 403
