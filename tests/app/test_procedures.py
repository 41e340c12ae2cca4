"""Administrators draft, check and publish procedures, over the API and on their pages."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from tests.app.declaring import declaration_line
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
KEY = {"gate_id": "tan-thanh", "direction": "import", "regime": "transit"}


@pytest.fixture
def administrator(sign_in: SignIn) -> TestClient:
    return sign_in("administrator", locale="en")


def draft(administrator: TestClient, **changes: Any) -> dict[str, Any]:
    made = administrator.post("/api/v1/procedures", json={**KEY, **changes})
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_the_shipped_procedures_are_in_force(administrator: TestClient) -> None:
    items = administrator.get("/api/v1/procedures").json()["items"]
    assert len(items) == 10
    assert {(item["status"], item["gate_id"]) for item in items} == {("published", "*")}, "each holds for every gate"
    assert administrator.get("/api/v1/procedures").json()["items"] == items, "asked twice, made once"


def test_a_draft_is_a_copy_that_can_be_wrong_but_not_published(administrator: TestClient, runtime: Runtime) -> None:
    made = draft(administrator)
    assert (made["version"], made["status"], made["problems"]) == (1, "draft", []), "the gate's first own version"
    where = f"/api/v1/procedures/{made['procedure_id']}"
    wrong = deepcopy(made["definition"])
    wrong["steps"]["customs"]["after"] = ["nowhere"]
    saved = administrator.put(where, json={"definition": wrong}, headers={"If-Match": '"1"'})
    assert saved.status_code == 200, saved.text
    assert saved.json()["problems"] == [
        {
            "code": "unknown_step",
            "step": "customs",
            "detail": "The step customs comes after nowhere, which is not in this procedure.",
        }
    ]
    refused = administrator.post(f"{where}/publish", headers={"If-Match": '"2"'})
    assert refused.status_code == 422
    assert refused.json()["field"] == "customs"
    right = administrator.put(where, json={"definition": made["definition"]}, headers={"If-Match": '"2"'})
    assert right.json()["problems"] == []
    published = administrator.post(f"{where}/publish", headers={"If-Match": '"3"'})
    assert published.status_code == 200, published.text
    versions = [
        (item["version"], item["status"])
        for item in administrator.get("/api/v1/procedures").json()["items"]
        if {name: item[name] for name in KEY} == KEY
    ]
    assert versions == [(1, "published")]
    again = draft(administrator)
    where = f"/api/v1/procedures/{again['procedure_id']}"
    assert administrator.post(f"{where}/publish", headers={"If-Match": '"1"'}).status_code == 200
    statuses = {
        (item["gate_id"], item["version"]): item["status"]
        for item in administrator.get("/api/v1/procedures").json()["items"]
        if (item["direction"], item["regime"]) == (KEY["direction"], KEY["regime"])
    }
    own = {("tan-thanh", 2): "published", ("tan-thanh", 1): "retired"}
    assert statuses == {**own, ("*", 1): "published"}
    with runtime.sessions() as session:
        acts = session.scalars(
            text("SELECT action FROM app.audit WHERE object_type = 'procedure' ORDER BY audit_id")
        ).all()
    drafts = ["procedures.draft", "procedures.save", "procedures.save", "procedures.publish"]
    assert acts == [
        *drafts,
        "procedures.draft",
        "procedures.publish",
    ]


def test_a_published_version_never_changes_and_edits_are_conditional(administrator: TestClient) -> None:
    made = draft(administrator)
    where = f"/api/v1/procedures/{made['procedure_id']}"
    body = {"definition": made["definition"]}
    assert administrator.put(where, json=body).status_code == 428
    assert administrator.put(where, json=body, headers={"If-Match": '"9"'}).status_code == 412
    assert administrator.post(f"{where}/publish", headers={"If-Match": '"1"'}).status_code == 200
    assert administrator.put(where, json=body, headers={"If-Match": '"2"'}).status_code == 409
    assert administrator.post(f"{where}/publish", headers={"If-Match": '"2"'}).status_code == 409


def test_what_cannot_be_is_refused(administrator: TestClient) -> None:
    post = administrator.post
    assert post("/api/v1/procedures", json={**KEY, "gate_id": "nowhere"}).status_code == 422
    assert post("/api/v1/procedures", json={**KEY, "regime": "export"}).json()["field"] == "direction"
    assert post("/api/v1/procedures", json={**KEY, "definition": {"exit": "a\x00b"}}).status_code == 422
    assert post("/api/v1/procedures", json={**KEY, "definition": {"exit": 2**80}}).status_code == 422
    odd = draft(administrator, definition={"exit": 7, "steps": {"x": None, "y": [1]}})
    assert odd["problems"]
    assert administrator.get("/api/v1/procedures/999").status_code == 404


def test_only_administrators_write(sign_in: SignIn) -> None:
    planner, customs = sign_in("planner"), sign_in("customs", gate_id="huu-nghi")
    assert planner.get("/api/v1/procedures").status_code == 200
    assert planner.post("/api/v1/procedures", json=KEY).status_code == 403
    assert customs.get("/api/v1/procedures").status_code == 403


def test_the_pages_show_what_is_in_force_and_what_is_wrong(administrator: TestClient) -> None:
    page = {"accept": "text/html"}
    listed = administrator.get("/admin/procedures", headers=page)
    assert listed.status_code == 200, listed.text
    assert listed.text.count("data-draft=") == 10 * (1 + 2)
    made = draft(administrator)
    where = f"/admin/procedures/{made['procedure_id']}"
    shown = administrator.get(where, headers=page)
    assert shown.status_code == 200
    assert "<svg" in shown.text
    made["definition"]["steps"]["barrier_1"]["owner"] = None
    body = {"definition": made["definition"]}
    administrator.put(where.replace("/admin", "/api/v1"), json=body, headers={"If-Match": '"1"'})
    wrong = administrator.get(where, headers=page)
    assert wrong.status_code == 200
    assert "Nobody owns the step" in wrong.text
    assert "<svg viewBox" not in wrong.text.split("procedure-form")[0]
    assert administrator.get("/admin/procedures/999", headers=page).status_code == 404


def test_the_editor_ticks_what_the_draft_says(administrator: TestClient) -> None:
    made = draft(administrator)
    page = administrator.get(f"/admin/procedures/{made['procedure_id']}", headers={"accept": "text/html"}).text
    cards = {
        found[1]: found[0]
        for found in re.findall(r'(<section class="vs-entry" data-step="(\w+)">.*?</section>)', page, re.S)
    }
    assert set(cards) == set(made["definition"]["steps"])
    for name, body in made["definition"]["steps"].items():
        owners = body["owner"] if isinstance(body["owner"], list) else [body["owner"]]
        assert ticked(cards[name], "owner") == set(owners)
        assert ticked(cards[name], "after") == set(body.get("after", ()))
        assert ticked(cards[name], "checks") == set(body.get("checks", ()))
        facts = dict(re.findall(r'data-fact="(\w+)"(.*?)</fieldset>', cards[name], re.S))
        assert set(facts) == {*body.get("when", {}), *body.get("at_once", {})}
        for fact, wanted in (body.get("when", {}) | body.get("at_once", {})).items():
            values = {json.loads(html.unescape(value)) for value in re.findall(r'value="([^"]*)" checked', facts[fact])}
            assert values == set(wanted if isinstance(wanted, list) else [wanted])
    assert "<textarea" not in "".join(cards.values()), "no condition of the shipped procedures is written by hand"


def ticked(card: str, name: str) -> set[str]:
    (fields,) = re.findall(rf'data-ticks="{name}">(.*?)</fieldset>', card, re.S)
    return set(re.findall(r'value="([^"]*)" checked', fields))


def test_a_condition_that_combines_facts_stays_as_it_was_written(administrator: TestClient) -> None:
    made = draft(administrator)
    written = {"any": [{"chilled": True}, {"goods_class": ["ore"]}]}
    made["definition"]["steps"]["yard"]["when"] = written
    where = f"/api/v1/procedures/{made['procedure_id']}"
    administrator.put(where, json={"definition": made["definition"]}, headers={"If-Match": '"1"'})
    page = administrator.get(where.replace("/api/v1", "/admin"), headers={"accept": "text/html"}).text
    (shown,) = re.findall(r'name="by-hand"[^>]*>([^<]*)</textarea>', page)
    assert json.loads(html.unescape(shown)) == written


def test_a_draft_is_tried_on_the_trips_of_today(administrator: TestClient, sign_in: SignIn, runtime: Runtime) -> None:
    gate = Gate.open(runtime, sign_in)
    with_fruit = gate.declare()
    ore = declaration_line(hs_code="2601.11", description="Quặng sắt", goods_class="ore", perishable=False)
    gate.declare("29C-777.01", refrigerated=False, lines=[ore])
    made = draft(administrator, gate_id="*", direction="export", regime="export")
    where = f"/api/v1/procedures/{made['procedure_id']}"

    def tried(version: int) -> str:
        body = {"definition": made["definition"]}
        saved = administrator.put(where, json=body, headers={"If-Match": f'"{version}"'})
        assert saved.status_code == 200, saved.text
        answer = administrator.get(f"{where.replace('/api/v1', '/admin')}/trial", headers={"accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text

    assert "Of 2 trips of today, 0 would have needed other steps." in html.unescape(tried(1))
    made["definition"]["steps"]["quarantine_plant"]["when"] = {"goods_class": ["ore"]}
    page = html.unescape(tried(2))
    assert "Of 2 trips of today, 2 would have needed other steps." in page
    code = gate.person("enterprise").get(f"/api/v1/trips/{with_fruit}").json()["code"]
    assert f"<strong>{code}</strong> · fewer: Plant quarantine" in page
    assert "more: Plant quarantine" in page
    with runtime.sessions() as session:
        assert set(session.scalars(text("SELECT status FROM app.trip_step WHERE step = 'quarantine_plant'"))) == {
            "waiting",
            "not_needed",
        }, "nothing is changed"
    made["definition"]["exit"] = "nowhere"
    administrator.put(where, json={"definition": made["definition"]}, headers={"If-Match": '"3"'})
    assert administrator.get(f"{where.replace('/api/v1', '/admin')}/trial").status_code == 409
