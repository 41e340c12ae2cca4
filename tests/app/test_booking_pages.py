"""The pages of bookings, the chassis numbers of the register, and the rules that planners set."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.bookings.supply import OPEN_ENDED, next_hour
from app.platform.runtime import Runtime
from app.registers.chassis_number import normalise_chassis_number
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError
from tests.app.booking import HERE, PLATE, Desk

SignIn = Callable[..., TestClient]


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    return Desk.open(runtime, sign_in)


# The register and settings


def test_chassis_numbers_have_one_form() -> None:
    assert normalise_chassis_number(" lzz5-elnd8 nw123456 ") == "LZZ5ELND8NW123456"
    for wrong in ("LZZ5ELND8NW12345O", "12345", "LZZ5ELND8NW1234567", "Đ23456"):
        with pytest.raises(InvalidInputError):
            normalise_chassis_number(wrong)


def test_a_wrong_chassis_number_is_refused_at_its_field(desk: Desk) -> None:
    body = {"plate": PLATE, "vehicle_class": "tractor", "chassis_number": "12"}
    answer = desk.enterprise.post("/api/v1/registers/vehicles", json=body)
    assert (answer.status_code, "chassis_number" in answer.text) == (422, True)


def test_planners_set_the_rules_on_their_page(desk: Desk) -> None:
    planner = desk.gate.sign_in("planner", locale="en")
    assert "How places are booked" in planner.get("/planner/settings").text
    form = {"version": "0", "unreserved_share": "40", "priority_share": "20", "hold_min": "5"}
    saved = planner.post("/planner/settings/booking-rules", data=form, follow_redirects=False)
    assert saved.status_code == 303, saved.text
    rules = planner.get("/api/v1/settings/booking-rules").json()
    assert (rules["version"], rules["value"]["unreserved_share"], rules["value"]["hold_min"]) == (1, 0.4, 5)
    hours = desk.enterprise.get(f"/api/v1/gates/{HERE}/booking-hours").json()["hours"]
    worked = [hour for hour in hours if hour["places"]]
    assert worked
    assert all(hour["free_priority"] <= 0.6 * hour["places"] + 1e-9 for hour in worked)


# Pages


def test_an_enterprise_books_in_two_taps_and_everybody_sees_it(desk: Desk) -> None:
    trip_id = desk.trip()
    page = desk.enterprise.get("/bookings")
    starts_at = desk.hour(4).isoformat()
    assert f'value="{starts_at}"' in page.text
    where = "/bookings"
    pressed = desk.enterprise.post(where, data={"trip_id": trip_id, "starts_at": starts_at}, follow_redirects=False)
    assert pressed.status_code == 303
    booking_id = desk.enterprise.get("/api/v1/bookings").json()["items"][0]["booking_id"]
    assert "confirm it" in desk.enterprise.get(pressed.headers["location"]).text
    confirmed = desk.enterprise.post(f"{where}/{booking_id}/confirm", follow_redirects=False)
    assert confirmed.status_code == 303
    assert unquote(confirmed.cookies["told"]).startswith("Booked."), "the page that comes next says so"
    assert 'data-state="booked"' in desk.enterprise.get(where).text
    wrong = desk.enterprise.post(where, data={"trip_id": trip_id, "starts_at": "noon"})
    assert (wrong.status_code, "noon" in wrong.text) == (422, True)
    operator = desk.gate.person("yard_operator")
    assert PLATE in operator.get("/yard").text.split('data-testid="yard-bookings"')[1].split("</table>")[0]
    with desk.runtime.sessions() as session:
        vehicle_id = session.scalar(
            text("SELECT vehicle_id FROM app.trip WHERE trip_id = :trip_id"), {"trip_id": trip_id}
        )
    driver = desk.gate.sign_in("driver", organisation_id=desk.gate.organisation_id, vehicle_id=vehicle_id, locale="en")
    assert "My booking" in driver.get("/driver").text
    assert driver.get("/api/v1/bookings").json()["items"][0]["booking_id"] == booking_id
    closed = operator.post("/api/v1/yards/xuan-cuong/closures", json={"reason": "Sập cổng"})
    assert closed.status_code == 201, closed.text
    until = next_hour(desk.runtime.clock.now() + OPEN_ENDED).astimezone(LOCAL_ZONE)
    desk.trip("29C-777.77")
    told_on = (
        (driver, "/driver", ""),
        (desk.enterprise, "/bookings", f"{until:%H:%M %d/%m}"),
        (desk.enterprise, "/enterprise", ""),
        (desk.enterprise, f"/enterprise/trips/{trip_id}", ""),
    )
    for reader, where, more in told_on:
        told = reader.get(where).text.split('data-testid="yard-closure"')[1].split("</div>")[0]
        assert "Sập cổng" in told
        assert "end not known yet" in told
        assert more in told


def test_appeals_are_decided_on_their_page(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 2)
    desk.act(booking_id, "cancel")
    where = f"/bookings/{booking_id}/appeal"
    assert desk.enterprise.post(where, data={"text": "Đường sạt lở"}, follow_redirects=False).status_code == 303
    decider = desk.gate.person("gate_management")
    assert "Đường sạt lở" in decider.get("/appeals").text
    assert decider.post(f"/appeals/{booking_id}", data={"accept": "no", "reason": ""}).status_code == 422
    body = {"accept": "no", "reason": "Không có tin sạt lở"}
    assert decider.post(f"/appeals/{booking_id}", data=body, follow_redirects=False).status_code == 303
    assert desk.state(booking_id)["state"] == "cancelled_late"
    assert desk.state(booking_id)["appeal_answer"] == "Không có tin sạt lở"
    assert "<strong>refused</strong>: Không có tin sạt lở" in desk.enterprise.get("/bookings").text
