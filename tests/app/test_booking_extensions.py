"""Bookings that are extended: how often, by how much, and the places that they take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from tests.app.booking import Desk


@pytest.fixture
def desk(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Desk:
    return Desk.open(runtime, sign_in)


def test_an_extension_is_one_of_the_set_lengths_and_once(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 5)
    assert desk.act(booking_id, "extend", hours=3).status_code == 422
    for _ in range(2):
        extended = desk.act(booking_id, "extend", hours=4).json()
        assert extended["state"] == "extended"
        length = datetime.fromisoformat(extended["until"]) - datetime.fromisoformat(extended["starts_at"])
        assert length == timedelta(hours=5)
    assert desk.act(booking_id, "extend", hours=2).status_code == 409


def test_an_extended_booking_takes_a_place_in_each_of_its_hours(desk: Desk) -> None:
    desk.set_places(1)
    desk.set_rules(unreserved_share=0.0, priority_share=0.0)
    first = desk.book(desk.trip(), 3)
    assert desk.act(first, "extend", hours=2).status_code == 200
    later = desk.trip("29C-555.55")
    assert [desk.hold(later, hour).status_code for hour in (4, 5)] == [409, 409]
    assert desk.hold(later, 6).status_code == 201
    waits = desk.hold(desk.trip("29C-666.66"), 4, stand_by=True).json()["booking_id"]
    assert desk.act(first, "cancel").status_code == 200
    assert desk.state(waits)["state"] == "held", "all of its hours are free again"


def test_a_booking_is_not_extended_into_an_hour_that_is_full(desk: Desk) -> None:
    desk.set_places(1)
    desk.set_rules(unreserved_share=0.0, priority_share=0.0)
    first = desk.book(desk.trip(), 3)
    desk.book(desk.trip("29C-555.55"), 4)
    refused = desk.act(first, "extend", hours=2)
    assert (refused.status_code, "No place is left in the hour of" in refused.json()["detail"]) == (409, True)
    assert desk.state(first)["state"] == "booked"
