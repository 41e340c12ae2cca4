"""Nobody takes what is not theirs: devices on vehicles that nobody has proven, positions far from a station."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.declarations import personal
from app.platform.audit_store import audit_rows
from app.platform.permissions import Role
from app.platform.personal_fields import digest, is_personal, without_personal_values
from app.platform.runtime import Runtime
from app.registers.claims import MAX_WAITING
from app.registers.device_access import MAX_UNPROVEN
from app.trips.scope import STATION_SIGHT_KM
from tests.app.test_retention import fill, insert_trip
from tests.conftest import NOW, SignIn


def test_an_enterprise_has_few_devices_on_vehicles_it_has_not_proven(runtime: Runtime, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        session.execute(text("INSERT INTO app.organisation (name, kind) VALUES ('E', 'enterprise')"))
        organisation_id = session.scalar(text("SELECT organisation_id FROM app.organisation"))
    enterprise = sign_in("enterprise", organisation_id=organisation_id)
    for number in range(MAX_UNPROVEN):
        answer = enterprise.post("/api/v1/devices", json={"plate": f"29C-{number:03}.11", "kind": "phone"})
        assert answer.status_code == 201, answer.text
    refused = enterprise.post("/api/v1/devices", json={"plate": "29C-999.11", "kind": "phone"})
    assert refused.status_code == 409, refused.text
    number = enterprise.get("/api/v1/devices").json()[0]["number"]
    assert enterprise.delete(f"/api/v1/devices/{number}").status_code == 204
    assert enterprise.post("/api/v1/devices", json={"plate": "29C-999.11", "kind": "phone"}).status_code == 201
    with runtime.sessions() as session:
        acts = [row.action for row in audit_rows(session)]
    assert acts.count("devices.enrol") == MAX_UNPROVEN + 1
    assert acts.count("devices.revoke") == 1


def test_an_enterprise_has_few_claims_that_wait(runtime: Runtime, sign_in: SignIn) -> None:
    """Claims to every plate of the country would ring at every desk and every holder."""
    with runtime.sessions.begin() as session:
        session.execute(text("INSERT INTO app.organisation (name, kind) VALUES ('E', 'enterprise')"))
        organisation_id = session.scalar(text("SELECT organisation_id FROM app.organisation"))
    enterprise = sign_in("enterprise", organisation_id=organisation_id)
    claims = [enterprise.post("/api/v1/claims", json={"plate": f"29C-{n:03}.22"}) for n in range(MAX_WAITING)]
    assert {answer.status_code for answer in claims} == {201}
    refused = enterprise.post("/api/v1/claims", json={"plate": "29C-999.22"})
    assert (refused.status_code, refused.json()["field"]) == (409, "plate")
    again = enterprise.post("/api/v1/claims", json={"plate": "29C-000.22"})
    assert again.json()["claim_id"] == claims[0].json()["claim_id"], "one that waits already is no further one"
    first = claims[0].json()["claim_id"]
    assert enterprise.post(f"/api/v1/claims/{first}/withdraw").status_code == 200
    assert enterprise.post("/api/v1/claims", json={"plate": "29C-999.22"}).status_code == 201


@pytest.mark.parametrize(
    ("km", "stage", "is_seen"),
    [
        (STATION_SIGHT_KM + 90, "planned", False),
        (STATION_SIGHT_KM + 90, "on_the_road", False),
        (None, "on_the_road", False),
        (STATION_SIGHT_KM - 1, "on_the_road", True),
        (STATION_SIGHT_KM - 1, "planned", True),
        (None, "in_the_yard", True),
    ],
)
def test_a_station_sees_trucks_that_are_near(
    runtime: Runtime, sign_in: SignIn, km: float | None, stage: str, is_seen: bool
) -> None:
    with runtime.sessions.begin() as session:
        fill(session)
        insert_trip(session, 1, days_ago=0.1, stage=stage)
        session.execute(
            text(
                "INSERT INTO ingest.last_position (vehicle_id, time, device_id, geom, km, direction, status, flags, "
                "received_at, passage, motion) VALUES (2, :now, 1, ST_SetSRID(ST_MakePoint(106.7, 21.9), 4326), "
                ":km, 1, 0, 0, :now, 0, 'moving')"
            ),
            {"km": km, "now": NOW},
        )
    seen = sign_in("plant_quarantine", gate_id="huu-nghi").get("/api/v1/positions").json()["features"]
    assert [feature["id"] for feature in seen] == ([2] if is_seen else [])
    assert len(sign_in("traffic_police").get("/api/v1/positions").json()["features"]) == 1


DECLARED = {
    "driver_name": "Nguyễn Văn A",
    "driver_phone": "0912345678",
    "driver_paper_number": "B1234567",
    "driver_licence_number": "79",
    "health_symptoms": "some",
    "health_temperature_c": 38.5,
    "goods": "x",
}


@pytest.mark.parametrize("role", list(Role))
def test_who_reads_what_of_a_driver(role: Role) -> None:
    shown = personal.project(dict(DECLARED), role)
    assert shown["driver_name"] == "Nguyễn Văn A"
    declares = role in (Role.ENTERPRISE, Role.SUPPORT, Role.DRIVER)
    sees_health = declares or role is Role.HEALTH_QUARANTINE
    assert ("health_symptoms" in shown) == ("health_temperature_c" in shown) == sees_health
    if declares or role in (Role.BORDER_GUARD, Role.HEALTH_QUARANTINE):
        assert shown["driver_paper_number"] == "B1234567"
    if role in (Role.TAX, Role.YARD_OPERATOR, Role.PLANT_QUARANTINE, Role.AUDITOR):
        assert [shown[name] for name in ("driver_phone", "driver_paper_number", "driver_licence_number")] == [
            "…5678",
            "…4567",
            "…",
        ]


def test_the_log_holds_digests_of_personal_values() -> None:
    noted = without_personal_values(
        {
            "data": DECLARED,
            "changed": [{"field": "driver_phone", "old": "0912345678", "new": "0987654321"}],
            "entered": {"driver_paper_number": ["B1234567"], "container_number": ["CSQU 305438 3"]},
            "full_name": "",
        }
    )
    written = str(noted)
    for value in ("0912345678", "0987654321", "B1234567", "Nguyễn Văn A", "38.5", "some"):
        assert value not in written
    assert "CSQU 305438 3" in written
    assert f"hmac:{digest('b 123-4567')}" in written, "one number, however it is written"
    assert not is_personal("temperature_c_of_goods")
