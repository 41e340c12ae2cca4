"""Transshipment from registration to the yard's confirmation, on a real database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.app.declaring import declaration_line
from tests.app.stationing import FRUIT, Gate

URL = "/api/v1/transshipments"


@pytest.fixture
def gate(runtime, sign_in):
    return Gate.open(runtime, sign_in)


@pytest.fixture
def trip_id(gate):
    trip_id = gate.declare(lines=[FRUIT])
    gate.after_quarantine(trip_id)
    return trip_id


def move(packages=600, weight_kg="10800", to_plate="桂F·A1234", **more):
    return {"line": 1, "to_plate": to_plate, "packages": packages, "weight_kg": weight_kg, **more}


def register(gate, trip_id, moves=None, **headers):
    return gate.person("enterprise").post(URL, json={"trip_id": trip_id, "moves": moves or [move()]}, headers=headers)


def act(client, found, what, body=None, version=None):
    headers = {"If-Match": f'"{version or found["version"]}"'}
    return client.post(f"{URL}/{found['transshipment_id']}/{what}", json=body, headers=headers)


def test_registered_approved_and_carried_out(gate, trip_id):
    made = register(gate, trip_id, [move(), move(300, "5400", "29C-999.99")])
    assert made.status_code == 201, made.text
    found = made.json()
    assert found["status"] == "registered"
    assert found["received"] == [
        {"plate": "桂F·A1234", "weight_kg": "10800.000"},
        {"plate": "29C-999.99", "weight_kg": "5400.000"},
    ]
    assert gate.state(trip_id)["transshipment"] == "ready"
    assert gate.state(trip_id)["customs"] == "waiting"
    approved = act(gate.person("customs"), found, "approve")
    assert approved.status_code == 200, approved.text
    moves = [move(), move(300, "5400.000", "29C 99999")]
    done = act(gate.person("yard_operator"), approved.json(), "carry-out", {"moves": moves})
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "carried_out"
    assert gate.state(trip_id)["transshipment"] == "done"
    assert gate.state(trip_id)["customs"] == "ready"
    with gate.runtime.sessions() as session:
        actions = session.execute(
            text("SELECT action FROM app.audit WHERE object_type = 'transshipment' ORDER BY audit_id")
        ).scalars()
        assert list(actions) == ["transshipment.registered", "transshipment.approved", "transshipment.carried_out"]


def test_what_is_left_can_move_later_and_no_more(gate, trip_id):
    found = register(gate, trip_id).json()
    found = act(gate.person("customs"), found, "approve").json()
    assert act(gate.person("yard_operator"), found, "carry-out", {"moves": [move()]}).status_code == 200
    too_much = register(gate, trip_id, [move(401, "7218")])
    assert too_much.status_code == 422
    assert "400 packages" in too_much.json()["detail"]
    assert register(gate, trip_id, [move(400, "7200")]).status_code == 201


def test_carried_out_otherwise_is_not_confirmed(gate, trip_id):
    found = act(gate.person("customs"), register(gate, trip_id).json(), "approve").json()
    yard = gate.person("yard_operator")
    for moves in ([move(599)], [move(600, "10800", "29C-999.99")], [move(), move(1, "18", "29C-999.99")]):
        refused = act(yard, found, "carry-out", {"moves": moves})
        assert refused.status_code == 409, refused.text
        assert "Not as approved" in refused.json()["detail"]
    alone = gate.act("yard_operator", trip_id, "transshipment")
    assert alone.status_code == 409
    assert gate.state(trip_id)["transshipment"] == "ready"


def test_not_before_quarantine(gate):
    trip_id = gate.declare()
    gate.to_quarantine(trip_id)
    refused = register(gate, trip_id)
    assert refused.status_code == 409
    assert "Plant quarantine is not done yet" in refused.json()["detail"]


def test_only_one_at_a_time_and_the_same_request_is_one(gate, trip_id):
    first = register(gate, trip_id, **{"Idempotency-Key": "k"})
    again = register(gate, trip_id, **{"Idempotency-Key": "k"})
    assert first.json()["transshipment_id"] == again.json()["transshipment_id"]
    assert register(gate, trip_id).status_code == 409


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"to_plate": "29C-123.45"}, "own vehicle"),
        ({"to_plate": "xyz"}, "not a Vietnamese or Chinese plate"),
        ({"from_plate": "29C-555.55"}, "no vehicle of this trip"),
        ({"line": 2}, "no line 2"),
        ({"packages": 1001}, "1,000 packages"),
    ],
)
def test_what_cannot_be_registered_says_why(gate, trip_id, changed, words):
    refused = register(gate, trip_id, [move(**changed)])
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


def test_two_officers_at_once_and_a_refusal(gate, trip_id):
    found = register(gate, trip_id).json()
    customs = gate.person("customs")
    assert act(customs, found, "refuse", {"reason": "Xe nhận chưa đăng ký"}).status_code == 200
    assert act(customs, found, "approve").status_code == 412
    assert customs.post(f"{URL}/{found['transshipment_id']}/approve").status_code == 428
    assert gate.state(trip_id)["transshipment"] == "not_needed"
    assert gate.state(trip_id)["customs"] == "ready"
    seen = gate.person("enterprise").get(f"{URL}/{found['transshipment_id']}").json()
    assert (seen["status"], seen["reason"]) == ("refused", "Xe nhận chưa đăng ký")
    assert register(gate, trip_id).status_code == 201


def test_the_enterprise_withdraws(gate, trip_id):
    found = register(gate, trip_id).json()
    assert act(gate.person("enterprise"), found, "withdraw").json()["status"] == "cancelled"
    assert gate.state(trip_id)["transshipment"] == "not_needed"


def test_goods_declared_anew_void_an_approval(gate, trip_id):
    found = act(gate.person("customs"), register(gate, trip_id, [move(1000, "18000")]).json(), "approve").json()
    answer = gate.act("yard_operator", trip_id, "transshipment", "return", reasons=["quantity_differs"])
    assert answer.status_code == 200, answer.text
    enterprise = gate.person("enterprise")
    read = enterprise.get(f"/api/v1/declarations/{trip_id}")
    fewer = declaration_line(packages=900, gross_weight_kg=16200.0, net_weight_kg=15000.0, quantity=15000.0)
    body = {"lines": [fewer], "submit": True}
    declared = enterprise.put(
        f"/api/v1/declarations/{trip_id}",
        json={**{k: v for k, v in read.json()["data"].items() if v not in (None, "")}, **body},
        headers={"If-Match": read.headers["ETag"]},
    )
    assert declared.status_code == 200, declared.text
    gate.pass_steps(trip_id, ("plant_quarantine", "quarantine_plant"))
    refused = act(gate.person("yard_operator"), found, "carry-out", {"moves": [move(1000, "18000")]})
    assert refused.status_code == 409
    assert "declared again" in refused.json()["detail"]


def test_others_see_and_do_nothing(gate, trip_id, sign_in):
    found = register(gate, trip_id).json()
    elsewhere = gate.person("customs", "tan-thanh")
    assert elsewhere.get(f"{URL}/{found['transshipment_id']}").status_code == 404
    assert act(elsewhere, found, "approve").status_code == 404
    assert elsewhere.get(URL).json()["items"] == []
    assert gate.person("customs").get(URL, params={"status": "registered"}).json()["items"] == [found]
    assert act(gate.person("enterprise"), found, "approve").status_code == 403
    assert act(gate.person("customs"), found, "carry-out", {"moves": [move()]}).status_code == 403


def test_a_form_that_cannot_be_sent_yet_says_why_in_words_instead(gate):
    trip_id = gate.declare("29C-777.77", lines=[FRUIT])
    shown = gate.person("enterprise").get(f"/transshipments/new?trip={trip_id}", headers={"accept": "text/html"}).text
    said = shown.split('data-testid="not-yet"')[1].split("</div>")[0]
    assert "Plant quarantine is not done yet." in said
    assert "quarantine_plant" not in said
    assert f'href="/enterprise/trips/{trip_id}"' in shown
    assert "data-register" not in shown
    refused = register(gate, trip_id)
    assert refused.status_code == 409
    assert "Plant quarantine is not done yet." in refused.json()["detail"]


def test_the_pages_of_each(gate, trip_id):
    html = {"accept": "text/html"}
    form = gate.person("enterprise").get(f"/transshipments/new?trip={trip_id}", headers=html)
    assert form.status_code == 200
    assert 'data-packages="1000"' in form.text
    found = register(gate, trip_id).json()
    number = found["transshipment_id"]
    pages = {
        role: gate.person(role).get(f"/transshipments/{number}", headers=html).text
        for role in ("enterprise", "customs", "yard_operator")
    }
    assert 'data-do="withdraw"' in pages["enterprise"]
    assert 'data-do="approve"' in pages["customs"]
    assert "data-do=" not in pages["yard_operator"]
    act(gate.person("customs"), found, "approve")
    assert 'data-do="carry-out"' in gate.person("yard_operator").get(f"/transshipments/{number}", headers=html).text
    for role in ("enterprise", "customs", "yard_operator"):
        assert "桂F·A1234" in gate.person(role).get("/transshipments", headers=html).text
