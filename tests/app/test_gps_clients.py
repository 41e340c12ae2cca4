"""Stock clients as they are: the shapes in which they name themselves, what they send, and what makes them stop."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from tests.app.gps import counters, drain, enrol, rows
from tests.conftest import SignIn

FIXES = (
    "SELECT time, ST_Y(geom), ST_X(geom), speed_mps, heading_deg, accuracy_m, attributes FROM ingest.fix ORDER BY time"
)
LAT, LON = 21.9, 106.7


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="test")
    worker.keep_partitions()
    return worker


@pytest.fixture
def device(sign_in: SignIn) -> str:
    return str(enrol(sign_in("administrator"))["device_id"])


def stored(runtime: Runtime, worker: Worker) -> list[tuple[Any, ...]]:
    drain(worker)
    return rows(runtime, FIXES)


def seconds(runtime: Runtime, ago_s: int = 0) -> int:
    return int(runtime.clock.now().timestamp()) - ago_s


def track(runtime: Runtime, ago_s: int = 0, **more: Any) -> dict[str, Any]:
    return {"_type": "location", "lat": LAT, "lon": LON, "tst": seconds(runtime, ago_s), **more}


@pytest.mark.parametrize("shape", ["topic", "topic user", "X-Limit-D", "X-Limit-U", "d", "u", "basic", "path", "tid"])
def test_owntracks_may_name_itself_in_all_its_ways(runtime, client, device, worker, shape) -> None:
    body, url, headers = track(runtime, tid="ab"), "/gps/owntracks", {}
    if shape == "topic":
        body["topic"] = f"owntracks/driver/{device}"
    elif shape == "topic user":
        body["topic"] = f"owntracks/{device}/phone"
    elif shape in ("X-Limit-D", "X-Limit-U"):
        headers = {"X-Limit-U": "driver", "X-Limit-D": "phone", shape: device}
    elif shape in ("d", "u"):
        url += "?" + "&".join(f"{key}={device if key == shape else 'x'}" for key in ("u", "d"))
    elif shape == "basic":
        headers = {"Authorization": "Basic " + base64.b64encode(f"{device}:secret".encode()).decode()}
    elif shape == "path":
        url = f"/pub/{device}"
    else:
        body["tid"] = device
    answer = client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, [])
    assert len(stored(runtime, worker)) == 1


def test_owntracks_that_nobody_enrolled_is_named(runtime, client) -> None:
    answer = client.post("/gps/owntracks?u=an&d=phone", json=track(runtime))
    assert answer.status_code == 404
    assert "phone" in answer.json()["detail"]
    transition = {"_type": "transition", "event": "enter", "desc": "x", "tst": 1, "tid": "ab"}
    assert client.post("/gps/owntracks", json=transition).status_code == 200, "no phone may repeat it for ever"


@pytest.mark.parametrize("url", ["/gps/owntracks", "/gps/overland", "/gps/json", "/gps/homeassistant/x", "/gps/batch"])
def test_an_empty_body_is_no_fault(client: TestClient, url: str) -> None:
    assert client.post(url, content=b"").status_code == 200


@pytest.mark.parametrize("packing", ["gzip", "deflate", "raw deflate", "two members", "filled up"])
def test_packed_bodies(runtime, client, device, worker, packing: str) -> None:
    body = json.dumps(track(runtime, topic=f"owntracks/x/{device}")).encode()
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": raw.compress(body) + raw.flush(),
        "two members": gzip.compress(body[:9]) + gzip.compress(body[9:]),
        "filled up": gzip.compress(body) + bytes(700_000),
    }[packing]
    encoding = "deflate" if "deflate" in packing else "gzip"
    answer = client.post("/gps/owntracks", content=packed, headers={"Content-Encoding": encoding})
    assert answer.status_code == 200, answer.text
    assert len(stored(runtime, worker)) == 1


def test_a_packed_body_is_bounded_as_unpacked(client: TestClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip"}
    assert len(bomb) < 60_000
    assert client.post("/gps/owntracks", content=bomb, headers=headers).status_code == 413
    assert client.post("/gps/owntracks", content=b"not gzip", headers=headers).status_code == 400
    assert client.post("/gps/owntracks", content=gzip.compress(b"{}")[:-4], headers=headers).status_code == 400
    answer = client.post("/gps/owntracks", content=b"x", headers={"Content-Encoding": "br"})
    assert answer.status_code == 415
    assert "br" in answer.json()["detail"]


def test_a_body_packed_in_odd_ways_takes_no_time(client: TestClient) -> None:
    began_s = time.process_time()
    members = gzip.compress(b"") * 50_000
    assert client.post("/gps/batch", content=members, headers={"Content-Encoding": "gzip"}).status_code == 400
    layers = {"Content-Encoding": ", ".join(["gzip"] * 8_000)}
    assert client.post("/gps/batch", content=gzip.compress(b"{}"), headers=layers).status_code == 415
    assert time.process_time() - began_s < 1.0


def feature(runtime: Runtime, ago_s: int, **more: Any) -> dict[str, Any]:
    moment = runtime.clock.now().timestamp() - ago_s
    properties = {"timestamp": moment, "speed": 10, "course": 90, "horizontal_accuracy": 5, "battery_level": 0.5}
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [LON, LAT]},
        "properties": {**properties, "altitude": 250, "motion": ["driving"], "wifi": "", **more},
    }


def test_overland(runtime, client, device, worker) -> None:
    batch = {"locations": [feature(runtime, 20, device_id=device), feature(runtime, 10, device_id=device, speed=-1)]}
    answer = client.post("/gps/overland", json=batch)
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    first, second = stored(runtime, worker)
    assert first[1:6] == (LAT, LON, 10.0, 90.0, 5.0)
    assert first[6]["battery"] == 0.5
    assert second[3] != -1


@pytest.mark.parametrize("where", ["path", "query", "token"])
def test_overland_names_its_device_beside_the_body_too(runtime, client, device, worker, where) -> None:
    url = {"path": f"/gps/overland/{device}", "query": f"/gps/overland?device_id={device}"}.get(where, "/gps/overland")
    headers = {"Authorization": f"Bearer {device}"} if where == "token" else {}
    answer = client.post(url, json={"locations": [feature(runtime, 5, device_id="My phone")]}, headers=headers)
    assert answer.json() == {"result": "ok"}
    assert len(stored(runtime, worker)) == 1


def test_a_bad_item_of_a_list_leaves_the_others_and_is_not_asked_for_again(runtime, client, device, worker) -> None:
    good = [feature(runtime, ago_s, device_id=device) for ago_s in (50, 40, 30)]
    bad: list[Any] = [
        {"type": "Feature"},
        5,
        feature(runtime, 5, device_id=device, timestamp="yesterday"),
        feature(runtime, 5, device_id=device) | {"geometry": {"type": "Point", "coordinates": [106.7, 95]}},
        feature(runtime, 5, device_id=device) | {"geometry": {"type": "Point", "coordinates": ["x", 1]}},
        feature(runtime, 5, device_id="somebody else"),
        feature(runtime, -7200, device_id=device),
    ]
    answer = client.post("/gps/overland", json={"locations": [good[0], *bad, *good[1:]]})
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    assert len(stored(runtime, worker)) == 3
    found = counters(runtime)
    assert [
        found[f'fixes_refused_total{{reason="{reason}"}}']
        for reason in ("malformed", "out_of_range", "unknown_device", "future")
    ] == [4, 1, 1, 1]
    assert client.post("/gps/overland", json={"locations": bad[:2]}).json() == {"result": "ok"}, "or it never ends"
    stranger = client.post("/gps/overland", json={"locations": [feature(runtime, 1, device_id="x")] * 2})
    assert stranger.status_code == 404, "somebody must enrol it"
    assert client.post("/gps/overland", json={"x": 1}).status_code == 400


def test_a_bad_location_of_a_traccar_client_leaves_the_others(runtime, client, device, worker) -> None:
    def at(ago_s: int, **coords: Any) -> dict[str, Any]:
        return {"timestamp": seconds(runtime, ago_s), "coords": {"latitude": LAT, "longitude": LON, **coords}}

    body = {"device_id": device, "location": [at(30), at(20, latitude="x"), "x", at(10)]}
    assert client.post("/gps/osmand", json=body).status_code == 200
    assert len(stored(runtime, worker)) == 2
    assert counters(runtime)['fixes_refused_total{reason="malformed"}'] == 2


def test_a_backlog_of_a_thousand(runtime, client, device, worker) -> None:
    batch = {"locations": [feature(runtime, ago_s, device_id=device) for ago_s in range(1000)]}
    assert len(json.dumps(batch)) > 3 * 64 * 1024
    assert client.post("/gps/overland", json=batch).json() == {"result": "ok"}
    assert len(stored(runtime, worker)) == 1000


def test_home_assistant(runtime, client, device, worker) -> None:
    data = {"gps": [LAT, LON], "gps_accuracy": 12, "battery": 45, "speed": 10, "course": 90, "altitude": 250}
    for path in (f"/api/webhook/{device}", f"/gps/homeassistant/{device}"):
        answer = client.post(path, json={"type": "update_location", "data": data})
        assert (answer.status_code, answer.json()) == (200, {})
        assert client.post(path, json={"type": "update_sensor_states", "data": [{"a": 1}]}).status_code == 200
    (fix,) = stored(runtime, worker)
    assert fix[1:6] == (LAT, LON, 10.0, 90.0, 12.0)
    assert fix[6]["battery"] == 0.45
    encrypted = {"type": "encrypted", "encrypted": True, "encrypted_data": "x"}
    assert client.post(f"/api/webhook/{device}", json=encrypted).status_code == 422
    assert client.post("/api/webhook/nobody", json={"type": "update_location", "data": data}).status_code == 404


def test_phonetrack(runtime, client, device, worker) -> None:
    query = {"lat": LAT, "lon": LON, "timestamp": seconds(runtime), "acc": 5, "alt": 250, "speed": 10, "bearing": 90}
    query |= {"sat": 9, "batt": 45, "useragent": "PhoneTrack 1.0"}
    for path in (f"/gps/phonetrack/{device}", f"/gps/phonetrack/{device}/truck"):
        answer = client.get(path, params=query)
        assert (answer.status_code, answer.json()) == (200, {"done": 1, "friends": []})
    assert client.post(f"/gps/phonetrack/{device}", data=query | {"speed": "", "acc": "null"}).status_code == 200
    (fix,) = stored(runtime, worker)
    assert fix[1:6] == (LAT, LON, 10.0, 90.0, 5.0)
    assert fix[6] == {"altitude_m": 250.0, "battery": 0.45, "sat": "9", "useragent": "PhoneTrack 1.0"}
    assert client.get("/gps/phonetrack/nobody", params=query).status_code == 404
    answer = client.get(f"/gps/phonetrack/{device}", params=query | {"lat": "x"})
    assert answer.status_code == 400
    assert "lat=x" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["/gps/json", "/gps/osmand", "/"])
@pytest.mark.parametrize(
    "names",
    [
        {"device": "id", "lat": "lat", "lon": "lon", "time": "timestamp"},
        {"device": "device_id", "lat": "latitude", "lon": "longitude", "time": "time"},
        {"device": "deviceid", "lat": "lat", "lon": "lng", "time": "tst"},
    ],
)
def test_flat_json(runtime, client, device, worker, url, names) -> None:
    now = runtime.clock.now()
    times = [int(now.timestamp()) - 2, int((now.timestamp() - 1) * 1000), now.isoformat()]
    for moment in times:
        body = {
            names["device"]: device,
            names["lat"]: LAT,
            names["lon"]: str(LON),
            names["time"]: moment,
            "accuracy": 5,
        }
        answer = client.post(url, json=body)
        assert answer.status_code == 200, answer.text
    assert [row[1:3] for row in stored(runtime, worker)] == [(LAT, LON)] * 3


def test_flat_json_in_lists(runtime, client, device, worker) -> None:
    points = [{"lat": LAT, "lng": LON, "ts": seconds(runtime, ago_s), "speed_kmh": 36} for ago_s in (3, 2, 1)]
    answer = client.post("/gps/json", json={"id": device, "points": [*points, {"lat": "x"}]})
    assert answer.json() == {"accepted": False, "refused": "malformed"}
    assert client.post(f"/gps/json/{device}", json=points).json() == {"accepted": True}
    assert [row[3] for row in stored(runtime, worker)] == [10.0] * 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"lat": LAT, "lon": LON}, "id is missing"),
        ({"id": "{device}", "lat": LAT}, "lon is missing"),
        ({"id": "{device}", "lat": "21,9", "lon": LON}, "lat=21,9"),
        ({"id": "{device}", "lat": LAT, "lon": LON, "time": "soon"}, "time=soon"),
    ],
)
def test_what_the_sender_must_mend_is_named(client, device, body, said) -> None:
    answer = client.post("/gps/json", content=json.dumps(body).replace("{device}", device))
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_traccar_client_pointed_at_the_bare_host(runtime, client, device, worker) -> None:
    query = {"id": device, "lat": LAT, "lon": LON, "speed": 20}
    assert client.get("/", params=query | {"timestamp": seconds(runtime, 3)}).json() == {"accepted": True}
    assert client.post("/", params=query | {"timestamp": seconds(runtime, 2)}).json() == {"accepted": True}
    location = {"timestamp": runtime.clock.now().isoformat(), "coords": {"latitude": LAT, "longitude": LON}}
    assert client.post("/", json={"device_id": device, "location": location}).json() == {"accepted": True}
    assert len(stored(runtime, worker)) == 3
    assert client.get("/", params={"id": "nobody", "lat": 1, "lon": 1}).status_code == 404
    start = client.get("/", follow_redirects=False)
    assert start.status_code == 200
    assert 'data-testid="board"' in start.text
    assert client.get("/", params={"lang": "vi"}).headers["content-type"].startswith("text/html")
