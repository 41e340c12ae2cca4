"""Calling a driver: the police find a trip by the telephone, and look it up on the record; others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from tests.app.dispatching import add_organisation, trip_body
from tests.conftest import SignIn

TELEPHONE = "0912 345 678"


@dataclass(frozen=True)
class Called:
    """A trip whose driver the enterprise has on file."""

    trip_id: int
    driver: TestClient
    enterprise: TestClient


@pytest.fixture
def called(sign_in: SignIn, runtime: Runtime) -> Called:
    """The enterprise keeps the driver's telephone; the trip names the driver."""
    organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    driver = sign_in("driver", organisation_id=organisation_id)
    enterprise = sign_in("enterprise", organisation_id=organisation_id)
    driver_id: int = driver.account_id  # type: ignore[attr-defined]
    on_file = {"full_name": "Trần Văn Bình", "phone": TELEPHONE, "language": "vi", "account_id": driver_id}
    kept = enterprise.post("/api/v1/registers/drivers", json=on_file)
    assert kept.status_code == 201, kept.text
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5), driver_id=driver_id)
    made = enterprise.post("/api/v1/trips", json=body)
    assert made.status_code == 201, made.text
    return Called(made.json()["trip_id"], driver, enterprise)


def find(client: TestClient, written: str) -> list[int]:
    answer = client.get("/api/v1/trips", params={"q": written})
    assert answer.status_code == 200, answer.text
    return [trip["trip_id"] for trip in answer.json()["items"]]


@pytest.mark.parametrize("written", [TELEPHONE, "0912345678", "0912.345.678"])
def test_the_police_find_a_trip_by_the_telephone(sign_in: SignIn, called: Called, written: str) -> None:
    police = sign_in("traffic_police")
    assert find(police, written) == [called.trip_id]
    assert find(police, "0912 345 679") == []
    assert find(police, "345 678") == []  # only the whole number: no part of one confirms a guess


@pytest.mark.parametrize("role", ["planner", "auditor"])
def test_who_may_not_call_finds_nobody_by_a_number(sign_in: SignIn, called: Called, role: str) -> None:
    other = sign_in(role)
    assert find(other, TELEPHONE) == []
    assert find(other, "29C-123.45") == [called.trip_id]
    assert other.get(f"/api/v1/trips/{called.trip_id}/driver").status_code == 403


def test_looking_up_a_telephone_stands_in_the_audit_log(sign_in: SignIn, called: Called) -> None:
    police = sign_in("traffic_police")
    found = police.get(f"/api/v1/trips/{called.trip_id}/driver").json()
    assert found == {"driver": "driver-1", "telephone": TELEPHONE}
    (row,) = sign_in("auditor").get("/api/v1/audit", params={"action": "drivers.call"}).json()
    assert (row["object_type"], row["object_id"]) == ("trip", str(called.trip_id))
    assert TELEPHONE not in str(row)


def test_a_trip_without_a_driver_has_nobody_to_call(sign_in: SignIn, called: Called, runtime: Runtime) -> None:
    body = trip_body("29C-123.46", runtime.clock.now() + timedelta(hours=5))
    trip_id = called.enterprise.post("/api/v1/trips", json=body).json()["trip_id"]
    police = sign_in("traffic_police")
    for path in (trip_id, 999_999):
        assert police.get(f"/api/v1/trips/{path}/driver").status_code == 404


def test_what_lies_ahead_is_asked_for_one_trip(sign_in: SignIn, called: Called, runtime: Runtime) -> None:
    body = trip_body("29C-123.46", runtime.clock.now() + timedelta(hours=5))
    called.enterprise.post("/api/v1/trips", json=body)
    police = sign_in("traffic_police")
    assert len(police.get("/api/v1/outlooks").json()["items"]) == 2
    (only,) = police.get("/api/v1/outlooks", params={"trip_id": called.trip_id}).json()["items"]
    assert only["trip_id"] == called.trip_id
