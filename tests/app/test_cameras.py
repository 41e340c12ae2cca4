"""From a camera's webhook to the trip, the yard and the map, on real servers."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from capacity import store as capacity_store
from ingest.formats.registry import CAMERA_FORMATS
from tests.app.dispatching import Stage, put_truck, set_stage
from tests.app.equipping import BOUNDARY, JPEG, bearer, one, rekor, send, set_up
from tests.app.gps import drain, rows

PLATE = "29C12345"


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return set_stage(runtime, sign_in)


@pytest.fixture
def administrator(stage, sign_in) -> TestClient:
    return sign_in("administrator")


def camera(administrator: TestClient, site_id: str, vendor: str = "rekor", **more) -> dict:
    return set_up(administrator, "plate_camera", vendor, site_id=site_id, **more)


def arrive(runtime: Runtime, stage: Stage, km: float = 1.1) -> None:
    """The truck's GPS is near barrier 1."""
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=km)
        session.execute(text("UPDATE app.trip SET stage = 'queued'"))
        session.commit()


def test_a_read_opens_the_sheet_at_its_station(runtime, client, stage, administrator, sign_in) -> None:
    arrive(runtime, stage)
    device = camera(administrator, "huu-nghi-barrier-1", station="barrier_1")
    assert device["url"].endswith("/cameras/rekor")
    answer = send(client, device, rekor(PLATE, runtime.clock.now()))
    assert (answer.status_code, answer.json()) == (200, {"plates": 1, "new": 1})
    guard = sign_in("border_guard", gate_id="huu-nghi")
    (read,) = guard.get("/api/v1/plate-reads").json()["items"]
    assert (read["status"], read["trip_id"], read["plate"]) == ("matched", stage.trip_id, PLATE)
    assert read["probability"] > 0.99
    event, audience = one(runtime, "SELECT data, audience FROM app.outbox WHERE type = 'plate'")
    assert audience["gates"] == ["huu-nghi"]
    assert event["station"] == "barrier_1"
    assert (event["read_id"], event["trip_id"], event["status"]) == (read["read_id"], stage.trip_id, "matched")
    assert PLATE not in json.dumps(event)
    assert one(runtime, "SELECT arrived_at FROM app.trip").arrived_at == runtime.clock.now()
    assert one(runtime, "SELECT kind FROM app.trip_event WHERE kind = 'plate'").kind == "plate"
    assert guard.get("/api/v1/equipment").json()["items"][0]["last_seen_at"] is not None


def test_a_repeated_webhook_is_one_row_and_one_effect(runtime, client, stage, administrator) -> None:
    arrive(runtime, stage)
    device = camera(administrator, "xuan-cuong", station="yard", config={"movement": "enter"})
    body = rekor(PLATE, runtime.clock.now())
    assert [send(client, device, body).json()["new"] for _ in range(3)] == [1, 0, 0]
    assert rows(runtime, "SELECT count(*) FROM app.plate_read") == [(1,)]
    assert rows(runtime, "SELECT kind, source, source_ref FROM capacity.movement") == [("enter", "camera", "read:1")]
    assert rows(runtime, "SELECT count(*) FROM app.outbox WHERE type = 'plate'") == [(1,)]


def test_the_same_truck_read_twice_is_one_passage(runtime, client, stage, administrator) -> None:
    arrive(runtime, stage)
    device = camera(administrator, "xuan-cuong", station="yard", config={"movement": "enter"})
    now = runtime.clock.now()
    send(client, device, rekor("29C1234S", now - timedelta(seconds=3), 40.0, "a"))
    send(client, device, rekor(PLATE, now, 92.0, "b"))
    send(client, device, rekor("29C1Z345", now + timedelta(seconds=2), 99.0, "c"))
    found = rows(runtime, "SELECT source_ref, status, trip_id FROM app.plate_read ORDER BY read_id")
    assert [(ref, trip) for ref, _, trip in found] == [(ref, stage.trip_id) for ref in "abc"]
    assert sorted(status for _, status, _ in found) == ["matched", "repeat", "repeat"]
    assert rows(runtime, "SELECT count(*) FROM capacity.movement") == [(1,)]
    runtime.clock.advance(600)
    send(client, device, rekor(PLATE, runtime.clock.now(), 92.0, "d"))
    assert rows(runtime, "SELECT count(*) FROM app.plate_read WHERE status = 'matched'") == [(2,)]


def test_yards_are_moved_by_direction_and_count_strangers(runtime, client, stage, administrator) -> None:
    runtime.clock.advance(3600)  # the trip was entered long before the first read
    arrive(runtime, stage)
    config = {"movement": "heading_enters", "enter_heading_deg": 0}
    device = camera(administrator, "xuan-cuong", station="yard", config=config)
    now = runtime.clock.now()
    send(client, device, rekor(PLATE, now - timedelta(minutes=20), uuid="a", travel_direction=350.0))
    send(client, device, rekor("51C99999", now - timedelta(minutes=15), uuid="b", travel_direction=20.0))
    send(client, device, rekor("5IC9?999", now - timedelta(minutes=14), uuid="c", travel_direction=20.0))
    send(client, device, rekor(PLATE, now - timedelta(minutes=2), uuid="d", travel_direction=181.0))
    with runtime.sessions() as session:
        assert capacity_store.get_yard_state(session, "xuan-cuong", now).inside_veh == 1
        assert [truck.plate_norm for truck in capacity_store.list_inside(session, "xuan-cuong")] == ["51C99999"]
    assert rows(runtime, "SELECT count(*) FROM app.outbox WHERE type = 'yard'")[0][0] == 3


def test_on_the_highway_a_read_is_a_position(runtime, client, stage, administrator) -> None:
    worker = Worker(runtime)
    worker.keep_partitions()
    with runtime.sessions() as session:
        session.execute(text("DELETE FROM ingest.last_position"))
        session.execute(text("UPDATE app.trip SET stage = 'on_the_road'"))
        session.commit()
    device = camera(administrator, "camera-chi-lang")
    assert send(client, device, rekor(PLATE, runtime.clock.now())).json()["new"] == 1
    drain(worker)
    found = one(runtime, "SELECT km, device_id, flags, attributes, edge_id FROM ingest.last_position")
    assert found.km == pytest.approx(53.64, abs=0.1)
    assert found.device_id == -device["equipment_id"]
    assert found.flags & 16
    assert found.attributes == {"source": "camera", "equipment_id": device["equipment_id"], "read_id": 1}
    assert rows(runtime, "SELECT count(*) FROM app.outbox WHERE type = 'plate'") == [(0,)]


def test_a_doubtful_read_waits_for_a_person_with_its_picture(runtime, client, stage, administrator, sign_in) -> None:
    with runtime.sessions() as session:
        session.execute(text("DELETE FROM ingest.last_position"))
        session.commit()
    device = camera(administrator, "xuan-cuong", "plate-recogniser", station="yard", config={"movement": "enter"})
    message = {
        "data": {
            "camera_id": "c",
            "timestamp": runtime.clock.now().isoformat(),
            "results": [{"plate": "29c1234s", "score": 0.9, "candidates": []}],
        }
    }
    disposition = 'Content-Disposition: form-data; name="{}"'
    body = (
        (
            f"--{BOUNDARY}\r\n{disposition.format('json')}\r\n\r\n{json.dumps(message)}\r\n"
            f'--{BOUNDARY}\r\n{disposition.format("upload")}; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        ).encode()
        + JPEG
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    assert send(client, device, body, "plate-recogniser", headers=headers).json() == {"plates": 1, "new": 1}
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    (read,) = operator.get("/api/v1/plate-reads?status=doubtful").json()["items"]
    assert read["considered"][0]["trip_id"] == stage.trip_id
    assert rows(runtime, "SELECT count(*) FROM capacity.movement") == [(0,)]
    picture = operator.get(f"/api/v1/plate-reads/{read['read_id']}/picture")
    assert (picture.content, picture.headers["content-type"]) == (JPEG, "image/jpeg")
    elsewhere = sign_in("yard_operator", gate_id="tan-thanh")
    assert elsewhere.get(f"/api/v1/plate-reads/{read['read_id']}/picture").status_code == 404
    assert stage.enterprise.get(f"/api/v1/plate-reads/{read['read_id']}/picture").status_code == 403
    url = f"/api/v1/plate-reads/{read['read_id']}/decision"
    page = operator.get("/equipment/reads", headers={"accept": "text/html"}).text
    assert f'data-trip="{stage.trip_id}"' in page
    assert f'src="/api/v1/plate-reads/{read["read_id"]}/picture"' in page
    assert elsewhere.post(url, json={"trip_id": stage.trip_id}).status_code == 404
    assert operator.post(url, json={}).status_code == 422
    decided = operator.post(url, json={"plate": "29c 123.45"})
    assert (decided.status_code, decided.json()["status"], decided.json()["plate"]) == (200, "matched", PLATE)
    assert operator.post(url, json={"trip_id": stage.trip_id}).status_code == 409
    assert rows(runtime, "SELECT kind, source FROM capacity.movement") == [("enter", "camera")]
    assert rows(runtime, "SELECT action FROM app.audit WHERE object_type = 'plate_read' ORDER BY audit_id") == [
        ("plates.decide",)
    ]


def test_cameras_prove_themselves_in_the_way_they_can(runtime, client, stage, administrator) -> None:
    device = camera(administrator, "huu-nghi-barrier-1")
    body, key = rekor(PLATE, runtime.clock.now()), device["key"]
    basic = base64.b64encode(f"camera:{key}".encode()).decode()
    assert client.post("/cameras/rekor", content=body, headers={"Authorization": f"Basic {basic}"}).status_code == 200
    assert client.post(f"/cameras/rekor?token={key}", content=body).status_code == 200
    refused = client.post("/cameras/rekor", content=body)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert client.post("/cameras/rekor", content=body, headers={"Authorization": "Basic ???"}).status_code == 401
    assert client.post(f"/cameras/hikvision?token={key}", content=body).status_code == 401
    assert client.post(f"/cameras/other?token={key}", content=body).status_code == 422
    renewed = administrator.post(f"/api/v1/equipment/{device['equipment_id']}/key").json()
    assert send(client, device, body).status_code == 401
    assert send(client, renewed, body).status_code == 200
    assert key.encode() not in one(runtime, "SELECT key_hash FROM app.equipment").key_hash


@pytest.mark.parametrize("vendor", [name for name, item in CAMERA_FORMATS.items() if item.path])
def test_a_camera_that_waits_to_be_asked_is_asked(client, stage, administrator, vendor) -> None:
    device = camera(administrator, "huu-nghi-barrier-1", vendor)
    url = f"/cameras/{vendor}"
    wrong = base64.b64encode(b"admin:admin").decode()
    for headers in ({}, {"Authorization": f"Basic {wrong}"}, {"Authorization": 'Digest username="admin"'}):
        refused = client.post(url, content=b"{}", headers=headers)
        assert (refused.status_code, refused.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    answered = client.post(url, content=b"not a message", auth=httpx.BasicAuth("admin", device["key"]))
    assert answered.status_code == 400, "the key was right, the message was not"
    assert client.get("/api/v1/plate-reads").headers["WWW-Authenticate"] == "Bearer"


def test_dahua_is_told_that_its_message_came(runtime, client, stage, administrator) -> None:
    device = camera(administrator, "huu-nghi-barrier-1", "dahua")
    plate = {"PlateNumber": "桂FA1234", "Confidence": 93, "IsExist": True}
    snap = {"AccurateTime": runtime.clock.now().isoformat(), "DeviceID": "d"}
    body = json.dumps({"Picture": {"Plate": plate, "SnapInfo": snap}}, ensure_ascii=False).encode("gb2312")
    answers = [send(client, device, message, "dahua").json() for message in (body, body, b'{"Active": "keepAlive"}')]
    assert [(answer["plates"], answer["new"], answer["Result"]) for answer in answers] == [
        (1, 1, True),
        (1, 0, True),
        (0, 0, True),
    ]
    assert rows(runtime, "SELECT plate_norm FROM app.plate_read") == [("桂FA1234",)]


def test_a_camera_with_a_wrong_clock_or_of_another_name(runtime, client, stage, administrator) -> None:
    device = camera(administrator, "huu-nghi-barrier-1", config={"camera_id": "7"})
    now = runtime.clock.now()
    send(client, device, rekor(PLATE, now + timedelta(days=2)))
    found = one(runtime, "SELECT time, candidates FROM app.plate_read")
    assert found.time == now
    assert found.candidates["camera_time"].startswith("2026-03-04")
    ancient = rekor(PLATE, now, uuid="y", epoch_start=-62_135_596_800_000)  # the first day of the year 1
    assert send(client, device, ancient).status_code == 200
    assert send(client, device, rekor(PLATE, now, uuid="x", camera_id=8)).json() == {"plates": 1, "new": 0}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    vendor=st.sampled_from(["plate-recogniser", "rekor", "hikvision", "dahua", "axis"]),
    data=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "application/xml", f"multipart/form-data; boundary={BOUNDARY}"]),
    strange=st.dictionaries(
        st.sampled_from(["best_plate_number", "best_uuid", "epoch_start", "candidates", "camera_id", "best_plate"]),
        st.none() | st.integers(-(2**63), 2**63) | st.text(max_size=20) | st.floats(allow_nan=False),
    ),
)
def test_nothing_a_camera_sends_is_our_fault(runtime, client, stage, keys, vendor, data, kind, strange) -> None:
    headers = bearer(keys[vendor]) | {"Content-Type": kind}
    assert client.post(f"/cameras/{vendor}", content=data, headers=headers).status_code in {200, 400}
    body = json.dumps(json.loads(rekor(PLATE, runtime.clock.now())) | strange).encode()
    assert client.post("/cameras/rekor", content=body, headers=bearer(keys["rekor"])).status_code in {200, 400}


@pytest.fixture
def keys(administrator) -> dict[str, dict]:
    sites = {"plate-recogniser": "xuan-cuong", "rekor": "camera-chi-lang"} | dict.fromkeys(
        ("hikvision", "dahua", "axis"), "huu-nghi-barrier-1"
    )
    return {vendor: camera(administrator, site, vendor) for vendor, site in sites.items()}
