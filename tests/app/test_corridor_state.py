"""What the corridor's state has learned from the platform's stores: the gates' pace, who is seen, who keeps a plan."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.control.minute import Minute
from app.forecasting import arrival_store, state_store
from app.forecasting.state import CorridorNow, assemble
from app.gates.service import gate_settings, seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from ingest.fix_store import ensure_partitions
from routing.graph import build_network

from .test_control import pass_site, put_trucks


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    runtime.settings.forecast_runs = 48
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    return runtime


def corridor_now(runtime: Runtime) -> CorridorNow:
    with runtime.sessions() as session:
        now = runtime.clock.now()
        network = build_network(runtime.corridor)
        return assemble(session, runtime.corridor, network, gate_settings(session, now), now)


def add_fixes(
    session: Session, vehicle_id: int, fixes: Iterable[tuple[datetime, float]], *, direction: int = 1
) -> None:
    """Positions at times with speeds (m/s), somewhere on the way."""
    for time, speed_mps in fixes:
        ensure_partitions(session.connection(), time.date(), time.date())
        session.execute(
            text(
                "INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, direction, status, flags, received_at,"
                " speed_mps)"
                " VALUES (:v, :time, 1, ST_SetSRID(ST_MakePoint(106.7, 21.95), 4326), :d, 0, 0, :time, :speed)"
            ),
            {"v": vehicle_id, "time": time, "d": direction, "speed": speed_mps},
        )


def read_plates(session: Session, site_id: str, plates: Iterable[str], at: datetime) -> None:
    """A camera at a site reads plates of no trip."""
    camera = session.execute(
        text(
            "INSERT INTO app.equipment (kind, name, site_id, vendor, created_at)"
            " VALUES ('plate_camera', :site, :site, 'rekor', :at) RETURNING equipment_id"
        ),
        {"site": site_id, "at": at},
    ).scalar_one()
    for plate in plates:
        session.execute(
            text(
                "INSERT INTO app.plate_read"
                " (equipment_id, time, received_at, plate_norm, confidence, status, source_ref)"
                " VALUES (:camera, :at, :at, :plate, 0.95, 'unknown', :plate)"
            ),
            {"camera": camera, "at": at, "plate": plate},
        )


def pass_gate(
    runtime: Runtime, *, every_s: float, wait_s: float, hours: float = 2.0, site_id: str = "huu-nghi"
) -> None:
    """Trucks of no trip that went in at Hữu Nghị until now, each after a wait in the queue."""
    now, count = runtime.clock.now(), int(hours * 3600.0 / every_s)
    vehicles = put_trucks(runtime, [0.3] * count, gate=None, first=5000, speed_mps=0.0)
    with runtime.sessions() as session:
        for i, vehicle_id in enumerate(vehicles):
            at = now - timedelta(seconds=every_s * (count - i - 0.5))
            driving, standing = at - timedelta(seconds=wait_s), at - timedelta(seconds=30)
            add_fixes(session, vehicle_id, [(driving, 12.0), (standing, 0.2)])
            pass_site(session, vehicle_id, "huu-nghi", "enter", at)
        session.commit()


def test_the_pace_of_a_gate_is_learned_from_trucks_without_a_trip(ready: Runtime) -> None:
    pass_gate(ready, every_s=180.0, wait_s=1500.0)
    state = corridor_now(ready).state
    pace = state.pace["huu-nghi"]
    assert pace.mean_veh_per_h == pytest.approx(20.0, rel=0.2)
    assert pace.served_veh == 40
    assert (state.served_veh["huu-nghi"], state.busy_lane_s["huu-nghi"]) == (40.0, pytest.approx(2 * pace.busy_s))
    assert "tan-thanh" not in state.pace


def test_the_forecast_believes_the_pace_that_was_seen(ready: Runtime, sign_in) -> None:
    """The shipped profile says 37 trucks an hour; 12 go in."""
    put_trucks(ready, list(np.arange(1.2, 2.4, 0.02)), speed_mps=0.2)
    with ready.sessions() as session:
        for (vehicle_id,) in session.execute(text("SELECT vehicle_id FROM app.trip")).all():
            add_fixes(session, vehicle_id, [(ready.clock.now() - timedelta(hours=2), 12.0)])
        session.commit()
    pass_gate(ready, every_s=300.0, wait_s=2000.0)
    assert Minute.of(ready).run().failed == []
    found = sign_in("traffic_police").get("/api/v1/forecasts/latest?gate=huu-nghi").json()
    assert [quantile[0] for quantile in found["queue_veh"]] == [found["now"]["queue_veh"]] * 3
    left = found["now"]["queue_veh"] - found["queue_veh"][1][12]
    assert 6 <= left <= 18, "trucks that went in within the next hour"


def test_a_gate_that_stopped_is_seen_to_have_stopped(ready: Runtime) -> None:
    pass_gate(ready, every_s=90.0, wait_s=1500.0)
    waiting = put_trucks(ready, list(np.arange(1.1, 1.6, 0.02)), speed_mps=0.0)
    ready.clock.advance(2400)  # type: ignore[attr-defined]
    with ready.sessions() as session:
        for vehicle_id in waiting:
            add_fixes(session, vehicle_id, [(ready.clock.now() - timedelta(hours=1), 12.0)])
        session.execute(
            text("UPDATE ingest.last_position SET time = :now WHERE vehicle_id = ANY(:waiting)"),
            {"now": ready.clock.now(), "waiting": waiting},
        )
        session.commit()
    assert corridor_now(ready).state.pace["huu-nghi"].mean_veh_per_h < 12.0


def test_who_comes_from_the_border_did_not_go_in(ready: Runtime) -> None:
    now = ready.clock.now()
    (vehicle_id,) = put_trucks(ready, [0.9], gate=None)
    with ready.sessions() as session:
        add_fixes(session, vehicle_id, [(now - timedelta(minutes=20), 8.0)], direction=-1)
        pass_site(session, vehicle_id, "huu-nghi", "enter", now - timedelta(minutes=10))
        session.commit()
        assert state_store.gate_passages(session, since=now - timedelta(hours=1), now=now) == []


def test_a_truck_on_a_trip_went_in_when_it_is_judged_to_have(ready: Runtime) -> None:
    now = ready.clock.now()
    (vehicle_id,) = put_trucks(ready, [0.9])
    with ready.sessions() as session:
        add_fixes(session, vehicle_id, [(now - timedelta(minutes=40), 12.0), (now - timedelta(minutes=5), 0.1)])
        pass_site(session, vehicle_id, "huu-nghi", "enter", now - timedelta(minutes=4))
        trip_id = session.execute(text("SELECT trip_id FROM app.trip")).scalar_one()
        for kind, since in (("gate_area", 20), ("yard", 10)):
            session.execute(
                text(
                    "INSERT INTO app.trip_place (trip_id, began_at, ended_at, kind, gate_id, source, trust)"
                    " VALUES (:trip, :at, :until, :kind, 'huu-nghi', 'act', 4)"
                ),
                {
                    "trip": trip_id,
                    "at": now - timedelta(minutes=since),
                    "until": now - timedelta(minutes=since - 10) if kind == "gate_area" else None,
                    "kind": kind,
                },
            )
        session.commit()
        (passage,) = state_store.gate_passages(session, since=now - timedelta(hours=1), now=now)
    assert (passage.time, passage.is_declared) == (now - timedelta(minutes=20), True)
    assert passage.waited_since == now - timedelta(minutes=40)


def test_plates_that_cameras_read_say_how_many_send_positions(ready: Runtime) -> None:
    """Thirty undeclared trucks stand in the queue; of forty whose plates were read, ten report."""
    put_trucks(ready, list(np.arange(1.1, 1.7, 0.02)), gate=None, speed_mps=0.0)
    now = ready.clock.now()
    reporting = put_trucks(ready, [30.0] * 10, gate=None, first=7000)
    with ready.sessions() as session:
        for vehicle_id in reporting:
            add_fixes(session, vehicle_id, [(now - timedelta(minutes=50), 12.0)])
        plates = [f"29C{7000 + i:05d}" for i in range(40)]
        read_plates(session, "camera-lang-son", plates, now - timedelta(minutes=40))
        session.commit()
        counted = state_store.count_seen(session, since=now - timedelta(hours=3), now=now)
        assert (counted.read, counted.seen) == (40, 10)
    found = corridor_now(ready)
    assert found.state.seen_share is not None
    assert found.queue.seen_veh[0] == 30
    assert 100 < found.queue.queue_veh[0] < 150, "four trucks for each that reports"
    assert Minute.of(ready).run().failed == []


def test_an_enterprise_that_comes_late_is_expected_late(ready: Runtime) -> None:
    put_trucks(ready, [30.0] * 30)
    now = ready.clock.now()
    with ready.sessions() as session:
        session.execute(
            text(
                "UPDATE app.trip SET planned_arrival = :planned, created_at = :planned - interval '1 day',"
                " stage = 'out', stage_since = :planned,"
                " arrived_at = CASE WHEN trip_id % 3 > 0 THEN :planned + interval '3 hours' END"
            ),
            {"planned": now - timedelta(days=2)},
        )
        session.commit()
    (trip,) = put_trucks(ready, [60.0], first=900)
    with ready.sessions() as session:
        organisation_id = session.execute(text("SELECT min(organisation_id) FROM app.trip")).scalar_one()
        session.execute(
            text(
                "UPDATE app.trip SET stage = 'planned', planned_arrival = :at, organisation_id = :org"
                " WHERE vehicle_id = :trip"
            ),
            {"trip": trip, "at": now + timedelta(hours=2), "org": organisation_id},
        )
        session.execute(text("DELETE FROM ingest.last_position WHERE vehicle_id = :trip"), {"trip": trip})
        session.commit()
    state = corridor_now(ready).state
    assert state.declared_lateness_s is not None
    assert state.declared_show_up is not None
    # Ten trips as assumed (15 min late, 92 % come) and the enterprise's thirty, of which twenty came, 3 h late.
    assert state.declared_lateness_s[0] == pytest.approx((10 * 900 + 20 * 10_800) / 30)
    assert state.declared_show_up[0] == pytest.approx((9.2 + 20) / 40)


def test_a_camera_at_the_barrier_sees_who_sends_nothing(ready: Runtime) -> None:
    """Of ten plates one is of a truck that GPS saw go in, one of a truck on a trip; the outer barrier counts nobody."""
    now = ready.clock.now()
    by_gps, on_trip = put_trucks(ready, [0.9], gate=None, first=100) + put_trucks(ready, [0.9], first=200)
    with ready.sessions() as session:
        for vehicle_id in (by_gps, on_trip):
            add_fixes(session, vehicle_id, [(now - timedelta(minutes=30), 12.0)])
        pass_site(session, by_gps, "huu-nghi", "enter", now - timedelta(minutes=10))
        trip_id = session.execute(text("SELECT max(trip_id) FROM app.trip")).scalar_one()
        session.execute(
            text(
                "INSERT INTO app.trip_place (trip_id, began_at, kind, gate_id, source, trust)"
                " VALUES (:trip, :at, 'gate_area', 'huu-nghi', 'act', 4)"
            ),
            {"trip": trip_id, "at": now - timedelta(minutes=10)},
        )
        for site_id in ("huu-nghi-barrier-1", "huu-nghi-barrier-2"):
            plates = ["29C00100", "29C00200", *(f"29C{i:05d}" for i in range(300, 308))]
            read_plates(session, site_id, plates, now - timedelta(minutes=9))
        session.commit()
        found = state_store.gate_passages(session, since=now - timedelta(hours=1), now=now)
        arrival_store.count_hours(session, now)
        history = arrival_store.hour_counts(session, since=now - timedelta(days=1), until=now + timedelta(hours=1))
    assert len(found) == 10
    assert [
        (passage.vehicle_id, passage.is_declared, passage.was_read)
        for passage in found
        if passage.vehicle_id is not None
    ] == [
        (by_gps, False, True),
        (on_trip, True, False),
    ]
    assert all(passage.was_read and not passage.is_declared for passage in found if passage.vehicle_id is None)
    came = (now - timedelta(minutes=10)).replace(minute=0, second=0, microsecond=0)
    assert [(hour.hour, hour.trucks) for hour in history if hour.trucks] == [(came, 1)]


def test_exits_toward_the_border(ready: Runtime) -> None:
    now = ready.clock.now()
    by_gps, on_trip, passing = put_trucks(ready, [0.2, 0.2], gate=None, first=100)[:1] + put_trucks(
        ready, [0.2, 30.0], first=200
    )
    with ready.sessions() as session:
        add_fixes(session, by_gps, [(now - timedelta(hours=3), 12.0)])
        for minutes in (60, 5):
            pass_site(session, by_gps, "xuan-cuong", "leave", now - timedelta(minutes=minutes))
        pass_site(session, passing, "huu-nghi", "leave", now - timedelta(minutes=5))
        trips = session.execute(text("SELECT vehicle_id, trip_id FROM app.trip")).all()
        session.execute(
            text(
                "INSERT INTO app.trip_place (trip_id, began_at, kind, gate_id, source, trust)"
                " VALUES (:trip, :at, 'over_the_border', 'huu-nghi', 'act', 4)"
            ),
            {"trip": dict(trips)[on_trip], "at": now - timedelta(minutes=7)},  # type: ignore[arg-type]
        )
        session.commit()
        found = state_store.gate_exits(session, since=now - timedelta(hours=2), now=now)
    assert [(leaving.vehicle_id, now - leaving.time) for leaving in found] == [
        (on_trip, timedelta(minutes=7)),
        (by_gps, timedelta(minutes=5)),
    ]
