"""Administrators draft, check and publish procedures, over the API and on their pages."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime

SignIn = Callable[..., TestClient]
KEY = {"gate_id": "tan-thanh", "direction": "import", "regime": "transit"}


@pytest.fixture
def administrator(sign_in: SignIn) -> TestClient:
    return sign_in("administrator")


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
    html = {"accept": "text/html"}
    listed = administrator.get("/admin/procedures", headers=html)
    assert listed.status_code == 200, listed.text
    assert listed.text.count("data-draft=") == 10 * (1 + 2)
    made = draft(administrator)
    where = f"/admin/procedures/{made['procedure_id']}"
    shown = administrator.get(where, headers=html)
    assert shown.status_code == 200
    assert "<svg" in shown.text
    made["definition"]["steps"]["barrier_1"]["owner"] = None
    body = {"definition": made["definition"]}
    administrator.put(where.replace("/admin", "/api/v1"), json=body, headers={"If-Match": '"1"'})
    wrong = administrator.get(where, headers=html)
    assert wrong.status_code == 200
    assert "barrier_1" in wrong.text
    assert "<svg viewBox" not in wrong.text.split("procedure-form")[0]
    assert administrator.get("/admin/procedures/999", headers=html).status_code == 404
