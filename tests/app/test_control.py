"""Control on real PostGIS and Redis: the minute, the tick, leadership."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.bootstrap import make_sheets
from app.control import loop, minute, suspicions
from app.control.minute import Minute
from app.control.tick import Tick
from app.gates.service import seed_profiles
from app.platform import outbox
from app.platform.redis_servers import open_redis
from app.platform.runtime import Runtime
from app.platform.steps import Failure, StepFailedError
from capacity import store as capacity_store
from capacity.tables import PlanRow
from geo.corridor import Corridor
from ingest.fix_store import ensure_partitions
from routing import store as routing_store
from routing.forecast import forecast


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    """A platform with yards and gate settings, and few runs so that tests stay short."""
    runtime.settings.forecast_runs = 24
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    return runtime


def put_trucks(
    runtime: Runtime,
    kms: list[float],
    *,
    speed_mps: float = 12.0,
    gate: str | None = "huu-nghi",
    perishable: bool = False,
    first: int = 0,
    age_s: float = 10.0,
) -> list[int]:
    """Trucks on QL1A toward the border at kilometres, each with a trip unless `gate` is none; their vehicle ids."""
    corridor: Corridor = runtime.corridor
    road_id, offset_m = corridor.place_at("QL1A", kms)
    lon, lat = corridor.position_on(road_id, offset_m)
    seen_at = runtime.clock.now() - timedelta(seconds=age_s)
    vehicle_ids = []
    with runtime.sessions() as session:
        organisation_id = session.execute(
            text("INSERT INTO app.organisation (name, kind) VALUES (:name, 'enterprise') RETURNING organisation_id"),
            {"name": f"Enterprise {first}"},
        ).scalar_one()
        for i, km in enumerate(kms):
            plate = f"29C{first + i:05d}"
            vehicle_id = session.execute(
                text(
                    "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) VALUES (:p, :p, 'truck', :at)"
                    " RETURNING vehicle_id"
                ),
                {"p": plate, "at": seen_at},
            ).scalar_one()
            vehicle_ids.append(vehicle_id)
            session.execute(
                text(
                    """
                    INSERT INTO ingest.last_position (vehicle_id, time, device_id, geom, speed_mps, heading_deg,
                        road_id, offset_m, km, direction, status, flags, received_at, edge_id, motion)
                    VALUES (:v, :at, 1, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :speed, 0,
                        :road, :offset, :km, 1, 0, 0, :at, :edge, 'moving')
                    """
                ),
                {
                    "v": vehicle_id,
                    "at": seen_at,
                    "lon": float(lon[i]),
                    "lat": float(lat[i]),
                    "speed": speed_mps,
                    "road": int(road_id[i]),
                    "offset": float(offset_m[i]),
                    "km": float(km),
                    "edge": corridor.roads[road_id[i]].edge_id,
                },
            )
            if gate is not None:
                session.execute(
                    text(
                        """
                        INSERT INTO app.trip (code, vehicle_id, organisation_id, goods, goods_class, perishable, regime,
                            direction, gate_id, planned_arrival, stage, stage_since, created_at)
                        VALUES (:code, :v, :org, 'Thanh long', 'fresh_fruit', :perishable, 'export', 'export', :gate,
                            :at, 'on_the_road', :at, :at)
                        """
                    ),
                    {
                        "code": f"T{first + i}",
                        "v": vehicle_id,
                        "org": organisation_id,
                        "perishable": perishable,
                        "gate": gate,
                        "at": seen_at,
                    },
                )
        session.commit()
    return vehicle_ids


def see(session: Session, vehicle_id: int, at: datetime, lon: float, lat: float) -> None:
    """A stored position."""
    ensure_partitions(session.connection(), at.date(), at.date())
    session.execute(
        text(
            "INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, direction, status, flags, received_at) "
            "VALUES (:vehicle_id, :at, 1, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 1, 0, 0, :at)"
        ),
        {"vehicle_id": vehicle_id, "at": at, "lon": lon, "lat": lat},
    )


def pass_site(session: Session, vehicle_id: int, site_id: str, kind: str, at) -> None:
    session.execute(
        text("INSERT INTO ingest.site_event (vehicle_id, site_id, kind, time, source) VALUES (:v, :s, :k, :at, 'gps')"),
        {"v": vehicle_id, "s": site_id, "k": kind, "at": at},
    )


def test_a_minute_makes_forecast_plan_and_advice(ready: Runtime) -> None:
    put_trucks(ready, list(np.linspace(5, 60, 40)), perishable=True)
    done = Minute.of(ready).run()
    assert done.failed == []
    now = ready.clock.now()
    with ready.sessions() as session:
        predicted = routing_store.latest_forecast(session, "huu-nghi")
        assert predicted is not None
        assert predicted.made_at == now
        assert predicted.step_s == 300
        assert predicted.queue_veh.shape[0] == 3
        assert (np.diff(predicted.wait_s, axis=0) >= 0).all()
        assert routing_store.queue_observations(session, "huu-nghi", now, now + timedelta(seconds=1))
        plan = session.scalars(select(PlanRow).order_by(PlanRow.plan_id.desc())).first()
        assert plan is not None
        assert plan.summary["trucks"] == 40
        told = capacity_store.assignments(session)
        assert len(told) == 40
        assert {assignment.yard_id for assignment in told.values()} <= {"xuan-cuong", "bao-nguyen"}
        assert all(assignment.reason["code"] for assignment in told.values())
        types = set(session.scalars(text("SELECT DISTINCT type FROM app.outbox")))
    assert {"forecast", "yard", "assignment"} <= types


def test_the_plan_lets_nobody_pass_who_stands_in_the_queue(ready: Runtime) -> None:
    line = put_trucks(ready, list(np.linspace(0.75, 1.9, 48)), speed_mps=0.0)  # an entrance for 60 in half an hour
    fruit = put_trucks(ready, list(np.linspace(3, 8, 60)), perishable=True, first=1000)
    assert Minute.of(ready).run().failed == []
    with ready.sessions() as session:
        told = {each.vehicle_id: each for each in capacity_store.assignments(session).values()}
    assert {told[vehicle_id].reason["code"] for vehicle_id in fruit} > {"free_on_arrival"}, "not all find a turn"
    half_hour, now = timedelta(minutes=30), ready.clock.now()
    queued = [(told[vehicle_id].place_free_at - now) // half_hour for vehicle_id in line]
    assert queued == sorted(queued), "places follow the order of the line"
    assert max(queued) <= min((told[vehicle_id].place_free_at - now) // half_hour for vehicle_id in fruit)
    assert "perishable_first" not in {told[vehicle_id].reason["code"] for vehicle_id in line}


def test_an_empty_corridor_has_a_forecast_too(ready: Runtime) -> None:
    done = Minute.of(ready).run()
    assert done.failed == []
    with ready.sessions() as session:
        assert routing_store.latest_forecast(session, "tan-thanh") is not None


def test_the_forecast_changes_when_300_trucks_are_added_upstream(ready: Runtime) -> None:
    put_trucks(ready, list(np.linspace(5, 60, 20)))
    loop_ = Minute.of(ready)
    loop_.run()
    with ready.sessions() as session:
        before = routing_store.latest_forecast(session, "huu-nghi")
    put_trucks(ready, list(np.linspace(20, 70, 300)), first=1000)
    ready.clock.advance(60)
    loop_.run()
    with ready.sessions() as session:
        after = routing_store.latest_forecast(session, "huu-nghi")
    assert before is not None
    assert after is not None
    assert after.queue_veh[1].max() > before.queue_veh[1].max() + 30


def test_trucks_without_a_trip_count(ready: Runtime) -> None:
    loop_ = Minute.of(ready)
    loop_.run()
    with ready.sessions() as session:
        before = routing_store.latest_forecast(session, "huu-nghi")
    put_trucks(ready, list(np.linspace(10, 60, 300)), gate=None)
    ready.clock.advance(60)
    loop_.run()
    with ready.sessions() as session:
        after = routing_store.latest_forecast(session, "huu-nghi")
    assert before is not None
    assert after is not None
    assert after.state_summary["on_road"] >= 300
    assert after.queue_veh[1].max() > before.queue_veh[1].max() + 20


def test_one_failing_step_does_not_stop_the_others(ready: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    put_trucks(ready, [10.0, 20.0])

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(minute.yards_plan, "build_problem", fail)
    done = Minute.of(ready).run()
    assert done.failed == ["yard_plan"]
    assert done.results["yard_plan"].failure == Failure("RuntimeError: on purpose")
    assert done.results["tidy"].is_done, "what makes nothing is no failure"
    assert done.results["tidy"].value is None
    assert int(ready.redis.hget("ck:counters", "control_step_failures_total") or 0) == 1
    monkeypatch.setattr(minute, "forecast", fail)
    done = Minute.of(ready).run()
    assert [name for name in done.results if name not in done.failed] == [
        "settings",
        "arrivals",
        "stays",
        "state",
        "queue",
        "score",
        "judge_advice",
        "bookings",
        "queue_places",
        "public_figures",
        "order_effects",
        "expiry",
        "driving_hours",
        "shared_places",
        "suspicions",
        "exports",
        "exports_unsaid",
        "late_weighings",
        "reconciliation",
        "tidy",
        "audit_heads",
        "retention",
    ]
    missing = {name: result.failure.missing for name, result in done.results.items() if result.failure}
    assert missing == {
        "forecast": None,
        "calibrate": "forecast",
        "save_forecast": "calibrate",
        "yard_plan": "calibrate",
        "advice": "calibrate",
        "measures": "calibrate",
    }
    with pytest.raises(StepFailedError, match="save_forecast"):
        _ = done.results["save_forecast"].value


def test_passages_of_yards_become_movements_once(ready: Runtime) -> None:
    """Of trucks without a trip; of those on one the ledger follows where they are judged to be.

    The third was seen nowhere before it was in the yard, the fourth far away only: GPS alone fills no yard.
    """
    one, two, unseen, far = put_trucks(ready, [1.0, 2.0, 1.0, 1.0], gate=None)
    now = ready.clock.now()
    with ready.sessions() as session:
        see(session, one, now - timedelta(minutes=60), 106.7026, 21.9403)
        see(session, two, now - timedelta(minutes=50), 106.7026, 21.9403)
        see(session, far, now - timedelta(minutes=50), 106.5753, 21.6459)
        for vehicle_id in (unseen, far):
            pass_site(session, vehicle_id, "xuan-cuong", "enter", now - timedelta(minutes=30))
        pass_site(session, unseen, "xuan-cuong", "leave", now - timedelta(minutes=3))
        pass_site(session, one, "xuan-cuong", "enter", now - timedelta(minutes=50))
        pass_site(session, two, "xuan-cuong", "enter", now - timedelta(minutes=40))
        pass_site(session, one, "xuan-cuong", "leave", now - timedelta(minutes=5))
        pass_site(session, one, "huu-nghi", "enter", now - timedelta(minutes=4))
        session.commit()
    loop_ = Minute.of(ready)
    tick = Tick(ready, loop_.places, loop_.tails_km)
    for _ in range(3):
        tick.run()
    with ready.sessions() as session:
        assert capacity_store.get_yard_state(session, "xuan-cuong", now).inside_veh == 1
        assert [truck.vehicle_id for truck in capacity_store.list_inside(session, "xuan-cuong")] == [two]
        assert session.scalar(text("SELECT count(*) FROM capacity.movement")) == 3
        assert suspicions.count(session, now) == {"gps_entries_without_approach": 2.0, "devices_enrolled": 0.0}
    assert ready.redis.exists("ck:heartbeat:control")
    assert b"yard" in {entry[1][b"type"] for entry in ready.redis.xrange(outbox.STREAM)}


def test_equal_states_and_seeds_give_equal_forecasts(ready: Runtime) -> None:
    put_trucks(ready, list(np.linspace(5, 60, 30)))
    loop_ = Minute.of(ready)
    with ready.sessions() as session:
        now = ready.clock.now()
        corridor = loop_._assemble(session, now, loop_._settings(session, now))
    one, two = (forecast(loop_.network, corridor.state, runs=8, seed=5) for _ in range(2))
    assert np.array_equal(one.wait_s, two.wait_s)


def wait_for(condition, timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_without_redis_the_minute_goes_on_and_events_wait(ready: Runtime) -> None:
    put_trucks(ready, [10.0, 20.0])
    working = ready.redis
    ready.redis = open_redis("redis://127.0.0.1:1/0", client_name="cuakhau-test")  # refuses at once, as the product's
    loop_ = Minute.of(ready)
    tick = Tick(ready, loop_.places, loop_.tails_km)
    assert loop_.run().failed == []
    tick.run()
    with ready.sessions() as session:
        waiting = session.scalar(text("SELECT count(*) FROM app.outbox WHERE relayed_at IS NULL"))
    assert waiting
    ready.redis = working
    tick.run()
    assert ready.redis.xlen(outbox.STREAM) >= waiting


def start_control(runtime: Runtime) -> subprocess.Popen[bytes]:
    environment = dict(os.environ) | {
        "DATABASE_URL": runtime.settings.database_url.get_secret_value(),
        "REDIS_URL": runtime.settings.redis_url.get_secret_value(),
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_FORECAST_RUNS": "8",
    }
    return subprocess.Popen([sys.executable, "-m", "app.cli", "control"], env=environment)


def holders(runtime: Runtime) -> list[int]:
    """Server processes that hold the lock of leadership."""
    with runtime.sessions() as session:
        return list(
            session.scalars(
                text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND granted"),
                {"key": loop.LOCK_KEY},
            )
        )


@pytest.mark.long
def test_when_the_leader_is_killed_the_other_takes_over(ready: Runtime) -> None:
    first = start_control(ready)
    second = None
    try:
        assert wait_for(lambda: len(holders(ready)) == 1, 180)
        (leader,) = holders(ready)
        second = start_control(ready)
        assert wait_for(lambda: ready.redis.exists("ck:heartbeat:control"), 180)
        first.kill()
        first.wait()
        assert wait_for(lambda: holders(ready) not in ([], [leader]), 180)
        ready.redis.delete("ck:heartbeat:control")
        assert wait_for(lambda: ready.redis.exists("ck:heartbeat:control"), 180)
        with ready.sessions() as session:
            assert wait_for(lambda: routing_store.latest_forecast(session, "huu-nghi") is not None, 120)
        # Losing the connection is losing the lead; it is won again.
        (leader,) = holders(ready)
        with ready.engine.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": leader})
        assert wait_for(lambda: holders(ready) not in ([], [leader]), 180)
        second.terminate()
        assert second.wait(timeout=60) == 0
        assert holders(ready) == []
    finally:
        for process in (first, second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def test_one_leads_and_another_takes_over(ready: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TICK_S", 0.2)
    monkeypatch.setattr(loop, "RETRY_S", 0.2)
    led: list[str] = []
    lead = loop._lead

    def remember(runtime, sheets, connection, stop):
        led.append(threading.current_thread().name)
        lead(runtime, sheets, connection, stop)

    monkeypatch.setattr(loop, "_lead", remember)
    stops = {name: threading.Event() for name in ("first", "second")}
    threads = {
        name: threading.Thread(target=loop.run_control, args=(ready, make_sheets()), kwargs={"stop": stop}, name=name)
        for name, stop in stops.items()
    }
    try:
        for thread in threads.values():
            thread.start()
        assert wait_for(lambda: len(led) == 1)
        time.sleep(1.0)
        assert len(led) == 1
        leader = led[0]
        stops[leader].set()
        assert wait_for(lambda: len(led) == 2)
        assert led[1] != leader
        # The server ends the leader's connection: leadership is lost with it, and won again.
        with ready.engine.begin() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key"),
                {"key": loop.LOCK_KEY},
            )
        assert wait_for(lambda: len(led) == 3)
    finally:
        for stop in stops.values():
            stop.set()
        for thread in threads.values():
            thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads.values())
