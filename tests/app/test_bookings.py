"""Bookings: a place is given once, keyed to a vehicle, kept by the plan, moved with its trip; what not coming costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from app.bookings import service
from app.bookings.store import KeptPlace
from app.control.minute import Minute
from app.forecasting.state import ComingTruck
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.platform.runtime import Runtime
from app.yards.booked_places import split_booked
from geo.errors import ConflictError
from tests.app.booking import HERE, PLATE, THERE, Desk, chassis_of, other_enterprise
from tests.app.test_diverting import on_the_road, order_divert

SignIn = Callable[..., TestClient]
OTHER = "29C-222.22"


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    return Desk.open(runtime, sign_in)


# Holding and confirming


def test_a_place_is_held_for_minutes_and_booked_by_confirming(desk: Desk) -> None:
    trip_id = desk.trip()
    held = desk.hold(trip_id, 3)
    assert (held.status_code, held.json()["state"], held.json()["yard_id"]) == (201, "held", "xuan-cuong")
    assert held.json()["is_priority"], "fruit: computed from the declaration"
    assert desk.hold(trip_id, 3).json()["booking_id"] == held.json()["booking_id"], "sent again, it is the same"
    booking_id = held.json()["booking_id"]
    assert other_enterprise(desk).post(f"/api/v1/bookings/{booking_id}/confirm").status_code == 404
    for _ in range(2):
        assert desk.act(booking_id, "confirm").json()["state"] == "booked"
    assert desk.hold(trip_id, 4).status_code == 409, "a vehicle has one at a time"
    assert "a place is booked" in desk.told()[0]


def test_a_hold_that_runs_out_gives_the_place_back(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.hold(trip_id, 3).json()["booking_id"]
    desk.advance(11 / 60)
    refused = desk.act(booking_id, "confirm")
    assert (refused.status_code, "held until 10:10" in refused.json()["detail"]) == (409, True), refused.text
    desk.minute()
    assert desk.state(booking_id)["state"] == "lapsed"
    again = desk.enterprise.post(
        "/api/v1/bookings", json={"trip_id": trip_id, "starts_at": desk.state(booking_id)["starts_at"]}
    )
    assert again.json()["booking_id"] != booking_id


def test_another_hour_takes_the_place_of_one_only_held(desk: Desk) -> None:
    trip_id = desk.trip()
    first = desk.hold(trip_id, 3).json()["booking_id"]
    assert desk.hold(trip_id, 4).json()["state"] == "held"
    assert desk.state(first)["state"] == "cancelled_in_time"


def test_a_typed_plate_books_nothing_and_a_chassis_number_but_once(desk: Desk) -> None:
    unproven = desk.trip("29C-111.11", proven=False)
    assert desk.hold(unproven, 3).json()["detail"].startswith("The truck is not proven to be yours")
    unknown = desk.trip("29C-333.33", on_file=False)
    assert "chassis number" in desk.hold(unknown, 3).json()["detail"]
    desk.book(desk.trip(), 3)
    twin = desk.trip(OTHER)
    with desk.runtime.sessions.begin() as session:  # the same vehicle under another plate
        session.execute(
            text("UPDATE app.registered_vehicle SET chassis_number = :number"), {"number": chassis_of(PLATE)}
        )
    refused = desk.hold(twin, 4)
    assert (refused.status_code, refused.json()["field"]) == (409, "trip_id"), refused.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"starts_at": "2026-03-02T06:30:00Z"}, 422),
        ({"starts_at": "2026-03-02T02:00:00Z"}, 422),
        ({"starts_at": "2026-04-02T06:00:00Z"}, 422),
        ({"starts_at": "2026-03-02T06:00:00"}, 422),
        ({"starts_at": "2026-03-02T18:00:00Z"}, 409),  # the gate is closed at one in the night
        ({"trip_id": 999_999}, 404),
        ({"trip_id": -1}, 422),
    ],
)
def test_what_cannot_be_booked_is_refused(desk: Desk, body: dict[str, Any], status: int) -> None:
    whole = {"trip_id": desk.trip(), "starts_at": "2026-03-02T06:00:00Z", **body}
    answer = desk.enterprise.post("/api/v1/bookings", json=whole)
    assert answer.status_code == status, answer.text


def test_an_enterprise_cannot_hoard_an_hour(desk: Desk) -> None:
    desk.set_rules(max_in_hour=2)
    plates = ("29C-444.01", "29C-444.02", "29C-444.03")
    trips = [desk.trip(plate) for plate in plates]
    assert [desk.hold(trip_id, 3).status_code for trip_id in trips] == [201, 201, 409]
    assert desk.hold(trips[2], 4).status_code == 201


# Two want one place


def crowd(desk: Desk, count: int) -> list[tuple[Principal, int]]:
    """Enterprises with a declared trip each, their trucks proven and on file, and who acts for them."""
    query = """
        WITH org AS (INSERT INTO app.organisation (name, kind)
                     SELECT 'Đông ' || n, 'enterprise' FROM generate_series(1, :count) n RETURNING organisation_id),
        numbered AS (SELECT organisation_id, row_number() OVER () AS n FROM org),
        truck AS (INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at)
                  SELECT '30H' || (10000 + n), '30H' || (10000 + n), 'truck', :now FROM numbered
                  RETURNING vehicle_id, plate_norm),
        pair AS (SELECT organisation_id, vehicle_id, n FROM numbered JOIN truck ON plate_norm = '30H' || (10000 + n)),
        held AS (INSERT INTO app.vehicle_holding (vehicle_id, organisation_id, proof, begun_at)
                 SELECT vehicle_id, organisation_id, 'carried_over', :now FROM pair),
        kept AS (INSERT INTO app.registered_vehicle (organisation_id, vehicle_id, vehicle_class, chassis_number,
                                                     created_at)
                 SELECT organisation_id, vehicle_id, 'tractor', 'LZZ5XX' || (10000 + n), :now FROM pair)
        INSERT INTO app.trip (code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, direction,
                              gate_id, planned_arrival, stage, stage_since, created_at, procedure_id)
        SELECT 'CROWD-' || n, vehicle_id, organisation_id, 'x', 'general', false, 'export', 'export', 'huu-nghi', :now,
               'planned', :now, :now, (SELECT max(procedure_id) FROM app.procedure) FROM pair
        RETURNING organisation_id, trip_id
    """
    with desk.runtime.sessions.begin() as session:
        rows = session.execute(text(query), {"count": count, "now": desk.runtime.clock.now()}).all()
    account_id = desk.enterprise.account_id  # type: ignore[attr-defined]
    return [
        (Principal(account_id, "x", "x", Role.ENTERPRISE, organisation_id, None, None, "vi", b"", ""), trip_id)
        for organisation_id, trip_id in rows
    ]


def rush(desk: Desk, people: list[tuple[Principal, int]], starts_at: datetime, connections: int = 40) -> list[int]:
    """All of them ask for the hour at once; which trips got the place."""
    url = make_url(desk.runtime.settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg2")
    engine = create_engine(url, pool_size=connections, max_overflow=0, pool_timeout=300)
    now = desk.runtime.clock.now()

    def ask(person: tuple[Principal, int]) -> int | None:
        principal, trip_id = person
        with Session(engine) as session:
            try:
                booking = service.hold(ActionContext(session, principal, now), trip_id, starts_at)
            except ConflictError:
                return None
            session.commit()
            return booking.trip_id

    with ThreadPoolExecutor(max_workers=len(people)) as pool:
        won = [trip_id for trip_id in pool.map(ask, people) if trip_id is not None]
    engine.dispose()
    return won


def test_of_200_who_want_the_last_place_one_gets_it_and_a_cancelled_one_is_offered_once(desk: Desk) -> None:
    desk.set_places(1)
    desk.set_rules(unreserved_share=0.0, priority_share=0.0)
    starts_at = desk.hour(4)
    people = crowd(desk, 200)
    won = rush(desk, people, starts_at)
    assert len(won) == 1
    with desk.runtime.sessions.begin() as session:
        assert session.execute(text("SELECT state, count(*) FROM app.booking GROUP BY 1")).all() == [("held", 1)]
        by_trip = {trip_id: principal for principal, trip_id in people}
        action = ActionContext(session, by_trip[won[0]], desk.runtime.clock.now())
        booking = service.find_of_trip(session, won[0])
        assert booking is not None
        service.cancel(action, booking.booking.booking_id)
    again = rush(desk, people[:40], starts_at, connections=20)
    assert len(again) == 1


def test_who_stands_by_is_offered_what_becomes_free_before_anybody_else(desk: Desk) -> None:
    desk.set_places(1)
    desk.set_rules(unreserved_share=0.0, priority_share=0.0)
    first, second, third = desk.trip(PLATE), desk.trip(OTHER), desk.trip("29C-333.33")
    booking_id = desk.book(first, 5)
    assert desk.hold(second, 5).status_code == 409
    waiting = desk.hold(second, 5, stand_by=True).json()
    assert (waiting["state"], waiting["yard_id"]) == ("standby", None)
    assert desk.act(booking_id, "cancel").json()["state"] == "cancelled_in_time"
    assert desk.act(booking_id, "cancel").json()["state"] == "cancelled_in_time"
    assert desk.state(waiting["booking_id"])["state"] == "held"
    assert "became free" in " ".join(desk.told())
    assert desk.hold(third, 5).status_code == 409
    desk.advance(11 / 60)
    desk.minute()
    assert desk.state(waiting["booking_id"])["state"] == "lapsed"
    body = {"trip_id": third, "starts_at": waiting["starts_at"]}
    assert desk.enterprise.post("/api/v1/bookings", json=body).status_code == 201


# Consequences


def test_two_late_cancellations_block_the_vehicle_and_an_appeal_frees_it(desk: Desk) -> None:
    trip_id = desk.trip(planned_arrival=(desk.hour(30)).isoformat())
    for _ in range(2):
        booking_id = desk.book(trip_id, 2)
        assert desk.act(booking_id, "cancel").json()["state"] == "cancelled_late"
    blocked = desk.hold(trip_id, 5)
    assert (blocked.status_code, "16/03" in blocked.json()["detail"]) == (409, True), blocked.text
    assert desk.act(booking_id, "appeal", text="Xe hỏng").json()["appealed_at"]
    assert desk.act(booking_id, "appeal", text="Nữa").status_code == 409
    decider = desk.gate.person("gate_management")
    where = f"/api/v1/bookings/{booking_id}/decide"
    body = {"accept": True, "reason": "Có giấy"}
    assert desk.gate.person("gate_management", THERE).post(where, json=body).status_code == 404
    assert decider.post(where, json={"accept": True, "reason": " "}).status_code == 422
    assert decider.post(where, json=body).json()["state"] == "excused"
    assert decider.post(where, json=body).status_code == 409
    assert desk.hold(trip_id, 5).status_code == 201


def test_called_up_when_the_way_is_free_and_missed_only_after_that(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 2)
    assert desk.minute().called_up == 0, "its hour is not near"
    desk.advance(1)
    assert desk.minute(**{HERE: 31.0}).called_up == 0, "the queue is long"
    desk.advance(3)
    assert desk.minute(**{HERE: 31.0}).followed == 0, "who was not called up has missed nothing"
    assert desk.minute(**{HERE: 5.0}).called_up == 1
    assert "come now" in desk.told()[0]
    assert desk.act(booking_id, "extend", hours=2).status_code == 409
    desk.advance(1.9)
    desk.minute()
    assert desk.state(booking_id)["state"] == "called_up"
    desk.advance(0.2)
    desk.minute()
    assert desk.state(booking_id)["state"] == "no_show"
    assert "did not come" in desk.told()[0]


def test_a_truck_at_the_gate_has_arrived(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 2)
    board = desk.gate.sign_in("planner").get("/api/v1/board").json()
    assert {gate["gate_id"]: gate["booked_veh"] for gate in board["gates"]}[HERE] == 1
    desk.gate.arrive(PLATE)
    desk.minute()
    assert desk.state(booking_id)["state"] == "booked", "two hours before its time it waits like everybody"
    desk.advance(1.5)
    desk.minute()
    assert desk.state(booking_id)["state"] == "arrived"
    with desk.runtime.sessions() as session:
        assert service.count_expected(session) == {}
        assert len(service.kept_places(session)) == 1, "its place is kept until it is in the yard"


def test_a_cancelled_trip_gives_its_place_back(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 6)
    with desk.runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.trip SET stage = 'cancelled' WHERE trip_id = :trip_id"), {"trip_id": trip_id})
    desk.minute()
    assert desk.state(booking_id)["state"] == "cancelled_in_time"


def test_a_booking_is_not_handed_to_another_truck_by_declaring_the_trip_for_it(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 6)
    with desk.runtime.sessions.begin() as session:
        session.execute(
            text(
                "WITH other AS (INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) "
                "VALUES ('29C-999.99', '29C99999', 'truck', now()) RETURNING vehicle_id) "
                "UPDATE app.trip SET vehicle_id = other.vehicle_id FROM other WHERE trip_id = :trip_id"
            ),
            {"trip_id": trip_id},
        )
    desk.minute()
    assert desk.state(booking_id)["state"] == "cancelled_in_time"


def test_a_trip_declared_for_another_gate_takes_its_booking_along(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 6)
    with desk.runtime.sessions.begin() as session:
        session.execute(
            text("UPDATE app.trip SET gate_id = 'tan-thanh' WHERE trip_id = :trip_id"), {"trip_id": trip_id}
        )
    desk.minute()
    assert (desk.state(booking_id)["gate_id"], desk.state(booking_id)["state"]) == (THERE, "booked")


# Moved


def test_a_diverted_trip_takes_its_booking_along(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 4)
    before = desk.state(booking_id)
    order_id, driver = order_divert(desk.gate, on_the_road(desk.gate))
    for _ in range(2):
        assert driver.post(f"/api/v1/orders/{order_id}/acknowledge").status_code == 200
    after = desk.state(booking_id)
    assert (after["gate_id"], after["yard_id"], after["state"]) == (THERE, "bao-nguyen", "booked")
    assert after["starts_at"] == before["starts_at"]
    assert "went along to the other gate" in " ".join(desk.told())


def test_a_closed_yard_moves_the_booking_and_says_why(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 3)
    before = desk.state(booking_id)
    operator = desk.gate.person("yard_operator")
    until = desk.hour(6).isoformat()
    closed = operator.post("/api/v1/yards/xuan-cuong/closures", json={"until": until, "reason": "Ngập nước"})
    assert closed.status_code == 201, closed.text
    after = desk.state(booking_id)
    assert (before["starts_at"], after["starts_at"]) == ("2026-03-02T06:00:00Z", "2026-03-02T09:00:00Z")
    assert (after["state"], after["reason"]) == ("booked", "Ngập nước")
    said = f"{PLATE}: Xuân Cương yard was closed (Ngập nước); a place is booked in Xuân Cương yard, 16:00 02/03"
    assert desk.told()[0] == said


def test_hours_in_which_the_yard_takes_nobody_are_not_booked_and_lose_their_bookings(desk: Desk) -> None:
    booking_id = desk.book(desk.trip(), 3)
    planner, url = desk.gate.person("planner"), "/api/v1/yards/xuan-cuong"
    state = planner.get(url)
    headers = {"If-Match": state.headers["ETag"]}
    body = {"capacity": state.json()["capacity"], "opening_hours": "06:00-12:00"}
    assert planner.patch(url, json=body, headers=headers).status_code == 200
    assert desk.hold(desk.trip("29C-200.02"), 4).status_code == 409
    assert desk.hold(desk.trip("29C-200.03"), 1).status_code == 201
    assert desk.minute().moved == 1
    assert desk.state(booking_id)["starts_at"] == "2026-03-03T00:00:00Z", "when gate and yard are open again"


def test_a_gate_without_any_place_releases_and_nothing_counts(desk: Desk) -> None:
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 3)
    desk.set_places(0)
    desk.set_places(0, "bao-nguyen")  # and no other gate has a place
    assert desk.minute().moved == 1
    assert desk.state(booking_id)["state"] == "released"
    desk.set_places(9)
    assert desk.hold(trip_id, 3).status_code == 201


# The plan


def test_the_plan_tells_a_booked_truck_its_hour_and_keeps_its_place(desk: Desk) -> None:
    now = desk.runtime.clock.now()

    def coming(trip_id: int, index: int) -> ComingTruck:
        return ComingTruck(
            index=index,
            vehicle_id=trip_id,
            trip_id=trip_id,
            gate_id=HERE,
            perishable=False,
            goods_class="general",
            regime="export",
            declared_at=None,
            planned_arrival=now,
            organisation_id=None,
            driver_id=None,
        )

    yard_ids = ["xuan-cuong", "bao-nguyen"]
    starts_at = now + timedelta(hours=3)
    arrivals = [
        (coming(1, 0), [3600.0, np.inf]),  # early: waits for its hour
        (coming(2, 1), [5 * 3600.0, np.inf]),  # late: goes in when it comes
        (coming(3, -1), [0.0, 0.0]),  # at home: is told its hour
        (coming(4, 2), [600.0, np.inf]),  # has no booking
        (coming(5, 3), [np.inf, 900.0]),  # the road no longer leads there
    ]
    kept = [KeptPlace(trip_id, "xuan-cuong", starts_at) for trip_id in (1, 2, 3, 5, 6)]
    booked, promised = split_booked(arrivals, kept, yard_ids, now)
    told = {place.trip_id: (place.place_free_at - now, place.wait_s, place.reason["code"]) for _, place in booked}
    assert told == {
        1: (timedelta(hours=3), 7200, "booked"),
        2: (timedelta(hours=5), 0, "booked"),
        3: (timedelta(hours=3), 0, "booked"),
    }
    assert sorted(place.free_s for place in promised) == [10800.0, 10800.0, 10800.0, 18000.0], (
        "and that of a truck unseen"
    )


def test_a_minute_of_the_platform_plans_around_a_booking(desk: Desk) -> None:
    desk.runtime.settings.forecast_runs = 8
    trip_id = desk.trip()
    booking_id = desk.book(trip_id, 5)
    on_the_road(desk.gate)
    minute = Minute.of(desk.runtime).run()
    assert not minute.failed

    def check_plan_and_booking_agree() -> str:
        places = desk.enterprise.get("/api/v1/assignments").json()["items"]
        place = next(item for item in places if item["trip_id"] == trip_id)
        booking = desk.state(booking_id)
        assert (place["yard_id"], place["place_free_at"]) == (booking["yard_id"], booking["starts_at"])
        assert place["text"].startswith("A place is booked for the truck from")
        return str(booking["starts_at"])

    before = check_plan_and_booking_agree()
    closure = {"until": desk.hour(6).isoformat(), "reason": "Ngập nước"}
    closed = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures", json=closure)
    assert closed.status_code == 201, closed.text
    assert check_plan_and_booking_agree() > before, "without waiting for the next plan"
