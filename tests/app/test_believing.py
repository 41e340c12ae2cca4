"""Through the doors: wrong clocks, wrong units, faked positions, refusals noted with their devices."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from geo.clock import FixedClock
from geo.motion import MAX_TRUCK_MPS
from ingest.fixes import FLAG_CLOCK, FLAG_SPEED_DOUBTED, FLAG_SPEED_UNIT
from tests.app.gps import drain, enrol, rows
from tests.conftest import SignIn

REFUSALS = "SELECT reason, count FROM ingest.device_refusal ORDER BY reason"
HOUR = timedelta(hours=1)


@pytest.fixture
def device(sign_in: SignIn) -> str:
    identifier: str = enrol(sign_in("administrator"))["device_id"]
    return identifier


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    return worker


def at(runtime: Runtime, km: float) -> dict[str, float]:
    lon, lat = (float(value[0]) for value in runtime.corridor.position("QL1A", [km]))
    return {"lat": lat, "lon": lon}


def post(client: TestClient, *lines: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/gps/batch", content=b"\n".join(orjson.dumps(line) for line in lines))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def drive(
    runtime: Runtime, device: str, count: int, *, step_s: float = 10.0, from_km: float = 80.0, **more: Any
) -> list[dict[str, Any]]:
    """Fixes up to now at 15 m/s toward the border."""
    now = runtime.clock.now()
    return [
        {
            "device": device,
            "time": (now - timedelta(seconds=step_s * (count - 1 - n))).isoformat(),
            **at(runtime, from_km - n * step_s * 0.015),
            **more,
        }
        for n in range(count)
    ]


def shifted(lines: list[dict[str, Any]], shift: timedelta) -> list[dict[str, Any]]:
    return [line | {"time": (datetime.fromisoformat(line["time"]) + shift).isoformat()} for line in lines]


@pytest.mark.parametrize("hours", [1, 7, 8])
def test_local_time_sent_as_utc_is_corrected(
    runtime: Runtime, client: TestClient, device: str, worker: Worker, hours: int
) -> None:
    right = drive(runtime, device, 20)
    answer = post(client, *shifted(right, hours * HOUR))
    assert answer["accepted"] == 20
    drain(worker)
    stored = rows(runtime, f"SELECT time, flags & {FLAG_CLOCK} FROM ingest.fix ORDER BY time")
    assert [moment.isoformat() for moment, _ in stored] == [line["time"] for line in right]
    assert {flag for _, flag in stored} == {FLAG_CLOCK}
    assert rows(runtime, "SELECT clock_shift_s FROM ingest.device_trait") == [(hours * 3600,)]


def test_single_messages_of_a_clock_ahead_are_kept_once_it_is_understood(
    runtime: Runtime, client: TestClient, clock: FixedClock, device: str, worker: Worker
) -> None:
    answers = []
    for n in range(5):
        clock.advance(30)
        said = clock.now() + 7 * HOUR
        query = {"id": device, "timestamp": str(int(said.timestamp())), **at(runtime, 60 - n * 0.4)}
        answers.append(client.get("/gps/osmand", params=query).json())
    assert [answer["accepted"] for answer in answers] == [False, False, True, True, True]
    drain(worker)
    found = rows(runtime, "SELECT time FROM ingest.fix ORDER BY time")
    assert [(clock.now() - moment).total_seconds() for (moment,) in found] == [120, 90, 60, 30, 0]
    deadline = time.monotonic() + 60
    while rows(runtime, REFUSALS) != [("future", 2)] and time.monotonic() < deadline:
        time.sleep(0.1)  # notes go to the database twice a second
    assert rows(runtime, REFUSALS) == [("future", 2)]


def test_a_clock_that_is_mended_is_believed_again(
    runtime: Runtime, client: TestClient, clock: FixedClock, device: str, worker: Worker
) -> None:
    post(client, *shifted(drive(runtime, device, 5), 7 * HOUR))
    for minute in range(16):
        clock.advance(60)
        post(client, *drive(runtime, device, 1, from_km=79 - 0.9 * minute))
        drain(worker)
    assert rows(runtime, "SELECT clock_shift_s FROM ingest.device_trait") == [(0,)]


def test_dates_1024_weeks_early_are_corrected_one_by_one(
    runtime: Runtime, client: TestClient, device: str, worker: Worker
) -> None:
    right = drive(runtime, device, 3)
    assert post(client, *shifted(right, -timedelta(weeks=1024)))["accepted"] == 3
    early = runtime.clock.now() - timedelta(weeks=1024) - timedelta(minutes=5)
    query = {"id": device, "timestamp": str(int(early.timestamp())), **at(runtime, 82.0)}
    assert client.get("/gps/osmand", params=query).json() == {"accepted": True}
    drain(worker)
    found = rows(runtime, f"SELECT time, flags & {FLAG_CLOCK} FROM ingest.fix ORDER BY time")
    assert [moment.isoformat() for moment, _ in found][1:] == [line["time"] for line in right]
    assert [flag for _, flag in found] == [FLAG_CLOCK] * 4
    assert rows(runtime, "SELECT weeks_rolled, clock_shift_s FROM ingest.device_trait") == [(True, 0)]


def test_refusals_are_noted_with_their_device(runtime: Runtime, client: TestClient, device: str) -> None:
    good = drive(runtime, device, 1)[0]
    future = shifted([good], timedelta(minutes=25))[0]
    post(client, good | {"lat": 0, "lon": 0}, good | {"lat": 1e-9, "lon": 1e-9}, future, future, good | {"lat": 95})
    assert rows(runtime, REFUSALS) == [("future", 2), ("no_position", 2), ("out_of_range", 1)]
    detail, is_now = rows(
        runtime, "SELECT detail, last_at = first_at FROM ingest.device_refusal WHERE reason = 'out_of_range'"
    )[0]
    assert "95" in detail
    assert is_now


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (1e-9, 1e-9), (-1e-9, 1e-9), (0.0, 1e-7), (0.001, -0.001)])
def test_null_island_is_no_position(runtime: Runtime, client: TestClient, device: str, lat: float, lon: float) -> None:
    answer = client.get("/gps/osmand", params={"id": device, "lat": f"{lat:.12f}", "lon": f"{lon:.12f}"})
    assert answer.json() == {"accepted": False, "refused": "no_position"}
    assert (
        post(client, drive(runtime, device, 1)[0] | {"lat": lat, "lon": lon})["refused"][0]["reason"] == "no_position"
    )


def test_faked_positions_are_kept_apart(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    post(client, *drive(runtime, device, 3, mock=True))
    post(client, *drive(runtime, device, 3, mock=True))
    query = {"id": device, "mock": "true", **at(runtime, 50.0)}
    assert client.get("/gps/osmand", params=query).json()["refused"] == "mock"
    drain(worker)
    assert rows(runtime, "SELECT * FROM ingest.fix") == []
    assert rows(runtime, "SELECT count(*) FROM ingest.faked_fix")[0][0] in (3, 4)  # the last may be at the same time
    assert rows(runtime, REFUSALS)[0][0] == "mock"


@pytest.mark.parametrize(
    ("said", "true"), [(15 * 0.514444, 15.0), (15 / 3.6, 15.0), (15 * 3.6, 15.0), (15 / 0.514, 15)]
)
def test_units_are_learned_and_the_day_corrected(
    runtime: Runtime, client: TestClient, clock: FixedClock, device: str, worker: Worker, said: float, true: float
) -> None:
    for minute in range(5):
        clock.advance(60)
        post(client, *drive(runtime, device, 6, from_km=80 - 0.9 * minute, speed_mps=said))
        drain(worker)
    speeds = rows(runtime, f"SELECT speed_mps, flags & {FLAG_SPEED_UNIT | FLAG_SPEED_DOUBTED} FROM ingest.fix")
    kept = np.array([speed for speed, _ in speeds if speed is not None])
    assert len(kept) >= 15
    assert kept == pytest.approx(true, rel=0.06)
    [[last]] = rows(runtime, "SELECT speed_mps FROM ingest.last_position")
    assert last == pytest.approx(true, rel=0.06)


def test_nothing_over_160_kmh_is_shown(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    lines = drive(runtime, device, 4)
    for line, speed in zip(lines, (60.0, 45.0, 3e9, 200.0), strict=True):
        line["speed_mps"] = speed
    post(client, *lines)
    drain(worker)
    assert rows(runtime, f"SELECT * FROM ingest.fix WHERE speed_mps > {MAX_TRUCK_MPS}") == []
    [[speed]] = rows(runtime, "SELECT speed_mps FROM ingest.last_position")
    assert speed == pytest.approx(15.0, rel=0.05)


def test_jumps_are_noted_with_their_device(runtime: Runtime, client: TestClient, device: str, worker: Worker) -> None:
    post(client, *drive(runtime, device, 2))
    drain(worker)
    post(client, {"device": device, "time": runtime.clock.now().isoformat(), **at(runtime, 10.0)})
    later = (runtime.clock.now() + timedelta(seconds=20)).isoformat()
    post(client, {"device": device, "time": later, **at(runtime, 10.0)})  # a wrong position twice
    drain(worker)
    assert rows(runtime, REFUSALS) == [("impossible_jump", 1)]
    [[km]] = rows(runtime, "SELECT km FROM ingest.last_position")
    assert km == pytest.approx(79.85, abs=0.1)


def test_two_receivers_on_one_truck_do_not_turn_it(
    runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker
) -> None:
    phone, tracker = (enrol(sign_in("administrator"))["device_id"] for _ in range(2))
    start = runtime.clock.now() - timedelta(minutes=20)
    directions, lines = set(), []
    for n in range(60):
        moment = (start + timedelta(seconds=10 * n)).isoformat()
        lines.append({"device": phone, "time": moment, **at(runtime, 80 - n * 0.12)})
        behind = (start + timedelta(seconds=10 * n + 4)).isoformat()
        lines.append({"device": tracker, "time": behind, **at(runtime, 80.25 - n * 0.12)})
    for line in lines:
        post(client, line)
        worker.step(block_ms=20)
        directions |= {row[0] for row in rows(runtime, "SELECT direction FROM ingest.last_position")}
    assert directions <= {0, 1}
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(120,)]
