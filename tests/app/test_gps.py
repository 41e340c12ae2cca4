"""The doors over HTTP, through a worker, to PostGIS and back out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.runtime import Runtime
from app.worker import Worker
from tests.conftest import SignIn


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="test")
    worker.keep_partitions()
    return worker


def drain(worker: Worker) -> None:
    while worker.step(block_ms=20):
        pass


def enrol(client: TestClient, plate: str = "29C-123.45", **more: str) -> dict:
    answer = client.post("/api/v1/devices", json={"plate": plate, "kind": "phone", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_osmand_fix_is_seen(runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker) -> None:
    device = enrol(sign_in("administrator"))
    lon, lat = runtime.corridor.position("QL1A", [40.0])
    sent = runtime.clock.now() - timedelta(seconds=5)
    answer = client.get("/gps/osmand", params={
        "id": device["device_id"], "lat": lat[0], "lon": lon[0], "timestamp": int(sent.timestamp()), "speed": 20,
    })  # fmt: skip
    assert answer.status_code == 200
    drain(worker)
    positions = sign_in("traffic_police").get("/api/v1/positions").json()
    [feature] = positions["features"]
    assert feature["properties"]["plate"] == "29C-123.45"
    assert feature["properties"]["km"] == pytest.approx(40.0, abs=0.05)
    assert feature["properties"]["state"] == "moving"
    with runtime.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM ingest.fix")) == 1
