"""Whose a vehicle is: typing a plate opens nothing; a claim that is accepted does, and a trip that is agreed to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from app.accounts.store import acts_for
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from tests.app.registering import PLATE, Companies, make_companies, sees
from tests.conftest import SignIn


@pytest.fixture
def companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    return make_companies(runtime, sign_in)


def test_typing_a_plate_opens_nothing_and_blocks_nobody(companies: Companies) -> None:
    ours, theirs = companies.ours, companies.theirs
    first, second = companies.declare(ours), companies.declare(theirs)
    assert first != second
    again = ours.post("/api/v1/registers/vehicles", json={"plate": PLATE, "vehicle_class": "tractor"})
    assert again.status_code == 201
    for client, trip_id in ((ours, first), (theirs, second)):
        assert not sees(client, companies.vehicle_id)
        assert client.get("/api/v1/devices").json() == []
        found = client.get(f"/api/v1/trips/{trip_id}").json()
        assert found["position"] is None
        assert found["devices"] == []
        assert found["driver"] is None
        listed = client.get("/api/v1/trips").json()["items"]
        assert [trip["position"] for trip in listed] == [None]
        assert client.get(f"/api/v1/trips/{second if trip_id == first else first}").status_code == 404
        assert client.get("/api/v1/own-vehicles").json() == []


def test_a_desk_decides(companies: Companies) -> None:
    claim_id = companies.claim(companies.ours, paper_number="29 012345")
    assert companies.claim(companies.ours) == claim_id, "a second claim while the first waits is the first one"
    assert not sees(companies.ours, companies.vehicle_id)
    waiting = companies.desk.get("/api/v1/claims", params={"open_only": True}).json()
    assert [(claim["plate"], claim["organisation"], claim["paper_number"]) for claim in waiting] == [
        (PLATE, "Nông sản Đồng Đăng", "29 012345")
    ]
    where = f"/api/v1/claims/{claim_id}/decide"
    assert companies.ours.post(where, json={"accept": True}).status_code == 403
    assert companies.desk.post(where, json={"accept": False}).status_code == 422, "a refusal says why"
    assert companies.desk.post(where, json={"accept": True}).json()["proof"] == "desk"
    assert companies.desk.post(where, json={"accept": True}).status_code == 409
    assert sees(companies.ours, companies.vehicle_id)
    assert not sees(companies.theirs, companies.vehicle_id)
    assert [vehicle["plate"] for vehicle in companies.ours.get("/api/v1/own-vehicles").json()] == [PLATE]
    assert companies.ours.post("/api/v1/claims", json={"plate": PLATE}).status_code == 409


def test_its_carrier_says_yes_or_no(companies: Companies) -> None:
    companies.prove(companies.ours)
    claim_id = companies.claim(companies.theirs)
    assert [claim["claim_id"] for claim in companies.ours.get("/api/v1/claims/to-answer").json()] == [claim_id]
    assert companies.theirs.get("/api/v1/claims/to-answer").json() == []
    where = f"/api/v1/claims/{claim_id}/answer"
    assert companies.theirs.post(where, json={"accept": True}).status_code == 404, "nobody answers the own claim"
    disputed = companies.ours.post(where, json={"accept": False, "reason": "Chưa bán"}).json()
    assert (disputed["status"], disputed["reason"]) == ("open", "Chưa bán")
    assert not sees(companies.theirs, companies.vehicle_id)
    assert companies.ours.post(where, json={"accept": True}).json()["proof"] == "carrier"
    assert sees(companies.theirs, companies.vehicle_id)
    assert sees(companies.ours, companies.vehicle_id)


def test_its_driver_says_yes(companies: Companies, sign_in: SignIn) -> None:
    driver = sign_in("driver", vehicle_id=companies.vehicle_id)
    other = sign_in("driver")
    claim_id = companies.claim(companies.ours)
    where = f"/api/v1/claims/{claim_id}/answer"
    assert other.post(where, json={"accept": True}).status_code == 404
    assert driver.post(where, json={"accept": True}).json()["proof"] == "driver"
    assert sees(companies.ours, companies.vehicle_id)


def test_its_driver_agrees_to_a_trip_of_the_own_enterprise(companies: Companies, sign_in: SignIn) -> None:
    """Nobody has proven the truck, but an administrator gave it to the driver."""
    companies.rest()
    driver = sign_in("driver", organisation_id=companies.ours_id, vehicle_id=companies.vehicle_id)
    trip_id = companies.declare(companies.ours)
    assert not sees(companies.ours, companies.vehicle_id)
    assert [(trip["trip_id"], trip["agreed"]) for trip in driver.get("/api/v1/asked-trips").json()] == [(trip_id, None)]
    assert driver.post(f"/api/v1/trips/{trip_id}/vehicle-answer", json={"agreed": True}).status_code == 204
    assert sees(companies.ours, companies.vehicle_id)


def test_a_driver_named_by_typing_cannot_say_yes(companies: Companies, sign_in: SignIn) -> None:
    driver = sign_in("driver", organisation_id=companies.theirs_id)
    companies.declare(companies.theirs, driver_id=driver.account_id)  # type: ignore[attr-defined]
    claim_id = companies.claim(companies.theirs)
    assert driver.post(f"/api/v1/claims/{claim_id}/answer", json={"accept": True}).status_code == 404
    assert not sees(driver, companies.vehicle_id)
    assert len(driver.get("/api/v1/trips").json()["items"]) == 1


def test_a_desk_ends_what_others_hold(companies: Companies) -> None:
    companies.prove(companies.ours)
    claim_id = companies.claim(companies.theirs)
    where = f"/api/v1/claims/{claim_id}/decide"
    assert companies.desk.get("/api/v1/claims").json()[0]["holders"] == ["Nông sản Đồng Đăng"]
    assert companies.theirs.get("/api/v1/claims").json()[0]["holders"] == [], "only a desk is told who holds it"
    assert companies.desk.post(where, json={"accept": True, "ends_others": True}).status_code == 422
    done = companies.desk.post(where, json={"accept": True, "ends_others": True, "reason": "Đã bán"})
    assert done.status_code == 200, done.text
    assert sees(companies.theirs, companies.vehicle_id)
    assert not sees(companies.ours, companies.vehicle_id)


def test_released_and_handed_on(companies: Companies, sign_in: SignIn) -> None:
    companies.prove(companies.ours)
    enrolled = companies.ours.post("/api/v1/devices", json={"plate": PLATE, "kind": "phone"})
    assert enrolled.status_code == 201
    own = f"/api/v1/own-vehicles/{companies.vehicle_id}"
    assert companies.theirs.delete(own).status_code == 404
    assert companies.ours.post(f"{own}/hand-on", json={"name": "van tai bac son"}).status_code == 204
    assert sees(companies.theirs, companies.vehicle_id)
    assert not sees(companies.ours, companies.vehicle_id)
    assert companies.ours.get("/api/v1/devices").json()[0]["revoked_at"] is not None, "the device went with it"
    assert companies.ours.delete(own).status_code == 404
    assert companies.theirs.delete(own).status_code == 204
    assert not sees(companies.theirs, companies.vehicle_id)


def test_the_parties_of_a_trip_see_it_while_it_lasts(companies: Companies) -> None:
    companies.rest()
    companies.prove(companies.ours)
    assert not sees(companies.ours, companies.vehicle_id), "between two trips nobody needs to"
    trip_id = companies.declare(companies.theirs)
    assert not sees(companies.theirs, companies.vehicle_id)
    asked = companies.ours.get("/api/v1/asked-trips").json()
    assert [(trip["trip_id"], trip["organisation"], trip["agreed"]) for trip in asked] == [
        (trip_id, "Vận tải Bắc Sơn", None)
    ]
    where = f"/api/v1/trips/{trip_id}/vehicle-answer"
    assert companies.theirs.post(where, json={"agreed": True}).status_code == 404
    assert companies.ours.post(where, json={"agreed": True}).status_code == 204
    assert sees(companies.theirs, companies.vehicle_id)
    found = companies.theirs.get(f"/api/v1/trips/{trip_id}").json()
    assert found["position"] is not None
    assert {party["role"]: party["organisation_id"] for party in found["parties"]} == {
        "consignor": companies.theirs_id,
        "carrier": companies.ours_id,
    }
    assert companies.ours.get(f"/api/v1/trips/{trip_id}").status_code == 200, "the carrier reads the trip"
    assert companies.ours.get(f"/api/v1/declarations/{trip_id}").status_code == 404, "not its papers"
    version = found["version"]
    cancelled = companies.theirs.post(f"/api/v1/trips/{trip_id}/cancel", headers={"If-Match": f'"{version}"'})
    assert cancelled.status_code == 200, cancelled.text
    assert not sees(companies.theirs, companies.vehicle_id), "the trip is over"
    assert not sees(companies.ours, companies.vehicle_id), "for its carrier too"


def test_a_no_closes_again(companies: Companies) -> None:
    companies.prove(companies.ours)
    trip_id = companies.declare(companies.theirs)
    where = f"/api/v1/trips/{trip_id}/vehicle-answer"
    companies.ours.post(where, json={"agreed": True})
    assert sees(companies.theirs, companies.vehicle_id)
    assert companies.ours.post(where, json={"agreed": False}).status_code == 204
    assert not sees(companies.theirs, companies.vehicle_id)


def test_a_party_that_is_named_sees_what_the_trip_sees(companies: Companies) -> None:
    companies.prove(companies.ours)
    trip_id = companies.declare(companies.ours)
    where = f"/api/v1/trips/{trip_id}"
    assert companies.theirs.get(where).status_code == 404
    named = companies.ours.put(f"{where}/parties/consignor", json={"name": "VẬN TẢI bắc sơn"})
    assert named.status_code == 200, named.text
    assert companies.theirs.get(where).json()["position"] is not None
    assert sees(companies.theirs, companies.vehicle_id)
    assert companies.theirs.put(f"{where}/parties/carrier", json={}).status_code == 404, "it reads, no more"
    assert companies.ours.put(f"{where}/parties/consignor", json={}).status_code == 200
    assert companies.theirs.get(where).status_code == 404


def test_naming_the_holder_as_carrier_opens_nothing(companies: Companies) -> None:
    companies.prove(companies.ours)
    trip_id = companies.declare(companies.theirs)
    named = companies.theirs.put(
        f"/api/v1/trips/{trip_id}/parties/carrier", json={"organisation_id": companies.ours_id}
    )
    assert named.status_code == 200
    assert not sees(companies.theirs, companies.vehicle_id)


def test_a_phone_shared_for_an_unproven_truck_is_a_yes(companies: Companies, sign_in: SignIn) -> None:
    driver = sign_in("driver", organisation_id=companies.theirs_id)
    companies.declare(companies.theirs, driver_id=driver.account_id)  # type: ignore[attr-defined]
    shared = driver.post("/api/v1/devices", json={"plate": PLATE, "kind": "phone"})
    assert shared.status_code == 201, shared.text
    assert sees(companies.theirs, companies.vehicle_id)
    companies.runtime.clock.advance(60)  # type: ignore[attr-defined]
    companies.prove(companies.ours)
    assert not sees(companies.theirs, companies.vehicle_id), "somebody proved the truck since, and did not agree"
    assert not sees(driver, companies.vehicle_id)
    assert driver.post("/api/v1/devices", json={"plate": PLATE, "kind": "phone"}).status_code == 403


def test_an_agent_acts_under_a_power_of_attorney_while_it_lasts(companies: Companies) -> None:
    ours, theirs, clock = companies.ours, companies.theirs, companies.runtime.clock
    companies.prove(ours)
    today = clock.now().date()
    span = {"valid_from": str(today), "valid_to": str(today + timedelta(days=1))}
    assert theirs.post("/api/v1/trips", json={"organisation_id": companies.ours_id}).status_code == 422
    assert not sees(theirs, companies.vehicle_id)
    wrong = {"valid_from": span["valid_to"], "valid_to": span["valid_from"]}
    assert ours.post("/api/v1/powers", json={"agent_id": companies.theirs_id, **wrong}).status_code == 422
    made = ours.post("/api/v1/powers", json={"agent_id": companies.theirs_id, **span})
    assert made.status_code == 201, made.text
    assert ours.post("/api/v1/powers", json={"agent_id": companies.theirs_id, **span}).status_code == 409
    assert sees(theirs, companies.vehicle_id)
    trip_id = companies.declare(theirs, organisation_id=companies.ours_id)
    found = ours.get(f"/api/v1/trips/{trip_id}").json()
    assert found["organisation_id"] == companies.ours_id
    parts = {party["role"]: party["organisation_id"] for party in found["parties"]}
    assert parts["customs_agent"] == companies.theirs_id
    with companies.runtime.sessions() as session:
        account_id = theirs.account_id  # type: ignore[attr-defined]
        days = {day: acts_for(session, account_id, clock.now() + timedelta(days=day)) for day in (-1, 0, 1, 2)}
    assert days == {-1: frozenset(), 0: {companies.ours_id}, 1: {companies.ours_id}, 2: frozenset()}


def test_a_power_of_attorney_is_revoked_at_once(companies: Companies) -> None:
    today = companies.runtime.clock.now().date()
    body = {"agent_id": companies.theirs_id, "valid_from": str(today), "valid_to": str(today + timedelta(days=30))}
    power_id = companies.ours.post("/api/v1/powers", json=body).json()["power_id"]
    trip_id = companies.declare(companies.theirs, organisation_id=companies.ours_id)
    assert companies.theirs.get(f"/api/v1/trips/{trip_id}").status_code == 200
    assert companies.ours.delete(f"/api/v1/powers/{power_id}").status_code == 200
    assert companies.theirs.get(f"/api/v1/trips/{trip_id}").status_code == 404
    refused = companies.theirs.post("/api/v1/claims", json={"plate": PLATE, "organisation_id": companies.ours_id})
    assert refused.status_code == 403


SEES_ALL = {Role.TRAFFIC_POLICE, Role.PLANNER, Role.AUDITOR}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_a_proven_vehicle_as_its_scope_says(role: Role, companies: Companies, sign_in: SignIn) -> None:
    """A stranger of each role, before and during a trip to their gate: stations see trucks of trips to their gate."""
    companies.prove(companies.ours)
    stranger = sign_in(role, **({"gate_id": "huu-nghi"} if role.is_at_gate else {}))

    def answer() -> bool | None:
        found = stranger.get("/api/v1/positions")
        return None if found.status_code == 403 else sees(stranger, companies.vehicle_id)

    sees_none = None if role is Role.ADMINISTRATOR else False
    assert answer() == (True if role in SEES_ALL else sees_none)
    companies.declare(companies.ours)
    during = role in SEES_ALL or role.is_at_gate
    assert answer() == (True if during else sees_none)
    devices: TestClient = stranger
    assert devices.get("/api/v1/own-vehicles").status_code == (200 if role is Role.ENTERPRISE else 403)
