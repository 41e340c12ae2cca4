"""Drivers who have no account: found by what they are known by, given out, set right and erased by two persons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.audit_store import audit_rows
from app.platform.personal_fields import digest
from app.platform.runtime import Runtime
from tests.app.stationing import FRUIT, Gate
from tests.app.test_at_rest import columns_of
from tests.app.test_attachments import PDF, attach

NAME, PHONE, PAPER, LICENCE = "Quàng Zyxwanh", "0987 111 222", "Z9876543", "791234500999"
DRIVER = {
    "driver_name": NAME,
    "driver_phone": PHONE,
    "driver_paper_number": PAPER,
    "driver_licence_number": LICENCE,
    "health_temperature_c": 36.83,
}
URL = "/api/v1/privacy"


@pytest.fixture
def gate(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Gate:
    return Gate.open(runtime, sign_in)


@pytest.fixture
def trips(gate: Gate) -> list[int]:
    """Two trips of the person, one of somebody else who has the same telephone, an entry of a register."""
    first, second = (gate.declare(plate, lines=[FRUIT], **DRIVER) for plate in ("29C-123.45", "29C-222.22"))
    other = gate.declare("29C-333.33", lines=[FRUIT], driver_phone="0987.111.222")
    enterprise = gate.person("enterprise")
    assert attach(enterprise, first, "driver_papers", PDF, f"{NAME}.pdf").status_code == 201
    noted = {"temperature_c": 36.91, "note": "Mệt sau chuyến dài"}
    assert gate.act("health_quarantine", first, "health", data=noted).status_code == 200
    seen = {"step": "barrier_1", "driver_paper_number": PAPER}
    assert gate.person("border_guard").post(f"/api/v1/trips/{first}/observations", json=seen).status_code == 200
    entry = {"full_name": NAME, "phone": PHONE, "paper": "passport", "paper_number": PAPER, "licence_number": LICENCE}
    made = enterprise.post("/api/v1/registers/drivers", json=entry)
    assert made.status_code == 201, made.text
    document = {"subject": "driver", "entry_id": made.json()["entry_id"], "kind": "other", "number": "HC-555123"}
    assert enterprise.post("/api/v1/registers/documents", json=document).status_code == 201
    return [first, second, other]


def end(runtime: Runtime, *trip_ids: int) -> None:
    with runtime.sessions.begin() as session:
        done = text("UPDATE app.trip SET stage = 'out' WHERE trip_id = ANY(:ids)")
        session.execute(done, {"ids": list(trip_ids)})


def ask(client: TestClient, status: int = 201, **more: Any) -> dict[str, Any]:
    body = {"kind": "erasure", "driver": {"numbers": [PAPER]}, "reason": "Asked in writing", **more}
    answer = client.post(f"{URL}/requests", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_a_person_is_found_by_any_number_and_by_the_whole_name(gate: Gate, trips: list[int]) -> None:
    administrator = gate.sign_in("administrator")
    for sought, declared in (
        ({"numbers": ["z 987-6543"]}, 2),
        ({"numbers": [LICENCE]}, 2),
        ({"numbers": ["0987111222"]}, 3),
        ({"numbers": ["0987111222"], "name": "quang  zyxwanh"}, 2),
        ({"name": "Quang Zyxwanh"}, 2),
        ({"name": "Zyxwanh Quang"}, 0),
        ({"numbers": ["0000000000"]}, 0),
        ({"numbers": [PAPER], "name": "Somebody Else"}, 0),
    ):
        found = administrator.post(f"{URL}/drivers/search", json=sought)
        assert found.status_code == 200, found.text
        assert found.json()["counts"]["declarations"] == declared, sought
    for wrong in ({}, {"numbers": ["12345"]}, {"name": "An"}, {"numbers": ["1234567"] * 7}, {"number": PAPER}):
        assert administrator.post(f"{URL}/drivers/search", json=wrong).status_code == 422, wrong
    for role in ("auditor", "enterprise", "support", "border_guard"):
        assert gate.person(role).post(f"{URL}/drivers/search", json={"numbers": [PAPER]}).status_code == 403


def test_all_that_is_kept_of_a_person_is_given_out(gate: Gate, trips: list[int], runtime: Runtime) -> None:
    given = gate.sign_in("administrator").post(f"{URL}/drivers/data", json={"numbers": [PAPER]})
    kept = given.json()
    assert [each["trip_id"] for each in kept["declarations"]] == trips[:2]
    assert kept["declarations"][0]["driver_phone"] == PHONE
    assert kept["declarations"][0]["health_temperature_c"] == 36.83
    assert "plate" not in kept["declarations"][0]
    assert kept["register"][0]["licence_number"] == LICENCE
    assert kept["noted by officers"]["trip_step"][0]["temperature_c"] == 36.91
    with runtime.sessions() as session:
        rows = list(audit_rows(session))
    assert rows[-1].action == "privacy.export"
    assert not [mark for mark in (PAPER, NAME, PHONE) for row in rows if mark in f"{row.before} {row.after}"]


def test_erasure_takes_two_persons_and_leaves_a_pseudonym(gate: Gate, trips: list[int], runtime: Runtime) -> None:
    first, second = gate.sign_in("administrator"), gate.sign_in("administrator")
    ask(first, 422, driver={"name": NAME})
    ask(first, 404, driver={"numbers": ["C0000000"]})
    ask(first, 422, account_id=1)
    asked = ask(first)
    assert asked["account_id"] is None
    assert ask(first, driver={"numbers": ["z987 6543"]}) == asked, "the same person is asked for once"
    decision = f"{URL}/requests/{asked['request_id']}/decision"
    assert first.post(decision, json={"grant": True}).status_code == 403
    refused = second.post(decision, json={"grant": True})
    assert refused.status_code == 409, "the truck is under way"
    end(runtime, *trips)
    hold = {"subject": "trip", "subject_id": trips[1], "reason": "Court", "until": "2026-06-01T00:00:00+07:00"}
    placed = first.post(f"{URL}/holds", json=hold).json()
    assert second.post(decision, json={"grant": True}).status_code == 409, "held"
    assert first.post(f"{URL}/holds/{placed['hold_id']}/end").status_code == 200
    done = second.post(decision, json={"grant": True})
    assert done.status_code == 200, done.text
    outcome = done.json()["outcome"]
    assert outcome["erased"]["declarations"] == 2
    assert outcome["erased"]["register"] == outcome["erased"]["attached papers"] == 1
    assert outcome["erased"]["notes"] >= 2
    assert "declarations" in outcome["kept"]

    shown = first.get(f"{URL}/requests").text
    found = first.post(f"{URL}/drivers/data", json={"numbers": [PAPER, LICENCE]}).json()
    assert not [kind for kind in found if kind != "made_at" and found[kind]]
    assert first.post(f"{URL}/drivers/search", json={"numbers": [PHONE]}).json()["counts"]["declarations"] == 1, "other"
    sheet = gate.person("enterprise").get(f"/api/v1/declarations/{trips[0]}").json()
    assert sheet["data"]["driver_name"] == f"person-r{asked['request_id']}"
    assert not {"driver_phone", "driver_paper_number", "health_temperature_c"} & sheet["data"].keys()
    assert sheet["data"]["plate"] == "29C-123.45"
    for mark in (NAME, PAPER, LICENCE, "Mệt sau", "36.91", "HC-555123"):
        assert mark not in shown + str(sheet)
    kept = [(table, column) for table, column, value in columns_of(runtime) if digest(PAPER) in value]
    assert {table for table, _ in kept} <= {"app.audit", "app.observation"}


def test_what_is_wrong_is_set_right_in_registers_and_declarations(gate: Gate, trips: list[int]) -> None:
    first, second = gate.sign_in("administrator"), gate.sign_in("administrator")
    for changes in (None, {}, {"role": "x"}, {"phone": " "}, {"phone": "1" * 101}):
        ask(first, 422, kind="rectification", changes=changes)
    right = {"full_name": "Quàng Zyxwánh", "paper_number": "Z9876544"}
    asked = ask(first, kind="rectification", changes=right)
    done = second.post(f"{URL}/requests/{asked['request_id']}/decision", json={"grant": True})
    assert done.status_code == 200, done.text
    assert done.json()["outcome"]["declarations"] == 2
    found = first.post(f"{URL}/drivers/data", json={"numbers": ["Z9876544"]}).json()
    assert {each["driver_name"] for each in found["declarations"]} == {"Quàng Zyxwánh"}
    assert found["register"][0]["full_name"] == "Quàng Zyxwánh"
    assert not first.post(f"{URL}/drivers/search", json={"numbers": [PAPER]}).json()["names"]


def test_the_page_finds_and_asks(gate: Gate, trips: list[int]) -> None:
    administrator = gate.sign_in("administrator", locale="en")
    page = administrator.post("/admin/privacy/drivers", data={"number": PAPER})
    assert page.status_code == 200
    assert NAME in page.text
    form = {"number": PAPER, "name": "", "reason": "Asked in writing"}
    assert administrator.post("/admin/privacy/drivers/requests", data=form).status_code == 200
    page = administrator.get("/admin/privacy").text
    assert "Driver without an account" in page
    assert PAPER not in page
    assert administrator.post("/admin/privacy/drivers", data={"number": "12"}).status_code == 422


def test_a_driver_is_named_in_a_file_too(gate: Gate, runtime: Runtime) -> None:
    from tests.app.test_declaration_import import IMPORTS, as_csv, rows

    wrong = {key: str(value) for key, value in DRIVER.items()} | {"plate": "none"}
    file = as_csv(rows(runtime.clock.now().isoformat(), wrong))
    made = gate.person("enterprise").post(IMPORTS, files={"file": ("t.csv", file, "text/csv")})
    assert made.status_code == 201, made.text
    first, second = gate.sign_in("administrator"), gate.sign_in("administrator")
    asked = ask(first)
    assert second.post(f"{URL}/requests/{asked['request_id']}/decision", json={"grant": True}).status_code == 200
    row = gate.person("enterprise").get(f"{IMPORTS}/{made.json()['import_id']}").text
    assert PAPER not in row
    assert not first.post(f"{URL}/drivers/search", json={"numbers": [PAPER]}).json()["counts"]["rows of files"]
