"""Where a truck is, is shown for the purpose: every door, every role; between trips, on one, after it.

The truck is its enterprise's own, proven, with a phone that reports and a driver who drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.permissions import PERMISSIONS, Principal, Role, Scope
from app.platform.runtime import Runtime
from app.registers import claims
from app.tracking.event_stream_store import visible_vehicle_ids
from app.tracking.worker import Worker
from tests.app.dispatching import add_organisation, put_truck
from tests.app.registering import be_on_a_trip
from tests.conftest import SignIn

PLATE: Final = "29C-123.45"
KM: Final = 12.34567
BETWEEN, ON_IT, AFTER = "between trips", "on a trip", "after the trip"
OVERSEE: Final = frozenset({Role.TRAFFIC_POLICE, Role.PLANNER, Role.AUDITOR})
AT_GATE: Final = frozenset(role for role in Role if role.is_at_gate)


@dataclass
class World:
    """A proven truck, its enterprise, its driver."""

    runtime: Runtime
    sign_in: SignIn
    vehicle_id: int
    organisation_id: int
    trip_id: int = 0

    def person(self, role: Role) -> tuple[TestClient, Principal]:
        """Somebody of a role who is as near to the truck as the role can be."""
        bound: dict[str, object] = {}
        if role is Role.ENTERPRISE:
            bound = {"organisation_id": self.organisation_id}
        elif role is Role.DRIVER:
            bound = {"organisation_id": self.organisation_id, "vehicle_id": self.vehicle_id}
        elif role in AT_GATE:
            bound = {"gate_id": "huu-nghi"}
        client = self.sign_in(role.value, locale="en", **bound)
        account_id = client.account_id  # type: ignore[attr-defined]
        vehicle_id, gate_id = bound.get("vehicle_id"), bound.get("gate_id")
        organisation_id = bound.get("organisation_id")
        return client, Principal(account_id, "", "", role, organisation_id, gate_id, vehicle_id, "en", b"", "")  # type: ignore[arg-type]

    def begin_trip(self) -> None:
        with self.runtime.sessions.begin() as session:
            now = self.runtime.clock.now()
            self.trip_id = be_on_a_trip(
                session, self.vehicle_id, now, since=now - timedelta(minutes=30), gate_id="huu-nghi"
            )

    def end_trip(self) -> None:
        with self.runtime.sessions.begin() as session:
            ended = text("UPDATE app.trip SET stage = 'out', stage_since = :at")
            session.execute(ended, {"at": self.runtime.clock.now() - timedelta(minutes=15)})


@pytest.fixture
def world(runtime: Runtime, sign_in: SignIn) -> World:
    organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    now = runtime.clock.now()
    Worker(runtime, name="one").keep_partitions()
    with runtime.sessions.begin() as session:
        vehicle_id = put_truck(session, runtime.corridor, PLATE, time=now, km=KM)
        claims.carry_over(session, [(vehicle_id, organisation_id)], now - timedelta(days=3))
        for minutes in range(10, 60, 10):
            fix = text(
                "INSERT INTO ingest.fix (vehicle_id, device_id, time, geom, km, direction, status, flags, received_at) "
                "SELECT vehicle_id, 1, :at, geom, km, direction, 0, 0, :at FROM ingest.last_position"
            )
            session.execute(fix, {"at": now - timedelta(minutes=minutes)})
        session.execute(
            text(
                "INSERT INTO app.device_event (device_id, vehicle_id, kind, time, received_at, lat, lon, detail) "
                "SELECT 1, vehicle_id, 'power_lost', :at, :at, 21.87654, 106.71234, '' FROM ingest.last_position"
            ),
            {"at": now - timedelta(minutes=20)},
        )
    return World(runtime, sign_in, vehicle_id, organisation_id)


def doors(world: World, client: TestClient, principal: Principal) -> dict[str, bool]:
    """Whether each door tells where the truck is, or was."""
    now = world.runtime.clock.now()
    span = {"from": (now - timedelta(hours=2)).isoformat(), "to": now.isoformat()}
    trip = f"/api/v1/trips/{world.trip_id}"
    day = now.date().isoformat()
    vehicle = f"/api/v1/vehicles/{world.vehicle_id}"

    def said(path: str, read: Callable[[object], object], **params: str) -> bool:
        answer = client.get(path, params=params)
        assert answer.status_code in (200, 403, 404, 422), answer.text
        return bool(read(answer.json())) if answer.status_code == 200 else False

    def found(*names: str) -> Callable[[object], object]:
        """Whether any of these names has a value, however deep."""

        def look(value: object) -> object:
            if isinstance(value, Mapping):
                return any((name in names and inner not in (None, [])) or look(inner) for name, inner in value.items())
            return isinstance(value, list) and any(look(inner) for inner in value)

        return look

    with world.runtime.sessions() as session:
        follows = principal.scope("positions.read") is Scope.ALL or bool(visible_vehicle_ids(session, principal))
    file = client.get(f"{vehicle}/track", params={**span, "format": "csv"})
    return {
        "positions": said("/api/v1/positions", found("coordinates")),
        "events": follows,
        "trips": said("/api/v1/trips", found("lon", "km")),
        "trip": said(trip, found("lon", "km")),
        "outlook": said("/api/v1/outlooks", found("lon", "km", "to_gate_km")),
        "own vehicles": said("/api/v1/own-vehicles", found("lon", "km")),
        "history": said("/api/v1/history/positions", found("coordinates"), at=(now - timedelta(minutes=5)).isoformat()),
        "track": said(f"{vehicle}/track", found("km"), **span),
        "file": file.status_code == 200 and len(file.text.strip().splitlines()) > 1,
        "day": said(f"{vehicle}/day", found("first"), date=day),
        "signals": said("/api/v1/device-events", found("lat")),
        "work list": said("/api/v1/inspections", found("km"), station="barrier_1"),
    }


ALWAYS: Final = {BETWEEN: True, ON_IT: True, AFTER: True}
ON_TRIPS: Final = {BETWEEN: False, ON_IT: True, AFTER: False}
PAST_TRIPS: Final = {BETWEEN: False, ON_IT: True, AFTER: True}
NEVER: Final = {BETWEEN: False, ON_IT: False, AFTER: False}


def expected(role: Role, door: str) -> dict[str, bool]:
    """When a door tells a role where the truck is."""
    if door in ("history", "track", "file", "day"):
        act = "history.read" if door == "history" else "traces.read"
        if PERMISSIONS[act].get(role) is Scope.ALL:
            return ALWAYS
        return PAST_TRIPS if door != "history" and role is Role.ENTERPRISE else NEVER
    if door == "signals":
        scope = PERMISSIONS["signals.read"].get(role)
        if scope is Scope.OWN_ORGANISATION:
            return PAST_TRIPS
        return ALWAYS if scope is not None else NEVER
    if door in ("positions", "events"):
        if role in OVERSEE:
            return ALWAYS
        if role is Role.DRIVER:
            return ALWAYS
        return ON_TRIPS if role is Role.ENTERPRISE or role in AT_GATE else NEVER
    return NEVER


@pytest.mark.parametrize("role", list(Role))
def test_each_door_tells_a_role_where_a_truck_is_for_the_purpose(world: World, role: Role) -> None:
    client, principal = world.person(role)
    told = {BETWEEN: doors(world, client, principal)}
    world.begin_trip()
    told[ON_IT] = doors(world, client, principal)
    world.end_trip()
    told[AFTER] = doors(world, client, principal)
    for door in ("positions", "events", "history", "track", "file", "day", "signals", "own vehicles"):
        assert {when: told[when][door] for when in told} == expected(role, door), door
    for door in ("trips", "trip", "outlook", "work list"):
        for when, by_door in told.items():
            assert not by_door[door] or by_door["positions"], (door, when, "tells more than the map")


def test_a_way_is_shown_from_the_declaration_to_the_end_of_a_trip(world: World) -> None:
    client, _ = world.person(Role.ENTERPRISE)
    now = world.runtime.clock.now()
    span = {"from": (now - timedelta(hours=2)).isoformat(), "to": now.isoformat()}
    url = f"/api/v1/vehicles/{world.vehicle_id}/track"
    world.begin_trip()
    assert len(client.get(url, params=span).json()["properties"]["times"]) == 3, "since it was declared"
    world.end_trip()
    assert len(client.get(url, params=span).json()["properties"]["times"]) == 2, "until it ended"
    assert client.get("/api/v1/positions").json()["features"] == []


def test_a_trip_that_is_far_ahead_opens_nothing(world: World) -> None:
    """An enterprise that declares for next month does not see its truck until then."""
    client, principal = world.person(Role.ENTERPRISE)
    world.begin_trip()
    for days, is_seen in ((30, False), (4, False), (2, True)):
        with world.runtime.sessions.begin() as session:
            planned = text("UPDATE app.trip SET stage = 'planned', planned_arrival = :at")
            session.execute(planned, {"at": world.runtime.clock.now() + timedelta(days=days)})
        told = doors(world, client, principal)
        assert {door for door, is_told in told.items() if is_told and not is_seen} == set(), days
        assert told["positions"] is told["events"] is told["track"] is is_seen


def test_a_station_does_not_read_where_a_far_truck_is_on_its_lists(world: World) -> None:
    world.begin_trip()
    guard, _ = world.person(Role.BORDER_GUARD)
    for km, is_told in ((12.0, True), (100.0, False)):
        with world.runtime.sessions.begin() as session:
            put_truck(session, world.runtime.corridor, PLATE, time=world.runtime.clock.now(), km=km)
        found = guard.get("/api/v1/stations/search", params={"text": "29C-123.45"})
        seen = [item["km"] for item in found.json()["items"]] if found.status_code == 200 else []
        assert seen == ([km] if is_told else [None]), found.text
