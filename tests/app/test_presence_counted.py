"""A truck is counted where it is, whoever saw it there: in lists, yards, map, forecast, statistics and bulletin."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.forecasting.state import CorridorNow, assemble
from app.gates.service import gate_settings
from app.platform.actions import ActionContext
from app.reporting.bulletin import count_day
from app.reporting.statistics import local_day
from app.trips import progress
from app.trips.progress import Advanced
from capacity import store as capacity_store
from ingest.fix_store import ensure_partitions
from routing.graph import build_network
from tests.app.bordering import EXPORT_WAY, Border, Listener, SignIn, border, listener, sheets  # noqa: F401 - fixtures
from tests.app.dispatching import pass_site, put_truck

PLATE = "29C-123.45"


@dataclass
class Watch:
    """Everything that counts trucks, as somebody would look at it."""

    border: Border
    police: Any
    last: Advanced | None = None
    places: list[tuple[str, str | None]] = field(default_factory=list)

    def tick(self) -> None:
        """What control does every few seconds."""
        with self.border.runtime.sessions() as session:
            now = self.border.runtime.clock.now()
            self.last = progress.advance(session, now, keeper=self.border.sheets.presence, tails_km={}, last=self.last)
            session.commit()

    def trip(self, trip_id: int) -> Any:
        (row,) = self.border.rows("SELECT * FROM app.trip WHERE trip_id = :id", id=trip_id)
        return row

    def told(self, trip_id: int) -> list[tuple[str, str | None, str | None]]:
        rows = self.border.rows(
            "SELECT kind, site_id, source FROM app.trip_place WHERE trip_id = :id ORDER BY began_at", id=trip_id
        )
        return [(row.kind, row.site_id, row.source) for row in rows]

    def inside(self, yard_id: str = "xuan-cuong") -> int:
        with self.border.runtime.sessions() as session:
            return capacity_store.get_yard_state(session, yard_id, self.border.runtime.clock.now()).inside_veh

    def contradictions(self, yard_id: str = "xuan-cuong") -> list[str]:
        with self.border.runtime.sessions() as session:
            state = capacity_store.get_yard_state(session, yard_id, self.border.runtime.clock.now())
            return [each.code for each in state.contradictions]

    def corridor(self) -> CorridorNow:
        runtime = self.border.runtime
        with runtime.sessions() as session:
            now = runtime.clock.now()
            return assemble(
                session, runtime.corridor, build_network(runtime.corridor), gate_settings(session, now), now
            )

    def on_map(self) -> dict[str, Any] | None:
        found = self.police.get("/api/v1/positions").json()["features"]
        own = [feature for feature in found if feature["properties"]["plate"] == PLATE]
        return own[0] if own else None

    def here(self, role: str, step: str) -> list[int]:
        listed = self.border.officer(role).get("/api/v1/inspections", params={"station": step}).json()
        return [entry["trip_id"] for entry in listed["here"]]

    def figures(self) -> dict[str, int | None]:
        runtime = self.border.runtime
        with runtime.sessions() as session:
            now = runtime.clock.now()
            (found,) = count_day(session, local_day(now), ["huu-nghi"], now)
            return dict(found.figures)


@pytest.fixture
def watch(border: Border, sign_in: SignIn) -> Watch:
    runtime = border.runtime
    runtime.settings.session_hours = 24 * 60
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return Watch(border, sign_in("traffic_police"))


def advance(watch: Watch, **span: float) -> datetime:
    watch.border.runtime.clock.advance(timedelta(**span).total_seconds())  # type: ignore[attr-defined]
    watch.tick()
    return watch.border.runtime.clock.now()


def drive(watch: Watch, km: float, **more: Any) -> None:
    with watch.border.runtime.sessions() as session:
        now = watch.border.runtime.clock.now()
        put_truck(session, watch.border.runtime.corridor, PLATE, time=now, km=km, **more)
        session.commit()
    watch.tick()


def do(watch: Watch, trip_id: int, step: str) -> None:
    role = next(role for role, name in EXPORT_WAY if name == step)
    answer = watch.border.act(role, trip_id, step)
    assert answer.status_code == 200, answer.text


def test_a_truck_without_gps_is_counted_from_barrier_1_to_exit(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    watch.tick()
    assert watch.told(trip_id) == [("planned", None, None)]
    assert watch.on_map() is None

    advance(watch, minutes=30)
    do(watch, trip_id, "health")
    assert watch.trip(trip_id).stage == "queued"
    assert watch.here("border_guard", "barrier_1") == [trip_id]
    assert watch.corridor().queues_veh["huu-nghi"] == 1
    shown = watch.on_map()
    assert shown is not None
    assert (shown["properties"]["state"], shown["properties"]["site"]) == ("here_silent", "huu-nghi")

    entered = advance(watch, minutes=10)
    do(watch, trip_id, "barrier_1")
    trip = watch.trip(trip_id)
    assert (trip.stage, trip.stage_since) == ("in_the_yard", entered)
    assert watch.here("yard_operator", "yard") == [trip_id]
    corridor = watch.corridor()
    assert corridor.queues_veh["huu-nghi"] == 0
    assert list(corridor.trip_of_row.values()) == [trip_id]

    advance(watch, minutes=10)
    do(watch, trip_id, "yard")
    assert watch.inside() == 1
    assert watch.contradictions() == []
    shown = watch.on_map()
    assert shown is not None
    assert (shown["properties"]["state"], shown["properties"]["site"]) == ("here_silent", "xuan-cuong")
    assert watch.corridor().trip_of_row.values()
    waits = watch.police.get("/api/v1/statistics/waits?gate=huu-nghi").json()["items"]
    assert {wait["trip_id"] for wait in waits} == {trip_id}

    evening = watch.border.runtime.clock.now().replace(hour=13, minute=1)  # 20:01 at the border
    advance(watch, seconds=(evening - watch.border.runtime.clock.now()).total_seconds())
    assert watch.trip(trip_id).stage == "in_the_yard", "no silence takes it out"
    assert (watch.inside(), watch.contradictions()) == (1, [])
    assert (watch.figures()["standing_yard"], watch.figures()["fruit_exports"]) == (1, 0)

    for step in ("quarantine_plant", "customs"):
        do(watch, trip_id, step)
    if watch.border.state(trip_id).get("fee") == "ready":
        do(watch, trip_id, "fee")
    left = advance(watch, minutes=5)
    do(watch, trip_id, "barrier_2")
    trip = watch.trip(trip_id)
    assert (trip.stage, trip.stage_since) == ("out", left)
    assert (watch.inside(), watch.contradictions()) == (0, [])
    assert watch.corridor().trip_of_row == {}
    assert watch.on_map() is None
    assert watch.figures()["fruit_exports"] == 1
    assert watch.told(trip_id) == [
        ("planned", None, None),
        ("queued", None, "act"),
        ("gate_area", None, "act"),
        ("yard", "xuan-cuong", "act"),
        ("over_the_border", None, "act"),
    ]
    advance(watch, seconds=1)
    times = {
        each["name"]: each["mean_s"]
        for each in watch.police.get("/api/v1/statistics/steps").json()["items"]
        if each["kind"] == "stage"
    }
    assert times == {"queued": 600.0, "in_the_yard": (left - entered).total_seconds()}
    again = watch.told(trip_id)
    advance(watch, minutes=5)
    assert watch.told(trip_id) == again


def test_the_yard_step_and_gps_of_one_visit_are_one_movement(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    drive(watch, 30.0)
    advance(watch, hours=1)
    drive(watch, 2.0, speed_mps=1.0)
    do(watch, trip_id, "health")
    do(watch, trip_id, "barrier_1")
    advance(watch, minutes=5)
    with watch.border.runtime.sessions() as session:
        pass_site(session, watch.trip(trip_id).vehicle_id, "xuan-cuong", "enter", watch.border.runtime.clock.now())
        session.commit()
    watch.tick()
    assert (watch.inside(), watch.told(trip_id)[-1]) == (1, ("yard", "xuan-cuong", "gps"))
    advance(watch, hours=2)
    do(watch, trip_id, "yard")
    for _ in range(2):
        watch.tick()
    assert (watch.inside(), watch.contradictions()) == (1, [])
    (entries,) = watch.border.rows("SELECT count(*) AS n FROM capacity.movement")
    assert entries.n == 1


def add_read(watch: Watch, trip_id: int, time: datetime, *, station: str = "barrier_1", gate: str = "huu-nghi") -> None:
    """A plate read of a trip that the camera sends now."""
    with watch.border.runtime.sessions() as session:
        values = {"trip_id": trip_id, "time": time, "now": watch.border.runtime.clock.now(), "ref": time.isoformat()}
        equipment_id = session.execute(
            text(
                "INSERT INTO app.equipment (kind, name, gate_id, site_id, station, vendor, created_at) "
                "VALUES ('plate_camera', :ref, :gate, NULL, :station, 'rekor', :now) RETURNING equipment_id"
            ),
            {**values, "station": station, "gate": gate},
        ).scalar_one()
        session.execute(
            text(
                "INSERT INTO app.plate_read (equipment_id, time, received_at, plate_norm, confidence, status, trip_id, "
                "probability, source_ref) VALUES (:equipment_id, :time, :now, '29C12345', 0.97, 'matched', :trip_id, "
                "0.99, :ref)"
            ),
            {**values, "equipment_id": equipment_id},
        )
        session.commit()


def test_a_plate_read_that_comes_late_corrects_the_past_and_undoes_no_act(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    advance(watch, minutes=60)
    do(watch, trip_id, "health")
    acted = watch.border.runtime.clock.now()
    advance(watch, minutes=10)
    do(watch, trip_id, "barrier_1")
    before = watch.trip(trip_id)
    assert before.arrived_at == acted
    seen = acted - timedelta(minutes=25)
    add_read(watch, trip_id, seen)
    advance(watch, seconds=5)
    after = watch.trip(trip_id)
    assert after.arrived_at == seen
    assert (after.stage, after.stage_since, after.version) == (before.stage, before.stage_since, before.version)
    assert watch.told(trip_id) == [
        ("planned", None, None),
        ("queued", None, "camera"),
        ("gate_area", None, "act"),
    ]
    states = watch.border.state(trip_id)
    assert (states["health"], states["barrier_1"]) == ("done", "done")


def test_a_phone_in_another_truck_moves_nothing(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    drive(watch, 30.0)
    assert watch.trip(trip_id).stage == "on_the_road"
    advance(watch, minutes=50)
    do(watch, trip_id, "health")
    do(watch, trip_id, "barrier_1")
    do(watch, trip_id, "yard")
    version = watch.trip(trip_id).version
    for km in (40.0, 60.0, 80.0):
        advance(watch, minutes=20)
        drive(watch, km, direction=-1)
    trip = watch.trip(trip_id)
    assert (trip.stage, trip.version) == ("in_the_yard", version)
    assert (watch.inside(), watch.contradictions()) == (1, [])
    assert [row[0] for row in watch.told(trip_id)][-1] == "yard"
    assert watch.corridor().queues_veh["huu-nghi"] == 0
    (row,) = watch.corridor().trip_of_row.values()
    assert row == trip_id


def test_papers_are_not_changed_because_gps_is_silent(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    do(watch, trip_id, "health")
    do(watch, trip_id, "barrier_1")
    advance(watch, hours=5)
    where = f"/api/v1/trips/{trip_id}"
    tag = {"If-Match": f'"{watch.trip(trip_id).version}"'}
    changed = watch.border.enterprise.patch(where, json={"goods": "Điện thoại"}, headers=tag)
    assert changed.status_code == 409, changed.text
    cancelled = watch.border.enterprise.post(f"{where}/cancel", headers=tag)
    assert cancelled.status_code == 409, cancelled.text
    assert watch.trip(trip_id).goods == "Thanh long tươi"


def test_silence_is_seen_by_police_and_at_the_next_checkpoint(watch: Watch, sign_in: SignIn) -> None:
    trip_id = watch.border.enter(PLATE)
    drive(watch, 30.0)
    advance(watch, minutes=2)
    shown = watch.on_map()
    assert shown is not None
    assert shown["properties"]["gps_overdue_s"] is None
    advance(watch, minutes=28)
    shown = watch.on_map()
    assert shown is not None
    assert shown["properties"]["gps_overdue_s"] == 30 * 60 - 150
    assert watch.trip(trip_id).stage == "on_the_road"
    do(watch, trip_id, "health")
    advance(watch, minutes=1)
    shown = watch.on_map()
    assert shown is not None
    assert (shown["properties"]["state"], shown["properties"]["site"]) == ("here_silent", "huu-nghi")
    do(watch, trip_id, "barrier_1")
    shown = watch.on_map()
    assert shown is not None
    assert shown["properties"]["gps_overdue_s"] is None, "inside nobody wants a position"


def test_who_is_registered_in_the_temporary_yard_is_counted_there(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE, declare=False)
    guard = watch.border.officer("border_guard")
    for _ in range(2):
        assert guard.post(f"/api/v1/trips/{trip_id}/temporary-yard").status_code == 200
    assert watch.trip(trip_id).stage == "queued"
    (kind, site_id, source) = watch.told(trip_id)[-1]
    assert (kind, source) == ("temporary_yard", "act")
    assert site_id is not None
    assert (watch.inside(site_id), watch.contradictions(site_id)) == (1, [])


def test_what_the_yard_enters_by_hand_moves_the_trip(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    do(watch, trip_id, "health")
    do(watch, trip_id, "barrier_1")
    advance(watch, minutes=3)
    operator = watch.border.officer("yard_operator")
    for kind, inside, place in (("enter", 1, "yard"), ("leave", 0, "gate_area")):
        advance(watch, minutes=40)
        moved = operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": PLATE, "kind": kind})
        assert (moved.status_code, moved.json()["inside"]) == (201, inside)
        assert watch.told(trip_id)[-1][0] == place
        advance(watch, seconds=5)
        assert (watch.inside(), watch.contradictions()) == (inside, [])


def test_an_exit_seen_by_devices_only_is_none_once_an_officer_acts(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    drive(watch, 30.0)
    advance(watch, minutes=50)
    drive(watch, 1.5, speed_mps=1.0)
    advance(watch, minutes=5)
    drive(watch, 0.3, speed_mps=5.0)
    assert watch.trip(trip_id).stage == "out", "a phone that rides ahead in another truck"
    do(watch, trip_id, "health")
    assert watch.trip(trip_id).stage == "queued"
    assert watch.here("border_guard", "barrier_1") == [trip_id]
    assert watch.figures()["fruit_exports"] == 0


def test_twice_the_same_settles_nothing_new(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    do(watch, trip_id, "health")
    before = watch.trip(trip_id)
    (lines,) = watch.border.rows("SELECT count(*) AS n FROM app.trip_event")
    with watch.border.runtime.sessions() as session:
        action = ActionContext(session, None, watch.border.runtime.clock.now())
        for _ in range(2):
            watch.border.sheets.presence.settle(action, [trip_id])
        session.commit()
    assert watch.trip(trip_id) == before
    (after,) = watch.border.rows("SELECT count(*) AS n FROM app.trip_event")
    assert after.n == lines.n


def test_what_gps_showed_is_forgotten_a_month_after_the_trip(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    drive(watch, 30.0)
    late = watch.border.runtime.clock.now() + timedelta(days=31)
    for stage, kept in (("on_the_road", 1), ("cancelled", 0)):
        with watch.border.runtime.sessions() as session:
            session.execute(text("UPDATE app.trip SET stage = :stage"), {"stage": stage})
            progress.prune(session, late)
            session.commit()
        assert len(watch.border.rows("SELECT FROM app.trip_sight WHERE trip_id = :id", id=trip_id)) == kept


def add_fix(watch: Watch, vehicle_id: int, time: datetime, lon: float, lat: float) -> None:
    """A position that the worker stored, in the past."""
    with watch.border.runtime.engine.begin() as connection:
        ensure_partitions(connection, time.date(), time.date())
        connection.execute(
            text(
                "INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, direction, status, flags, received_at) "
                "VALUES (:vehicle_id, :time, 1, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 1, 0, 0, :time)"
            ),
            {"vehicle_id": vehicle_id, "time": time, "lon": lon, "lat": lat},
        )


@pytest.mark.parametrize(("lon", "lat", "place"), [(106.7026, 21.9403, "yard"), (106.5753, 21.6459, "planned")])
def test_gps_fills_a_yard_that_it_was_seen_to_drive_to(watch: Watch, lon: float, lat: float, place: str) -> None:
    """What control did not look at while it happened is found among the positions that are kept."""
    trip_id = watch.border.enter(PLATE)
    start, vehicle_id = watch.border.runtime.clock.now(), watch.trip(trip_id).vehicle_id
    add_fix(watch, vehicle_id, start + timedelta(minutes=10), lon, lat)
    with watch.border.runtime.sessions() as session:
        pass_site(session, vehicle_id, "xuan-cuong", "enter", start + timedelta(minutes=40))
        session.commit()
    advance(watch, hours=1)
    assert watch.told(trip_id)[-1][0] == place
    assert watch.inside() == (1 if place == "yard" else 0)


def test_an_approach_that_comes_late_still_fills_the_yard(watch: Watch) -> None:
    """A tracker sends where it is first, and the way there after it."""
    trip_id = watch.border.enter(PLATE)
    start, vehicle_id = watch.border.runtime.clock.now(), watch.trip(trip_id).vehicle_id
    advance(watch, minutes=40)
    with watch.border.runtime.sessions() as session:
        pass_site(session, vehicle_id, "xuan-cuong", "enter", start + timedelta(minutes=40))
        session.commit()
    drive(watch, 0.8, speed_mps=0.0, site_id="xuan-cuong", motion="yard")
    assert watch.told(trip_id)[-1][0] == "planned", "GPS alone fills no yard"
    add_fix(watch, vehicle_id, start + timedelta(minutes=10), 106.7026, 21.9403)
    advance(watch, minutes=1)
    assert watch.told(trip_id)[-1][:2] == ("yard", "xuan-cuong")
    assert watch.inside() == 1
