"""How long exports stay in yards: found again, shrunk, told apart from waiting for the crossing, shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.forecasting import stay_learning, stay_store
from app.forecasting.state import compose
from app.forecasting.state_readings import Readings
from app.forecasting.stays import GROUPS, YardStay, learn_stays, with_stays
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from routing.gates import BLOCK_H, BLOCKS, GateSetting, Server, ServiceTime, StayFactors
from routing.graph import build_network
from tests.app.test_control import put_trucks
from tests.app.test_yards import ready as ready

SignIn = Callable[..., TestClient]
NOW = datetime(2026, 3, 20, 16, 0, tzinfo=UTC)
SERVICE_S = 60.0
ASSUMED = ServiceTime(5400.0, 0.6)
ALWAYS = GateSetting(
    "huu-nghi", "export", Server(12, ServiceTime(SERVICE_S, 0.5), OpeningHours.always()), dwell=ASSUMED
)
DAYTIME = GateSetting(
    "huu-nghi", "export", Server(12, ServiceTime(SERVICE_S, 0.5), OpeningHours.parse("07:00–19:00")), dwell=ASSUMED
)


def trucks(
    stays_s: Iterable[float], *, every_s: float = 1200.0, perishable: bool = False, setting: GateSetting = ALWAYS
) -> list[YardStay]:
    """Trucks that come one after another, the last one now, are inspected, and leave when the crossing is open."""
    stays = list(stays_s)
    found = []
    for i, stay_s in enumerate(stays):
        entered = NOW - timedelta(seconds=every_s * (len(stays) - i))
        ready = setting.crossing.hours.next_open(entered + timedelta(seconds=stay_s))
        assert ready is not None
        left = ready + timedelta(seconds=SERVICE_S)
        found.append(YardStay("huu-nghi", entered, left if left <= NOW else None, perishable))
    return found


def lognormal(n: int, mean_s: float, cv: float = 0.5, seed: int = 1) -> list[float]:
    return ServiceTime(mean_s, cv).sample(np.random.default_rng(seed), n).tolist()


@given(st.floats(1800.0, 14400.0), st.floats(0.2, 0.9), st.integers(0, 100))
def test_stays_are_found_again(mean_s: float, cv: float, seed: int) -> None:
    found = learn_stays(trucks(lognormal(1200, mean_s, cv, seed)), [ALWAYS], NOW)["huu-nghi"]
    assert found.mean_s == pytest.approx(mean_s, rel=0.1)
    assert found.cv == pytest.approx(cv, rel=0.25, abs=0.05)
    assert found.low_s <= found.mean_s <= found.high_s
    assert found.trucks + found.unfinished <= 1200


@given(st.floats(600.0, 30000.0), st.integers(0, 60))
def test_what_is_learned_lies_between_profile_and_trucks(stay_s: float, n: int) -> None:
    few = learn_stays(trucks([stay_s] * n), [ALWAYS], NOW)["huu-nghi"]
    assert min(stay_s, 5400.0) * 0.75 <= few.mean_s <= max(stay_s, 5400.0) * 1.25
    if n >= 40:
        assert abs(few.mean_s - stay_s) < abs(5400.0 - stay_s) + 0.25 * stay_s


@given(st.integers(0, 60), st.integers(0, 20))
def test_it_is_surer_with_more_trucks(n: int, seed: int) -> None:
    stays = lognormal(n + 200, 5400.0, 0.6, seed)
    few, many = (learn_stays(trucks(each), [ALWAYS], NOW)["huu-nghi"] for each in (stays[:n], stays))
    assert many.high_s / many.low_s < few.high_s / few.low_s


def test_without_trucks_the_profile_counts() -> None:
    found = learn_stays([], [ALWAYS, GateSetting("x", "import", ALWAYS.crossing)], NOW)
    assert set(found) == {"huu-nghi"}
    assert found["huu-nghi"].mean_s == pytest.approx(5400.0)
    assert found["huu-nghi"].cv == pytest.approx(0.6)
    assert found["huu-nghi"].trucks == 0
    assert found["huu-nghi"].factors == pytest.approx([1.0] * GROUPS)


def test_a_night_in_the_yard_is_the_crossings_and_not_the_trucks() -> None:
    """Trucks come round the clock and need two hours; the crossing is closed from 19:00 to 7:00."""
    stays = trucks(lognormal(1500, 7200.0), setting=DAYTIME)
    whole_s = [(stay.left_at - stay.entered_at).total_seconds() for stay in stays if stay.left_at]
    assert np.mean(whole_s) > 3.5 * 3600.0
    found = learn_stays(stays, [DAYTIME], NOW)["huu-nghi"]
    assert found.mean_s == pytest.approx(7200.0, rel=0.12)
    assert found.unfinished > 50


def test_waiting_for_a_crossing_at_its_limit_is_not_the_trucks() -> None:
    """Twenty an hour come in and need an hour; four times a day thirty more come at once and all wait for one lane."""
    setting = GateSetting(
        "huu-nghi", "export", Server(1, ServiceTime(120.0, 0.5), OpeningHours.always()), dwell=ASSUMED
    )
    entered = [NOW - timedelta(seconds=300.0 * i) for i in range(2000)]
    entered += [NOW - timedelta(hours=6.0 * k, seconds=i) for k in range(1, 28) for i in range(60)]
    stays_s = lognormal(len(entered), 3600.0, 0.4)
    free, stays, waited_s = entered[-1] - timedelta(days=9), [], []
    for done, came in sorted((at + timedelta(seconds=s), at) for at, s in zip(entered, stays_s, strict=True)):
        free = max(free, done) + timedelta(seconds=120.0)
        waited_s.append((free - done).total_seconds() - 120.0)
        stays.append(YardStay("huu-nghi", came, free if free <= NOW else None, False))
    assert np.mean(waited_s) > 600.0
    found = learn_stays(stays, [setting], NOW)["huu-nghi"]
    assert found.mean_s == pytest.approx(3600.0, rel=0.12)


def test_trucks_that_were_forgotten_count_little() -> None:
    stays = trucks(lognormal(400, 5000.0))
    late = timedelta(hours=60)
    forgotten = [YardStay("huu-nghi", stay.entered_at, stay.entered_at + late, False) for stay in stays[:15]]
    plain, odd = (learn_stays(each, [ALWAYS], NOW)["huu-nghi"].mean_s for each in (stays, [*stays, *forgotten]))
    assert odd == pytest.approx(plain, rel=0.12)


def test_goods_and_hours_differ_as_far_as_trucks_show_it() -> None:
    """Fruit takes 40 min, other goods two hours, and twice that for those that come in from 12:00 to 16:00."""
    stays = []
    for perishable, mean_s, seed in ((True, 2400.0, 1), (False, 7200.0, 2)):
        for truck in trucks(lognormal(1500, mean_s, 0.4, seed), perishable=perishable):
            noon = truck.entered_at.astimezone(LOCAL_ZONE).hour // BLOCK_H == 3
            left = truck.left_at and truck.entered_at + (truck.left_at - truck.entered_at) * (2 if noon else 1)
            stays.append(YardStay("huu-nghi", truck.entered_at, left if left and left <= NOW else None, perishable))
    found = learn_stays(stays, [ALWAYS], NOW)["huu-nghi"]
    by_hour = {row.from_h: row for row in found.groups}
    assert by_hour[8].perishable_s == pytest.approx(2400.0, rel=0.15)
    assert by_hour[8].other_s == pytest.approx(7200.0, rel=0.15)
    assert by_hour[12].perishable_s == pytest.approx(4800.0, rel=0.2)
    assert by_hour[12].other_s == pytest.approx(14400.0, rel=0.2)
    assert sum(found.group_trucks) == found.trucks


def test_forecast_plan_and_planner_take_the_same_stay(corridor: Corridor) -> None:
    learned = learn_stays(trucks(lognormal(800, 9000.0)), [ALWAYS], NOW)
    taken = with_stays([ALWAYS, GateSetting("huu-nghi", "import", ALWAYS.crossing)], learned)
    assert taken[0].dwell.mean_s == learned["huu-nghi"].mean_s
    assert taken[1].dwell == ServiceTime(5400.0, 0.6)
    assert with_stays(taken, learned) == taken
    now = compose(Readings(stays=learned), corridor, build_network(corridor), [ALWAYS], NOW)
    assert now.state.gate_settings == taken[:1]


def test_factors_are_those_of_the_hour_in_which_a_truck_comes_in() -> None:
    factors = StayFactors(tuple(range(1, BLOCKS + 1)), tuple(range(11, BLOCKS + 11)))
    entered_h = np.array([0.0, 3.99, 4.0, 23.9, 24.1, -0.5])
    other = factors.of(np.zeros(6, bool), entered_h * 3600.0)
    assert other.tolist() == [1, 1, 2, 6, 1, 6]
    assert factors.of(np.ones(6, bool), entered_h * 3600.0).tolist() == (other + 10).tolist()


def test_what_was_learned_is_kept_and_learned_again_later(session: Session) -> None:
    stay_learning.learn(session, [ALWAYS], NOW)
    kept = stay_store.estimates(session)
    since = NOW - stay_learning.LEARNED_FROM
    assert kept == learn_stays(stay_store.yard_stays(session, since=since, now=NOW), [ALWAYS], NOW)
    longer = GateSetting("huu-nghi", "export", ALWAYS.crossing, dwell=ServiceTime(9000.0, 0.6))
    stay_learning.learn(session, [longer], NOW + timedelta(minutes=9))
    assert stay_store.estimates(session) == kept
    stay_learning.learn(session, [longer], NOW + timedelta(minutes=11))
    assert stay_store.estimates(session)["huu-nghi"].mean_s > kept["huu-nghi"].mean_s
    many = learn_stays(trucks(lognormal(500, 9000.0)), [ALWAYS], NOW)
    stay_store.save_estimates(session, many, NOW)
    stay_learning.learn(session, [ALWAYS], NOW + timedelta(minutes=59))
    assert stay_store.estimates(session) == many
    stay_learning.learn(session, [ALWAYS], NOW + timedelta(minutes=61))
    assert stay_store.estimates(session) == kept


def test_stays_are_read_off_the_ledger(ready: Runtime) -> None:
    """One that is seen to come twice, one that is still inside, one that leaves unseen, and one of no known vehicle."""
    now = ready.clock.now()
    ids = put_trucks(ready, [1.0, 2.0, 3.0], gate=None)

    def moved(truck: LedgerTruck, kind: str, minutes: float, source: str = "gps") -> tuple[str, Movement]:
        return "xuan-cuong", Movement(truck, kind, now - timedelta(minutes=minutes), source)

    one, two, three = (LedgerTruck(vehicle_id, f"29C{i:05d}") for i, vehicle_id in enumerate(ids))
    reports = [
        moved(one, "enter", 200.0),
        moved(one, "enter", 195.0, "camera"),
        moved(one, "leave", 80.0),
        moved(two, "enter", 60.0),
        moved(three, "leave", 30.0),
        moved(LedgerTruck(None, "98C11111"), "enter", 50.0),
    ]
    with ready.sessions.begin() as session:
        capacity_store.record_movements(session, reports)
        found = stay_store.yard_stays(session, since=now - timedelta(hours=12), now=now)
        before = stay_store.yard_stays(session, since=now - timedelta(hours=12), now=now - timedelta(minutes=90))
        nothing = stay_store.yard_stays(session, since=now - timedelta(minutes=20), now=now)
    assert [(stay.gate_id, stay.perishable) for stay in found] == [("huu-nghi", False)] * 2
    assert [(now - stay.entered_at, stay.left_at and now - stay.left_at) for stay in found] == [
        (timedelta(minutes=195), timedelta(minutes=80)),
        (timedelta(minutes=60), None),
    ]
    assert [(now - stay.entered_at, stay.left_at) for stay in before] == [(timedelta(minutes=195), None)]
    assert nothing == []


def test_the_yards_page_says_what_was_learned_and_from_how_many(ready: Runtime, sign_in: SignIn) -> None:
    operator = sign_in("yard_operator", gate_id="huu-nghi", locale="en")
    assert "How long trucks stay" not in operator.get("/yard").text
    few, many = (learn_stays(trucks(lognormal(n, 9000.0)), [ALWAYS], NOW) for n in (0, 500))
    for found, said in (
        (few, "no stay has been followed to its end yet"),
        (many, f"learned from {many['huu-nghi'].trucks} exports"),
    ):
        with ready.sessions.begin() as session:
            stay_store.save_estimates(session, found, NOW)
        page = operator.get("/yard").text
        assert "How long trucks stay" in page
        assert said in page
        assert ("12:00–16:00" in page) == ("80 % sure" in page) == (found is many)
