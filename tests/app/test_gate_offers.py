"""A yard that closes when its gate has no place left: a place at another gate is held, offered, accepted or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from tests.app.booking import HERE, PLATE, THERE, Desk, other_enterprise

SignIn = Callable[..., TestClient]
HERE_NAME, THERE_NAME = "Huu Nghi border gate", "Tan Thanh border gate"


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    return Desk.open(runtime, sign_in)


def close(desk: Desk, *, days: float = 7.0) -> None:
    body = {"until": desk.hour(24 * days).isoformat(), "reason": "Sạt lở"}
    closed = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures", json=body)
    assert closed.status_code == 201, closed.text


def offered(desk: Desk, **trip: Any) -> tuple[int, int]:
    """A booking that lost its yard and gate; trip and booking."""
    trip_id = desk.trip(**trip)
    booking_id = desk.book(trip_id, 3)
    close(desk)
    return trip_id, booking_id


def trip_of(desk: Desk, trip_id: int) -> dict[str, Any]:
    return dict(desk.enterprise.get(f"/api/v1/trips/{trip_id}").json())


def test_a_place_at_another_gate_is_held_and_one_press_declares_for_it(desk: Desk) -> None:
    trip_id, booking_id = offered(desk)
    held = desk.state(booking_id)
    assert (held["state"], held["gate_id"], held["offered_from"], held["yard_id"]) == (
        "held",
        THERE,
        HERE,
        "bao-nguyen",
    )
    assert held["starts_at"] == "2026-03-02T06:00:00Z"
    assert held["held_until"] == "2026-03-02T04:00:00Z", "an hour, as set"
    assert trip_of(desk, trip_id)["gate_id"] == HERE, "nothing is declared by itself"
    said = (
        f"{PLATE}: Xuân Cương yard was closed (Sạt lở) and {HERE_NAME} has no place left; a place at {THERE_NAME} "
        "is held until 11:00 02/03: Bảo Nguyên yard, 13:00 02/03. "
        f"The way there from {HERE_NAME} takes about 22 min on a free road. "
        f"If the enterprise accepts it, the declaration names {THERE_NAME}"
    )
    assert desk.told()[0] == said
    assert desk.minute().moved == 0
    assert desk.state(booking_id) == held, "a minute later it is held as before"
    page = desk.enterprise.get("/bookings").text
    assert said in page
    assert f"/bookings/{booking_id}/accept" in page
    assert said in desk.enterprise.get(f"/enterprise/trips/{trip_id}").text
    police = desk.gate.sign_in("traffic_police", locale="en")
    (seen,) = police.get(f"/api/v1/bookings?trip_id={trip_id}").json()["items"]
    assert (seen["text"], seen["state_text"], seen["gate_id"]) == (said, "Held for you", THERE)

    assert desk.act(booking_id, "confirm").status_code == 409
    assert other_enterprise(desk).post(f"/api/v1/bookings/{booking_id}/accept").status_code == 404
    accepted = desk.enterprise.post(f"/bookings/{booking_id}/accept", follow_redirects=False)
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/bookings")
    booked = desk.state(booking_id)
    assert (booked["state"], booked["gate_id"], booked["offered_from"]) == ("booked", THERE, None)
    assert trip_of(desk, trip_id)["gate_id"] == THERE
    assert desk.enterprise.get(f"/api/v1/declarations/{trip_id}").json()["data"]["gate_id"] == THERE
    assert f"the declaration names {THERE_NAME}" in desk.told()[0]
    again = desk.act(booking_id, "accept")
    assert (again.status_code, again.json()["state"]) == (200, "booked")
    desk.minute()
    assert desk.state(booking_id)["state"] == "booked"


def test_declaring_for_that_gate_oneself_takes_the_place(desk: Desk) -> None:
    trip_id, booking_id = offered(desk)
    version = trip_of(desk, trip_id)["version"]
    changed = desk.enterprise.patch(
        f"/api/v1/trips/{trip_id}", json={"gate_id": THERE}, headers={"If-Match": f'"{version}"'}
    )
    assert changed.status_code == 200, changed.text
    assert desk.state(booking_id)["state"] == "booked"


def test_an_offer_that_nobody_accepts_is_over_and_counts_against_nobody(desk: Desk) -> None:
    desk.set_rules(gate_offer_min=20)
    trip_id, booking_id = offered(desk)
    desk.advance(0.5)
    late = desk.act(booking_id, "accept")
    assert late.status_code == 409
    assert trip_of(desk, trip_id)["gate_id"] == HERE, "what was too late has changed nothing"
    desk.minute()
    assert desk.state(booking_id)["state"] == "lapsed"
    said = f"{PLATE}: nobody accepted the place at {THERE_NAME} in time; the booking is over and counts against nobody"
    assert desk.told()[0] == said
    assert said in desk.enterprise.get(f"/enterprise/trips/{trip_id}").text
    gone = desk.act(booking_id, "accept")
    assert "no place is held" in gone.json()["detail"].lower()


def test_an_offer_is_given_back_without_a_strike(desk: Desk) -> None:
    _, booking_id = offered(desk)
    assert desk.act(booking_id, "cancel").json()["state"] == "cancelled_in_time"


def test_a_declaration_that_can_no_longer_be_changed_says_so(desk: Desk) -> None:
    trip_id, booking_id = offered(desk)
    with desk.runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.trip SET stage = 'queued' WHERE trip_id = :trip_id"), {"trip_id": trip_id})
    refused = desk.act(booking_id, "accept")
    assert refused.status_code == 409
    assert "stands in the queue of its gate" in refused.json()["detail"]
    page = desk.enterprise.post(f"/bookings/{booking_id}/accept")
    assert page.status_code == 422
    assert "stands in the queue of its gate" in page.text
    assert desk.state(booking_id)["state"] == "held"


def test_no_gate_is_offered_that_does_not_take_the_goods(desk: Desk) -> None:
    with desk.runtime.sessions.begin() as session:
        session.execute(
            text(
                "UPDATE app.gate_profile SET profile = jsonb_set(profile, '{goods}', '[\"electronics\"]') "
                "WHERE gate_id = 'tan-thanh'"
            )
        )
    _, booking_id = offered(desk)
    assert desk.state(booking_id)["state"] == "released"
