"""Reads of one passage are one, whatever their order; the truck behind never is a repeat of the one ahead."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.equipment import store
from app.equipment.cameras import PlateIntake
from app.equipment.tables import Equipment, PlateReadRow
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from ingest.formats import rekor as rekor_format
from tests.app.dispatching import Stage, put_truck, set_stage, trip_body
from tests.app.equipping import JPEG, rekor, send, set_up
from tests.app.gps import rows
from tests.profiles import examples

AHEAD = "29C12345"
READS = "SELECT plate_norm, status, trip_id FROM app.plate_read ORDER BY time, read_id"


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    """The truck 29C-123.45 is declared, and stands before barrier 1."""
    stage = set_stage(runtime, sign_in)
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, AHEAD, time=runtime.clock.now(), km=1.1)
        session.commit()
    return stage


@pytest.fixture
def camera(stage, sign_in) -> dict:
    return set_up(sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", station="barrier_1")


@dataclass
class Lane:
    """A camera at barrier 1 that reads one plate after the other."""

    runtime: Runtime
    client: TestClient
    device: dict
    number: int = 0

    def read(self, plate: str, after_s: float, confidence: float = 92.0, **more) -> None:
        self.number += 1
        moment = self.runtime.clock.now() + timedelta(seconds=after_s)
        body = rekor(plate, moment, confidence, uuid=f"u{self.number}", **more)
        answer = send(self.client, self.device, body)
        assert answer.json() == {"plates": 1, "new": 1}, answer.text

    def found(self) -> list[tuple[str, str, int | None]]:
        return [tuple(row) for row in rows(self.runtime, READS)]


@pytest.fixture
def lane(runtime, client, camera) -> Lane:
    return Lane(runtime, client, camera)


@pytest.mark.parametrize(
    ("behind", "confidence"),
    [
        ("29C1234S", 40.0),
        ("29C1Z345", 95.0),
        ("29G12345", 60.0),
        ("29C1234", 90.0),
        ("29C123456", 90.0),
        ("29C12346", 50.0),
    ],
)
def test_a_lookalike_behind_is_no_repeat_of_the_truck_ahead(stage, lane, behind, confidence) -> None:
    lane.read(AHEAD, 0)
    lane.read(behind, 12, confidence)
    first, second = lane.found()
    assert first == (AHEAD, "matched", stage.trip_id)
    assert second[0] == behind
    assert second[1] in {"doubtful", "unknown"}
    assert second[2] is None


@pytest.mark.parametrize("ahead", ["29C1234S", "29C1Z345"])
def test_a_doubtful_truck_ahead_is_not_lost_to_the_one_behind(stage, lane, ahead) -> None:
    lane.read(ahead, 0, 60.0)
    lane.read(AHEAD, 15)
    assert lane.found() == [(ahead, "doubtful", None), (AHEAD, "matched", stage.trip_id)]


def test_a_convoy_of_neighbouring_plates_is_told_apart(runtime, stage, lane) -> None:
    plates = ["29C12345", "29C12346", "29C12354", "29C12348"]
    now = runtime.clock.now()
    with runtime.sessions() as session:
        for plate in plates[1:]:
            put_truck(session, runtime.corridor, plate, time=now, km=1.1, organisation_id=stage.organisation_id)
        session.commit()
    for plate in plates[1:]:
        answer = stage.enterprise.post("/api/v1/trips", json=trip_body(plate, now + timedelta(hours=3)))
        assert answer.status_code == 201, answer.text
    for number, plate in enumerate(plates):
        lane.read(plate, 8 * number)
    found = lane.found()
    assert [plate for plate, _, _ in found] == plates
    assert {status for _, status, _ in found} == {"matched"}
    assert len({trip_id for _, _, trip_id in found}) == 4


def test_a_truck_that_stands_before_the_camera_is_one_passage_however_long(runtime, stage, lane) -> None:
    runtime.clock.advance(1200)
    for minute in range(6):
        lane.read(AHEAD, 60 * minute - 600, 80.0 + minute)
    assert [status for _, status, _ in lane.found()] == ["matched", *["repeat"] * 5]
    assert rows(runtime, "SELECT count(*) FROM app.trip_event WHERE kind = 'plate'") == [(1,)]
    assert rows(runtime, "SELECT count(DISTINCT passage_id) FROM app.plate_read WHERE status = 'repeat'") == [(1,)]


def test_tractor_and_trailer_of_one_trip_are_one_passage(runtime, stage, lane) -> None:
    with runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.trip SET trailer_plate = '29R01234'")
    lane.read(AHEAD, 0)
    lane.read("29R01234", 6)
    assert lane.found() == [(AHEAD, "matched", stage.trip_id), ("29R01234", "repeat", stage.trip_id)]


def test_the_best_picture_of_a_passage_is_shown_with_it(runtime, stage, lane, sign_in) -> None:
    pictures = [JPEG + bytes([number]) for number in range(3)]
    for number, confidence in enumerate((70.0, 96.0, 80.0)):
        lane.read(AHEAD, number * 5, confidence, vehicle_crop_jpeg=base64.b64encode(pictures[number]).decode())
    guard = sign_in("border_guard", gate_id="huu-nghi")
    (read,) = guard.get("/api/v1/plate-reads?status=matched").json()["items"]
    assert read["has_picture"]
    assert guard.get(f"/api/v1/plate-reads/{read['read_id']}/picture").content == pictures[1]
    (shown,) = guard.get(f"/api/v1/trips/{stage.trip_id}/sheet").json()["equipment"]["reads"]
    assert (shown["read_id"], shown["has_picture"]) == (read["read_id"], True)


def test_a_vehicle_that_the_camera_follows_is_one_passage_whatever_it_reads(runtime, client, stage, sign_in) -> None:
    device = set_up(sign_in("administrator"), "plate_camera", "axis", site_id="huu-nghi-barrier-1", station="barrier_1")
    start = runtime.clock.now() - timedelta(seconds=60)
    for number, (plate, share, state) in enumerate(
        [("51C99990", "0.61", "new"), ("51C99999", "0.93", "update"), ("51C99999", "0.93", "lost")]
    ):
        moment = start + timedelta(seconds=number)
        event = {
            "plateUTF8": plate,
            "plateConfidence": share,
            "carID": "907",
            "carState": state,
            "capture_timestamp": str(round(moment.timestamp() * 1000)),
        }
        assert send(client, device, json.dumps(event).encode(), "axis").json()["plates"] == 1
    found = rows(runtime, "SELECT plate_norm FROM app.plate_read WHERE status <> 'repeat'")
    assert found == [("51C99999",)]


def test_two_trucks_under_one_number_of_the_camera_stay_two(runtime, client, stage, sign_in) -> None:
    now = runtime.clock.now()
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "51C99999", time=now, km=1.1, organisation_id=stage.organisation_id)
        session.commit()
    answer = stage.enterprise.post("/api/v1/trips", json=trip_body("51C99999", now + timedelta(hours=3)))
    assert answer.status_code == 201, answer.text
    device = set_up(sign_in("administrator"), "plate_camera", "axis", site_id="huu-nghi-barrier-1", station="barrier_1")
    for number, plate in enumerate((AHEAD, "51C99999")):
        moment = round((now.timestamp() + 10 * number) * 1000)
        event = {"plateUTF8": plate, "plateConfidence": "0.95", "carID": "7", "capture_timestamp": str(moment)}
        send(client, device, json.dumps(event).encode(), "axis")
    assert [status for _, status, _ in rows(runtime, READS)] == ["matched", "matched"]


# In whatever order reads come in

READINGS = st.lists(
    st.tuples(
        st.sampled_from([AHEAD, "29C12346", "29C1234S", "51C99999"]),
        st.integers(0, 60).map(lambda step: 10 * step),
        st.sampled_from([45.0, 75.0, 92.0]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda reading: reading[1],
)


def passages_of(plate: str, readings) -> int:
    """How many times a plate passed: reads not more than 90 s from the next are one passage."""
    times = sorted(time_s for read, time_s, _ in readings if read == plate)
    return sum(1 for number, time_s in enumerate(times) if number == 0 or time_s - times[number - 1] > 90)


@examples(30, suppress=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(readings=READINGS, data=st.data())
def test_passages_do_not_depend_on_the_order_in_which_reads_come(
    runtime, sheets, stage, camera, readings, data
) -> None:
    order = data.draw(st.permutations(readings))
    with runtime.sessions() as session:
        found = take_in(session, runtime, sheets, camera["equipment_id"], order)
        by_id = {row.read_id: row for row in found}
        assert len(found) == len(readings)
        for row in found:
            if row.status == "repeat":
                assert row.plate_norm == by_id[row.passage_id].plate_norm
                assert by_id[row.passage_id].status != "repeat"
        for plate in {plate for plate, _, _ in readings}:
            standing = [row for row in found if row.plate_norm == plate and row.status != "repeat"]
            assert len(standing) == passages_of(plate, readings)
        session.rollback()


def take_in(session: Session, runtime: Runtime, sheets: Sheets, equipment_id: int, order) -> list[PlateReadRow]:
    """The rows that readings leave, taken in one after the other."""
    intake = PlateIntake.of(runtime, sheets)
    intake = replace(intake, effects=replace(intake.effects, note_arrival=lambda *_: None))
    now: datetime = runtime.clock.now() + timedelta(minutes=12)
    device: Equipment = store.lock_equipment(session, equipment_id)
    for number, (plate, time_s, confidence) in enumerate(order):
        body = rekor(plate, runtime.clock.now() + timedelta(seconds=time_s), confidence, uuid=f"p{number}")
        intake.receive(session, rekor_format.FORMAT, body, "application/json", device=device, now=now)
    session.expire_all()
    return list(session.scalars(select(PlateReadRow)))
