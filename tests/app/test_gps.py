"""The doors over HTTP, through a worker, to PostGIS and back out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from app.ops.install import add_gateway
from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from ingest.formats.report import MAX_LISTED
from ingest.stream import FixWriter
from tests.app.gps import counters, drain, enrol, rows
from tests.conftest import SignIn

FIXES = "SELECT vehicle_id, time, km, flags FROM ingest.fix ORDER BY time"


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="test")
    worker.keep_partitions()
    return worker


@pytest.fixture
def device(sign_in: SignIn) -> str:
    return str(enrol(sign_in("administrator"))["device_id"])


def at(runtime: Runtime, km: float) -> dict[str, float]:
    lon, lat = runtime.corridor.position("QL1A", [km])
    return {"lat": float(lat[0]), "lon": float(lon[0])}


def line(runtime: Runtime, device: str, km: float, ago_s: float, **more: Any) -> dict[str, Any]:
    moment: datetime = runtime.clock.now() - timedelta(seconds=ago_s)
    return {"device": device, "time": moment.isoformat(), **at(runtime, km), **more}


def post(client: TestClient, *lines: dict[str, Any] | bytes) -> dict[str, Any]:
    body = b"\n".join(item if isinstance(item, bytes) else orjson.dumps(item) for item in lines)
    answer = client.post("/gps/batch", content=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_fix_of_each_client_is_on_the_map_with_its_kilometre(
    runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker
) -> None:
    admin, now = sign_in("administrator"), runtime.clock.now()
    ids = [enrol(admin, f"29C-123.4{number}")["device_id"] for number in range(5)]
    sent = int(now.timestamp()) - 5
    place = at(runtime, 40.0)
    assert client.get("/gps/osmand", params={"id": ids[0], **place, "timestamp": sent, "speed": 20}).status_code == 200
    coords = {"latitude": place["lat"], "longitude": place["lon"], "speed": 10.0, "heading": -1}
    body = {"device_id": ids[1], "location": {"timestamp": now.isoformat(), "coords": coords}}
    assert client.post("/gps/osmand", json=body).status_code == 200
    track = {"_type": "location", "tid": "x", "topic": f"owntracks/me/{ids[2]}", "tst": sent, "vel": 36, **place}
    answer = client.post("/gps/owntracks", json=track)
    assert (answer.status_code, answer.json()) == (200, [])
    forwarded = {"fixTime": now.isoformat(), "latitude": place["lat"], "longitude": place["lon"], "speed": 20}
    answer = client.post("/gps/traccar", json={"device": {"uniqueId": ids[3]}, "position": forwarded})
    assert answer.status_code == 200
    assert post(client, line(runtime, ids[4], 40.0, 5, speed_mps=10)) == {"accepted": 1, "refused": []}
    drain(worker)

    answer = sign_in("traffic_police").get("/api/v1/positions")
    assert answer.headers["content-type"] == "application/geo+json"
    found = [feature["properties"] for feature in answer.json()["features"]]
    assert len(found) == 5
    assert all(item["km"] == pytest.approx(40.0, abs=0.05) for item in found)
    assert {item["state"] for item in found} == {"moving"}
    assert sorted(item["plate"] for item in found) == [f"29C-123.4{number}" for number in range(5)]
    assert {"vehicle_id", "trip_id", "time", "speed_mps", "heading_deg", "edge_id", "gate"} <= found[0].keys()


def test_same_fix_twice_is_one_row(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    fix = line(runtime, device, 40.0, 5)
    post(client, fix, fix)
    drain(worker)
    post(client, fix)
    drain(worker)
    assert len(rows(runtime, FIXES)) == 1
    assert counters(runtime)["fixes_duplicate_total"] == 2
    assert counters(runtime)["fixes_stored_total"] == 1


def test_a_late_fix_is_stored_in_its_place_and_moves_no_vehicle(
    runtime: Runtime, client: TestClient, device: str, worker: Worker
) -> None:
    post(client, line(runtime, device, 30.0, 10, speed_mps=15))
    drain(worker)
    before = rows(runtime, "SELECT time, km, site_id FROM ingest.last_position")
    inside_yard = runtime.corridor.get_site("staging-lang-son")
    late = line(runtime, device, 45.0, 7200) | {"lat": inside_yard.lat, "lon": inside_yard.lon}
    post(client, late, line(runtime, device, 40.0, 600))
    drain(worker)
    assert rows(runtime, "SELECT time, km, site_id FROM ingest.last_position") == before
    assert [round(row[2]) for row in rows(runtime, FIXES)][1:] == [40, 30]
    events = rows(runtime, "SELECT site_id, kind FROM ingest.site_event ORDER BY time")
    assert events == [("staging-lang-son", "enter"), ("staging-lang-son", "leave")]
    assert counters(runtime)["fixes_late_total"] == 2


def test_geofences_entered_and_left(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    fence = runtime.corridor.get_site("staging-lang-son").geofence
    assert fence is not None
    inside = {"lat": fence.centroid.y, "lon": fence.centroid.x}
    for fix in (
        line(runtime, device, 17.5, 600),
        line(runtime, device, 16.1, 400) | inside,
        line(runtime, device, 16.1, 300) | inside,
        line(runtime, device, 14.0, 100),
    ):
        post(client, fix)
        drain(worker)
    events = rows(runtime, "SELECT site_id, kind, source FROM ingest.site_event ORDER BY time")
    assert events == [("staging-lang-son", "enter", "gps"), ("staging-lang-son", "leave", "gps")]


def test_every_refusal_is_counted_and_named(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    good = line(runtime, device, 40.0, 5)
    answer = post(
        client,
        good,
        {**good, "device": "0" * 32},
        {**good, "lat": 91},
        {**good, "lat": 0, "lon": 0},
        line(runtime, device, 40.0, -600),
        line(runtime, device, 40.0, 40 * 86400),
        {**good, "mock": True},
        b"{broken",
    )
    assert answer["accepted"] == 1
    assert [(error["line"], error["reason"]) for error in answer["refused"]] == [
        (2, "unknown_device"),
        (3, "out_of_range"),
        (4, "no_position"),
        (5, "future"),
        (6, "too_old"),
        (7, "mock"),
        (8, "malformed"),
    ]
    drain(worker)
    post(client, line(runtime, device, 100.0, 1))
    drain(worker)
    counted = counters(runtime)
    for reason in (
        "unknown_device",
        "out_of_range",
        "no_position",
        "future",
        "too_old",
        "mock",
        "malformed",
        "impossible_jump",
    ):
        assert counted[f'fixes_refused_total{{reason="{reason}"}}'] == 1, reason
    assert counted["fixes_in_total"] == 2
    [[km]] = rows(runtime, "SELECT km FROM ingest.last_position")
    assert km == pytest.approx(40.0, abs=0.05)


def test_a_jump_is_believed_when_the_next_fix_agrees(
    runtime: Runtime, client: TestClient, device: str, worker: Worker
) -> None:
    for km, ago_s in ((40.0, 60), (100.0, 50), (99.9, 40)):
        post(client, line(runtime, device, km, ago_s))
        drain(worker)
    [[km]] = rows(runtime, "SELECT km FROM ingest.last_position")
    assert km == pytest.approx(99.9, abs=0.05)
    assert len(rows(runtime, FIXES)) == 3


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"mock": "true"}, 200, "mock"),
        ({"timestamp": "2100-01-01T00:00:00Z"}, 200, "future"),
        ({"timestamp": "1377177267"}, 200, "too_old"),
        ({"lat": "", "lon": ""}, 200, "no_position"),
        ({"lat": "91"}, 422, "out_of_range"),
        ({"lat": "nan"}, 400, "malformed"),
        ({"id": ""}, 400, "malformed"),
        ({"id": "nobody"}, 404, "unknown_device"),
    ],
)
def test_single_fixes_refused(
    runtime: Runtime, client: TestClient, device: str, change: dict[str, str], status: int, reason: str
) -> None:
    fix = {"id": device, "timestamp": str(int(runtime.clock.now().timestamp())), **at(runtime, 40.0), **change}
    answer = client.get("/gps/osmand", params=fix)
    assert answer.status_code == status, answer.text
    assert counters(runtime).get(f'fixes_refused_total{{reason="{reason}"}}') == 1
    assert runtime.redis.xlen("ck:fixes:0") + runtime.redis.xlen("ck:fixes:1") == 0


def test_owntracks_other_types_and_encrypted(runtime: Runtime, client: TestClient) -> None:
    answer = client.post("/gps/owntracks", json={"_type": "lwt", "tst": 1})
    assert (answer.status_code, answer.json()) == (200, [])
    answer = client.post("/gps/owntracks", json={"_type": "encrypted", "data": "x"})
    assert answer.status_code == 422
    assert "encrypted" in answer.json()["detail"]


def test_no_time_means_now(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    assert client.get("/gps/osmand", params={"id": device, **at(runtime, 40.0)}).status_code == 200
    drain(worker)
    [[_, time, _, flags]] = rows(runtime, FIXES)
    assert time == runtime.clock.now()
    assert flags & 4


def test_attributes_battery_and_altitude_are_kept(
    runtime: Runtime, client: TestClient, device: str, worker: Worker
) -> None:
    params = {"id": device, **at(runtime, 40.0), "batt": 50, "altitude": 12, "fuel": "24", "driver": "An"}
    assert client.get("/gps/osmand", params=params).status_code == 200
    drain(worker)
    expected = {"battery": 0.5, "altitude_m": 12.0, "fuel": 24.0, "driver": "An"}
    assert rows(runtime, "SELECT attributes FROM ingest.fix") == [(expected,)]
    assert rows(runtime, "SELECT attributes FROM ingest.last_position") == [(expected,)]


def test_imei_only_from_a_gateway(runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker) -> None:
    enrol(sign_in("administrator"), kind="tracker", imei="353861053849681")
    with runtime.sessions() as session:
        add_gateway(session, "traccar", "the token", now=runtime.clock.now())
        session.commit()
    fix = {"id": "353861053849681", **at(runtime, 40.0)}
    assert client.get("/gps/osmand", params=fix).status_code == 404
    assert client.get("/gps/osmand", params=fix, headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/gps/osmand", params=fix, headers={"Authorization": "Bearer the token"}).status_code == 200
    drain(worker)
    assert len(rows(runtime, FIXES)) == 1


def test_too_large_bodies(client: TestClient) -> None:
    assert client.post("/gps/owntracks", content=b"x" * 1_100_000).status_code == 413
    assert client.post("/gps/batch", content=b"x" * 9_000_000).status_code == 413


def test_doors_say_503_when_the_stream_is_too_long(
    runtime: Runtime, client: TestClient, device: str, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FixWriter.__init__, "__kwdefaults__", FixWriter.__init__.__kwdefaults__ | {"max_entries": 3})
    statuses = []
    for ago_s in range(300, 0, -1):
        body = orjson.dumps(line(runtime, device, 40.0, ago_s))
        statuses.append(client.post("/gps/batch", content=body))
        if statuses[-1].status_code == 503:
            break
    assert statuses[-1].status_code == 503
    assert int(statuses[-1].headers["Retry-After"]) > 0
    accepted = sum(answer.status_code == 200 for answer in statuses)
    drain(worker)
    assert len(rows(runtime, FIXES)) == accepted


def test_an_empty_batch_is_answered(client):
    """On a quiet platform too, where no other message would set free who waits for the stream."""
    assert client.post("/gps/batch", content=b"").json() == {"accepted": 0, "refused": []}


def test_an_answer_names_so_many_refusals_and_counts_the_others(client: TestClient, runtime: Runtime) -> None:
    sent = b"\n".join(orjson.dumps(line(runtime, f"nobody-{n}", 40.0, 5)) for n in range(MAX_LISTED + 7))
    answer = client.post("/gps/batch", content=sent).json()
    assert (answer["accepted"], len(answer["refused"]), answer["refused_count"]) == (0, MAX_LISTED, MAX_LISTED + 7)
    assert [refusal["line"] for refusal in answer["refused"][:3]] == [1, 2, 3]
