"""Seeding the demonstration on a real database: complete, idempotent, and it follows the days."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.tables import Account, Organisation
from app.demo import store
from app.demo.recording import Recording
from app.demo.seed import Fleet, plan_trips, seed
from app.demo.state import DemoState
from app.gates import service as gates
from app.gates.profile import Source
from app.gates.service import seed_profiles
from app.gates.tables import GateProfileRow
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.registers.service import held_by
from app.settings import Settings
from app.signin import service as signing_in
from app.signin.vocabulary import SignInStep
from app.trips.tables import Trip
from capacity.store import seed_yards
from geo.clock import FixedClock
from geo.corridor import Corridor
from ingest.keys import hash_key
from ingest.tables import Device, Vehicle
from tests.app.signing import open_door


@pytest.fixture(scope="module")
def recording() -> Recording:
    """The first trucks of the day, the demo driver's among them."""
    whole = Recording.load()
    return replace(whole, trucks=whole.trucks[: whole.driver_truck + 50])


@pytest.fixture
def installed(session: Session, corridor: Corridor, clock: FixedClock) -> Session:
    """A database as an installation leaves it."""
    seed_yards(session, corridor, now=clock.now())
    seed_profiles(session, corridor, now=clock.now())
    return session


@pytest.fixture
def fleet(installed: Session, corridor: Corridor, clock: FixedClock, recording: Recording, tmp_path: Path) -> Fleet:
    return seed(installed, corridor, clock.now(), recording, tmp_path)


def contents(session: Session) -> dict[str, Any]:
    """How much there is of everything, and what must not change."""
    tables = (Organisation, Account, Vehicle, Device, Trip, GateProfileRow)
    counts = {table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in tables}
    hashes = session.scalars(select(Account.password_hash).order_by(Account.account_id)).all()
    codes = session.scalars(select(Trip.code).order_by(Trip.trip_id)).all()
    return counts | {"hashes": hashes, "codes": codes}


def _authenticate(session: Session, redis: Redis, account: dict[str, str], clock: FixedClock) -> Account:
    door = open_door(session, redis, Settings(demo=True), clock.now())
    attempt = signing_in.begin(door, account["username"], account["password"], "/")
    assert signing_in.next_step(door, attempt) is SignInStep.DONE
    return signing_in.account_of(door, attempt)


def test_every_role_can_sign_in(
    installed: Session, fleet: Fleet, tmp_path: Path, redis: Redis, clock: FixedClock
) -> None:
    path = tmp_path / "demo-accounts.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "demo-devices.json").stat().st_mode & 0o777 == 0o600
    accounts = json.loads(path.read_text())
    assert set(accounts) == {str(role) for role in Role}
    for role, account in accounts.items():
        assert _authenticate(installed, redis, account, clock).role == role
    assert len({account["password"] for account in accounts.values()}) == len(accounts)


def test_the_driver_has_a_truck_of_the_enterprise(
    installed: Session, fleet: Fleet, recording: Recording, tmp_path: Path
) -> None:
    accounts = json.loads((tmp_path / "demo-accounts.json").read_text())
    driver, enterprise = (
        installed.scalars(select(Account).where(Account.username == accounts[role]["username"])).one()
        for role in ("driver", "enterprise")
    )
    trip = installed.scalars(select(Trip).where(Trip.vehicle_id == driver.vehicle_id)).one()
    assert trip.driver_id == driver.account_id
    assert trip.organisation_id == enterprise.organisation_id
    assert driver.vehicle_id == fleet.vehicle_ids[recording.driver_truck]
    own = held_by(Vehicle.vehicle_id, [enterprise.organisation_id])
    assert installed.scalar(select(func.count()).select_from(Vehicle).where(own)) == sum(
        truck.enterprise == 0 for truck in recording.trucks
    )


def test_stations_work_at_a_gate(installed: Session, fleet: Fleet) -> None:
    gates = dict(installed.execute(select(Account.role, Account.gate_id).where(Account.gate_id.is_not(None))).all())
    assert {str(Role.BORDER_GUARD), str(Role.CUSTOMS), str(Role.YARD_OPERATOR), str(Role.TAX)} <= set(gates)
    assert set(gates.values()) == {"huu-nghi"}


def test_trips_are_marked_as_simulated(installed: Session, fleet: Fleet) -> None:
    trips = installed.scalars(select(Trip)).all()
    assert len(trips) > 300
    assert all(trip.simulated for trip in trips)
    assert all(trip.driver_id is not None for trip in trips)


def test_devices_are_those_of_the_data_directory(installed: Session, fleet: Fleet) -> None:
    stored = dict(installed.execute(select(Device.vehicle_id, Device.key_hash)).all())
    for vehicle_id, identifier in zip(fleet.vehicle_ids, fleet.identifiers, strict=True):
        assert stored[vehicle_id] == hash_key(identifier)


def test_gates_work_as_recorded_unless_a_planner_says_otherwise(
    installed: Session, fleet: Fleet, corridor: Corridor, clock: FixedClock, recording: Recording, tmp_path: Path
) -> None:
    stored = gates.get_profile(installed, "huu-nghi", clock.now())
    recorded = recording.about["gates"]["huu-nghi"]
    setting = stored.profile.settings("huu-nghi")[0]
    assert setting.entrance.rate_veh_per_h() == pytest.approx(recorded["lanes"] * 3600 / recorded["service_mean_s"])
    assert stored.profile.exports.opening_hours.is_always_open
    assert stored.profile.sources["exports.hours"] == Source.SIMULATED
    assert (stored.version, stored.published_by) == (2, None)
    planner = store.accounts_by_name(installed, ["demo.planner"])["demo.planner"]
    principal = Principal(planner, "demo.planner", "", Role.PLANNER, None, None, None, "vi", b"", "")
    action = ActionContext(installed, principal, clock.now())
    gates.change_direction(action, "huu-nghi", "export", {"entrance_lanes": 2}, expected_version=stored.revision)
    seed(installed, corridor, clock.now(), recording, tmp_path)
    assert gates.get_setting(installed, "huu-nghi", "export", clock.now()).entrance_lanes == 2


def test_a_second_start_changes_nothing(
    installed: Session, fleet: Fleet, corridor: Corridor, clock: FixedClock, recording: Recording, tmp_path: Path
) -> None:
    before = contents(installed)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    clock.advance(600)
    again = seed(installed, corridor, clock.now(), recording, tmp_path)
    after = contents(installed)
    assert again == fleet
    assert after["hashes"] == before["hashes"]
    assert after["codes"][: len(before["codes"])] == before["codes"], "trips that were there are still there"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_lost_file_of_passwords_is_made_anew(
    installed: Session,
    fleet: Fleet,
    corridor: Corridor,
    clock: FixedClock,
    recording: Recording,
    tmp_path: Path,
    redis: Redis,
) -> None:
    (tmp_path / "demo-accounts.json").unlink()
    seed(installed, corridor, clock.now(), recording, tmp_path)
    account = json.loads((tmp_path / "demo-accounts.json").read_text())["traffic_police"]
    assert _authenticate(installed, redis, account, clock).role == "traffic_police"


def test_journeys_are_declared_day_by_day(
    installed: Session, fleet: Fleet, clock: FixedClock, recording: Recording, tmp_path: Path
) -> None:
    timeline = DemoState.load(tmp_path, clock.now(), recording.start_s).timeline
    for _ in range(30):
        clock.advance(3600)
        plan_trips(installed, recording, timeline, fleet, clock.now())
    trips = installed.execute(select(Trip.vehicle_id, Trip.planned_arrival, Trip.stage)).all()
    arrivals: dict[int, list[Any]] = {}
    for vehicle_id, arrival, _ in trips:
        arrivals.setdefault(vehicle_id, []).append(arrival)
    assert set(arrivals) == set(fleet.vehicle_ids), "within a day every truck sets out"
    for planned in arrivals.values():
        planned.sort()
        assert all(b - a == timedelta(days=1) for a, b in pairwise(planned))
    assert max(map(len, arrivals.values())) <= 3
    over = [stage for _, arrival, stage in trips if arrival < clock.now() - timedelta(hours=23)]
    assert over
    assert set(over) <= {"cancelled", "out"}, "what no fix ended is ended when the next journey is due"
