"""Yards over the API: states, movements, counts, capacity, places of trips."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from tests.app.dispatching import add_organisation, trip_body


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    return runtime


def test_yards_as_seeded(ready: Runtime, sign_in) -> None:
    items = sign_in("driver").get("/api/v1/yards").json()["items"]
    by_id = {yard["yard_id"]: yard for yard in items}
    assert by_id["xuan-cuong"] | {"as_of": 0} == {
        "yard_id": "xuan-cuong",
        "gate_id": "huu-nghi",
        "kind": "yard",
        "capacity": 450,
        "inside": 0,
        "reserved": 0,
        "free": 450,
        "as_of": 0,
        "version": 1,
        "contradictions": [],
        "closures": [],
        "forecast": None,
        "name": {"vi": "Bến bãi Xuân Cương", "en": "Xuân Cương yard", "zh": "Xuân Cương 停车场"},
    }
    assert by_id["bao-nguyen"]["capacity"] == 1150
    assert {"huu-nghi-temporary", "tan-thanh-temporary"} < set(by_id)


def test_nobody_without_signing_in(ready: Runtime, client) -> None:
    assert client.get("/api/v1/yards").status_code == 401


def test_seeding_again_leaves_what_planners_changed(ready: Runtime) -> None:
    with ready.sessions() as session:
        now = ready.clock.now()
        capacity_store.set_capacity(session, "xuan-cuong", 99, version=1, now=now, by=1)
        capacity_store.seed_yards(session, ready.corridor, now=now)
        assert capacity_store.get_yard(session, "xuan-cuong").capacity_veh == 99


def test_entry_and_exit_by_plate(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    url = "/api/v1/yards/xuan-cuong/movements"
    headers = {"Idempotency-Key": "a-key-of-mine"}
    for _ in range(2):
        answer = operator.post(url, json={"plate": "29c 123.45", "kind": "enter"}, headers=headers)
        assert answer.status_code == 201
        assert answer.json()["inside"] == 1
    assert operator.post(url, json={"plate": "29C12345", "kind": "leave"}).json()["inside"] == 0
    again = operator.post(url, json={"plate": "12R-001.23", "kind": "leave"}).json()
    assert again["contradictions"] == [{"code": "left_never_entered", "trucks_veh": 1, "plates": ["12R00123"]}]
    with ready.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM capacity.movement")) == 3
        assert session.scalar(text("SELECT count(*) FROM app.audit WHERE object_type = 'yard'")) == 3


def test_only_the_own_gate_and_only_operators(ready: Runtime, sign_in) -> None:
    body = {"plate": "29C-123.45", "kind": "enter"}
    operator = sign_in("yard_operator", gate_id="tan-thanh")
    assert operator.post("/api/v1/yards/xuan-cuong/movements", json=body).status_code == 403
    assert operator.post("/api/v1/yards/nowhere/movements", json=body).status_code == 404
    assert operator.post("/api/v1/yards/xuan-cuong/counts", json={"inside": 3}).status_code == 403
    assert sign_in("driver").post("/api/v1/yards/bao-nguyen/movements", json=body).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"plate": "???", "kind": "enter"},
        {"plate": "29C-123.45", "kind": "enter", "time": "2030-01-01T00:00:00Z"},
        {"plate": "29C-123.45", "kind": "enter", "time": "2026-03-02T09:00:00"},
    ],
)
def test_movements_that_cannot_be_are_refused(ready: Runtime, sign_in, body) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    answer = operator.post("/api/v1/yards/xuan-cuong/movements", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_count_that_differs_is_followed_and_shown(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": "29C-123.45", "kind": "enter"})
    ready.clock.advance(60)
    answer = operator.post("/api/v1/yards/xuan-cuong/counts", json={"inside": 460}).json()
    assert (answer["inside"], answer["free"]) == (460, 0)
    found = {contradiction["code"]: contradiction for contradiction in answer["contradictions"]}
    assert found["count_differs"]["difference_veh"] == 459
    assert found["over_capacity"]["over_veh"] == 10
    later = ready.clock.now() - timedelta(minutes=1)
    stale = operator.post("/api/v1/yards/xuan-cuong/counts", json={"inside": 1, "time": later.isoformat()})
    assert stale.status_code == 409


def test_capacity_is_edited_once_by_version(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    tag = planner.get("/api/v1/yards/xuan-cuong").headers["ETag"]
    url = "/api/v1/yards/xuan-cuong"
    assert planner.patch(url, json={"capacity": 500}).status_code == 428
    changed = planner.patch(url, json={"capacity": 500}, headers={"If-Match": tag})
    assert changed.json()["capacity"] == 500
    assert planner.patch(url, json={"capacity": 1}, headers={"If-Match": tag}).status_code == 412
    assert planner.patch(url, json={"capacity": 2}, headers={"If-Match": changed.headers["ETag"]}).status_code == 200
    assert sign_in("driver").patch(url, json={"capacity": 1}, headers={"If-Match": tag}).status_code == 403


def test_gate_settings_are_edited_by_version(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    url = "/api/v1/gates/huu-nghi/settings"
    read = planner.get(url)
    assert read.json()["lanes"] == 4
    changed = planner.patch(url, json={"lanes": 3, "open_to": "20:00"}, headers={"If-Match": read.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["lanes"], changed.json()["open_to"]) == (3, "20:00:00")
    assert planner.patch(url, json={"lanes": 2}, headers={"If-Match": read.headers["ETag"]}).status_code == 412
    assert planner.patch(url, json={"lanes": 0}, headers={"If-Match": changed.headers["ETag"]}).status_code == 422
    assert planner.get("/api/v1/gates/nowhere/settings").status_code == 404


def test_a_truck_in_another_yard_left_the_first_unseen(ready: Runtime) -> None:
    now = ready.clock.now()
    truck = LedgerTruck(7, "29C12345")
    with ready.sessions() as session:
        first = Movement(truck, "enter", now - timedelta(hours=2), "gps", "1")
        second = Movement(truck, "enter", now - timedelta(hours=1), "gps", "2")
        changed = capacity_store.record_movements(session, [("xuan-cuong", first), ("bao-nguyen", second)])
        assert changed == {"xuan-cuong", "bao-nguyen"}
        assert capacity_store.record_movements(session, [("xuan-cuong", first)]) == set()
        states = {state.yard_id: state for state in capacity_store.yard_states(session, now)}
    assert states["xuan-cuong"].inside_veh == 0
    assert [contradiction.code for contradiction in states["xuan-cuong"].contradictions] == ["left_unseen"]
    assert states["bao-nguyen"].inside_veh == 1


def test_a_plate_that_becomes_a_known_vehicle_is_one_truck(ready: Runtime) -> None:
    now = ready.clock.now()
    with ready.sessions() as session:
        by_hand = Movement(LedgerTruck(None, "29C12345"), "enter", now - timedelta(hours=2), "manual")
        capacity_store.record_movements(session, [("xuan-cuong", by_hand)])
        by_gps = Movement(LedgerTruck(7, "29C12345"), "leave", now - timedelta(hours=1), "gps", "9")
        capacity_store.record_movements(session, [("xuan-cuong", by_gps)])
        state = capacity_store.get_yard_state(session, "xuan-cuong", now)
    assert (state.inside_veh, state.contradictions) == (0, ())


def test_two_at_the_barrier_at_once(ready: Runtime) -> None:
    """Reports from several processes at once neither deadlock nor lose a truck."""
    now = ready.clock.now()

    def report(number: int) -> None:
        with ready.sessions() as session:
            yard_id = ("xuan-cuong", "bao-nguyen")[number % 2]
            enter = Movement(LedgerTruck(number), "enter", now - timedelta(minutes=number), "gps", str(number))
            capacity_store.record_movements(session, [(yard_id, enter)])
            session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(report, range(40)))
    with ready.sessions() as session:
        assert {s.yard_id: s.inside_veh for s in capacity_store.yard_states(session, now)} == {
            "xuan-cuong": 20,
            "bao-nguyen": 20,
            "huu-nghi-temporary": 0,
            "tan-thanh-temporary": 0,
        }


def test_cost_does_not_grow_with_history(ready: Runtime) -> None:
    """Neither a state nor a report reads the movements or counts of the past."""
    now = ready.clock.now()
    statements: list[str] = []

    def remember(_connection, _cursor, statement, *_rest) -> None:
        statements.append(" ".join(statement.split()))

    event.listen(ready.engine, "before_cursor_execute", remember)
    try:
        with ready.sessions() as session:
            enter = Movement(LedgerTruck(1), "enter", now - timedelta(minutes=5), "gps", "1")
            capacity_store.record_movements(session, [("xuan-cuong", enter)])
            capacity_store.record_count(session, "xuan-cuong", 3, time=now, now=now, counted_by=None)
            capacity_store.yard_states(session, now)
    finally:
        event.remove(ready.engine, "before_cursor_execute", remember)
    of_history = [
        statement for statement in statements if "capacity.movement" in statement or "capacity.count" in statement
    ]
    assert of_history
    assert all(statement.startswith("INSERT") for statement in of_history)


def test_the_operators_page(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": "29C-123.45", "kind": "enter"})
    operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": "98C-111.11", "kind": "leave"})
    operator.post("/api/v1/yards/xuan-cuong/counts", json={"inside": 7})
    operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": "98C-222.22", "kind": "leave"})
    page = operator.get("/yard")
    assert page.status_code == 200
    assert "29C-123.45" in page.text
    assert "Bến bãi Xuân Cương" in page.text
    assert "Bảo Nguyên" not in page.text
    assert "thấy 7 xe trong bãi, ghi nhận là 1" in page.text
    board = operator.get("/yard/xuan-cuong/board")
    assert board.status_code == 200
    assert "<html" not in board.text
    assert operator.get("/yard/bao-nguyen/board").status_code == 404
    assert sign_in("driver").get("/yard").status_code == 403
    assert sign_in("yard_operator").get("/yard").status_code == 200


def test_999_typed_in_a_yard_of_450_is_asked_about_and_changes_nothing(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    url = "/api/v1/yards/xuan-cuong/counts"
    operator.post(url, json={"inside": 45})
    refused = operator.post(url, json={"inside": 999}, headers={"Idempotency-Key": "a-typing-error"})
    assert (refused.status_code, refused.json()["code"]) == (409, "unlikely")
    assert "999" in refused.json()["detail"]
    yard = operator.get("/api/v1/yards/xuan-cuong").json()
    assert (yard["inside"], yard["free"]) == (45, 405)
    confirmed = operator.post(url, json={"inside": 999, "confirmed": True})
    assert (confirmed.status_code, confirmed.json()["inside"]) == (201, 999)


def test_the_last_count_is_taken_back_with_what_came_since(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    url = "/api/v1/yards/xuan-cuong/counts"
    for inside in (45, 54):
        operator.post(url, json={"inside": inside})
        ready.clock.advance(60)
    operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": "29C-123.45", "kind": "enter"})
    last, first = operator.get(url).json()["items"]
    assert (last["inside_veh"], last["expected_veh"], first["inside_veh"]) == (54, 45, 45)
    assert last["shift"] in ("day", "night")
    assert last["counted_by"] is not None
    early = operator.post(f"{url}/{first['count_id']}/undo")
    assert early.status_code == 409
    undone = operator.post(f"{url}/{last['count_id']}/undo").json()
    assert undone["inside"] == 46, "the count before, and the truck that came since"
    assert operator.post(f"{url}/{last['count_id']}/undo").status_code == 409
    assert operator.post(f"{url}/999999/undo").status_code == 404
    assert sign_in("yard_operator", gate_id="tan-thanh").post(f"{url}/{first['count_id']}/undo").status_code == 403
    page = operator.get("/yard").text
    assert "Đếm được 54 xe" in page
    assert "đã hủy" in page


def test_reads_of_the_week_say_how_many_are_inside(ready: Runtime, sign_in) -> None:
    now = ready.clock.now()
    moves = []
    for truck in range(200):
        came = now - timedelta(hours=34) + timedelta(minutes=10 * truck)
        moves.append(("xuan-cuong", Movement(LedgerTruck(truck + 1), "enter", came, "camera", f"in-{truck}")))
        left = came + timedelta(hours=4)
        if left < now and truck % 20:
            moves.append(("xuan-cuong", Movement(LedgerTruck(truck + 1), "leave", left, "camera", f"out-{truck}")))
    with ready.sessions() as session:
        capacity_store.record_movements(session, moves)
        session.commit()
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    assert operator.get("/api/v1/yards/bao-nguyen/occupancy").status_code == 404
    found = operator.get("/api/v1/yards/xuan-cuong/occupancy").json()
    inside = sum(came > now - timedelta(hours=4) for _, move in moves if move.kind == "enter" for came in [move.time])
    assert inside > 15
    assert found["low_veh"] <= inside <= found["high_veh"]
    far = operator.post("/api/v1/yards/xuan-cuong/counts", json={"inside": 300})
    assert (far.status_code, far.json()["code"]) == (409, "unlikely")
    assert "đếm" in far.json()["detail"].lower() or "expected" in far.json()["detail"]


def test_a_truck_without_a_trip_or_with_a_fee_due_is_stopped_with_its_reason(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")

    def enter(yard_id: str, plate: str, kind: str = "enter") -> dict[str, str] | None:
        url = f"/api/v1/yards/{yard_id}/movements"
        answer = operator.post(url, json={"plate": plate, "kind": kind})
        assert answer.status_code == 201
        return answer.json()["stop"]

    stop = enter("xuan-cuong", "29C-123.45")
    assert stop == {"code": "no_trip", "text": "Dừng 29C-123.45: xe chưa khai chuyến nào."}
    assert operator.get("/api/v1/yards/xuan-cuong").json()["inside"] == 1  # what was seen is entered all the same
    assert enter("huu-nghi-temporary", "29C-123.46") is None
    enterprise = sign_in("enterprise", organisation_id=add_organisation(ready, "Nông sản"))
    planned = ready.clock.now() + timedelta(hours=2)
    ours = enterprise.post("/api/v1/trips", json=trip_body("29C-200.01", planned)).json()["trip_id"]
    other = trip_body("29C-200.02", planned) | {"gate_id": "tan-thanh"}
    assert enterprise.post("/api/v1/trips", json=other).status_code == 201
    assert enter("xuan-cuong", "29C-200.01") is None
    assert (enter("xuan-cuong", "29C-200.02") or {})["code"] == "other_gate"
    with ready.engine.begin() as connection:
        columns = "trip_id, step, status, since, data, is_live"
        step = f"INSERT INTO app.trip_step ({columns}) VALUES (:t, 'fee', 'waiting', now(), '{{}}', true)"
        connection.execute(text(step), {"t": ours})
    assert enter("xuan-cuong", "29C-200.01", "leave") is None  # its turn has not come
    with ready.engine.begin() as connection:
        connection.execute(text("UPDATE app.trip_step SET status = 'ready' WHERE trip_id = :t"), {"t": ours})
    assert (enter("xuan-cuong", "29C-200.01") or {})["code"] == "fee_unpaid"
    with ready.engine.begin() as connection:
        connection.execute(text("UPDATE app.trip_step SET status = 'done' WHERE trip_id = :t"), {"t": ours})
    assert enter("xuan-cuong", "29C-200.01", "leave") is None


def test_odd_trucks_are_settled_one_by_one(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    url = "/api/v1/yards/xuan-cuong"
    for plate in ("12R-001.23", "12R-001.24"):
        operator.post(f"{url}/movements", json={"plate": plate, "kind": "leave"})
    page = operator.get("/yard/xuan-cuong/board").text
    assert page.count("đã ra, nhưng không ai thấy vào") == 2
    settled = operator.post(f"{url}/differences/p12R00123/settle")
    assert [found["plates"] for found in settled.json()["contradictions"]] == [["12R00124"]]
    assert operator.post(f"{url}/differences/p12R00123/settle").status_code == 409
    ready.clock.advance(60)
    operator.post(f"{url}/movements", json={"plate": "12R-001.24", "kind": "enter"})  # the other answer: it is inside
    found = operator.get(url).json()
    assert (found["inside"], found["contradictions"]) == (1, [])
    assert sign_in("yard_operator", gate_id="tan-thanh").post(f"{url}/differences/x/settle").status_code == 403
