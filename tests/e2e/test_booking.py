"""An enterprise books a place for its truck in two taps, and everybody sees the booked queue."""

from __future__ import annotations

from datetime import datetime, timedelta

from playwright.sync_api import expect

from geo.clock import LOCAL_ZONE
from tests.app.booking import chassis_of
from tests.app.declaring import declaration_body
from tests.e2e.conftest import Platform, SignedIn, eventually
from tests.e2e.fresh import fresh_plate


def declare_proven(platform: Platform, plate: str, gate_id: str = "huu-nghi") -> int:
    """A trip of a truck that is on file with its chassis number and that a desk accepted as the enterprise's."""
    arrival = datetime.now(LOCAL_ZONE) + timedelta(hours=20)
    with platform.client("enterprise") as enterprise, platform.client("support") as desk:
        body = declaration_body(
            arrival, plate=plate, trailer_plate="", inspection_expires="2030-12-31", gate_id=gate_id
        )
        declared = enterprise.post("/api/v1/declarations", json={**body, "submit": True})
        assert declared.status_code == 201, declared.text
        entry = {"plate": plate, "vehicle_class": "tractor", "chassis_number": chassis_of(plate)}
        assert enterprise.post("/api/v1/registers/vehicles", json=entry).status_code == 201
        claim = enterprise.post("/api/v1/claims", json={"plate": plate}).json()
        decided = desk.post(f"/api/v1/claims/{claim['claim_id']}/decide", json={"accept": True})
        assert decided.status_code == 200, decided.text
    return int(declared.json()["trip_id"])


def test_an_enterprise_books_in_two_taps(platform: Platform, signed_in: SignedIn) -> None:
    plate = fresh_plate()
    trip_id = declare_proven(platform, plate)
    page = signed_in("enterprise", phone=True, at=f"/bookings?trip_id={trip_id}")
    page.get_by_test_id("week").locator("button[name=starts_at]").first.click()
    expect(page.get_by_test_id("held")).to_contain_text(plate)
    page.get_by_test_id("held").get_by_test_id("confirm").click()
    booking = page.get_by_test_id("booking").filter(has_text=plate)
    expect(booking).to_have_attribute("data-state", "booked")

    def booked_veh() -> int:
        with platform.client() as anybody:
            gates = anybody.get("/api/v1/board").json()["gates"]
        return next(int(gate["booked_veh"]) for gate in gates if gate["gate_id"] == "huu-nghi")

    assert eventually(booked_veh, within_s=60)
