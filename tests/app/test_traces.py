"""A vehicle's way out as a file and as a day's report; a recorded trace in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli import app
from app.ops import running
from app.platform.runtime import Runtime
from app.tracking.day_report import report_day
from app.tracking.position_store import TrackFix
from app.tracking.worker import Worker
from geo.corridor import Corridor
from ingest.traces.files import read_trace
from tests.app.dispatching import add_organisation
from tests.app.gps import drain, enrol, rows
from tests.app.registering import be_on_a_trip
from tests.app.test_believing import drive, post
from tests.conftest import SignIn

CORRIDOR = Corridor.default()


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    return worker


def hold(runtime: Runtime, vehicle_id: int, organisation_id: int, *, since_s: float = 3e7) -> None:
    begun_at = runtime.clock.now() - timedelta(seconds=since_s)
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO app.vehicle_holding (vehicle_id, organisation_id, proof, begun_at) "
                "VALUES (:vehicle_id, :organisation_id, 'desk', :begun_at)"
            ),
            {"vehicle_id": vehicle_id, "organisation_id": organisation_id, "begun_at": begun_at},
        )
    with runtime.sessions.begin() as session:
        now = runtime.clock.now()
        be_on_a_trip(session, vehicle_id, now, since=now - timedelta(days=2))


@pytest.mark.parametrize("kind", ["gpx", "geojson", "csv", "parquet"])
def test_a_way_as_a_file(runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker, kind: str) -> None:
    ours = add_organisation(runtime, "A")
    owner = sign_in("enterprise", organisation_id=ours)
    made = enrol(owner, "29C-111.11")
    post(client, *drive(runtime, made["device_id"], 30, speed_mps=15.0))
    drain(worker)
    now = runtime.clock.now()
    path = f"/api/v1/vehicles/{made['vehicle_id']}/track"
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat(), "format": kind}
    assert owner.get(path, params=span).status_code == 404  # not proven
    hold(runtime, made["vehicle_id"], ours, since_s=100)
    answer = owner.get(path, params=span)
    assert answer.status_code == 200, answer.text
    assert len(read_trace(f"a.{kind}", answer.content).points) == 11  # since it has held the truck
    police = sign_in("traffic_police")
    trace = read_trace(f"a.{kind}", police.get(path, params=span).content)
    assert len(trace.points) == 30
    assert trace.faults == []
    assert trace.points["speed_mps"].to_numpy() == pytest.approx(np.full(30, 15.0))
    stranger = sign_in("enterprise", organisation_id=add_organisation(runtime, "B"))
    assert stranger.get(path, params=span).status_code == 404
    assert sign_in("driver").get(path, params=span).status_code == 403
    assert rows(runtime, "SELECT count(*) FROM app.audit WHERE action = 'traces.export'") == [(2,)]
    assert police.get(path, params=span | {"format": "docx"}).status_code == 422


GPX = """<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
{points}
<trkpt lat="north" lon="106.5"><time>2026-03-02T00:00:00Z</time></trkpt>
</trkseg></trk></gpx>"""


def test_a_recorded_trace_is_taken_in(runtime: Runtime, sign_in: SignIn, worker: Worker) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "A"))
    enrol(owner, "29C-111.11")
    [number] = [each["number"] for each in owner.get("/api/v1/devices").json()]
    lines = drive(runtime, "", 10)
    points = "\n".join(
        f'<trkpt lat="{line["lat"]}" lon="{line["lon"]}"><time>{line["time"]}</time></trkpt>' for line in lines
    )
    file = ("a.gpx", GPX.format(points=points).encode())
    answer = owner.post(f"/api/v1/devices/{number}/trace", files={"file": file})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["accepted"], answer.json()["fault_count"]) == (10, 1)
    assert answer.json()["faults"][0]["value"] == "lat=north"
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(10,)]
    bad = ("a.gpx", GPX.format(points="").encode())
    answer = owner.post(f"/api/v1/devices/{number}/trace", files={"file": bad})
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0
    stranger = sign_in("enterprise", organisation_id=add_organisation(runtime, "B"))
    assert stranger.post(f"/api/v1/devices/{number}/trace", files={"file": file}).status_code == 404


def test_the_page_says_what_became_of_each_point(runtime: Runtime, sign_in: SignIn) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "A"))
    assert "29C" not in owner.get("/devices/traces").text
    enrol(owner, "29C-111.11")
    [number] = [each["number"] for each in owner.get("/api/v1/devices").json()]
    for name, content, status, words in (
        ("a.gpx", GPX.format(points="").encode(), 422, "lat=north"),
        ("a.gpx", b"<gpx", 422, 'data-testid="trace-result"'),
        ("a.doc", b"", 422, 'data-testid="trace-error"'),
    ):
        answer = owner.post("/devices/traces", data={"number": number}, files={"file": (name, content)})
        assert answer.status_code == status
        assert words in answer.text


def fix(moment: float, km: float, speed_mps: float, *, ignition: bool | None = None, road_id: int = 0) -> TrackFix:
    lon, lat = (float(value[0]) for value in CORRIDOR.position("QL1A", [km]))
    start = drive_start()
    return TrackFix(start + timedelta(seconds=moment), lon, lat, speed_mps, None, road_id, km, 0, None, ignition)


def drive_start():
    from datetime import UTC, datetime

    return datetime(2026, 3, 2, tzinfo=UTC)


def test_a_day_in_figures() -> None:
    drives = [fix(n * 10, 80 - n * 0.15, 15.0, ignition=True) for n in range(200)]
    stands = [fix(2000 + n * 10, 50.0, 0.0, ignition=n < 60) for n in range(120)]
    on = [fix(3200 + n * 10, 50 - n * 0.15, 15.0, ignition=True) for n in range(100)]
    report = report_day([*drives, *stands, *on], CORRIDOR)
    assert report.distance_m == pytest.approx(45_000, rel=0.03)
    [stop] = report.stops
    assert stop.duration_s == pytest.approx(1200, abs=60)
    assert stop.km == pytest.approx(50.0, abs=0.1)
    assert stop.idle_s == pytest.approx(600, abs=40)
    assert report.over_speeds == []  # no limit is known there
    assert len(report.drivings) == 2


def test_a_limit_that_is_known_is_held() -> None:
    from dataclasses import replace

    roads = tuple(
        replace(road, free_speed_mps=60 / 3.6, provenance=road.provenance | {"free_speed_mps": "derived"})
        for road in CORRIDOR.roads
    )
    known = replace(CORRIDOR, roads=roads)
    speeds = [15.0] * 10 + [20.0] * 10 + [15.0] * 10 + [20.0] + [15.0] * 5
    report = report_day([fix(n * 10, 80 - n * 0.15, speed) for n, speed in enumerate(speeds)], known)
    [event] = report.over_speeds
    assert (event.end - event.begin).total_seconds() == 90
    assert event.limit_kmh == pytest.approx(60)
    assert event.max_kmh == pytest.approx(72)
    assert report_day([fix(0, 80, 17.0), fix(60, 79, 17.0)], known).over_speeds == []


def test_the_day_as_a_page(runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker) -> None:
    ours = add_organisation(runtime, "A")
    owner = sign_in("enterprise", organisation_id=ours)
    made = enrol(owner, "29C-111.11")
    hold(runtime, made["vehicle_id"], ours)
    assert 'data-testid="day-empty"' in owner.get(f"/vehicles/{made['vehicle_id']}/day").text
    post(client, *drive(runtime, made["device_id"], 30, speed_mps=15.0))
    drain(worker)
    assert 'data-testid="day"' in owner.get(f"/vehicles/{made['vehicle_id']}/day").text
    day = runtime.clock.now().date().isoformat()
    figures = owner.get(f"/api/v1/vehicles/{made['vehicle_id']}/day", params={"date": day}).json()
    assert figures["distance_m"] == pytest.approx(4350, rel=0.05)
    assert (
        sign_in("enterprise", organisation_id=add_organisation(runtime, "B"))
        .get(f"/vehicles/{made['vehicle_id']}/day")
        .status_code
        == 404
    )


def test_the_operator_writes_a_way_to_a_file(
    runtime: Runtime,
    client: TestClient,
    sign_in: SignIn,
    worker: Worker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = enrol(sign_in("administrator"), "29C-111.11")
    post(client, *drive(runtime, made["device_id"], 12))
    drain(worker)
    monkeypatch.setattr(Runtime, "open", lambda *_arguments, **_options: runtime)
    monkeypatch.setattr(running, "find_settings", lambda _data_dir: runtime.settings)
    now = runtime.clock.now()
    span = ["--from", (now - timedelta(hours=1)).isoformat(), "--to", now.isoformat()]
    file = tmp_path / "way.gpx"
    result = CliRunner().invoke(app, ["export-trace", "29c11111", str(file), *span])
    assert result.exit_code == 0, result.output
    assert len(read_trace("way.gpx", file.read_bytes()).points) == 12
    assert rows(runtime, "SELECT count(*) FROM app.audit WHERE action = 'traces.export'") == [(1,)]
