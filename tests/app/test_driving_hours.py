"""Four hours of driving without a break: counted, warned of five minutes ahead, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.notifications import feed
from app.platform.runtime import Runtime
from app.tracking import driving
from app.tracking.driving_hours import MAX_DRIVING, Driving, drivings
from app.tracking.worker import Worker
from geo.clock import FixedClock
from tests.app.dispatching import add_organisation
from tests.app.gps import drain, enrol, rows
from tests.app.test_believing import drive, post
from tests.conftest import SignIn

START = datetime(2026, 3, 2, tzinfo=UTC)


def positions(*parts: tuple[float, float]) -> list[tuple[datetime, float | None]]:
    """Minutes at a speed, one position a minute."""
    found, minute = [], 0
    for minutes, speed in parts:
        for _ in range(int(minutes)):
            found.append((START + timedelta(minutes=minute), speed))
            minute += 1
    return found


@pytest.mark.parametrize(
    ("parts", "minutes"),
    [
        ([(241, 15.0)], [240]),
        ([(120, 15.0), (10, 0.0), (120, 15.0)], [249]),
        ([(120, 15.0), (15, 0.0), (121, 15.0)], [119, 120]),
        ([(30, 0.0)], []),
        ([(200, 2.0)], [199]),
    ],
)
def test_only_a_break_of_fifteen_minutes_ends_it(parts: list[tuple[float, float]], minutes: list[int]) -> None:
    found = drivings(positions(*parts))
    assert [round(each.lasted.total_seconds() / 60) for each in found] == minutes


def test_when_to_warn() -> None:
    known = Driving(START, START + timedelta(minutes=234))
    assert not known.is_due(START + timedelta(minutes=234))
    assert known.is_due(START + timedelta(minutes=235))
    assert not known.is_due(START + timedelta(minutes=250))  # a break by now
    assert Driving(START, START + MAX_DRIVING + timedelta(seconds=1)).is_too_long


def test_the_enterprise_and_the_driver_are_warned_once(
    runtime: Runtime, client: TestClient, clock: FixedClock, sign_in: SignIn
) -> None:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    organisation_id = add_organisation(runtime, "A")
    owner = sign_in("enterprise", organisation_id=organisation_id)
    made = enrol(owner, "29C-111.11")
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO app.vehicle_holding (vehicle_id, organisation_id, proof, begun_at) "
                "VALUES (:vehicle_id, :organisation_id, 'desk', now() - interval '1 year')"
            ),
            {"vehicle_id": made["vehicle_id"], "organisation_id": organisation_id},
        )
    sign_in("driver", vehicle_id=made["vehicle_id"])
    warned = []
    for minute in range(0, 252, 4):
        clock.advance(240)
        post(client, *drive(runtime, made["device_id"], 2, from_km=110 - minute * 0.3, speed_mps=15.0))
        drain(worker)
        with runtime.sessions() as session:
            warned += [minute + 4] * driving.warn(session, clock.now())
            session.commit()
    assert warned == [240]  # the first look from minute 239 on: driving began at minute 4
    [[since]] = rows(runtime, "SELECT since FROM app.driving_spell")
    with runtime.sessions() as session:
        known = driving.find_driving(session, made["vehicle_id"], clock.now())
        assert known is not None
        assert known.since == since
        feed.follow(session, clock.now())
        session.commit()
    told = owner.get("/api/v1/notifications").json()
    assert any("29C-111.11" in str(each) and "driving_hours" in str(each) for each in told["items"])
    clock.advance(20 * 60)
    with runtime.sessions() as session:
        assert driving.find_driving(session, made["vehicle_id"], clock.now()) is None
