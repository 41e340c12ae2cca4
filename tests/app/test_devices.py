"""Enrolment, list and revocation of devices."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from app.accounts.tables import Organisation
from app.platform.runtime import Runtime
from ingest.devices import DeviceDirectory
from ingest.formats.registry import GPS_FORMATS
from tests.app.gps import enrol, rows
from tests.conftest import SignIn


def organisation(runtime: Runtime, name: str) -> int:
    with runtime.sessions() as session:
        made = Organisation(name=name, kind="enterprise")
        session.add(made)
        session.commit()
        return made.organisation_id


def test_the_identifier_is_unguessable_and_only_its_hash_kept(runtime: Runtime, sign_in: SignIn) -> None:
    made = enrol(sign_in("administrator"))
    assert len(bytes.fromhex(made["device_id"])) == 16
    assert made["plate"] == "29C-123.45"
    assert made["gps"]["osmand"].endswith("/gps/osmand")
    assert made["gps"].keys() == {*GPS_FORMATS, "traccar_client"}
    [[stored]] = rows(runtime, "SELECT device::text FROM ingest.device")
    assert made["device_id"] not in stored


def test_a_plate_again_is_one_more_device_of_the_same_vehicle(sign_in: SignIn) -> None:
    admin = sign_in("administrator")
    one, two = enrol(admin, "29C-123.45"), enrol(admin, "29c12345", kind="tracker")
    assert one["vehicle_id"] == two["vehicle_id"]
    assert one["device_id"] != two["device_id"]


def test_many_enrolments_in_a_row(sign_in: SignIn) -> None:
    admin = sign_in("administrator")
    started = time.perf_counter()
    made = [enrol(admin, f"29C-{number:05d}") for number in range(100)]
    assert len({item["device_id"] for item in made}) == 100
    assert time.perf_counter() - started < 30


def test_enterprise_only_for_its_own_or_new_plates(runtime: Runtime, sign_in: SignIn) -> None:
    ours = sign_in("enterprise", organisation_id=organisation(runtime, "One"))
    theirs = sign_in("enterprise", organisation_id=organisation(runtime, "Two"))
    enrol(ours, "29C-111.11")
    enrol(ours, "29C-111.11")
    answer = theirs.post("/api/v1/devices", json={"plate": "29C-111.11", "kind": "phone"})
    assert answer.status_code == 403
    assert len(ours.get("/api/v1/devices").json()) == 2
    assert theirs.get("/api/v1/devices").json() == []
    number = ours.get("/api/v1/devices").json()[0]["number"]
    assert theirs.delete(f"/api/v1/devices/{number}").status_code == 404
    assert ours.delete(f"/api/v1/devices/{number}").status_code == 204


def test_driver_only_for_the_own_truck(sign_in: SignIn) -> None:
    vehicle_id = enrol(sign_in("administrator"), "29C-111.11")["vehicle_id"]
    driver = sign_in("driver", vehicle_id=vehicle_id)
    enrol(driver, "29C-111.11")
    assert driver.post("/api/v1/devices", json={"plate": "29C-222.22"}).status_code == 403


@pytest.mark.parametrize("role", ["traffic_police", "customs", "auditor"])
def test_others_may_not(sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post("/api/v1/devices", json={"plate": "29C-111.11"}).status_code == 403


def test_nobody_without_signing_in(client: TestClient) -> None:
    assert client.post("/api/v1/devices", json={"plate": "29C-111.11"}).status_code == 401
    assert client.get("/api/v1/positions").status_code == 401


def test_bad_plate_and_imei(sign_in: SignIn) -> None:
    admin = sign_in("administrator")
    assert admin.post("/api/v1/devices", json={"plate": "nonsense"}).status_code == 422
    assert admin.post("/api/v1/devices", json={"plate": "29C-111.11", "imei": "12"}).status_code == 422
    enrol(admin, imei="353861053849681")
    assert admin.post("/api/v1/devices", json={"plate": "29C-111.11", "imei": "353861053849681"}).status_code == 409


def test_revoked_device_is_refused_within_seconds(runtime: Runtime, client: TestClient, sign_in: SignIn) -> None:
    admin = sign_in("administrator")
    device = enrol(admin, imei="353861053849681")["device_id"]
    fix = {"id": device, "lat": 21.9, "lon": 106.7}
    assert client.get("/gps/osmand", params=fix).status_code == 200
    assert admin.delete(f"/api/v1/devices/{device}").status_code == 204
    client.app.state.fix_intake[1].directory._born -= 10  # type: ignore[attr-defined] # five seconds later
    assert client.get("/gps/osmand", params=fix).status_code == 404
    enrol(admin, imei="353861053849681")  # free again
    assert admin.delete("/api/v1/devices/nobody").status_code == 404


def test_directory_forgets_after_five_seconds(runtime: Runtime, sign_in: SignIn) -> None:
    device = enrol(sign_in("administrator"))["device_id"]
    now = 0.0
    directory = DeviceDirectory(monotonic=lambda: now)
    with runtime.sessions() as session:
        directory.load(session, {device, "nobody"})
        assert directory.known({device})[device] is not None
        assert directory.known(set())["nobody"] is None
        now = 3.0
        assert directory.wants_renewal()
        directory.renew(session)
        assert list(directory.known(set())) == [device]  # nobody asked for the other since
    now = 8.1
    assert directory.known(set()) == {}


def test_pages(sign_in: SignIn) -> None:
    admin = sign_in("administrator")
    for number in range(3):
        enrol(admin, f"29C-1111{number}")
    answer = admin.get("/api/v1/devices", params={"limit": 2})
    assert len(answer.json()) == 2
    assert 'rel="next"' in answer.headers["Link"]
    assert len(admin.get(answer.headers["Link"].split(";")[0].strip("<>")).json()) == 1
