"""Confirming against a warning needs a reason, and the reason stands on the supervisor's page of the day."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.app.equipping import bearer, rekor, send, set_up
from tests.app.stationing import Gate
from tests.app.test_lot_swap import overrides

HTML = {"accept": "text/html"}
WHY = "Đã kiểm tra lại, có biên bản"


@pytest.fixture
def gate(runtime, sign_in):
    return Gate.open(runtime, sign_in)


def ask(gate, role, trip_id, step, **body):
    """Confirm without a reason is refused, with one it is done; the refusal."""
    refused = gate.act(role, trip_id, step, **body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == "reason"
    done = gate.act(role, trip_id, step, **body, reason=WHY)
    assert done.status_code == 200, done.text
    return " ".join(error["detail"] for error in refused.json()["errors"])


def test_symptoms_declared_or_measured(gate):
    declared = gate.declare("29C-123.45", health_symptoms="some", health_note="ho")
    assert "Symptoms are declared" in ask(gate, "health_quarantine", declared, "health")
    well = gate.declare("12C-081.56", driver_paper_number="C7654321")
    assert "38.2" in ask(gate, "health_quarantine", well, "health", data={"temperature_c": 38.2})
    assert [override["kind"] for override in overrides(gate)] == ["symptoms", "symptoms"]


def test_the_reason_stands_where_the_act_stands_for_those_who_may_read_it(gate):
    ill, light = "Khám lại: 37,1 độ, cho đi", "Xe rơ-moóc đổi, có biên bản"
    trip_id = gate.declare(health_symptoms="some", health_note="ho")
    assert gate.act("health_quarantine", trip_id, "health", reason=ill).status_code == 200
    noted = {"data": {"trailer_plate": "29R-111.11"}, "reason": light}
    assert gate.act("border_guard", trip_id, "barrier_1", **noted).status_code == 200

    def told(role):
        kept = gate.person(role).get(f"/api/v1/trips/{trip_id}/sheet").json()["checkpoint"]["overrides"]
        return [(each["step"], each["kind"], each["reason"]) for each in kept]

    trailer = ("barrier_1", "combination", light)
    assert told("border_guard") == told("customs") == [trailer]
    assert told("health_quarantine") == [("health", "symptoms", ill), trailer]
    for role, station, reads in (("border_guard", "barrier_1", False), ("health_quarantine", "health", True)):
        page = gate.person(role).get(f"/station/sheet/{trip_id}?at={station}", headers=HTML).text
        assert f"Reason: {light}" in page
        assert (ill in page) is reads, "a reason given at the health check may say what was seen"
    points = gate.person("border_guard").get("/api/v1/handovers/open-points?station=barrier_2").json()["items"]
    said = [point["text"] for point in points if point["kind"] == "override"]
    assert said == [f"29C-123.45 · Does not belong together · Barrier 1 · {light}"]


def test_no_warning_needs_no_reason_and_leaves_no_override(gate):
    trip_id = gate.declare()
    gate.after_quarantine(trip_id)
    gate.pass_steps(trip_id, ("customs", "customs"))
    assert overrides(gate) == []


def test_no_customs_number_asks_at_customs_only(gate):
    trip_id = gate.declare(customs_number="")
    gate.after_quarantine(trip_id)
    assert "customs declaration number" in ask(gate, "customs", trip_id, "customs")


def test_papers_that_expired_since(gate, runtime):
    day = (runtime.clock.now() - timedelta(days=2)).date().isoformat()
    trip_id = gate.declare()
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE app.declaration SET data = data || jsonb_build_object('inspection_expires', CAST(:day AS text))"
            ),
            {"day": day},
        )
    assert "inspection expired" in ask(gate, "border_guard", trip_id, "barrier_1")


def test_seals_scans_and_weights(gate, client, sign_in, runtime):
    administrator = sign_in("administrator")
    where = {"gate_id": "huu-nghi", "site_id": "huu-nghi", "station": "barrier_1"}
    seal, scanner, scale = (set_up(administrator, kind, **where) for kind in ("seal", "scanner", "scale"))
    trip_id = gate.declare(seal_numbers="VN1")
    now, plate = runtime.clock.now().isoformat(), "29C-123.45"
    event = {"plate": plate, "time": now, "seal_number": "VN1", "kind": "tampered", "ref": "s1"}
    scan = {"plate": plate, "time": now, "result": "suspicious", "ref": "c1"}
    weighing = {"plate": plate, "time": now, "gross_kg": 45_000, "tare_kg": 15_000, "ref": "w1"}
    for path, device, body in (("seal-events", seal, event), ("scans", scanner, scan), ("weighings", scale, weighing)):
        sent = client.post(f"/equipment/{path}", json=body, headers=bearer(device))
        assert sent.status_code < 300, sent.text
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    said = ask(gate, "border_guard", trip_id, "barrier_1")
    assert "VN1 was tampered" in said
    assert "scanner image" in said
    assert "10500 kg more" in said
    sheet = gate.person("yard_operator").get(f"/api/v1/trips/{trip_id}/sheet").json()
    assert "scan_suspicious" not in {warning["kind"] for warning in sheet["checkpoint"]["warnings"]}
    gate.pass_steps(trip_id, ("yard_operator", "yard"), ("plant_quarantine", "quarantine_plant"))
    assert "VN1 was tampered" in ask(gate, "customs", trip_id, "customs")
    kinds = [(override["step"], override["kind"]) for override in overrides(gate)]
    assert len(kinds) == 6
    assert {kind for _, kind in kinds} == {"seal_tampered", "scan_suspicious", "overweight"}


def test_a_seal_that_is_not_there(gate):
    trip_id = gate.declare(seal_numbers="VN1, VN2")
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    assert "VN2 is not there" in ask(gate, "border_guard", trip_id, "barrier_1", data={"seal_numbers": "vn1"})


def test_red_is_lowered_with_a_reason_only(gate):
    trip_id = gate.declare()

    def channel(name, **more):
        headers = {"If-Match": f'"{gate.sheet(trip_id)["version"]}"'}
        url = f"/api/v1/trips/{trip_id}/channel"
        return gate.person("customs").put(url, json={"channel": name, **more}, headers=headers)

    assert channel("yellow").status_code == 200
    assert channel("red").status_code == 200
    assert channel("green").status_code == 422
    assert gate.sheet(trip_id)["trip"]["channel"] == "red"
    assert channel("green", reason=WHY).status_code == 200
    assert [override["kind"] for override in overrides(gate)] == ["red_lowered"]


def test_a_plate_at_two_places_at_once_is_asked_about(gate, client, sign_in, runtime):
    administrator = sign_in("administrator")
    here, there = (
        set_up(administrator, "plate_camera", "rekor", gate_id=gate_id, site_id=gate_id, station="barrier_1")
        for gate_id in ("huu-nghi", "tan-thanh")
    )
    trip_id = gate.declare()
    now = runtime.clock.now()
    assert send(client, here, rekor("29C12345", now, uuid="u1")).status_code < 300
    assert send(client, there, rekor("29C12345", now + timedelta(seconds=20), uuid="u2")).status_code < 300
    runtime.clock.advance(60)
    sheet = gate.person("health_quarantine").get(f"/api/v1/trips/{trip_id}/sheet").json()
    assert "two_places" in {warning["kind"] for warning in sheet["checkpoint"]["warnings"]}
    assert "two places" in ask(gate, "health_quarantine", trip_id, "health")
    assert gate.act("border_guard", trip_id, "barrier_1").status_code == 200, "it is asked about once"


def test_the_page_of_the_day_by_gate_and_step_and_as_csv(gate, runtime):
    trip_id = gate.declare(health_symptoms="some", health_note="=1+1")
    assert gate.act("health_quarantine", trip_id, "health", reason="=HYPERLINK()").status_code == 200
    supervisor = gate.person("gate_management")
    page = supervisor.get("/overrides", headers=HTML)
    assert page.status_code == 200
    assert "=HYPERLINK()" in page.text
    assert "29C-123.45" in page.text
    assert "=HYPERLINK()" not in supervisor.get("/overrides?step=customs", headers=HTML).text
    assert "=HYPERLINK()" not in supervisor.get("/overrides?day=2020-01-01", headers=HTML).text
    assert "=HYPERLINK()" not in gate.person("gate_management", "tan-thanh").get("/overrides", headers=HTML).text
    assert supervisor.get("/api/v1/overrides?gate=tan-thanh").json()["items"] == []
    rows = list(csv.DictReader(io.StringIO(supervisor.get("/overrides/day.csv").text.lstrip("\ufeff"))))
    assert [(row["Plate"], row["Reason"], row["What"]) for row in rows] == [
        ("29C-123.45", "'=HYPERLINK()", "Symptoms are declared.")
    ]
    assert supervisor.get("/api/v1/overrides?step=nothing").status_code == 422
    for role in ("border_guard", "customs", "enterprise"):
        assert gate.person(role).get("/api/v1/overrides").status_code == 403


def test_priority_follows_the_declaration_and_by_hand_it_is_an_override(gate, sign_in):
    dry = {"lines": [{**DRY}]}
    first = gate.declare("12C-081.56", driver_paper_number="C7654321", **dry)
    fruit = gate.declare("29C-123.45")
    gate.arrive("12C-081.56")
    gate.arrive("29C-123.45")
    listed = gate.person("health_quarantine").get("/api/v1/inspections?station=health").json()["here"]
    assert [(trip["trip_id"], trip["priority"]) for trip in listed] == [(fruit, ["perishable"]), (first, [])]
    url = f"/api/v1/trips/{first}/priority"
    guard = gate.person("border_guard")
    assert guard.put(url, json={"is_given": True, "reason": ""}).status_code == 422
    assert gate.person("yard_operator").put(url, json={"is_given": True, "reason": WHY}).status_code == 403
    for _ in range(2):
        assert guard.put(url, json={"is_given": True, "reason": WHY}).status_code == 204
    assert [override["kind"] for override in overrides(gate)] == ["priority_by_hand"], "said twice, it counts once"
    assert guard.put(url, json={"is_given": False, "reason": WHY}).status_code == 204
    done = gate.act("health_quarantine", first, "health")
    assert done.status_code == 200, "a jump needs no reason"
    jump = overrides(gate)[0]
    assert (jump["kind"], jump["details"]) == ("jump", {"count": 1, "plates": "29C-123.45"})
    owner = sign_in("administrator").patch(
        f"/api/v1/organisations/{gate.organisation_id}", json={"is_authorised_operator": True}
    )
    assert owner.json()["is_authorised_operator"]
    sheet = guard.get(f"/api/v1/trips/{first}/sheet").json()
    assert sheet["checkpoint"]["priority"] == ["authorised_operator"]


DRY = {
    "hs_code": "6109.10",
    "description": "Áo thun cotton",
    "goods_class": "textiles",
    "quantity": 9000,
    "unit": "piece",
    "gross_weight_kg": 4000,
    "net_weight_kg": 3800,
    "packages": 200,
    "packaging": "carton",
    "perishable": False,
}
