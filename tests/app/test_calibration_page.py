"""What recordings show, on a real database: read from fixes, passages and movements, learned, shown, taken over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app.cli import app as cli
from app.forecasting.service import yard_stays
from app.gates.service import get_setting, seed_profiles
from app.planning import calibration, recordings_store
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from geo.errors import InvalidInputError
from ingest.fix_store import ensure_partitions
from routing import parameter_store
from routing.scenario import dump_scenario, load_scenario, run_scenario
from tests.app.test_control import pass_site, put_trucks

SignIn = Callable[..., TestClient]
TRUCKS = 240
HEADWAY_S = 300.0
SPEED_MPS = 12.0


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    with runtime.sessions() as session:
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return runtime


def add_fix(
    session: Session, vehicle_id: int, at: datetime, speed_mps: float, road: int | None = None, offset_m: float = 0.0
) -> None:
    ensure_partitions(session.connection(), at.date(), at.date())
    session.execute(
        text(
            "INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, direction, status, flags, received_at,"
            " speed_mps, road_id, offset_m)"
            " VALUES (:v, :at, 1, ST_SetSRID(ST_MakePoint(106.7, 21.95), 4326), 1, 0, 0, :at, :speed, :road, :offset)"
        ),
        {"v": vehicle_id, "at": at, "speed": speed_mps, "road": road, "offset": offset_m},
    )


def moved(vehicle_id: int, kind: str, at: datetime, source: str = "gps") -> tuple[str, Movement]:
    return "xuan-cuong", Movement(LedgerTruck(vehicle_id, f"29C{vehicle_id:05d}"), kind, at, source)


def record_a_day(runtime: Runtime, road: int) -> None:
    """Trucks that drive over a road at 12 m/s, wait, are taken one every five minutes, and stay about an hour."""
    now = runtime.clock.now()
    rng = np.random.default_rng(1)
    vehicles = put_trucks(runtime, [0.3] * TRUCKS, gate=None, first=5000, speed_mps=0.0)
    length_m = runtime.corridor.roads[road].length_m
    reports: list[tuple[str, Movement]] = []
    with runtime.sessions() as session:
        for i, vehicle_id in enumerate(vehicles):
            start = now - timedelta(seconds=HEADWAY_S * (TRUCKS - i - 0.5))
            speed_mps = SPEED_MPS * float(np.exp(0.05 * rng.standard_normal()))
            arrival = start - timedelta(seconds=1500.0)
            begin = arrival - timedelta(seconds=1800.0)
            add_fix(session, vehicle_id, begin, speed_mps, road, 0.0)
            add_fix(session, vehicle_id, begin + timedelta(seconds=length_m / speed_mps), speed_mps, road, length_m)
            add_fix(session, vehicle_id, arrival, SPEED_MPS)
            add_fix(session, vehicle_id, start - timedelta(seconds=30), 0.2)
            pass_site(session, vehicle_id, "huu-nghi", "enter", start)
            left = start + timedelta(seconds=3600.0 * float(np.exp(0.4 * rng.standard_normal())))
            reports.append(moved(vehicle_id, "enter", start))
            reports.append(moved(vehicle_id, "enter", start + timedelta(seconds=20), "camera"))
            if left < now:
                reports.append(moved(vehicle_id, "leave", left))
        capacity_store.record_movements(session, reports)
        session.commit()


def long_road(runtime: Runtime) -> int:
    roads = runtime.corridor.roads
    return max((i for i, road in enumerate(roads) if road.direction == "to_border"), key=lambda i: roads[i].length_m)


def test_a_day_is_read_learned_shown_and_taken(ready: Runtime, sign_in: SignIn) -> None:
    road = long_road(ready)
    record_a_day(ready, road)
    now = ready.clock.now()
    with ready.sessions() as session:
        driven = recordings_store.drives(session, since=now - timedelta(days=1), until=now)
        assert {each.road_id for each in driven} == {road}
        assert len(driven) == TRUCKS
        stayed = yard_stays(session, since=now - timedelta(days=1), now=now)
        assert len(stayed) == TRUCKS, "an entry that GPS and camera report is one"
        assert {each.gate_id for each in stayed} == {"huu-nghi"}
    planner = sign_in("planner")
    planner.headers["accept"] = "text/html"
    done = planner.post("/planner/calibration", data={"days": "1"}, follow_redirects=False)
    assert done.status_code == 303, done.text
    with ready.sessions() as session:
        row = parameter_store.list_calibrations(session)[0]
        learned = {(e["quantity"], e["subject"]): e for e in row.record["estimates"]}
        edge = ready.corridor.roads[road].edge_id
        assert learned["free_speed_mps", edge]["value"] == pytest.approx(SPEED_MPS, rel=0.03)
        assert learned["service_mean_s", "huu-nghi"]["value"] == pytest.approx(
            HEADWAY_S * get_setting(session, "huu-nghi", "export", now).entrance_lanes, rel=0.02
        )
        assert learned["dwell_mean_s", "huu-nghi"]["value"] == pytest.approx(3900.0, rel=0.2)
        scenario = calibration.scenario_of(session, row.record, now)
        assert scenario.world.free_speed_mps[edge] == pytest.approx(SPEED_MPS, rel=0.03)
        assert sum(scenario.world.gates["huu-nghi"].hourly()) > 100
        assert load_scenario(dump_scenario(scenario)) == scenario
    page = planner.get("/planner/calibration").text
    assert 'data-testid="estimates"' in page
    assert "calibration-chart" in page
    form = planner.get("/planner?start=recorded").text
    assert f'name="world.free_speed_mps.{edge}"' in form
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    address = f"/planner/calibration/{row.calibration_id}/gates/huu-nghi"
    assert planner.post(address, data={"version": version[1]}, follow_redirects=False).status_code == 303
    with ready.sessions() as session:
        setting = get_setting(session, "huu-nghi", "export", now)
        assert setting.entrance_service_mean_s == pytest.approx(
            learned["service_mean_s", "huu-nghi"]["value"], abs=0.01
        )
    assert planner.post(address, data={"version": version[1]}, follow_redirects=False).status_code == 412
    assert planner.post(address.replace("huu-nghi", "tan-thanh"), data={"version": "1"}).status_code == 404


def test_a_time_that_is_too_long_or_turned_round_is_refused(ready: Runtime) -> None:
    now = ready.clock.now()
    with ready.sessions() as session:
        for since in (now + timedelta(hours=1), now - timedelta(days=29)):
            with pytest.raises(InvalidInputError, match="two moments in order"):
                calibration.read_recording(session, since=since, until=now)
        empty = calibration.read_recording(session, since=now - timedelta(days=2), until=now)
        assert empty.drives.road_id.size == 0
        assert not empty.passages


def test_who_only_looks_cannot_learn_or_take(ready: Runtime, sign_in: SignIn) -> None:
    driver = sign_in("driver")
    assert driver.get("/planner/calibration").status_code == 403
    assert driver.post("/planner/calibration", data={"days": "1"}).status_code == 403


def test_the_command_learns_and_writes_a_scenario(
    ready: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record_a_day(ready, long_road(ready))
    monkeypatch.setattr("app.ops.running.find_settings", lambda _data_dir: ready.settings)
    until = ready.clock.now().isoformat()
    path = tmp_path / "as-recorded.yaml"
    done = CliRunner().invoke(cli, ["calibrate", "--days", "1", "--until", until, "--output", str(path), "--json"])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert {each["quantity"] for each in record["estimates"]} >= {"service_mean_s", "free_speed_mps", "dwell_mean_s"}
    assert all(each["low"] <= each["value"] <= each["high"] for each in record["estimates"])
    result = run_scenario(ready.corridor, load_scenario(path), seed=1, runs=1)
    assert result is not None
    with ready.sessions() as session:
        assert len(parameter_store.list_calibrations(session)) == 1
