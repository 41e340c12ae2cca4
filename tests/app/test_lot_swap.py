"""A tractor takes over another truck's trailer: both sheets alarm, and the exit is stopped until somebody decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.platform.actions import ActionContext
from app.platform.audit_store import audit_rows
from app.sheets.service import Sheets
from tests.app.equipping import rekor, send, set_up
from tests.app.stationing import Gate

A, B = "29C-123.45", "12C-081.56"
TRAILER_A, TRAILER_B = "29R-012.34", "12R-056.78"
CONTAINER_A, CONTAINER_B = "CSQU3054383", "MSKU0000006"


@pytest.fixture
def gate(runtime, sign_in):
    return Gate.open(runtime, sign_in)


@pytest.fixture
def two(gate):
    """Two trips declared, each with its trailer and container."""
    paper = {"driver_paper_number": "C7654321", "customs_number": "305999999990"}
    return (
        gate.declare(A, trailer_plate=TRAILER_A, container_number=CONTAINER_A, seal_numbers="VN1 VN2"),
        gate.declare(B, trailer_plate=TRAILER_B, container_number=CONTAINER_B, seal_numbers="XX9", **paper),
    )


def observe(gate, trip_id, role="border_guard", step="barrier_1", **entered):
    return gate.person(role).post(f"/api/v1/trips/{trip_id}/observations", json={"step": step, **entered})


def findings(gate, trip_id, role="border_guard"):
    answer = gate.person(role).get(f"/api/v1/trips/{trip_id}/findings")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def decide(gate, trip_id, finding_id, verdict="explained", reason="Biên bản số 12", role="border_guard"):
    url = f"/api/v1/trips/{trip_id}/findings/{finding_id}/decide"
    return gate.person(role).post(url, json={"verdict": verdict, "reason": reason})


def to_exit(gate, trip_id, reason=""):
    with_reason = {"reason": reason} if reason else {}
    steps = (
        ("health_quarantine", "health"),
        ("border_guard", "barrier_1"),
        ("yard_operator", "yard"),
        ("plant_quarantine", "quarantine_plant"),
        ("customs", "customs"),
    )
    for role, step in steps:
        answer = gate.act(role, trip_id, step, **with_reason)
        assert answer.status_code == 200, (step, answer.text)
    with gate.runtime.sessions() as session:  # nothing is due
        action = ActionContext(session, None, gate.runtime.clock.now())
        Sheets(listeners=(), readers={}).update_facts(action, trip_id, {"fee_due": False})
        session.commit()


def overrides(gate, role="administrator", **query):
    person = gate.sign_in(role, locale="en") if role == "administrator" else gate.person(role)
    answer = person.get("/api/v1/overrides", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_what_stands_as_declared_is_no_finding(gate, two):
    own = observe(
        gate,
        two[0],
        tractor_plate="29C12345",
        trailer_plate="29R-01234",
        container_number="CSQU 305438 3",
        seal_numbers="vn2, VN1",
        driver_paper_number="c 1234567",
    )
    assert own.status_code == 200, own.text
    assert own.json()["items"] == []
    assert gate.act("health_quarantine", two[0], "health").status_code == 200
    assert gate.act("border_guard", two[0], "barrier_1").status_code == 200


@pytest.mark.parametrize(
    ("part", "entered"),
    [
        ("trailer", {"trailer_plate": ""}),
        ("trailer", {"trailer_plate": " không "}),
        ("container", {"container_number": "-"}),
    ],
)
def test_a_declared_trailer_or_container_that_is_not_there_stops_the_exit(gate, two, part, entered):
    answer = observe(gate, two[0], **entered)
    assert answer.status_code == 200, answer.text
    (finding,) = answer.json()["items"]
    assert (finding["part"], finding["seen"], finding["is_open"]) == (part, "–", True)
    assert not finding["is_of_another_trip"]
    assert findings(gate, two[1]) == []
    refused = gate.act("health_quarantine", two[0], "health")
    assert refused.status_code == 422
    assert "is not there" in refused.text
    assert observe(gate, two[0], **entered).json()["items"][0]["finding_id"] == finding["finding_id"]
    assert decide(gate, two[0], finding["finding_id"]).status_code in {200, 204}
    assert gate.act("health_quarantine", two[0], "health").status_code == 200


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"container_number": "CSQU3054383"}, {"container_number": "csqu 305438-3", "driver_paper_number": "C7654321"}),
        ({"driver_paper_number": "C7654321"}, {"driver_paper_number": "c 7654321"}),
    ],
    ids=["container", "driver"],
)
def test_what_two_trucks_under_way_declare_is_asked_about_on_both(gate, first, second):
    first = gate.declare("29C-621.01", **first)
    second = gate.declare("29C-621.02", customs_number="305999999990", **second)
    assert gate.act("health_quarantine", first, "health").status_code == 200, "the other one is only planned"
    refused = gate.act("health_quarantine", second, "health")
    assert refused.status_code == 422
    assert "declared by another trip" in refused.text
    assert gate.act("health_quarantine", second, "health", reason="Số ghi nhầm trên tờ khai").status_code == 200
    assert gate.act("border_guard", first, "barrier_1").status_code == 422, "now both are under way"
    kinds = [override["kind"] for override in overrides(gate)]
    assert kinds == ["two_places"]


def test_a_driver_of_another_truck_is_named_to_officers_and_not_in_the_audit_log(runtime, gate):
    gate.act("health_quarantine", gate.declare("29C-621.01", driver_paper_number="C7654321"), "health")
    second = gate.declare("29C-621.02", driver_paper_number="C7654321", customs_number="305999999990")
    assert "C7654321" in gate.act("health_quarantine", second, "health").text
    assert gate.act("health_quarantine", second, "health", reason="Số ghi nhầm trên tờ khai").status_code == 200
    with runtime.sessions() as session:
        kept = [row.after for row in audit_rows(session) if row.action == "checkpoints.override"]
    assert kept
    assert "C7654321" not in str(kept)


def test_who_declared_no_trailer_misses_none(gate):
    trip_id = gate.declare("29C-611.11", container="none")
    answer = observe(gate, trip_id, trailer_plate="", container_number="", seal_numbers="")
    assert answer.json()["items"] == []


@pytest.mark.parametrize(
    ("part", "entered", "seen"),
    [
        ("trailer", {"trailer_plate": TRAILER_B}, TRAILER_B),
        ("container", {"container_number": CONTAINER_B}, CONTAINER_B),
        ("seal", {"seal_numbers": "VN1 VN2 XX9"}, "XX9"),
    ],
)
def test_what_another_trip_declared_alarms_on_both_sheets(gate, two, part, entered, seen):
    answer = observe(gate, two[0], **entered)
    assert answer.status_code == 200, answer.text
    (own,) = answer.json()["items"]
    assert (own["part"], own["seen"], own["is_open"]) == (part, seen, True)
    assert (own["other"]["trip_id"], own["other"]["plate"]) == (two[1], B)
    (other,) = findings(gate, two[1], "customs")
    assert (other["part"], other["seen"], other["declared"]) == ("tractor", A, B)
    assert other["other"]["trip_id"] == two[0]
    assert observe(gate, two[0], **entered).json()["items"] == answer.json()["items"], "seen twice, it is one finding"


def test_the_exit_is_stopped_until_somebody_decides_with_a_reason(gate, two):
    (own,) = observe(gate, two[0], trailer_plate=TRAILER_B).json()["items"]
    refused = gate.act("health_quarantine", two[0], "health")
    assert refused.status_code == 422
    assert refused.json()["field"] == "reason"
    assert TRAILER_B in str(refused.json()["errors"])
    to_exit(gate, two[0], "Cho vào để kiểm tra")
    for reason in ({}, {"reason": "Cho xuất"}):
        stopped = gate.act("border_guard", two[0], "barrier_2", **reason)
        assert stopped.status_code == 409, stopped.text
    assert decide(gate, two[0], own["finding_id"], reason=" ").status_code == 422
    assert decide(gate, two[0], own["finding_id"], "stopped", "Nghi cướp mối hàng").status_code == 200
    assert gate.act("border_guard", two[0], "barrier_2", reason="Cho xuất").status_code == 409
    assert decide(gate, two[0], own["finding_id"], role="customs").status_code == 200
    again = decide(gate, two[0], own["finding_id"], "stopped", "Khác", role="customs")
    assert again.status_code == 409, "what was let go is not stopped again"
    assert decide(gate, two[0], own["finding_id"], role="customs").status_code == 200, "the same again changes nothing"
    assert [finding["verdict"] for finding in findings(gate, two[1])] == ["explained"], "decided on both sheets"
    left = gate.act("border_guard", two[0], "barrier_2")
    assert left.status_code == 200, left.text
    assert left.json()["is_finished"]
    timeline = gate.person("enterprise").get(f"/api/v1/trips/{two[0]}").json()["timeline"]
    decided = [line["data"]["reason"] for line in timeline if line["kind"] == "finding"]
    assert decided == ["Nghi cướp mối hàng", "Biên bản số 12"]
    actions = gate.sign_in("auditor").get("/audit/export.csv?action=checkpoints.").text
    for action in ("checkpoints.finding", "checkpoints.decide", "checkpoints.override"):
        assert action in actions


def test_only_border_guard_and_customs_of_the_gate_decide(gate, two):
    (own,) = observe(gate, two[0], trailer_plate=TRAILER_B).json()["items"]
    for role in ("yard_operator", "enterprise", "plant_quarantine"):
        assert decide(gate, two[0], own["finding_id"], role=role).status_code == 403
    elsewhere = gate.person("border_guard", "tan-thanh")
    url = f"/api/v1/trips/{two[0]}/findings/{own['finding_id']}/decide"
    assert elsewhere.post(url, json={"verdict": "explained", "reason": "Được"}).status_code == 404
    assert decide(gate, two[1], own["finding_id"]).status_code == 404, "another trip's finding"
    assert gate.person("enterprise").get(f"/api/v1/trips/{two[0]}/findings").status_code == 403
    assert gate.sheet(two[0])["checkpoint"] is None


def test_cameras_see_the_swap_and_list_sheet_and_stream_show_it(gate, two, client, sign_in, runtime):
    camera = set_up(
        sign_in("administrator"),
        "plate_camera",
        vendor="rekor",
        gate_id="huu-nghi",
        site_id="huu-nghi",
        station="barrier_1",
    )
    now = runtime.clock.now()
    assert send(client, camera, rekor("29C12345", now, uuid="u1")).status_code < 300
    assert findings(gate, two[0]) == []
    assert send(client, camera, rekor("12R05678", now + timedelta(seconds=6), uuid="u2")).status_code < 300
    (own,) = findings(gate, two[0])
    assert (own["part"], own["seen"], own["seen_by"], own["step"]) == ("trailer", TRAILER_B, "camera", "barrier_1")
    (other,) = findings(gate, two[1])
    assert (other["part"], other["seen"]) == ("tractor", A)
    gate.act("health_quarantine", two[0], "health", reason="Cho vào để kiểm tra")
    gate.arrive(A)
    guard = gate.person("border_guard")
    assert guard.get("/station/work?at=barrier_1", headers={"accept": "text/html"}).text.count("st-mark-alarm") >= 1
    sheet = guard.get(f"/station/sheet/{two[0]}?at=barrier_1", headers={"accept": "text/html"}).text
    assert 'data-testid="finding"' in sheet
    assert B in sheet
    assert 'data-act="finding-explained"' in sheet
    yard = gate.person("yard_operator").get(f"/station/sheet/{two[0]}?at=yard", headers={"accept": "text/html"}).text
    assert 'data-testid="finding"' in yard
    assert 'data-act="finding-explained"' not in yard


def test_a_transshipment_explains_the_vehicle_that_receives(gate, two):
    receiver = "51C-111.11"
    line = [{"line": 1, "to_plate": receiver, "packages": 900, "weight_kg": 19500}]
    gate.after_quarantine(two[1])
    made = gate.person("enterprise").post("/api/v1/transshipments", json={"trip_id": two[1], "moves": line})
    assert made.status_code == 201, made.text
    url = f"/api/v1/transshipments/{made.json()['transshipment_id']}"
    approved = gate.person("customs").post(f"{url}/approve", json={}, headers={"If-Match": '"1"'})
    assert approved.status_code == 200, approved.text
    explained = observe(gate, two[1], tractor_plate=receiver)
    assert explained.json()["items"] == []
    stranger = observe(gate, two[1], tractor_plate="51C-999.99")
    assert [finding["seen"] for finding in stranger.json()["items"]] == ["51C-999.99"]


def test_a_redeclared_trailer_stays_explained_for_the_time_before(gate, two, runtime):
    (own,) = observe(gate, two[0], trailer_plate="51R-999.99").json()["items"]
    assert (own["other"], own["is_of_another_trip"], own["declared"]) == (None, False, TRAILER_A)


def test_bad_input_is_named_and_loses_nothing(gate, two):
    wrong = observe(gate, two[0], trailer_plate=TRAILER_B, container_number="CSQU3054384")
    assert wrong.status_code == 422
    assert "CSQU 305438 4" in wrong.json()["detail"]
    assert observe(gate, two[0], trailer_plate="???").status_code == 422
    assert observe(gate, two[0]).status_code == 422
    assert observe(gate, two[0], step="fee", trailer_plate=TRAILER_B).status_code == 422
    assert findings(gate, two[0]) == []


def test_what_is_noted_with_the_confirmation_is_compared_too(gate, two):
    assert gate.act("health_quarantine", two[0], "health").status_code == 200
    refused = gate.act("border_guard", two[0], "barrier_1", data={"trailer_plate": TRAILER_B})
    assert refused.status_code == 422
    kept = gate.act("border_guard", two[0], "barrier_1", data={"trailer_plate": TRAILER_B}, reason="Giữ lại trong bãi")
    assert kept.status_code == 200, kept.text
    assert [finding["seen"] for finding in findings(gate, two[0])] == [TRAILER_B]
    assert [override["kind"] for override in overrides(gate)] == ["combination"]
