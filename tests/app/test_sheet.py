"""A trip's sheet through the agencies on a real database: acts, rights, repeats, two officers at once, work lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.platform.actions import ActionContext
from app.procedures import service as procedures
from app.procedures.procedure import Facts
from geo.errors import ConflictError, InvalidInputError
from tests.app.bordering import EXPORT_WAY, Border, Listener, SignIn, border, listener, sheets  # noqa: F401 - fixtures
from tests.app.dispatching import add_organisation


def test_an_export_goes_from_declaration_to_exit(border: Border) -> None:
    trip_id = border.enter()
    state = border.state(trip_id)
    assert (state["declaration"], state["health"], state["customs"]) == ("done", "ready", "waiting")
    assert state["quarantine_animal"] == state["transshipment"] == "not_needed"
    for role, step in EXPORT_WAY[:-1]:
        refused = border.act("border_guard", trip_id, "barrier_2")
        assert refused.status_code == 409, refused.text
        answer = border.act(role, trip_id, step, data={"note": "ok"})
        assert answer.status_code == 200, answer.text
        assert step not in answer.json()["may"]["confirm"]
    ended = border.act("border_guard", trip_id, "barrier_2")
    assert ended.status_code == 200, ended.text
    assert ended.json()["is_finished"] is True
    assert ended.json()["trip"]["stage"] == "out"
    last = border.sheet(trip_id)
    assert last["is_finished"]
    assert {step["status"] for step in last["steps"]} == {"done", "not_needed"}
    assert next(step for step in last["steps"] if step["step"] == "customs")["data"] == {"note": "ok"}
    assert border.act("border_guard", trip_id, "health", version=last["version"]).status_code in (403, 409)
    acts = border.rows("SELECT action FROM app.audit WHERE object_type = 'trip' ORDER BY audit_id")
    assert [row.action for row in acts] == ["trips.create", "sheets.opened", *["sheets.confirm"] * 7]
    lines = border.rows("SELECT data FROM app.trip_event WHERE kind = 'sheet' ORDER BY event_id")
    assert [line.data["step"] for line in lines] == ["declaration", *[step for _, step in EXPORT_WAY]]


def test_the_graph_is_drawn_with_owners_and_times(border: Border) -> None:
    found = border.sheet(border.enter())
    nodes = {node["step"]: node for node in found["graph"]["nodes"]}
    assert set(nodes) == {step["step"] for step in found["steps"]}
    for edge in found["graph"]["edges"]:
        assert nodes[edge["from"]]["layer"] < nodes[edge["to"]]["layer"]
    assert nodes["health"]["owners"] == ["health_quarantine"]
    assert len({(node["layer"], node["row"]) for node in nodes.values()}) == len(nodes)


def test_steps_belong_to_their_owner_at_their_gate(border: Border) -> None:
    trip_id = border.enter()
    assert border.act("customs", trip_id, "health").status_code == 403
    assert border.act("health_quarantine", trip_id, "tea").status_code == 404
    version = border.sheet(trip_id)["version"]
    elsewhere = border.officer("health_quarantine", "tan-thanh")
    where = f"/api/v1/trips/{trip_id}/steps/health/confirm"
    assert elsewhere.post(where, json={}, headers={"If-Match": f'"{version}"'}).status_code == 404
    assert border.enterprise.post(where, json={}, headers={"If-Match": f'"{version}"'}).status_code == 403
    assert border.officer("health_quarantine").post(where, json={}).status_code == 428
    own = border.officer("health_quarantine").get(f"/api/v1/trips/{trip_id}/sheet").json()
    assert own["may"] == {"confirm": ["health"], "return": ["health"]}


def test_the_fee_belongs_to_its_collector_once_known(border: Border) -> None:
    trip_id = border.enter()
    for role, step in EXPORT_WAY[:3]:
        border.act(role, trip_id, step)
    border.call(border.sheets.update_facts, trip_id, {"collector": "tax"})
    assert border.act("gate_management", trip_id, "fee").status_code == 403
    with border.runtime.sessions() as session:
        for _ in range(2):  # the bank may tell it twice
            version = border.sheets.confirm_step(
                ActionContext(session, None, border.runtime.clock.now()),
                trip_id,
                "fee",
                expected_version=None,
                data={"amount_vnd": 100_000},
            )
        session.commit()
    assert border.sheet(trip_id)["version"] == version
    assert border.state(trip_id)["fee"] == "done"


def test_a_yard_step_can_belong_to_one_company(border: Border, sign_in: SignIn) -> None:
    company, other = add_organisation(border.runtime, "Xuân Cương"), add_organisation(border.runtime, "Khác")
    administrator = sign_in("administrator")
    key = {"gate_id": "huu-nghi", "direction": "export", "regime": "export"}
    draft = administrator.post("/api/v1/procedures", json=key).json()
    draft["definition"]["steps"]["yard"]["organisations"] = [company]
    where = f"/api/v1/procedures/{draft['procedure_id']}"
    body = {"definition": draft["definition"]}
    assert administrator.put(where, json=body, headers={"If-Match": '"1"'}).json()["problems"] == []
    assert administrator.post(f"{where}/publish", headers={"If-Match": '"2"'}).status_code == 200
    trip_id = border.enter()
    for role, step in EXPORT_WAY[:2]:
        border.act(role, trip_id, step)
    border.officers["yard_operator huu-nghi"] = sign_in("yard_operator", gate_id="huu-nghi", organisation_id=other)
    assert border.act("yard_operator", trip_id, "yard").status_code == 403
    border.officers["yard_operator huu-nghi"] = sign_in("yard_operator", gate_id="huu-nghi", organisation_id=company)
    assert border.act("yard_operator", trip_id, "yard").status_code == 200


def test_a_return_is_mended_by_declaring_again(border: Border) -> None:
    trip_id = border.enter()
    assert border.act("health_quarantine", trip_id, "health").status_code == 200
    no_reason = border.act("border_guard", trip_id, "barrier_1", "return", reasons=[], text=" ")
    assert no_reason.status_code == 422
    why = {"reasons": ["plate_differs"], "text": "Rơ-moóc khác"}
    returned = border.act("border_guard", trip_id, "barrier_1", "return", **why)
    assert returned.status_code == 200, returned.text
    found = border.sheet(trip_id)
    steps = {step["step"]: step for step in found["steps"]}
    assert (steps["declaration"]["status"], steps["barrier_1"]["status"]) == ("returned", "waiting")
    assert steps["declaration"]["data"] == {"from": "barrier_1", **why}
    again = border.act("border_guard", trip_id, "barrier_1", "return", **why, version=2)
    assert again.status_code == 200, "a double tap"
    assert again.json()["version"] == found["version"]
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"meat"}))
    border.call(border.sheets.open_sheet, trip_id, facts, changed=["goods"])
    state = border.state(trip_id)
    assert (state["declaration"], state["health"], state["barrier_1"]) == ("done", "done", "ready")
    assert (state["quarantine_plant"], state["quarantine_animal"]) == ("not_needed", "waiting")


def test_other_goods_need_a_new_channel_and_facts_of_others_stay(border: Border) -> None:
    trip_id = border.enter()
    border.call(border.sheets.update_facts, trip_id, {"channel": "green", "collector": "tax", "equipment": {"scanner"}})
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"ore"}))
    border.call(border.sheets.open_sheet, trip_id, facts, changed=["goods"])
    trip = border.sheet(trip_id)["trip"]
    assert trip["channel"] is None
    assert (trip["facts"]["collector"], trip["facts"]["equipment"]) == ("tax", ["scanner"])
    assert trip["facts"]["goods_class"] == ["ore"]


def test_green_releases_at_once_without_a_person(border: Border) -> None:
    trip_id = border.enter(goods_class="ore", goods="Quặng sắt")
    border.call(border.sheets.update_facts, trip_id, {"channel": "green"})
    for role, step in EXPORT_WAY[:3]:
        assert border.act(role, trip_id, step).status_code == 200
    steps = {step["step"]: step for step in border.sheet(trip_id)["steps"]}
    assert steps["customs"]["status"] == "done"
    assert steps["customs"]["done_by"] is None
    assert border.rows("SELECT channel FROM app.trip")[0].channel == "green"
    with pytest.raises(InvalidInputError):
        border.call(border.sheets.update_facts, trip_id, {"weather": "rain"})


def test_a_double_tap_is_one_effect(border: Border) -> None:
    trip_id = border.enter()
    first = border.act("health_quarantine", trip_id, "health", key="tap-1", version=2)
    second = border.act("health_quarantine", trip_id, "health", key="tap-1", version=2)
    third = border.act("health_quarantine", trip_id, "health", version=2)
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 200]
    assert first.json()["version"] == second.json()["version"] == third.json()["version"]
    assert len(border.rows("SELECT FROM app.audit WHERE action = 'sheets.confirm'")) == 1
    assert len(border.rows("SELECT FROM app.trip_event WHERE data ->> 'act' = 'confirm'")) == 1
    assert len(border.rows("SELECT FROM app.outbox WHERE type = 'sheet' AND data ->> 'step' = 'health'")) == 2


def test_of_two_officers_at_once_one_wins_and_the_other_sees_the_new_state(border: Border, sign_in: SignIn) -> None:
    trip_id = border.enter()
    officers = [sign_in("health_quarantine", gate_id="huu-nghi") for _ in range(2)]
    version, both = border.sheet(trip_id)["version"], Barrier(2)

    def tap(officer: TestClient) -> Response:
        both.wait()
        where = f"/api/v1/trips/{trip_id}/steps/health/confirm"
        headers = {"If-Match": f'"{version}"', "Idempotency-Key": "same-key-of-two-people"}
        return officer.post(where, json={}, headers=headers)

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(tap, officers), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 412]
    lost = answers[1]
    assert lost.headers["ETag"] == answers[0].headers["ETag"]
    assert lost.headers["content-type"] == "application/problem+json"
    shown = {step["step"]: step["status"] for step in lost.json()["sheet"]["steps"]}
    assert (shown["health"], shown["barrier_1"]) == ("done", "ready")
    assert len(border.rows("SELECT FROM app.audit WHERE action = 'sheets.confirm'")) == 1
    assert len(border.rows("SELECT FROM app.idempotency WHERE act = 'steps.confirm'")) == 1


def test_two_agencies_work_on_one_sheet_at_once(border: Border) -> None:
    trip_id = border.enter()
    for role, step in EXPORT_WAY[:3]:
        border.act(role, trip_id, step)
    state = border.state(trip_id)
    assert state["quarantine_plant"] == state["fee"] == "ready"
    assert border.act("gate_management", trip_id, "fee").status_code == 200
    assert border.act("plant_quarantine", trip_id, "quarantine_plant").status_code == 200


def test_an_act_fails_as_a_whole(border: Border, listener: Listener) -> None:
    trip_id = border.enter()
    assert listener.heard == [("opened", "declaration")]
    listener.refusal = ConflictError("The other part could not follow.")
    assert border.act("health_quarantine", trip_id, "health").status_code == 409
    assert listener.heard[-1] == ("confirm", "health")
    assert border.state(trip_id)["health"] == "ready"
    assert not border.rows("SELECT FROM app.audit WHERE action = 'sheets.confirm'")
    assert not border.rows("SELECT FROM app.outbox WHERE data ->> 'status' = 'done' AND data ->> 'step' = 'health'")


def test_events_reach_the_owner_at_that_gate(border: Border) -> None:
    border.enter()
    query = "SELECT audience, data FROM app.outbox WHERE type = 'sheet' AND data ->> 'step' = :step ORDER BY event_id"
    (row,) = border.rows(query, step="declaration")
    assert row.audience["organisations"] == [border.organisation_id]
    assert row.data["status"] == "done"
    border.act("health_quarantine", 1, "health")
    (row,) = border.rows(query, step="barrier_1")
    assert (row.audience["roles"], row.audience["gates"]) == (["border_guard"], ["huu-nghi"])


def test_nobody_handles_an_undeclared_truck_and_its_time_is_measured(border: Border) -> None:
    trip_id = border.enter(declare=False)
    refused = border.act("health_quarantine", trip_id, "health")
    assert refused.status_code == 409
    assert "bãi tạm" in refused.json()["detail"]
    for _ in range(2):
        answer = border.officer("support").post(f"/api/v1/trips/{trip_id}/temporary-yard")
        assert answer.status_code == 200, answer.text
        border.runtime.clock.advance(600.0)  # type: ignore[attr-defined]
    waiting = border.officer("support").get("/api/v1/inspections", params={"station": "support"}).json()["undeclared"]
    assert [(entry["trip_id"], entry["status"]) for entry in waiting] == [(trip_id, "undeclared")]
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"fresh_fruit"}))
    border.call(border.sheets.open_sheet, trip_id, facts)
    (line,) = border.rows("SELECT data FROM app.trip_event WHERE data ->> 'act' = 'opened'")
    assert line.data["undeclared_s"] == 1200.0
    assert border.act("health_quarantine", trip_id, "health").status_code == 200
    after = border.officer("support").get("/api/v1/inspections", params={"station": "support"}).json()["undeclared"]
    assert after == []


def test_before_the_day_set_agencies_go_on_without_a_declaration(border: Border, sign_in: SignIn) -> None:
    assert datetime(2022, 2, 20, 17, tzinfo=UTC) == procedures.MANDATORY_FROM
    later = (border.runtime.clock.now() + timedelta(days=1)).isoformat()
    administrator = sign_in("administrator")
    answer = administrator.get("/api/v1/procedures/mandatory-declaration")
    headers = {"If-Match": answer.headers["ETag"]}
    body = {"mandatory_from": later}
    answer = administrator.put("/api/v1/procedures/mandatory-declaration", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.headers["ETag"]) == (1, '"1"')
    again = administrator.put("/api/v1/procedures/mandatory-declaration", json=body, headers=headers)
    assert again.status_code == 412, "somebody has set it since"
    trip_id = border.enter(declare=False)
    assert border.act("health_quarantine", trip_id, "health").status_code == 200
    found = border.sheet(trip_id)
    assert found["is_declared"] is False
    assert border.state(trip_id)["declaration"] == "not_needed"
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"fresh_fruit"}))
    border.call(border.sheets.open_sheet, trip_id, facts)
    assert border.sheet(trip_id)["is_declared"] is True
    assert border.state(trip_id)["declaration"] == "done"


def test_a_trip_keeps_the_procedure_it_began_under(border: Border, sign_in: SignIn) -> None:
    before = border.enter("29C-111.11")
    administrator = sign_in("administrator")
    key = {"gate_id": "huu-nghi", "direction": "export", "regime": "export"}
    draft = administrator.post("/api/v1/procedures", json=key).json()
    steps = draft["definition"]["steps"]
    del steps["health"]
    steps["barrier_1"]["after"] = ["declaration"]
    where = f"/api/v1/procedures/{draft['procedure_id']}"
    administrator.put(where, json={"definition": draft["definition"]}, headers={"If-Match": '"1"'})
    assert administrator.post(f"{where}/publish", headers={"If-Match": '"2"'}).status_code == 200
    after = border.enter("29C-222.22")
    assert border.state(before)["health"] == "ready"
    assert "health" not in border.state(after)
    assert border.state(after)["barrier_1"] == "ready"
