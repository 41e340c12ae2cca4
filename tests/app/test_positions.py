"""The live map's positions and their past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.platform.audit_store import audit_rows
from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from tests.app.gps import drain, enrol
from tests.app.test_worker import append, fixes
from tests.conftest import SignIn

Drive = Callable[[list[int], int], None]


@pytest.fixture
def drive(runtime: Runtime) -> Drive:
    """`drive(vehicles, count)`: they report `count` times, every 10 s, the last one just now."""
    worker = Worker(runtime, name="test")
    worker.keep_partitions()

    def drive(vehicles: list[int], count: int) -> None:
        append(runtime, fixes(runtime, vehicles, count, ago_s=10 * (count - 1)))
        drain(worker)

    return drive


def test_only_what_the_caller_may_see(sign_in: SignIn, drive: Drive) -> None:
    admin = sign_in("administrator")
    one, two = (enrol(admin, plate)["vehicle_id"] for plate in ("29C-111.11", "29C-222.22"))
    drive([one, two], 3)
    assert len(sign_in("traffic_police").get("/api/v1/positions").json()["features"]) == 2
    mine = sign_in("driver", vehicle_id=one).get("/api/v1/positions").json()["features"]
    assert [feature["id"] for feature in mine] == [one]
    assert sign_in("customs", gate_id="huu-nghi").get("/api/v1/positions").json()["features"] == []
    assert admin.get("/api/v1/positions").status_code == 403


def test_filters_and_silence(runtime: Runtime, sign_in: SignIn, drive: Drive) -> None:
    vehicle = enrol(sign_in("administrator"))["vehicle_id"]
    drive([vehicle], 3)
    police = sign_in("traffic_police")

    def count(**params: str) -> int:
        answer = police.get("/api/v1/positions", params=params)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["features"])

    now = runtime.clock.now()
    assert count(bbox="106,21,107,22") == 1
    assert count(bbox="100,10,101,11") == 0
    assert count(since=(now - timedelta(minutes=1)).isoformat()) == 1
    assert count(since=now.isoformat()) == 0
    assert count(gate="huu-nghi") == 0
    assert police.get("/api/v1/positions", params={"bbox": "1,2,3"}).status_code == 422
    assert police.get("/api/v1/positions", params={"since": "2026-01-01T00:00:00"}).status_code == 422
    runtime.clock.advance(1300)  # type: ignore[attr-defined]
    assert police.get("/api/v1/positions").json()["features"][0]["properties"]["state"] == "silent"


def test_who_looked_where_a_vehicle_was_is_written_down(runtime: Runtime, sign_in: SignIn, drive: Drive) -> None:
    vehicle = enrol(sign_in("administrator"))["vehicle_id"]
    drive([vehicle], 3)
    now = runtime.clock.now()
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}
    assert sign_in("traffic_police").get(f"/api/v1/vehicles/{vehicle}/track", params=span).status_code == 200
    with runtime.sessions() as session:
        rows = [row for row in audit_rows(session) if row.action == "traces.read"]
    assert [(row.object_id, row.after["from"]) for row in rows] == [(str(vehicle), span["from"])]


def test_the_past(runtime: Runtime, sign_in: SignIn, drive: Drive) -> None:
    vehicle = enrol(sign_in("administrator"))["vehicle_id"]
    drive([vehicle], 181)  # half an hour from kilometre 90
    police, now = sign_in("traffic_police"), runtime.clock.now()
    at = (now - timedelta(minutes=15, seconds=3)).isoformat()
    [feature] = police.get("/api/v1/history/positions", params={"at": at}).json()["features"]
    assert feature["properties"]["km"] == pytest.approx(90 - 14.83 * 60 * 0.015, abs=0.2)
    before = (now - timedelta(hours=2)).isoformat()
    assert police.get("/api/v1/history/positions", params={"at": before}).json()["features"] == []

    span = {"from": (now - timedelta(minutes=30)).isoformat(), "to": now.isoformat()}
    frames = police.get("/api/v1/history/frames", params={**span, "step_s": "60"}).json()
    assert len(frames["frames"]) == 31
    assert frames["vehicles"] == [vehicle]
    assert all(len(frame) == 1 for frame in frames["frames"])
    kms = [frame[0][3] for frame in frames["frames"]]
    assert kms == sorted(kms, reverse=True)
    assert police.get("/api/v1/history/frames", params={**span, "step_s": "5"}).status_code == 422

    track = police.get(f"/api/v1/vehicles/{vehicle}/track", params=span).json()
    assert len(track["geometry"]["coordinates"]) == len(track["properties"]["times"]) == 181
    assert police.get("/api/v1/vehicles/999/track", params=span).status_code == 404
    assert sign_in("enterprise").get(f"/api/v1/vehicles/{vehicle}/track", params=span).status_code == 404


def test_five_thousand_trucks_are_all_there(runtime: Runtime, sign_in: SignIn, drive: Drive) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) "
                "SELECT 'p' || n, 'p' || n, 'truck', now() FROM generate_series(1, 5000) n"
            )
        )
    drive(list(range(1, 5001)), 1)
    assert len(sign_in("traffic_police").get("/api/v1/positions").json()["features"]) == 5000
