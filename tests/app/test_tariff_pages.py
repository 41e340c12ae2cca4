"""The administrator's pages of tariffs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.fees import tariffs
from app.platform.runtime import Runtime
from tests.app.stationing import Gate

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
    assert "123,456" in changes


def test_a_published_version_can_be_read_not_edited(administrator: TestClient, sign_in: SignIn) -> None:
    first = administrator.get("/api/v1/tariffs").json()[0]["tariff_id"]
    page = administrator.get(f"/admin/tariffs/{first}", headers=HTML).text
    assert "<fieldset disabled>" in page
    assert "data-publish" not in page
    assert administrator.get("/admin/tariffs/999", headers=HTML).status_code == 404
    auditor = sign_in("auditor")
    assert "data-draft" not in auditor.get("/admin/tariffs", headers=HTML).text
    assert sign_in("planner").get("/admin/tariffs", headers=HTML).status_code == 403


def save(client: TestClient, draft: dict[str, Any], **rules: Any) -> Response:
    """Change rules of a draft that nobody has saved yet."""
    body = {"rules": {**draft["rules"], **rules}}
    return client.put(f"/api/v1/tariffs/{draft['tariff_id']}", json=body, headers={"If-Match": '"1"'})


def flat_rate(amount_vnd: int, **when: Any) -> dict[str, Any]:
    label = {"vi": "Mọi lô hàng", "en": "Every load", "zh": "所有货载"}
    return {"rate": "flat", "label": label, "amount_vnd": amount_vnd, "when": when}


def test_a_draft_is_tried_on_todays_fees_and_nothing_is_changed(
    administrator: TestClient, runtime: Runtime, sign_in: SignIn
) -> None:
    gate = Gate.open(runtime, sign_in)
    gate.declare("29C-123.45")
    draft = make_draft(administrator)
    where = f"/admin/tariffs/{draft['tariff_id']}"
    assert f'hx-get="{where}/trial"' in administrator.get(where, headers=HTML).text
    same = administrator.get(f"{where}/trial").text
    assert "1 fee is open or of today." in same
    assert "Of 0 of them the draft says otherwise." in same
    collectors = [{"collector": "tax", "when": {}}]
    assert save(administrator, draft, rates=[flat_rate(300_000)], factors=[], routing=collectors).status_code == 200
    other = administrator.get(f"{where}/trial").text
    assert "Of 1 of them the draft says otherwise." in other
    assert "29C-123.45" in other
    assert "300,000" in other
    assert "1 would be collected by another office." in other
    with runtime.sessions() as session:
        amount_vnd, collector = session.execute(text("SELECT amount_vnd, collector FROM app.fee")).one()
    assert (amount_vnd, collector) == (None, "gate_management")


def test_time_in_the_gate_area_is_counted_by_fields_and_not_asked_for_uncounted(administrator: TestClient) -> None:
    draft = make_draft(administrator)
    where = f"/admin/tariffs/{draft['tariff_id']}"
    assert 'name="free_h"' in administrator.get(where, headers=HTML).text
    longer = [
        flat_rate(500_000, storage_h={"from": 1}),
        {**flat_rate(100_000, storage_h={"below": 1}), "rate": "short"},
    ]
    refused = save(administrator, draft, rates=longer)
    assert (refused.status_code, refused.json()["field"]) == (422, "storage")
    storage = {"free_h": 24, "frozen_by": ["customs_system"]}
    assert save(administrator, draft, rates=longer, storage=storage).status_code == 200
    page = administrator.get(where, headers=HTML).text
    assert re.search(r'name="free_h"[^>]* value="24"|value="24"[^>]* name="free_h"', page)
    assert re.search(r'value="customs_system" checked', page)
