"""A trip that goes to another gate takes procedure, fee, collector and yard place along, and leaves there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.gates import service as gates
from app.gates.profile import default_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.dispatching import put_truck
from tests.app.equipping import one, rekor, send, set_up
from tests.app.paying import fine, pay
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
HERE, THERE = "huu-nghi", "tan-thanh"
PLATE = "29C-123.45"
WAY = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        gates.seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return Gate.open(runtime, sign_in)


def on_the_road(gate: Gate) -> int:
    """The truck is under way on the shared road; its id."""
    with gate.runtime.sessions() as session:
        now = gate.runtime.clock.now()
        vehicle_id = put_truck(session, gate.runtime.corridor, PLATE, time=now, km=30.0)
        session.commit()
    return vehicle_id


def order_divert(gate: Gate, vehicle_id: int) -> tuple[int, TestClient]:
    """An order to the other gate, and its driver."""
    driver = gate.sign_in("driver", organisation_id=gate.organisation_id, vehicle_id=vehicle_id, locale="en")
    body = {
        "kind": "divert",
        "selection": {"vehicle_ids": [vehicle_id]},
        "parameters": {"gate_id": THERE, "reason": "shorter_wait"},
        "valid_to": (gate.runtime.clock.now() + timedelta(hours=2)).isoformat(),
    }
    answer = fine(gate.sign_in("traffic_police").post("/api/v1/orders", json=body))
    return int(answer.json()["order_id"]), driver


def confirm(gate: Gate, role: str, trip_id: int, step: str) -> Response:
    person = gate.person(role, THERE)
    sheet = fine(person.get(f"/api/v1/trips/{trip_id}/sheet"))
    where = f"/api/v1/trips/{trip_id}/steps/{step}/confirm"
    return fine(person.post(where, json={}, headers={"If-Match": sheet.headers["ETag"]}))


def test_a_diverted_truck_pays_and_leaves_at_the_other_gate(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    vehicle_id = on_the_road(gate)
    order_id, driver = order_divert(gate, vehicle_id)
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    sheet = gate.sheet(trip_id)
    assert sheet["trip"]["gate_id"] == THERE
    assert gate.person("border_guard", HERE).get(f"/api/v1/trips/{trip_id}").status_code == 404
    for role, step in WAY:
        confirm(gate, role, trip_id, step)
    assert pay(gate.person("gate_management", THERE), trip_id).json()["status"] == "paid"
    last = confirm(gate, "border_guard", trip_id, "barrier_2").json()
    assert (last["is_finished"], last["trip"]["stage"]) == (True, "out")
    kinds = [line["kind"] for line in gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["timeline"]]
    assert "gate_changed" in kinds


def test_procedure_fee_and_yard_place_move_in_one_transaction(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    vehicle_id = on_the_road(gate)
    now = gate.runtime.clock.now()
    place = {
        "trip_id": trip_id,
        "vehicle_id": vehicle_id,
        "yard_id": "xuan-cuong",
        "arrive_at": now + timedelta(hours=1),
        "place_free_at": now + timedelta(hours=3),
        "wait_s": 7200,
        "reason": {"code": "wait_for_place", "wait_s": 7200, "leaving_veh": 40},
    }
    with gate.runtime.sessions() as session:
        summary = {"objective": 0.0, "gap": None, "duration_s": 1.0, "summary": {}, "assignments": [place]}
        capacity_store.save_plan(session, made_at=now, status="optimal", **summary)  # type: ignore[arg-type]
        there = {yard.yard_id for yard in capacity_store.yard_states(session, now, gate_id=THERE)}
        session.commit()
    order_id, driver = order_divert(gate, vehicle_id)
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    with gate.runtime.sessions() as session:
        fee = session.execute(text("SELECT gate_id, collector FROM app.fee")).one()
        assert fee.gate_id == THERE
        moved = capacity_store.assignments(session, [trip_id])[trip_id]
        assert moved.yard_id in there
        assert moved.place_free_at == moved.arrive_at
        lines = session.scalars(text("SELECT kind FROM app.trip_event WHERE kind = 'gate_changed'")).all()
        assert len(lines) == 1, "confirming again moves nothing"


def test_a_gate_that_no_longer_takes_the_goods_gets_nobody(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    with gate.runtime.sessions() as session:
        values = default_profiles(gate.runtime.corridor)[THERE].values()
        narrow = values.model_copy(update={"goods": ("timber",)})
        assert gates.publish_simulated(session, THERE, narrow, now=gate.runtime.clock.now())
        session.commit()
    refused = driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    assert refused.status_code == 422
    assert "Fresh fruit" in refused.json()["detail"]
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE
    order = driver.get(f"/api/v1/orders/{order_id}").json()
    assert order["recipients"][0]["status"] in {"sent", "delivered"}, "nothing of it was kept"


def test_a_truck_that_stands_at_its_gate_is_not_moved(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    refused = driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    assert refused.status_code == 409
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE
    assert gate.state(trip_id)["health"] == "done"


def test_money_paid_before_the_divert_counts_after_it(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    assert pay(gate.person("gate_management", HERE), trip_id).json()["status"] == "paid"
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    for role, step in WAY:
        confirm(gate, role, trip_id, step)
    assert gate.state(trip_id)["fee"] == "done"
    assert confirm(gate, "border_guard", trip_id, "barrier_2").json()["is_finished"] is True


def test_what_a_correction_makes_due_again_is_paid_where_the_trip_is_now(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    first, second = gate.person("gate_management", HERE), gate.sign_in("gate_management", gate_id=HERE)
    paid = pay(first, trip_id).json()
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    fee = fine(first.get(f"/api/v1/fees/of-trip/{trip_id}")).json()
    assert (fee["gate_id"], fee["status"]) == (HERE, "paid"), "what is settled stays where it was paid"
    body = {"amount_vnd": paid["amount_vnd"] + 250_000, "reason": "Nhầm loại hàng"}
    where = f"/api/v1/fees/{fee['fee_id']}/correction"
    assert first.post(where, json=body, headers={"If-Match": f'"{fee["version"]}"'}).status_code == 202
    (release,) = fine(second.get("/api/v1/fees/releases")).json()
    decided = second.post(f"/api/v1/fees/releases/{release['release_id']}", json={"approved": True, "reason": ""})
    assert decided.status_code == 204, decided.text
    there = gate.person("gate_management", THERE)
    due = fine(there.get(f"/api/v1/fees/of-trip/{trip_id}")).json()
    assert (due["gate_id"], due["status"], due["outstanding_vnd"]) == (THERE, "due", 250_000)
    for role, step in WAY:
        confirm(gate, role, trip_id, step)
    assert pay(there, trip_id).json()["status"] == "paid"
    assert confirm(gate, "border_guard", trip_id, "barrier_2").json()["is_finished"] is True


def test_a_returned_trip_whose_truck_an_officer_saw_is_not_moved(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    back = gate.act("health_quarantine", trip_id, "health", "return", reasons=["driver_differs"])
    assert back.status_code == 200, back.text
    assert driver.post(f"/api/v1/orders/{order_id}/acknowledge").status_code == 409
    assert gate.state(trip_id)["declaration"] == "returned"
    where = f"/api/v1/declarations/{trip_id}"
    read = gate.person("enterprise").get(where)
    body = {**read.json()["data"], "driver_name": "Trần Văn Bình", "submit": True}
    fine(gate.person("enterprise").put(where, json=body, headers={"If-Match": read.headers["ETag"]}))
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE
    assert gate.state(trip_id)["health"] == "ready"


def test_an_undeclared_trip_is_moved_too(gate: Gate) -> None:
    now = gate.runtime.clock.now()
    body = {
        "plate": PLATE,
        "goods": "Thanh long",
        "goods_class": "fresh_fruit",
        "regime": "export",
        "gate_id": HERE,
        "planned_arrival": (now + timedelta(hours=3)).isoformat(),
    }
    trip_id = fine(gate.person("enterprise").post("/api/v1/trips", json=body)).json()["trip_id"]
    order_id, driver = order_divert(gate, on_the_road(gate))
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    assert gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["gate_id"] == THERE


def test_a_ban_at_the_other_gate_keeps_the_trip_here(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    until = gate.runtime.clock.now() + timedelta(hours=6)
    body = {"cause": "Cửa khẩu bạn dừng tiếp nhận", "goods": ["fresh_fruit"], "ends_at": until.isoformat()}
    fine(gate.person("planner").post(f"/api/v1/gates/{THERE}/bans", json=body))
    refused = driver.post(f"/api/v1/orders/{order_id}/acknowledge")
    assert refused.status_code == 422
    assert "Cửa khẩu bạn dừng tiếp nhận" in refused.json()["detail"]
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE


def test_cameras_and_yards_of_the_new_gate_know_the_diverted_truck(gate: Gate, client: TestClient) -> None:
    trip_id = gate.declare(PLATE)
    order_id, driver = order_divert(gate, on_the_road(gate))
    fine(driver.post(f"/api/v1/orders/{order_id}/acknowledge"))
    administrator = gate.sign_in("administrator")
    camera = set_up(administrator, "plate_camera", "rekor", site_id="tan-thanh-barrier-1", config={"camera_id": "7"})
    gate.runtime.clock.advance(3600)  # type: ignore[attr-defined]
    body = rekor("29C12345", gate.runtime.clock.now())
    assert send(client, camera, body).json() == {"plates": 1, "new": 1}
    read = one(gate.runtime, "SELECT status, trip_id FROM app.plate_read")
    assert (read.status, read.trip_id) == ("matched", trip_id)
    for role, step in WAY[:3]:
        confirm(gate, role, trip_id, step)
    query = (
        "SELECT yard.gate_id FROM capacity.presence JOIN capacity.yard USING (yard_id) "
        "WHERE presence.vehicle_id = (SELECT vehicle_id FROM app.trip WHERE trip_id = :trip_id) AND left_at IS NULL"
    )
    assert one(gate.runtime, query, trip_id=trip_id).gate_id == THERE, "in the ledger of the new gate, and in no other"
