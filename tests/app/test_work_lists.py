"""Work lists: who is here, who comes next, and what leaves them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from app.procedures.procedure import Facts
from app.trips import progress
from geo.errors import ConflictError
from tests.app.bordering import EXPORT_WAY, Border, Listener, SignIn, border, listener, sheets  # noqa: F401 - fixtures
from tests.app.dispatching import put_truck


def test_a_work_list_says_who_is_here_and_who_comes_next(border: Border) -> None:
    now = border.runtime.clock.now()
    ids = {plate: border.enter(plate) for plate in ("29C-111.11", "29C-222.22", "29C-333.33", "29C-444.44")}
    with border.runtime.sessions() as session:
        put_truck(session, border.runtime.corridor, "29C-111.11", time=now, km=0.9, site_id="huu-nghi", motion="gate")
        put_truck(session, border.runtime.corridor, "29C-222.22", time=now, km=40.0)
        session.execute(
            text("INSERT INTO app.outlook VALUES (:trip_id, :now, :at, :at, '{60,60,60}')"),
            {"trip_id": ids["29C-333.33"], "now": now, "at": [now + timedelta(minutes=20)] * 3},
        )
        session.execute(
            text("UPDATE app.trip SET stage = 'cancelled' WHERE trip_id = :trip_id"), {"trip_id": ids["29C-444.44"]}
        )
        progress.advance(session, now, keeper=border.sheets.presence, tails_km={})
        session.commit()
    guard = border.officer("border_guard")
    health = border.officer("health_quarantine").get("/api/v1/inspections", params={"station": "health"}).json()
    assert [entry["trip_id"] for entry in health["here"]] == [ids["29C-111.11"]]
    assert [entry["trip_id"] for entry in health["next"]] == [ids["29C-333.33"], ids["29C-222.22"]]
    assert [entry["eta_is_forecast"] for entry in health["next"]] == [True, False]
    barrier = guard.get("/api/v1/inspections", params={"station": "barrier_1"}).json()
    assert barrier["here"] == []
    assert barrier["next"][0]["trip_id"] == ids["29C-111.11"]
    assert barrier["next"][0]["waits_for"] == ["health"]
    border.act("health_quarantine", ids["29C-111.11"], "health")
    barrier = guard.get("/api/v1/inspections", params={"station": "barrier_1"}).json()
    assert [entry["trip_id"] for entry in barrier["here"]] == [ids["29C-111.11"]]
    elsewhere = border.officer("border_guard", "tan-thanh")
    other = elsewhere.get("/api/v1/inspections", params={"station": "barrier_1"}).json()
    assert other["here"] == other["next"] == []
    assert guard.get("/api/v1/inspections", params={"station": "kitchen"}).status_code == 422
    assert border.enterprise.get("/api/v1/inspections", params={"station": "health"}).status_code == 403


def test_nobody_waits_before_the_truck_is_there(border: Border) -> None:
    clock = border.runtime.clock
    early, late = border.enter("29C-123.45"), border.enter("29C-543.21")
    clock.advance(5 * 3600)
    for trip_id in (late, early):  # declared in one order, there in the other
        border.call(border.sheets.note_arrival, trip_id)
        clock.advance(300)
    listed = border.officer("health_quarantine").get("/api/v1/inspections", params={"station": "health"}).json()["here"]
    assert [trip["trip_id"] for trip in listed] == [late, early]
    assert clock.now() - datetime.fromisoformat(listed[0]["since"]) == timedelta(seconds=600)
    assert border.act("health_quarantine", late, "health").status_code == 200
    (stay,) = border.rows("SELECT ended_at - began_at AS lasted FROM app.stay WHERE name = 'health'")
    assert stay.lasted == timedelta(seconds=600)
    clock.advance(60)
    assert border.act("health_quarantine", early, "health").status_code == 200

    def at_barrier() -> list[int]:
        listed = border.officer("border_guard").get("/api/v1/inspections", params={"station": "barrier_1"}).json()
        return [trip["trip_id"] for trip in listed["here"]]

    assert at_barrier() == [late, early], "the longest waiting first"
    with border.runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'in_the_yard' WHERE trip_id = :id"), {"id": late})
        session.commit()
    assert at_barrier() == [early, late], "who stands before the barrier, then who is inside"


def test_what_a_trip_left_open_does_not_stay_on_the_lists(border: Border) -> None:
    trip_id = border.enter()
    border.call(border.sheets.note_arrival, trip_id)
    assert border.rows("SELECT FROM app.trip_step WHERE is_live")
    with border.runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'out'"))
        session.commit()
    assert not border.rows("SELECT FROM app.trip_step WHERE is_live")
    health = border.officer("health_quarantine").get("/api/v1/inspections", params={"station": "health"}).json()
    assert health["here"] == health["next"] == []
    refused = border.act("health_quarantine", trip_id, "health")
    assert refused.status_code == 409
    ore = Facts(direction="export", regime="export", goods_class=frozenset({"ore"}))
    with pytest.raises(ConflictError):
        border.call(border.sheets.open_sheet, trip_id, ore)
