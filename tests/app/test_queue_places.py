"""The place of each waiting truck: the same on every page, and moved by what is recorded only."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.control.minute import Minute
from app.forecasting.waiting import Waiting, WaitingTruck
from app.gates.profile import DeclaredLanes
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from app.trip_eta.queue_places import Facts, QueuePlace, follow, line_up, tell
from app.trip_eta.vocabulary import MoveKind
from capacity import store as capacity_store
from tests.profiles import examples

from .test_control import pass_site, put_trucks

SignIn = Callable[..., TestClient]
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
GATE = "huu-nghi"


def truck(number: int, way_m: float | None, **values: object) -> WaitingTruck:
    plain = WaitingTruck(number, number, GATE, way_m, 1.0, NOW - timedelta(minutes=number), perishable=False)
    return replace(plain, **values)  # type: ignore[arg-type]


def places(trucks: Sequence[WaitingTruck], before: Sequence[QueuePlace] = (), **facts: object) -> list[QueuePlace]:
    return follow(before, Waiting(tuple(trucks)), Facts(**facts), LATER if before else NOW)  # type: ignore[arg-type]


def numbers(found: Sequence[QueuePlace]) -> dict[int, int]:
    return {place.vehicle_id: place.number for place in found}


def moves(place: QueuePlace) -> dict[str, tuple[int, int]]:
    return {move["kind"]: (move["count"], move["change"]) for move in place.moves}


def test_the_nearest_is_the_first() -> None:
    found = places([truck(1, 300.0), truck(2, 20.0), truck(3, 150.0)])
    assert numbers(found) == {2: 1, 3: 2, 1: 3}
    assert [place.ahead for place in found] == [0, 1, 2]


def test_trucks_that_nobody_sees_count_ahead() -> None:
    found = places([truck(1, 20.0, trip_id=None, worth_veh=2.6), truck(2, 60.0), truck(3, 90.0)])
    assert numbers(found) == {1: 1, 2: 4, 3: 5}


def test_a_few_metres_are_no_overtaking() -> None:
    before = places([truck(1, 100.0), truck(2, 112.0)])
    assert numbers(places([truck(1, 60.0), truck(2, 55.0)], before)) == {1: 1, 2: 2}
    assert numbers(places([truck(1, 100.0), truck(2, 60.0)], before)) == {2: 1, 1: 2}


def test_a_truck_without_gps_is_put_in_by_when_it_came() -> None:
    line = line_up([truck(30, 50.0), truck(20, 100.0), truck(10, 150.0), truck(15, None), truck(40, None)], {})
    assert [each.vehicle_id for each in line] == [40, 30, 20, 15, 10]


def test_who_is_held_comes_after_the_line() -> None:
    found = places([truck(1, 5.0, held_until=LATER), truck(2, 9000.0), truck(3, 4.0, held_until=NOW)])
    assert numbers(found) == {2: 1, 3: 2, 1: 3}


def test_why_a_place_moved_is_told_from_what_is_recorded() -> None:
    line = [truck(1, 20.0), truck(2, 50.0), truck(3, 80.0), truck(4, 110.0), truck(5, 140.0), truck(6, 170.0)]
    before = places([*line, truck(7, 400.0, perishable=True)])
    waiting = Waiting(
        (truck(7, 10.0, perishable=True), truck(4, 60.0), truck(6, 170.0), truck(8, 20.0)),
        went_in={1: LATER, 5: LATER},
        seen=frozenset({2, 4, 6, 7, 8}),
    )
    lanes = [DeclaredLanes(GATE, LATER, 0.5), DeclaredLanes("tan-thanh", LATER, 2.0)]
    found = {place.vehicle_id: place for place in follow(before, waiting, Facts(lanes=lanes), LATER)}
    assert numbers(list(found.values())) == {7: 1, 8: 2, 4: 3, 6: 4}
    assert moves(found[4]) == {
        MoveKind.WENT_IN: (1, -1),
        MoveKind.LEFT: (1, -1),
        MoveKind.UNSEEN: (1, -1),
        MoveKind.LET_PERISHABLE: (1, 1),
        MoveKind.CAME_AHEAD: (1, 1),
        MoveKind.TAKEN_BEFORE: (1, 0),
        MoveKind.LANES_CLOSED: (1, 0),
    }
    assert moves(found[8]) == {}, "it has only just come"


def test_perishables_that_went_in_from_behind_were_let_pass() -> None:
    before = places([truck(1, 20.0), truck(2, 50.0, perishable=True), truck(3, 80.0, perishable=True)])
    waiting = Waiting((truck(1, 20.0),), went_in={2: LATER, 3: LATER})
    (found,) = follow(before, waiting, Facts(), LATER)
    assert (found.number, moves(found)) == (1, {MoveKind.LET_PERISHABLE: (2, 0)})


def test_moves_of_a_kind_are_told_as_one_and_forgotten_in_time() -> None:
    told = tell([], [(MoveKind.WENT_IN, 2, -2)], NOW)
    told = tell(told, [(MoveKind.LEFT, 1, -1)], NOW + timedelta(minutes=5))
    told = tell(told, [(MoveKind.WENT_IN, 1, -1)], NOW + timedelta(minutes=10))
    assert [(move["kind"], move["count"], move["change"]) for move in told] == [("left", 1, -1), ("went_in", 3, -3)]
    told = tell(told, [(MoveKind.WENT_IN, 1, -1)], NOW + timedelta(minutes=30))
    assert [move["count"] for move in told] == [1, 3, 1]
    assert [move["kind"] for move in tell(told, [], NOW + timedelta(minutes=80))] == ["went_in"]


@st.composite
def lines(draw: st.DrawFn) -> list[WaitingTruck]:
    ids = draw(st.lists(st.integers(1, 14), unique=True, max_size=12))
    return [
        truck(
            number,
            draw(st.none() | st.floats(0.0, 400.0)),
            perishable=draw(st.booleans()),
            worth_veh=draw(st.sampled_from((1.0, 1.0, 1.7, 3.4))),
            held_until=draw(st.sampled_from((None, None, None, LATER))),
        )
        for number in ids
    ]


@examples(2000)
@given(lines(), lines(), st.sets(st.integers(1, 14)), st.sets(st.integers(1, 14)), st.sets(st.integers(1, 14)))
def test_the_moves_add_up_to_the_change_of_the_number(
    before: list[WaitingTruck], now: list[WaitingTruck], went_in: set[int], seen: set[int], first: set[int]
) -> None:
    previous = places(before, first=first)
    facts = Facts(first=first)
    found = follow(previous, Waiting(tuple(now), dict.fromkeys(went_in, LATER), frozenset(seen)), facts, LATER)
    assert {place.vehicle_id for place in found} == {each.vehicle_id for each in now}, "each waiting truck has a place"
    ranked = [place.number for place in found]
    assert ranked == sorted(set(ranked)), "no two have the same"
    if found:
        total = sum(each.worth_veh for each in now)
        assert ranked[0] == 1
        assert ranked[-1] <= total + 0.5 + 1e-9
    old = numbers(previous)
    for place in found:
        if place.vehicle_id in old:
            assert old[place.vehicle_id] + sum(move["change"] for move in place.moves) == place.number
        else:
            assert not place.moves
    again = follow(found, Waiting(tuple(now)), facts, LATER + timedelta(minutes=1))
    assert numbers(again) == numbers(found), "nothing moves a line that stands"
    if len({each.vehicle_id for each in now} & set(old)) == len(old) == len(now):
        kinds = {move["kind"] for place in found for move in place.moves}
        assert not kinds & {MoveKind.WENT_IN, MoveKind.LEFT, MoveKind.UNSEEN}, "nobody left, so nobody is said to have"


@pytest.fixture
def queue(runtime: Runtime) -> list[int]:
    """Five trucks that stand before Hữu Nghị, the forecast of which was made; their vehicle ids, the first first."""
    runtime.settings.forecast_runs = 8
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    vehicles = put_trucks(runtime, [1.2, 1.25, 1.3, 1.35, 1.4], speed_mps=0.0)
    assert Minute.of(runtime).run().failed == []
    return vehicles


def test_driver_enterprise_police_and_public_are_told_the_same(
    runtime: Runtime, sign_in: SignIn, client: TestClient, queue: list[int]
) -> None:
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET code = '7KMD-2XRT-9PQW' WHERE vehicle_id = :v"), {"v": queue[2]})
        trip_id, organisation_id = session.execute(
            text("SELECT trip_id, organisation_id FROM app.trip WHERE vehicle_id = :v"), {"v": queue[2]}
        ).one()
        pass_site(session, queue[0], GATE, "enter", runtime.clock.now())
        session.execute(text("DELETE FROM ingest.last_position WHERE vehicle_id = :v"), {"v": queue[0]})
        session.commit()
    runtime.clock.advance(60)  # type: ignore[attr-defined]
    assert Minute.of(runtime).run().failed == []
    address = f"/api/v1/outlooks/{trip_id}/queue-place"
    police = sign_in("traffic_police").get(address).json()
    assert (police["number"], police["ahead"]) == (2, 1)
    enterprise = sign_in("enterprise", organisation_id=organisation_id)
    driver = sign_in("driver", vehicle_id=queue[2])
    assert enterprise.get(address).json() == police == driver.get(address).json()
    pages = {
        "driver": driver.get("/driver", headers={"accept": "text/html"}),
        "enterprise": enterprise.get(f"/enterprise/trips/{trip_id}", headers={"accept": "text/html"}),
        "public": client.get("/t/7KMD-2XRT-9PQW"),
    }
    told = [police[name] for name in ("headline", "ahead_text", "expected_text")]
    told += [move["text"] for move in police["moves"]]
    assert len(told) > 3, police
    for name, page in pages.items():
        assert page.status_code == 200
        shown = html.unescape(page.text)
        for sentence in told:
            assert sentence in shown, f"{name}: {sentence}"
    queue_veh = sign_in("traffic_police").get(f"/api/v1/forecasts/latest?gate={GATE}").json()["now"]["queue_veh"]
    assert queue_veh == 4


def test_who_drove_on_behind_the_barrier_went_in(runtime: Runtime, sign_in: SignIn, queue: list[int]) -> None:
    """Before its passage is noticed: it is seen behind the entrance."""
    (road_id,), (offset_m,) = runtime.corridor.place_at("QL1A", [0.6])
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE ingest.last_position SET road_id = :r, offset_m = :o, km = 0.6 WHERE vehicle_id = :v"),
            {"r": int(road_id), "o": float(offset_m), "v": queue[0]},
        )
        session.commit()
    runtime.clock.advance(60)  # type: ignore[attr-defined]
    assert Minute.of(runtime).run().failed == []
    driver = sign_in("driver", vehicle_id=queue[1])
    (outlook,) = driver.get("/api/v1/outlooks").json()["items"]
    place = driver.get(f"/api/v1/outlooks/{outlook['trip_id']}/queue-place").json()
    assert (place["number"], [move["kind"] for move in place["moves"]]) == (1, ["went_in"])


def test_the_expected_time_is_that_of_the_trip(runtime: Runtime, sign_in: SignIn, queue: list[int]) -> None:
    driver = sign_in("driver", vehicle_id=queue[4])
    (outlook,) = driver.get("/api/v1/outlooks").json()["items"]
    place = driver.get(f"/api/v1/outlooks/{outlook['trip_id']}/queue-place").json()
    assert place["enter_at"] == outlook["enter_at"]
    assert place["number"] == 5


def test_who_waits_nowhere_has_no_place_and_nobody_sees_that_of_others(
    runtime: Runtime, sign_in: SignIn, queue: list[int]
) -> None:
    (far,) = put_trucks(runtime, [30.0], first=100)
    police = sign_in("traffic_police")
    trips = {each["vehicle_id"]: each["trip_id"] for each in police.get("/api/v1/outlooks").json()["items"]}
    assert police.get(f"/api/v1/outlooks/{trips[far]}/queue-place").status_code == 404
    other = sign_in("driver", vehicle_id=far)
    assert other.get(f"/api/v1/outlooks/{trips[queue[0]]}/queue-place").status_code == 404
    runtime.clock.advance(11 * 60)  # type: ignore[attr-defined]
    assert police.get(f"/api/v1/outlooks/{trips[queue[0]]}/queue-place").status_code == 404, "made too long ago"


def test_a_truck_that_went_through_is_told_no_place(runtime: Runtime, sign_in: SignIn, queue: list[int]) -> None:
    driver = sign_in("driver", vehicle_id=queue[0])
    (outlook,) = driver.get("/api/v1/outlooks").json()["items"]
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'in_the_yard' WHERE vehicle_id = :v"), {"v": queue[0]})
        session.commit()
    assert driver.get(f"/api/v1/outlooks/{outlook['trip_id']}/queue-place").status_code == 404
