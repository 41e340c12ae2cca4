"""Declarations through the API: drafts, submitting, amending, a return and the new declaration, on a real database."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.notifications import feed
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation, trip_body

SignIn = Callable[..., TestClient]
DECLARATIONS = "/api/v1/declarations"


@pytest.fixture
def organisation_id(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()
    return add_organisation(runtime, "Nông sản Lạng Sơn")


@pytest.fixture
def enterprise(sign_in: SignIn, organisation_id: int) -> TestClient:
    return sign_in("enterprise", organisation_id=organisation_id)


@pytest.fixture
def body(runtime: Runtime) -> dict[str, Any]:
    return declaration_body(runtime.clock.now() + timedelta(hours=5))


def match(answer: Any) -> dict[str, str]:
    return {"If-Match": answer.headers["ETag"]}


def submit(client: TestClient, body: dict[str, Any]) -> Any:
    answer = client.post(DECLARATIONS, json={**body, "submit": True})
    assert answer.status_code == 201, answer.text
    return answer


def steps(client: TestClient, trip_id: int) -> dict[str, str]:
    answer = client.get(f"/api/v1/trips/{trip_id}/sheet")
    assert answer.status_code == 200, answer.text
    return {step["step"]: step["status"] for step in answer.json()["steps"]}


def give_back(officer: TestClient, trip_id: int, step: str = "health") -> Any:
    sheet = officer.get(f"/api/v1/trips/{trip_id}/sheet")
    answer = officer.post(
        f"/api/v1/trips/{trip_id}/steps/{step}/return",
        headers={"If-Match": sheet.headers["ETag"]},
        json={"reasons": ["driver_differs"], "text": "Người khác lái"},
    )
    assert answer.status_code == 200, answer.text
    return answer


def test_a_draft_becomes_a_trip_with_an_open_sheet(enterprise, body, runtime):
    made = enterprise.post(DECLARATIONS, json={**body, "driver_name": "", "health_symptoms": ""})
    assert made.status_code == 201, made.text
    draft = made.json()
    trip_id = draft["trip_id"]
    assert (draft["status"], draft["revision"], draft["may_edit"]) == ("draft", 1, True)
    refused = enterprise.post(f"{DECLARATIONS}/{trip_id}/submit", headers=match(made))
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["driver_name", "health_symptoms"]
    saved = enterprise.put(f"{DECLARATIONS}/{trip_id}", json=body, headers=match(made))
    assert saved.status_code == 200, saved.text
    done = enterprise.post(f"{DECLARATIONS}/{trip_id}/submit", headers=match(saved))
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "submitted"
    assert steps(enterprise, trip_id)["declaration"] == "done"
    trip = enterprise.get(f"/api/v1/trips/{trip_id}").json()
    assert (trip["goods"], trip["goods_class"], trip["trailer_plate"]) == (
        "Thanh long tươi",
        "fresh_fruit",
        "29R-012.34",
    )
    assert "declared" in [line["kind"] for line in trip["timeline"]]
    with runtime.sessions() as session:
        acts = session.scalars(text("SELECT action FROM app.audit WHERE object_type = 'declaration' ORDER BY audit_id"))
        assert acts.all() == ["declarations.save", "declarations.save", "declarations.submit"]
        kinds = set(session.scalars(text("SELECT type FROM app.outbox")))
    assert {"trip", "sheet"} <= kinds


def test_all_that_is_wrong_is_said_at_once_in_the_language_asked_for(enterprise, body):
    wrong = {
        **body,
        "submit": True,
        "lines": [declaration_line(net_weight_kg=20000, hs_code="08")],
        "driver_phone": "1",
    }
    answer = enterprise.post(DECLARATIONS, json=wrong)
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["driver_phone", "lines.1.hs_code", "lines.1.net_weight_kg"]
    assert answer.json()["field"] == "driver_phone"
    assert "HS" in answer.json()["errors"][1]["detail"]
    assert enterprise.get(DECLARATIONS).json()["items"] == []


def test_the_same_request_again_is_one_declaration(enterprise, body):
    def send(_: int) -> int:
        answer = enterprise.post(DECLARATIONS, json={**body, "submit": True}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["trip_id"])

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(send, range(3)))) == 1


def test_a_truck_or_trailer_on_an_open_trip_is_named(enterprise, body):
    first = submit(enterprise, body).json()
    answer = enterprise.post(DECLARATIONS, json={**body, "submit": True})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["plate", "trailer_plate"]
    assert first["code"] in answer.json()["detail"]


def test_a_truck_declared_by_others_blocks_nobody_and_says_nothing_of_them(enterprise, sign_in, runtime, body):
    submit(enterprise, body)
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Hai"))
    answer = other.post(DECLARATIONS, json={**body, "submit": True})
    assert answer.status_code == 201, answer.text
    assert "Nông sản" not in answer.text
    assert len(other.get(DECLARATIONS).json()["items"]) == 1


def test_a_trip_entered_before_is_taken_up(enterprise, body, runtime):
    arrival = runtime.clock.now() + timedelta(hours=9)
    trip = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", arrival)).json()
    made = submit(enterprise, body).json()
    assert made["trip_id"] == trip["trip_id"]
    assert steps(enterprise, trip["trip_id"])["declaration"] == "done"


def test_what_was_submitted_is_amended_until_an_agency_begins(enterprise, sign_in, body):
    made = submit(enterprise, body)
    trip_id = made.json()["trip_id"]
    where = f"{DECLARATIONS}/{trip_id}"
    change = {**body, "plate": "29C-999.99", "submit": True}
    assert enterprise.put(where, json=change).status_code == 428
    assert enterprise.put(where, json=change, headers={"If-Match": '"1"'}).status_code == 412
    amended = enterprise.put(where, json=change, headers=match(made))
    assert amended.status_code == 200, amended.text
    now = amended.json()
    assert (now["revision"], now["status"]) == (2, "submitted")
    assert [(difference["field"], difference["old"], difference["new"]) for difference in now["differences"]] == [
        ("plate", "29C-123.45", "29C-999.99")
    ]
    assert [revision["status"] for revision in now["revisions"]] == ["submitted", "superseded"]
    assert enterprise.get(f"/api/v1/trips/{trip_id}").json()["plate"] == "29C-999.99"
    health = sign_in("health_quarantine", gate_id="huu-nghi")
    sheet = health.get(f"/api/v1/trips/{trip_id}/sheet")
    done = health.post(
        f"/api/v1/trips/{trip_id}/steps/health/confirm", json={}, headers={"If-Match": sheet.headers["ETag"]}
    )
    assert done.status_code == 200, done.text
    late = enterprise.put(where, json=body, headers=match(amended))
    assert late.status_code == 409
    assert enterprise.get(where).json()["may_edit"] is False


def test_a_returned_declaration_is_made_anew_and_the_officer_sees_what_changed(enterprise, sign_in, body, runtime):
    body = {**body, "planned_arrival": (runtime.clock.now() - timedelta(hours=20)).isoformat()}
    made = submit(enterprise, body)
    trip_id = made.json()["trip_id"]
    where = f"{DECLARATIONS}/{trip_id}"
    officer = sign_in("health_quarantine", gate_id="huu-nghi")
    give_back(officer, trip_id)
    returned = enterprise.get(where)
    assert returned.json()["status"] == "returned"
    assert returned.json()["revisions"][0]["return_reasons"] == {
        "step": "health",
        "reasons": ["driver_differs"],
        "text": "Người khác lái",
    }
    (listed,) = enterprise.get(f"{DECLARATIONS}?status=returned").json()["items"]
    assert listed["return_reasons"] == returned.json()["revisions"][0]["return_reasons"]
    told = enterprise.get("/declarations").text.split('data-testid="return-reasons"')[1].split("</td>")[0]
    assert "Người khác lái" in told
    assert f'href="/declarations/{trip_id}/edit"' in told
    assert enterprise.put(where, json=body, headers=match(made)).status_code == 412
    runtime.clock.advance(6 * 3600.0)  # the planned arrival is long over, and nobody asks for it again
    changed = {**body, "driver_name": "Trần Văn Bình", "driver_paper_number": "C7654321"}
    draft = enterprise.put(where, json=changed, headers=match(returned))
    assert (draft.json()["status"], draft.json()["revision"]) == ("draft", 2)
    assert steps(enterprise, trip_id)["declaration"] == "returned"
    seen = officer.get(where).json()
    assert (seen["revision"], seen["status"]) == (1, "returned"), "a draft is its author's"
    again = enterprise.post(f"{where}/submit", headers=match(draft))
    assert again.status_code == 200, again.text
    assert [revision["status"] for revision in again.json()["revisions"]] == ["submitted", "returned"]
    state = steps(officer, trip_id)
    assert (state["declaration"], state["health"]) == ("done", "ready")
    shown = officer.get(f"/api/v1/trips/{trip_id}/sheet").json()["declaration"]
    assert [(difference["field"], difference["new"]) for difference in shown["differences"]] == [
        ("driver_name", "Trần Văn Bình"),
        ("driver_paper_number", "C7654321"),
    ]
    assert shown["return_reasons"]["reasons"] == ["driver_differs"]


def test_another_regime_begins_another_procedure(enterprise, sign_in, body, runtime):
    made = submit(enterprise, body)
    trip_id = made.json()["trip_id"]
    officer = sign_in("health_quarantine", gate_id="huu-nghi")
    give_back(officer, trip_id)
    where = f"{DECLARATIONS}/{trip_id}"
    changed = {**body, "regime": "temporary_export_reimport", "direction": "export", "submit": True}
    again = enterprise.put(where, json=changed, headers=match(enterprise.get(where)))
    assert again.status_code == 200, again.text
    state = steps(officer, trip_id)
    assert (state["declaration"], state["health"]) == ("done", "ready")
    with runtime.sessions() as session:
        query = text("SELECT p.regime FROM app.trip t JOIN app.procedure p USING (procedure_id)")
        assert session.scalar(query) == "temporary_export_reimport"


def test_an_order_to_another_gate_is_not_undone_by_saving_what_was_read(enterprise, body, runtime):
    made = submit(enterprise, body)
    where = f"{DECLARATIONS}/{made.json()['trip_id']}"
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET gate_id = 'tan-thanh'"))
        session.commit()
    read = enterprise.get(where)
    data = read.json()["data"]
    kept = enterprise.put(where, json={**data, "driver_name": "Trần Văn Bình", "submit": True}, headers=match(read))
    assert kept.status_code == 200, kept.text
    assert enterprise.get(where.replace("declarations", "trips")).json()["gate_id"] == "tan-thanh"


def test_two_who_save_at_once_do_not_overwrite_each_other(enterprise, body):
    made = enterprise.post(DECLARATIONS, json=body)
    where = f"{DECLARATIONS}/{made.json()['trip_id']}"

    def save(name: str) -> int:
        return enterprise.put(where, json={**body, "driver_name": name}, headers=match(made)).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(save, ("Một Hai", "Ba Bốn"))) == [200, 412]


def test_an_earlier_declaration_is_copied_without_what_was_that_crossings(enterprise, body):
    trip_id = submit(enterprise, body).json()["trip_id"]
    copied = enterprise.get(f"{DECLARATIONS}/{trip_id}/copy").json()
    assert (copied["planned_arrival"], copied["customs_number"], copied["health_symptoms"]) == (None, "", "")
    assert copied["lines"][0]["hs_code"] == "0810.90"
    assert copied["plate"] == "29C-123.45"


def test_each_sees_only_the_own_declarations(enterprise, sign_in, runtime, body):
    trip_id = submit(enterprise, body).json()["trip_id"]
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Hai"))
    for client, status in (
        (other, 404),
        (sign_in("customs", gate_id="tan-thanh"), 404),
        (sign_in("customs", gate_id="huu-nghi"), 200),
        (sign_in("auditor"), 200),
        (sign_in("driver"), 403),
    ):
        assert client.get(f"{DECLARATIONS}/{trip_id}").status_code == status
    assert other.put(f"{DECLARATIONS}/{trip_id}", json=body, headers={"If-Match": '"1"'}).status_code == 404


def test_the_list_is_paged_and_filtered(enterprise, body):
    for i in range(3):
        plates = {"plate": f"29C-100.0{i}", "trailer_plate": f"29R-100.0{i}"}
        answer = enterprise.post(DECLARATIONS, json={**body, **plates, "submit": i == 0})
        assert answer.status_code == 201, answer.text
    first = enterprise.get(DECLARATIONS, params={"limit": 2})
    assert [declaration["plate"] for declaration in first.json()["items"]] == ["29C-100.02", "29C-100.01"]
    rest = enterprise.get(first.headers["Link"].partition(">")[0][1:]).json()["items"]
    assert [declaration["plate"] for declaration in rest] == ["29C-100.00"]
    only = enterprise.get(DECLARATIONS, params={"status": "submitted"}).json()["items"]
    assert [declaration["plate"] for declaration in only] == ["29C-100.00"]


def test_hs_codes_are_searched(enterprise):
    found = enterprise.get("/api/v1/hs-codes", params={"query": "sau rieng"}).json()["items"]
    assert found[0]["shown"] == "0810.60"


def test_why_it_was_returned_stands_at_all_four_places(sign_in, organisation_id, body, runtime):
    enterprise = sign_in("enterprise", organisation_id=organisation_id, locale="en")
    trip_id = submit(enterprise, body).json()["trip_id"]
    give_back(sign_in("health_quarantine", gate_id="huu-nghi"), trip_id)
    with runtime.sessions() as session:
        feed.follow(session, runtime.clock.now())
        session.commit()
    reason, page = "The driver is not the one declared", {"accept": "text/html", "accept-language": "en"}
    told = [item["text"] for item in enterprise.get("/api/v1/notifications", headers=page).json()["items"]]
    assert f"Returned to be mended: Declaration ({reason})" in told
    for path in (f"/declarations/{trip_id}", f"/declarations/{trip_id}/edit", f"/enterprise/trips/{trip_id}"):
        shown = enterprise.get(path, headers=page).text
        assert 'data-testid="returned"' in shown, path
        note = shown.split('data-testid="returned"')[1].split("</ul>")[0]
        assert reason in note, path
        assert "Người khác lái" in note, path
    form = enterprise.get(f"/declarations/{trip_id}/edit", headers=page).text
    (field,) = re.findall(r'<input[^>]*id="driver_name"[^>]*>', form)
    assert "is-invalid" in field
    assert f"Disputed: {reason}" in form.split('id="driver_name"')[1].split("</div></div>")[0]
    (plate,) = re.findall(r'<input[^>]*id="plate"[^>]*>', form)
    assert "is-invalid" not in plate, "nobody disputes it"
