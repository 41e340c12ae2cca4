"""The stations: their pages, customs' channel, the sheet live for two officers, on a real database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.app.stationing import Gate

HTML = {"accept": "text/html"}
ROLES = {
    "health_quarantine": "health",
    "border_guard": "barrier_1",
    "yard_operator": "yard",
    "customs": "customs",
    "animal_quarantine": "quarantine_animal",
    "plant_quarantine": "quarantine_plant",
    "gate_management": "fee",
    "tax": "fee",
    "support": "support",
}


@pytest.fixture
def gate(runtime, sign_in):
    return Gate.open(runtime, sign_in)


def set_channel(gate, trip_id, channel, role="customs", version=None):
    version = version or gate.sheet(trip_id)["version"]
    return gate.person(role).put(
        f"/api/v1/trips/{trip_id}/channel", json={"channel": channel}, headers={"If-Match": f'"{version}"'}
    )


def test_every_station_lists_who_is_here_and_who_comes(gate):
    first, later = gate.declare("29C-123.45"), gate.declare("12C-081.56")
    gate.arrive("29C-123.45")
    gate.arrive("12C-081.56", km=60.0)
    for role, station in ROLES.items():
        page = gate.person(role).get("/station", headers=HTML)
        assert page.status_code == 200, role
        assert f'data-station="{station}"' in page.text
        if role not in ("support", "animal_quarantine"):
            assert f'data-trip="{first}"' in page.text, role
            assert f'data-trip="{later}"' in page.text, role
    health = gate.person("health_quarantine").get("/station/work?at=health", headers=HTML).text
    here, _, following = health.partition("Who comes next")
    assert f'data-trip="{first}"' in here
    assert f'data-trip="{later}"' in following


def test_the_sheet_shows_the_declaration_and_the_acts_of_its_station(gate):
    trip_id = gate.declare("29C-123.45", trailer_plate="29R-012.34")
    sheet = gate.person("health_quarantine").get(f"/station/sheet/{trip_id}?at=health", headers=HTML).text
    for shown in ("29C-123.45", "29R-012.34", "Nguyễn Văn An", "Thanh long tươi", 'data-act="confirm"'):
        assert shown in sheet
    waiting = gate.person("customs").get(f"/station/sheet/{trip_id}?at=customs", headers=HTML).text
    assert 'data-act="confirm"' not in waiting
    assert gate.person("customs").get(f"/station/sheet/{trip_id}?at=barrier_1", headers=HTML).status_code == 404
    other = gate.person("customs", "tan-thanh").get(f"/station/sheet/{trip_id}?at=customs", headers=HTML)
    assert other.status_code == 404
    assert gate.person("customs", "tan-thanh").get(f"/station?trip={trip_id}", headers=HTML).status_code == 200


def test_the_auditor_reads_every_station_of_every_gate_and_the_drivers_page_and_acts_at_none(gate):
    trip_id = gate.declare("29C-123.45")
    gate.arrive("29C-123.45")
    auditor = gate.sign_in("auditor", locale="en")
    here = auditor.get("/station?at=health", headers=HTML).text
    assert f'data-trip="{trip_id}"' in here
    elsewhere = auditor.get("/station?at=health&gate=tan-thanh", headers=HTML).text
    assert f'data-trip="{trip_id}"' not in elsewhere
    assert 'href="/station?at=health&amp;gate=huu-nghi"' in elsewhere
    assert auditor.get("/station?gate=nowhere", headers=HTML).status_code == 404
    sheet = auditor.get(f"/station/sheet/{trip_id}?at=health&gate=huu-nghi", headers=HTML).text
    assert "Nguyễn Văn An" in sheet
    assert "data-act=" not in sheet
    driver = auditor.get("/driver?text=29C-123", headers=HTML).text
    assert f'data-trip="{trip_id}" data-reading' in driver
    assert f'hx-get="/driver?trip={trip_id}"' in driver
    assert 'id="share"' not in driver
    assert "No open trip has this plate" in auditor.get("/driver?text=99Z-000.00", headers=HTML).text


def test_a_station_sees_that_a_position_is_overdue_and_acts_all_the_same(gate):
    trip_id = gate.declare("29C-123.45")
    gate.arrive("29C-123.45")
    guard, where = gate.person("health_quarantine"), f"/station/sheet/{trip_id}?at=health"
    assert 'data-testid="gps-silent"' not in guard.get(where, headers=HTML).text
    gate.runtime.clock.advance(17 * 60 + 5 * 60)
    sheet = guard.get(where, headers=HTML).text
    assert 'data-testid="gps-silent"' in sheet
    assert "quá hạn 5 phút" in sheet or "overdue by 5 min" in sheet
    assert gate.act("health_quarantine", trip_id, "health").status_code == 200
    assert gate.act("border_guard", trip_id, "barrier_1").status_code == 200
    inside = gate.person("yard_operator").get(f"/station/sheet/{trip_id}?at=yard", headers=HTML).text
    assert 'data-testid="gps-silent"' not in inside, "inside nobody wants a position"


def test_a_return_is_shown_with_its_reasons_and_what_differs_after(gate):
    trip_id = gate.declare()
    answer = gate.act("health_quarantine", trip_id, "health", "return", reasons=["driver_differs"], text="Người khác")
    assert answer.status_code == 200, answer.text
    sheet = gate.person("health_quarantine").get(f"/station/sheet/{trip_id}?at=health", headers=HTML).text
    assert "The driver is not the one declared" in sheet
    assert "Người khác" in sheet


def test_green_releases_at_once_by_the_platform(gate):
    trip_id = gate.declare()
    gate.after_quarantine(trip_id)
    answer = set_channel(gate, trip_id, "green")
    assert answer.status_code == 200, answer.text
    step = next(step for step in gate.sheet(trip_id)["steps"] if step["step"] == "customs")
    assert (step["status"], step["done_by"], step["data"]) == ("done", None, {"at_once": True})
    with gate.runtime.sessions() as session:
        row = session.execute(text("SELECT actor, after FROM app.audit WHERE action = 'sheets.facts'")).one()
    assert row.after["data"] == {"channel": "green"}
    assert row.after["steps"]["customs"] == "done"
    assert set_channel(gate, trip_id, "red").status_code == 409


def test_green_set_early_releases_when_the_sheet_is_complete(gate):
    trip_id = gate.declare()
    assert set_channel(gate, trip_id, "green").status_code == 200
    assert gate.state(trip_id)["customs"] == "waiting"
    gate.after_quarantine(trip_id)
    assert gate.state(trip_id)["customs"] == "done"


def test_red_waits_for_the_officer(gate):
    trip_id = gate.declare()
    gate.after_quarantine(trip_id)
    assert set_channel(gate, trip_id, "red").status_code == 200
    assert gate.state(trip_id)["customs"] == "ready"
    assert gate.act("customs", trip_id, "customs", "return", reasons=["goods_differ"]).status_code == 200
    assert gate.state(trip_id)["declaration"] == "returned"


def test_only_customs_of_the_gate_set_a_channel_and_only_on_what_they_saw(gate):
    trip_id = gate.declare()
    version = gate.sheet(trip_id)["version"]
    assert set_channel(gate, trip_id, "yellow", role="border_guard").status_code == 403
    assert set_channel(gate, trip_id, "blue").status_code == 422
    assert set_channel(gate, trip_id, "yellow", version=version).status_code == 200
    assert set_channel(gate, trip_id, "green", version=version).status_code == 412
