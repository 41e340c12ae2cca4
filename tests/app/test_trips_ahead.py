"""A truck's next trips declared ahead: one under way at a time, each event has one home, what never comes expires."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.notifications import feed
from app.platform.runtime import Runtime
from app.reporting import day_figures
from app.sheets.presence import make_keeper
from app.trips import expiry, progress
from app.trips.ahead import MIN_APART, NEAR, find_near, find_same, is_same_trip
from app.trips.vocabulary import Stage
from tests.app.dispatching import put_truck
from tests.app.paying import pay
from tests.app.stationing import Gate
from tests.conftest import NOW

SignIn = Callable[..., TestClient]
PLATE = "29C-123.45"
HTML = {"accept": "text/html"}
HEALTH = ("health_quarantine", "health")
WAY = (
    HEALTH,
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)


@dataclass(frozen=True)
class Planned:
    """An open trip as the rules take it."""

    trip_id: int
    planned_arrival: datetime
    stage: str = Stage.PLANNED
    arrived_at: datetime | None = None


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def declare(gate: Gate, hours: float, **changes: Any) -> int:
    arrival = gate.runtime.clock.now() + timedelta(hours=hours)
    return gate.declare(PLATE, planned_arrival=arrival.isoformat(), **changes)


def current(gate: Gate) -> list[int]:
    """The trip that the truck is on."""
    with gate.runtime.sessions() as session:
        return list(session.scalars(text("SELECT trip_id FROM app.current_trip")))


def expire(gate: Gate) -> int:
    with gate.runtime.sessions() as session:
        found = expiry.expire_trips(session, gate.runtime.clock.now())
        session.commit()
    return found


def advance(gate: Gate, hours: float) -> None:
    gate.runtime.clock.advance(hours * 3600.0)  # type: ignore[attr-defined]


def drive(gate: Gate, km: float) -> None:
    """The truck reports from a kilometre of its road, and the control loop looks."""
    with gate.runtime.sessions() as session:
        now = gate.runtime.clock.now()
        put_truck(session, gate.runtime.corridor, PLATE, time=now, km=km, speed_mps=12.0)
        progress.advance(session, now, keeper=make_keeper(), tails_km={})
        session.commit()


def stages(gate: Gate, *trip_ids: int) -> list[str]:
    query = text("SELECT stage FROM app.trip WHERE trip_id = ANY(:ids) ORDER BY array_position(:ids, trip_id)")
    with gate.runtime.sessions() as session:
        return list(session.scalars(query, {"ids": list(trip_ids)}))


def cancel(gate: Gate, trip_id: int) -> None:
    where = f"/api/v1/trips/{trip_id}"
    tag = gate.person("enterprise").get(where).headers["ETag"]
    assert gate.person("enterprise").post(f"{where}/cancel", headers={"If-Match": tag}).status_code == 200


def leave(gate: Gate, trip_id: int) -> None:
    gate.pass_steps(trip_id, *WAY)
    pay(gate.person("gate_management"), trip_id)
    gate.pass_steps(trip_id, ("border_guard", "barrier_2"))


# The rules


planned = st.builds(
    Planned,
    trip_id=st.integers(1, 10_000),
    planned_arrival=st.integers(-200, 200).map(lambda hours: NOW + timedelta(hours=hours)),
    stage=st.sampled_from(Stage.open()),
)


@given(st.lists(planned, max_size=6, unique_by=lambda trip: trip.trip_id), st.integers(-300, 300))
def test_what_is_near_does_not_hang_on_the_order(trips: list[Planned], hours: int) -> None:
    at = NOW + timedelta(hours=hours)
    found = find_near(trips, at)
    assert found == find_near(reversed(trips), at)
    on_the_way = [trip for trip in trips if trip.stage != Stage.PLANNED]
    if on_the_way:
        assert found in on_the_way
    elif found is None:
        assert all(abs(trip.planned_arrival - at) >= NEAR for trip in trips)
    else:
        assert abs(found.planned_arrival - at) == min(abs(trip.planned_arrival - at) for trip in trips)


@given(planned, st.integers(-300, 300), st.integers(-300, 300))
def test_trips_further_apart_are_two(trip: Planned, hours: int, now_h: int) -> None:
    arrival, now = NOW + timedelta(hours=hours), NOW + timedelta(hours=now_h)
    is_same = is_same_trip(trip, arrival, now)
    if abs(arrival - trip.planned_arrival) < MIN_APART:
        assert is_same
    elif trip.stage == Stage.PLANNED or arrival < trip.planned_arrival or arrival >= now + MIN_APART:
        assert not is_same
    assert find_same([trip], None, now) == trip, "without a time it is the first"


# Declaring ahead


def test_the_next_trips_are_declared_ahead_and_follow_one_another(gate: Gate) -> None:
    third, first, second = declare(gate, 30), declare(gate, 2), declare(gate, 10)
    assert current(gate) == [first]
    assert stages(gate, first, second, third) == ["planned"] * 3
    drive(gate, 40.0)
    assert stages(gate, first, second, third) == ["on_the_road", "planned", "planned"]
    leave(gate, first)
    assert current(gate) == [second]
    advance(gate, 3.0)
    drive(gate, 40.0)
    assert stages(gate, first, second, third) == ["out", "on_the_road", "planned"]
    cancel(gate, second)
    assert current(gate) == [third]


def test_what_shows_the_truck_leaving_is_not_its_next_trip(gate: Gate) -> None:
    first, second = declare(gate, 2), declare(gate, 10)
    advance(gate, 0.5)
    leave(gate, first)
    advance(gate, 0.2)
    drive(gate, 1.0)
    assert stages(gate, first, second) == ["out", "planned"]


def test_the_same_trip_is_not_declared_twice(gate: Gate) -> None:
    declare(gate, 5)
    body = {"plate": PLATE, "goods": "Gỗ", "goods_class": "timber", "regime": "export", "gate_id": "huu-nghi"}

    def enter(hours: float) -> int:
        arrival = gate.runtime.clock.now() + timedelta(hours=hours)
        body_then = {**body, "planned_arrival": arrival.isoformat()}
        return gate.person("enterprise").post("/api/v1/trips", json=body_then).status_code

    gate.person("enterprise")
    assert enter(5 + 0.9 * MIN_APART.total_seconds() / 3600) == 409
    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(enter, (20.0, 20.5, 21.0))) == [201, 409, 409], "at one moment either"


def test_a_trip_is_not_put_off_onto_the_next(gate: Gate) -> None:
    first, second = declare(gate, 5), declare(gate, 10)
    where = f"/api/v1/trips/{first}"
    client = gate.person("enterprise")
    arrival = gate.runtime.clock.now() + timedelta(hours=9)
    tag = {"If-Match": client.get(where).headers["ETag"]}
    refused = client.patch(where, json={"planned_arrival": arrival.isoformat()}, headers=tag)
    assert refused.status_code == 409
    assert gate.sheet(second)["trip"]["code"] in refused.json()["detail"]
    earlier = arrival - timedelta(hours=2)
    assert client.patch(where, json={"planned_arrival": earlier.isoformat()}, headers=tag).status_code == 200


def test_an_act_brings_the_truck_to_its_trip_unless_an_officer_has_it_on_another(gate: Gate) -> None:
    first, second = declare(gate, 2), declare(gate, 10)
    advance(gate, 0.1)
    drive(gate, 40.0)
    assert stages(gate, first, second) == ["on_the_road", "planned"]
    gate.pass_steps(second, HEALTH)
    assert current(gate) == [second], "the truck stands there: it came for this one"
    assert stages(gate, first, second) == ["planned", "queued"], "what GPS showed was of this one"
    refused = gate.act("health_quarantine", first, "health")
    assert refused.status_code == 409
    assert gate.sheet(second)["trip"]["code"] in refused.json()["detail"]
    cancel(gate, first)


def test_a_truck_that_comes_undeclared_today_is_registered_whatever_is_declared_for_another_day(gate: Gate) -> None:
    desk = gate.person("support")

    def register(plate: str) -> int:
        return desk.post("/support", data={"plate": plate}, headers=HTML, follow_redirects=False).status_code

    for plate, hours in ((PLATE, 20), ("29C-555.55", 40)):
        arrival = gate.runtime.clock.now() + timedelta(hours=hours)
        gate.declare(plate, planned_arrival=arrival.isoformat())
    assert register(PLATE) == 422, "it may have come early"
    assert register("29C-555.55") == 303


def test_the_driver_of_a_trip_ahead_drives_its_truck_when_its_turn_comes(gate: Gate) -> None:
    driver = gate.sign_in("driver", organisation_id=gate.organisation_id)
    account_id = driver.account_id  # type: ignore[attr-defined]
    first = declare(gate, 2)
    with gate.runtime.sessions() as session:
        session.execute(
            text(
                "INSERT INTO app.vehicle_holding (vehicle_id, organisation_id, begun_at, proof) "
                "SELECT vehicle_id, :organisation_id, :now, 'desk' FROM app.trip"
            ),
            {"organisation_id": gate.organisation_id, "now": gate.runtime.clock.now()},
        )
        session.commit()
    declare(gate, 10, driver_id=account_id)
    query = text("SELECT vehicle_id FROM app.account WHERE account_id = :account_id")
    with gate.runtime.sessions() as session:
        assert session.scalar(query, {"account_id": account_id}) is None
    cancel(gate, first)
    with gate.runtime.sessions() as session:
        assert session.scalar(query, {"account_id": account_id}) is not None


# Expiry


def test_what_never_comes_expires_and_frees_its_truck(gate: Gate) -> None:
    planner = gate.sign_in("planner", locale="en")
    where = "/api/v1/settings/trip-expiry"
    read = planner.get(where)
    assert read.json()["value"] == {"after_h": 72.0}
    assert planner.put(where, json={"after_h": 0}, headers={"If-Match": read.headers["ETag"]}).status_code == 422
    set_ = planner.put(where, json={"after_h": 6}, headers={"If-Match": read.headers["ETag"]})
    assert set_.status_code == 200, set_.text
    first, second = declare(gate, 2), declare(gate, 30)
    advance(gate, 7.9)
    assert expire(gate) == 0
    advance(gate, 0.2)
    assert expire(gate) == 1
    assert (stages(gate, first), current(gate)) == (["expired"], [second])
    assert expire(gate) == 0
    drive(gate, 40.0)
    assert stages(gate, first, second) == ["expired", "on_the_road"]
    with gate.runtime.sessions() as session:
        feed.follow(session, gate.runtime.clock.now())
        session.commit()
        open_places = "SELECT count(*) FROM app.trip_place WHERE trip_id = :trip_id AND ended_at IS NULL"
        assert session.scalar(text(open_places), {"trip_id": first}) == 0
    told = gate.person("enterprise").get("/api/v1/notifications").json()["items"]
    assert "trip.expired" in {each["kind"] for each in told}
    assert gate.act("health_quarantine", first, "health").status_code == 409
    declare(gate, 2)


def test_what_was_seen_does_not_expire(gate: Gate) -> None:
    trip_id = declare(gate, 2)
    gate.pass_steps(trip_id, HEALTH)
    advance(gate, 96.0)
    assert expire(gate) == 0
    assert current(gate) == [trip_id]


def test_what_its_gps_alone_had_in_the_queue_and_drove_away_expires_and_stands_there_no_more(gate: Gate) -> None:
    trip_id = declare(gate, 2)
    advance(gate, 1.0)
    gate.arrive(PLATE)
    assert stages(gate, trip_id) == ["queued"]
    advance(gate, 1.0)
    drive(gate, 40.0)
    advance(gate, 80.0)
    with gate.runtime.sessions() as session:
        progress.advance(session, gate.runtime.clock.now(), keeper=make_keeper(), tails_km={})
        session.commit()
    assert expire(gate) == 1
    assert stages(gate, trip_id) == ["expired"]
    with gate.runtime.sessions() as session:
        day_figures.sum_up(session, gate.runtime.clock.now(), ["huu-nghi", "tan-thanh"])
        session.commit()
    asked = {"since": str(NOW.date()), "until": str((NOW + timedelta(days=3)).date())}
    days = gate.person("planner").get("/api/v1/statistics/days", params=asked).json()["items"]
    figures = {day["total"]["day"]: day["total"] for day in days if day["total"]["gate_id"] == "huu-nghi"}
    came = figures[str(NOW.date())]
    assert (came["arrivals"], came["turned_back"], came["standing"]) == (1, 1, 0)
    assert all(day["standing"] == 0 for day in figures.values()), "it stands nowhere on the days after"
    assert current(gate) == [], "its truck is free"


def test_what_was_seen_once_on_the_road_and_never_again_expires_too(gate: Gate) -> None:
    trip_id = declare(gate, 2)
    advance(gate, 0.1)
    drive(gate, 40.0)
    advance(gate, 80.0)
    with gate.runtime.sessions() as session:
        progress.advance(session, gate.runtime.clock.now(), keeper=make_keeper(), tails_km={})
        session.commit()
    assert expire(gate) == 1
    assert stages(gate, trip_id) == ["expired"]
