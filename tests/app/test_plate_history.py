"""Reads that open and move nothing: older than the trip, of one that is over, sent later, previews, parked."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.dispatching import Stage, put_truck, set_stage
from tests.app.equipping import JPEG, rekor, send, set_up
from tests.app.gps import rows
from tests.ingest.test_plate_formats import anpr

PLATE = "29C12345"
READS = "SELECT status, history_reason, trip_id FROM app.plate_read ORDER BY read_id"
EFFECTS = """
    SELECT (SELECT count(*) FROM capacity.movement) AS movements,
           (SELECT count(*) FROM app.outbox WHERE type IN ('plate', 'undeclared', 'yard')) AS events,
           (SELECT count(*) FROM app.trip_event WHERE kind = 'plate') AS lines,
           (SELECT count(*) FROM app.trip WHERE arrived_at IS NOT NULL) AS arrivals,
           (SELECT count(*) FROM app.undeclared_sighting) AS rings
"""
NOTHING = [(0, 0, 0, 0, 0)]


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    """A trip entered half an hour ago; its truck is at the gate."""
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    stage = set_stage(runtime, sign_in)
    runtime.clock.advance(1800)
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=1.1)
        session.execute(text("UPDATE app.trip SET stage = 'queued'"))
        session.execute(text("DELETE FROM app.outbox"))
        session.commit()
    return stage


@pytest.fixture
def yard(stage, sign_in) -> dict:
    """A camera at the entrance of the yard."""
    administrator = sign_in("administrator")
    return set_up(
        administrator, "plate_camera", "rekor", site_id="xuan-cuong", station="yard", config={"movement": "enter"}
    )


@pytest.mark.parametrize("before", [timedelta(minutes=3), timedelta(hours=1), timedelta(days=1), timedelta(days=20)])
def test_a_read_older_than_the_trip_moves_nothing(runtime, client, stage, yard, before) -> None:
    entered_at = runtime.clock.now() - timedelta(minutes=30)
    assert send(client, yard, rekor(PLATE, entered_at - before)).json() == {"plates": 1, "new": 1}
    assert rows(runtime, READS) == [("history", "older_than_trip", stage.trip_id)]
    assert rows(runtime, EFFECTS) == NOTHING


@pytest.mark.parametrize(("flag", "reason"), [("is_preview", "preview"), ("is_parked", "parked")])
def test_a_preview_and_a_parked_vehicle_move_nothing(runtime, client, stage, yard, flag, reason) -> None:
    send(client, yard, rekor(PLATE, runtime.clock.now(), **{flag: True}))
    send(client, yard, rekor("51C99999", runtime.clock.now(), uuid="u2", **{flag: True}))
    assert rows(runtime, READS) == [("history", reason, stage.trip_id), ("history", reason, None)]
    assert rows(runtime, EFFECTS) == NOTHING


def test_after_its_preview_the_passage_counts(runtime, client, stage, yard) -> None:
    now = runtime.clock.now()
    for is_preview in (True, False, True, False):
        send(client, yard, rekor(PLATE, now, is_preview=is_preview))
    assert [status for status, _, _ in rows(runtime, READS)] == ["history", "matched"]
    assert rows(runtime, "SELECT count(*) FROM capacity.movement") == [(1,)]


@pytest.mark.parametrize("plate", ["29C-123.45", "51C-999.99"])
def test_a_retransmission_moves_nothing(runtime, client, stage, sign_in, plate) -> None:
    device = set_up(
        sign_in("administrator"), "plate_camera", "hikvision", site_id="xuan-cuong", config={"movement": "enter"}
    )
    time = (runtime.clock.now() - timedelta(minutes=8)).isoformat()
    body = anpr(plate=plate, time=time).replace(b"<ANPR>", b"<isDataRetransmission>true</isDataRetransmission><ANPR>")
    assert send(client, device, body, "hikvision").json() == {"plates": 1, "new": 1}
    ((status, reason, _),) = rows(runtime, READS)
    assert (status, reason) == ("history", "retransmission")
    assert rows(runtime, EFFECTS) == NOTHING


def test_a_truck_whose_trip_is_over_is_neither_moved_nor_unknown(runtime, client, stage, yard) -> None:
    now = runtime.clock.now()
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE app.trip SET stage = 'out', stage_since = :now"), {"now": now})
    for number, minutes in enumerate((-5, 1)):
        send(client, yard, rekor(PLATE, now + timedelta(minutes=minutes), uuid=f"o{number}"))
    assert rows(runtime, READS) == [("history", "trip_over", stage.trip_id)] * 2
    assert rows(runtime, EFFECTS) == NOTHING


def test_a_read_of_the_trip_before_is_not_one_of_the_trip_now(runtime, client, stage, yard) -> None:
    now = runtime.clock.now()
    with runtime.engine.begin() as connection:
        connection.execute(
            text("UPDATE app.trip SET stage = 'out', stage_since = :then"), {"then": now - timedelta(minutes=10)}
        )
        connection.execute(
            text(
                "INSERT INTO app.trip (code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, "
                "direction, gate_id, planned_arrival, stage, stage_since, created_at) "
                "SELECT 'LS-NEXT', vehicle_id, organisation_id, goods, goods_class, perishable, regime, direction, "
                "gate_id, :now, 'queued', :now, :then FROM app.trip"
            ),
            {"now": now, "then": now - timedelta(minutes=8)},
        )
    for number, minutes in enumerate((-15, -1)):
        send(client, yard, rekor(PLATE, now + timedelta(minutes=minutes), uuid=f"n{number}"))
    (before, now_read) = rows(runtime, READS)
    assert before == ("history", "trip_over", stage.trip_id)
    assert (now_read[0], now_read[2] != stage.trip_id) == ("matched", True)


def test_a_person_who_decides_an_old_read_ties_it_to_the_trip_and_moves_nothing(
    runtime: Runtime, client: TestClient, stage: Stage, yard: dict, sign_in
) -> None:
    send(client, yard, rekor("29C1Z3A5", runtime.clock.now() - timedelta(hours=3), 40.0))
    with runtime.engine.begin() as connection:
        connection.execute(text("DELETE FROM app.outbox"))  # a read that nobody could tell was told of
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    (read,) = operator.get("/api/v1/plate-reads").json()["items"]
    answer = operator.post(f"/api/v1/plate-reads/{read['read_id']}/decision", json={"plate": PLATE}).json()
    assert (answer["status"], answer["history_reason"], answer["trip_id"]) == (
        "history",
        "older_than_trip",
        stage.trip_id,
    )
    assert rows(runtime, EFFECTS) == NOTHING


def test_history_is_kept_for_people(runtime, client, stage, yard, sign_in) -> None:
    send(client, yard, rekor(PLATE, runtime.clock.now(), is_parked=True))
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    (read,) = operator.get("/api/v1/plate-reads?status=history").json()["items"]
    assert (read["history_reason"], read["trip_id"]) == ("parked", stage.trip_id)
    page = operator.get("/equipment/reads?status=history", headers={"accept": "text/html"}).text
    assert "Xe đang đỗ" in page
    (shown,) = operator.get(f"/api/v1/trips/{stage.trip_id}/sheet").json()["equipment"]["reads"]
    assert (shown["status"], shown["history_reason"]) == ("history", "parked")
    refused = operator.post(f"/api/v1/plate-reads/{read['read_id']}/decision", json={"trip_id": stage.trip_id})
    assert refused.status_code == 409


def test_a_station_sees_passages_with_their_picture_and_history_as_such(runtime, client, stage, yard, sign_in) -> None:
    now = runtime.clock.now()
    crop = base64.b64encode(JPEG).decode()
    send(client, yard, rekor(PLATE, now - timedelta(seconds=5), 70.0, uuid="a"))
    send(client, yard, rekor(PLATE, now, 90.0, uuid="b", vehicle_crop_jpeg=crop))
    send(client, yard, rekor(PLATE, now + timedelta(seconds=100), uuid="c", is_parked=True))
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    page = operator.get(f"/station/sheet/{stage.trip_id}?at=yard", headers={"accept": "text/html"}).text
    assert page.count("29C-123.45</span>") >= 2
    assert page.count("/api/v1/plate-reads/1/picture") == 2, "one passage, linked and shown"
    assert "Xe đang đỗ" in page
