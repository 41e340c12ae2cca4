"""Zones, closures and prices over the API and on the page, and what the yard then holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.control.minute import Minute
from app.forecasting.state import assemble
from app.gates.service import seed_profiles
from app.planning.service import places_of
from app.platform.runtime import Runtime
from app.yards import closure_trial
from capacity import problem_archive, zone_store
from capacity import store as capacity_store
from routing.graph import build_network
from routing.scenario import parse_scenario
from tests.app.dispatching import add_organisation, trip_body

URL = "/api/v1/yards/xuan-cuong"
NOON = {"gates": {"huu-nghi": {"exports_veh_per_day": 100}}}


@pytest.fixture
def ready(runtime: Runtime) -> Runtime:
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return runtime


def test_a_sudden_closure_is_in_the_free_places_and_the_plan_at_once_and_can_be_ended(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    now = ready.clock.now()
    until = (now + timedelta(hours=2)).isoformat()
    made = operator.post(f"{URL}/closures", json={"places_left_veh": 100, "until": until, "reason": "Ngập"})
    assert (made.status_code, made.json()["is_planned"]) == (201, False)
    found = operator.get(URL).json()
    assert found["free"] == 100
    assert [(each["reason"], each["places_left_veh"]) for each in found["closures"]] == [("Ngập", 100)]
    with ready.sessions() as session:
        ahead = zone_store.places_ahead(session, now, 1800.0, 6)["xuan-cuong"]
    assert ahead == [100, 100, 100, 100, 450, 450]
    ended = operator.post(f"{URL}/closures/{made.json()['closure_id']}/end")
    assert ended.status_code == 200
    found = operator.get(URL).json()
    assert (found["free"], found["closures"]) == (450, [])
    assert operator.post(f"{URL}/closures/{made.json()['closure_id']}/end").status_code == 409


def test_the_engine_gets_places_with_their_beginning_and_end(ready: Runtime, sign_in) -> None:
    operator, now = sign_in("yard_operator", gate_id="huu-nghi"), ready.clock.now()
    operator.put(f"{URL}/zones/main", json={"places_veh": 240})
    operator.put(f"{URL}/zones/main", json={"places_veh": 170, "hours": "13:15-14:30"})
    since, until = (now + timedelta(minutes=minutes) for minutes in (37, 91))
    body = {"places_left_veh": 35, "since": since.isoformat(), "until": until.isoformat(), "reason": "Ngập"}
    assert operator.post(f"{URL}/closures", json=body).status_code == 201
    with ready.sessions() as session:
        state = assemble(session, ready.corridor, build_network(ready.corridor), (), now).state
        described = places_of(session, parse_scenario({"name": "day", "start": "13:00", "world": NOON}), now)
    steps = [(each.from_s / 60.0, each.places_veh) for each in state.yard_changes["xuan-cuong"]]
    assert steps[:4] == [(37.0, 35.0), (91.0, 240.0), (195.0, 170.0), (270.0, 240.0)]  # it is ten in the morning
    assert state.yard_changes["bao-nguyen"] == ()
    shown = [(each.from_s / 60.0, each.places_veh) for each in described["xuan-cuong"]]
    assert shown[:3] == [(0.0, 240.0), (15.0, 170.0), (90.0, 240.0)], "what is closed today is no part of a day drawn"


def test_zones_have_effect_from_their_time(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    later = ready.clock.now() + timedelta(hours=1)
    assert planner.put(f"{URL}/zones/cold", json={"kind": "reefer", "places_veh": 60}).status_code == 200
    planner.put(f"{URL}/zones/cold", json={"kind": "reefer", "places_veh": 90, "since": later.isoformat()})
    assert planner.get(URL).json()["capacity"] == 60
    ready.clock.advance(3600)
    assert planner.get(URL).json()["capacity"] == 90
    found = planner.get(f"{URL}/places").json()
    assert [change["places_veh"] for change in found["zones"][0]["changes"]] == [60, 90]


def test_operators_set_zones_of_their_gate_by_hour_and_take_them_back(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    operator.put(f"{URL}/zones/main", json={"places_veh": 300})
    night = operator.put(f"{URL}/zones/main", json={"places_veh": 100, "hours": "22:00-06:00"}).json()
    assert (night["places_veh"], night["changes"][-1]["hours"]) == (300, "22:00–06:00")
    with ready.sessions() as session:
        ahead = zone_store.places_ahead(session, ready.clock.now(), 3600.0, 24)["xuan-cuong"]
    assert ahead == [300] * 12 + [100] * 8 + [300] * 4  # it is ten in the morning
    change = night["changes"][-1]
    assert (change["shift"], bool(change["entered_name"])) == ("day", True)
    undo = f"{URL}/zones/changes/{change['change_id']}/undo"
    taken = operator.post(undo).json()
    assert taken["zones"][0]["changes"][-1]["undone_at"] is not None
    assert operator.post(undo).status_code == 409
    assert operator.post(f"{URL}/zones/changes/999/undo").status_code == 404
    with ready.sessions() as session:
        at_night = zone_store.places_ahead(session, ready.clock.now() + timedelta(hours=13), 0.0, 1)
    assert at_night["xuan-cuong"] == [300]
    other = sign_in("yard_operator", gate_id="tan-thanh")
    assert other.put(f"{URL}/zones/main", json={"places_veh": 1}).status_code == 403
    assert other.post(undo).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"places_veh": -1},
        {"places_veh": 10, "hours": "25:00-26:00"},
        {"places_veh": 10, "since": "2020-01-01T00:00:00Z"},
        {"places_veh": 10, "kind": "helicopter"},
    ],
)
def test_zones_that_cannot_be_are_refused(ready: Runtime, sign_in, body) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    answer = operator.put(f"{URL}/zones/main", json=body)
    assert answer.status_code == 422
    assert operator.get(f"{URL}/places").json()["zones"] == []


def test_prices_hold_from_their_time_and_are_set_once(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    later = (ready.clock.now() + timedelta(hours=1)).isoformat()
    body = {"unit": "day", "price_vnd": 250_000}
    for _ in range(2):
        assert operator.post(f"{URL}/prices", json=body, headers={"Idempotency-Key": "k"}).status_code == 201
    found = operator.post(f"{URL}/prices", json=body | {"price_vnd": 300_000, "since": later}).json()["prices"]
    assert [(price["price_vnd"], price["in_effect"]) for price in found] == [(250_000, True), (300_000, False)]
    ready.clock.advance(3601)
    found = operator.get(f"{URL}/places").json()["prices"]
    assert [price["in_effect"] for price in found] == [False, True]
    taken = operator.post(f"{URL}/prices/{found[1]['price_id']}/undo").json()["prices"]
    assert [price["in_effect"] for price in taken] == [True, False]
    assert operator.post(f"{URL}/prices", json=body | {"zone_id": "nowhere"}).status_code == 404
    assert operator.post(f"{URL}/prices", json=body | {"price_vnd": -1}).status_code == 422
    assert sign_in("driver").post(f"{URL}/prices", json=body).status_code == 403


def test_hours_of_a_yard_are_the_planners_and_close_it_to_the_plan(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    tag = {"If-Match": planner.get(URL).headers["ETag"]}
    assert planner.patch(URL, json={"capacity": 450, "opening_hours": "late"}, headers=tag).status_code == 422
    assert planner.patch(URL, json={"capacity": 450, "opening_hours": "05:00-22:00"}, headers=tag).status_code == 200
    assert planner.get(f"{URL}/places").json()["opening_hours"] == "05:00–22:00"
    with ready.sessions() as session:
        opens = zone_store.open_ahead(session, ready.clock.now(), 3600.0, 24)
    assert opens["xuan-cuong"] == [True] * 12 + [False] * 7 + [True] * 5
    assert opens["bao-nguyen"] == [True] * 24


def test_the_page_shows_who_set_what(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    operator.put(f"{URL}/zones/Khu lạnh", json={"kind": "reefer", "places_veh": 60})
    operator.post(f"{URL}/closures", json={"zone_id": "Khu lạnh", "places_left_veh": 20, "reason": "Sửa ổ cắm"})
    operator.post(f"{URL}/prices", json={"zone_id": "Khu lạnh", "unit": "hour", "price_vnd": 15_000})
    for path in ("places", "places/now"):
        page = operator.get(f"/yard/xuan-cuong/{path}", headers={"Accept-Language": "vi"})
        assert page.status_code == 200
        for text in ("Khu lạnh", "Sửa ổ cắm", "ca ngày", "15.000 ₫ mỗi giờ", "hiện có 20 chỗ"):
            assert text in page.text, text
    assert "<html" not in page.text
    assert operator.get("/yard/bao-nguyen/places").status_code == 403
    assert sign_in("planner").get("/yard/bao-nguyen/places").status_code == 200
    board = operator.get("/yard/xuan-cuong/board", headers={"Accept-Language": "vi"}).text
    assert "Sửa ổ cắm" in board
    assert "đóng 40" in board


def take_places(ready: Runtime, yard_id: str, veh: int) -> None:
    """Take places of a yard out of the newest problem, as bookings do."""
    kept = problem_archive.unpack(ready.redis.get(closure_trial.KEY))
    capacity = kept.problem.capacity_veh.copy()
    capacity[kept.problem.yard_ids.index(yard_id)] -= veh
    closure_trial.keep_problem(ready.redis, replace(kept.problem, capacity_veh=capacity), kept.made_at)


def test_a_closure_is_tried_before_it_is_made(ready: Runtime, sign_in) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi")
    body = {"reason": "Ngập", "until": (ready.clock.now() + timedelta(hours=30)).isoformat()}
    trial = f"{URL}/closures/trial"
    assert operator.post(trial, json=body).status_code == 503
    ready.settings.forecast_runs = 16
    enterprise = sign_in("enterprise", organisation_id=add_organisation(ready, "Nông sản"))
    for number in range(6):
        planned = ready.clock.now() + timedelta(hours=2)
        assert enterprise.post("/api/v1/trips", json=trip_body(f"29C-100.0{number}", planned)).status_code == 201
    assert Minute.of(ready).run().failed == []
    found = operator.post(trial, json=body).json()
    assert found["trucks"] == 6
    yards = {yard["yard_id"]: yard for yard in found["yards"]}
    assert yards["xuan-cuong"]["sent_veh"] == {"before": 6.0, "after": 0.0}
    assert yards["xuan-cuong"]["least_places_veh"]["after"] == 0.0
    played = found["played"]
    assert (played["is_whole"], played["horizon_h"]) == (True, 6.0)
    assert played["more_h_low"] <= played["more_h"] <= played["more_h_high"]
    assert played["queue_h"]["after"] >= played["queue_h"]["before"]
    soon_over = {**body, "until": (ready.clock.now() + timedelta(hours=1)).isoformat()}
    briefly = operator.post(trial, json=soon_over).json()["played"]
    assert (briefly["is_whole"], briefly["begins_later"]) == (False, False)
    assert briefly["more_h"] < played["more_h"], "trucks come when it is over"
    tomorrow = {**body, "since": (ready.clock.now() + timedelta(hours=7)).isoformat()}
    later = operator.post(trial, json=tomorrow).json()["played"]
    assert (later["begins_later"], later["queue_h"]["after"]) == (True, later["queue_h"]["before"])
    elsewhere = found["moved_veh"] + found["unplaced_veh"]["after"]
    assert elsewhere == 6
    assert operator.get(URL).json()["free"] == 450  # nothing was made of it
    assert operator.get(f"{URL}/places").json()["closures"] == []
    take_places(ready, "xuan-cuong", 40)
    partly = operator.post(trial, json=body | {"places_left_veh": 100}).json()
    least = {yard["yard_id"]: yard["least_places_veh"] for yard in partly["yards"]}["xuan-cuong"]
    assert least == {"before": 410.0, "after": 60.0}, "booked places are gone whatever is closed"
    page = operator.post("/yard/xuan-cuong/places/try", json=body, headers={"Accept-Language": "vi"})
    assert "Xe đi Bến bãi Xuân Cương" in page.text
    assert "Chạy thử qua bộ mô phỏng giao thông" in page.text
    assert operator.post("/api/v1/yards/bao-nguyen/closures/trial", json=body).status_code == 403
    assert operator.post(trial, json=body | {"zone_id": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    ("role", "gate_id", "body", "status"),
    [
        ("yard_operator", "tan-thanh", {"reason": "x"}, 403),
        ("driver", None, {"reason": "x"}, 403),
        ("yard_operator", "huu-nghi", {"reason": ""}, 422),
        ("yard_operator", "huu-nghi", {"reason": "x", "zone_id": "nowhere"}, 404),
        ("yard_operator", "huu-nghi", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, 422),
        ("yard_operator", "huu-nghi", {"reason": "x", "places_left_veh": -1}, 422),
    ],
)
def test_what_cannot_be_is_refused(ready: Runtime, sign_in, role, gate_id, body, status) -> None:
    caller = sign_in(role, gate_id=gate_id) if gate_id else sign_in(role)
    assert caller.post(f"{URL}/closures", json=body).status_code == status
    assert sign_in("planner").get(URL).json()["free"] == 450
