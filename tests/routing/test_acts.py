"""Acts tried on the corridor now: against doing nothing on the same random numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing.acts import Banned, Closed, Diverted, Held, Laboratory, Released, Worked
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.gates import Server, ServiceTime, StayFactors, assumed_settings
from routing.graph import build_network
from routing.yard_places import PlacesFrom

CORRIDOR = Corridor.default()
NETWORK = build_network(CORRIDOR)
SETTINGS = tuple(
    replace(setting, entrance=Server(2, ServiceTime(150.0, 0.5))) if setting.direction == "export" else setting
    for setting in assumed_settings(CORRIDOR)
)
"""Entrances are the bottleneck: 48 trucks an hour."""
RUNS = 12
HUU_NGHI, TAN_THANH = (NETWORK.gate_ids.index(gate_id) for gate_id in ("huu-nghi", "tan-thanh"))
FAR = np.arange(160, 220)
"""Rows of the trucks that still drive beyond the staging area."""


def state_at(hour: int = 10) -> CorridorState:
    """A queue of 5 km before Huu Nghi and sixty trucks on their way, every second one with fruit."""
    km = np.concatenate([np.arange(1.2, 6.0, 0.03), np.linspace(22, 70, 60)])
    road_id, offset_m = CORRIDOR.place_at("QL1A", km)
    n = km.size
    return CorridorState(
        made_at=datetime(2026, 3, 2, hour - 7, tzinfo=UTC),
        road_id=road_id.astype(np.int64),
        offset_m=offset_m,
        speed_mps=np.where(km < 6.0, 0.8, 12.0),
        gate=np.full(n, HUU_NGHI),
        perishable=np.arange(n) % 2 == 0,
        age_s=np.full(n, 10.0),
        yard=np.full(n, -1),
        yard_since_s=np.zeros(n),
        yard_inside_veh=np.full(len(NETWORK.yard_ids), 40.0),
        yard_capacity_veh=np.full(len(NETWORK.yard_ids), 350.0),
        gate_settings=SETTINGS,
    )


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory(NETWORK, state_at(), seed=7)


def until(hours: float) -> np.ndarray:
    return np.full(FAR.size, hours * 3600.0)


def test_without_an_act_it_is_the_forecast_of_the_same_seed(laboratory: Laboratory) -> None:
    found = laboratory.run([()], RUNS)
    live = forecast(NETWORK, laboratory.state, runs=RUNS, seed=7)
    ranks = [round(q * (RUNS - 1)) for q in live.quantiles]
    for name in ("queue_veh", "wait_s", "tail_km", "occupancy_veh"):
        assert np.array_equal(np.sort(getattr(found, name)[:, 0], axis=0)[ranks], getattr(live, name)), name


def test_so_it_is_whatever_is_known_of_stays_served_places_and_late_positions() -> None:
    stays = StayFactors(other=(0.5, 0.7, 1.0, 2.0, 1.5, 1.0), perishable=(0.4, 0.6, 0.8, 1.6, 1.2, 0.9))
    state = replace(
        state_at(),
        age_s=np.full(state_at().n_trucks, 120.0),
        served_km=np.array([1.1 if g == HUU_NGHI else np.nan for g in range(len(NETWORK.gate_ids))]),
        gate_settings=tuple(replace(setting, stay_factors=stays) for setting in SETTINGS),
    )
    found = Laboratory(NETWORK, state, seed=7).run([()], RUNS)
    live = forecast(NETWORK, state, runs=RUNS, seed=7)
    ranks = [round(q * (RUNS - 1)) for q in live.quantiles]
    for name in ("queue_veh", "wait_s", "tail_km", "occupancy_veh"):
        assert np.array_equal(np.sort(getattr(found, name)[:, 0], axis=0)[ranks], getattr(live, name)), name
    assert np.ptp(live.queue_veh[:, HUU_NGHI, 0]) > 0.0, "late positions make the first point unsure"


def test_worlds_differ_by_the_act_alone_and_not_by_what_else_is_tried(laboratory: Laboratory) -> None:
    act = (Diverted(FAR, "tan-thanh"),)
    both = laboratory.run([(), act, ()], RUNS)
    alone = laboratory.run([act], RUNS - 4, first=4)
    assert np.array_equal(both.queue_veh[:, 0], both.queue_veh[:, 2])
    assert np.array_equal(both.queue_veh[4:, 1], alone.queue_veh[:, 0])
    assert np.array_equal(both.hours[4:, 1], alone.hours[:, 0])
    nobody = laboratory.run([(Held(FAR[:0], "staging-lang-son", until(1)[:0]),)], RUNS)
    assert np.array_equal(both.hours[:, 0], nobody.hours[:, 0])


def test_held_trucks_are_missed_in_the_queue_until_they_go(laboratory: Laboratory) -> None:
    base, held = range(2)
    found = laboratory.run([(), (Held(FAR, "staging-lang-son", until(3)),)], RUNS)
    queue = np.median(found.queue_veh[:, :, HUU_NGHI], axis=0)
    at = round(2.5 * 3600 / found.step_s)
    assert queue[base, at] - queue[held, at] == pytest.approx(FAR.size, abs=6)
    assert queue[held].max() <= queue[base].max()
    assert found.queue_hours[:, held, HUU_NGHI].mean() < found.queue_hours[:, base, HUU_NGHI].mean() - 20
    assert found.hours[:, held].mean() > found.hours[:, base].mean() - 1, "who waits elsewhere waits all the same"


def test_who_is_past_the_area_is_not_held_by_it(laboratory: Laboratory) -> None:
    queueing = np.arange(100)
    act = (Held(queueing, "staging-lang-son", np.full(100, 7200.0)),)
    found = laboratory.run([(), act], 4)
    assert np.array_equal(found.hours[:, 0], found.hours[:, 1])
    assert not laboratory.can_hold(0, "staging-lang-son")
    assert laboratory.can_hold(int(FAR[0]), "staging-lang-son")


def test_fruit_goes_first_when_other_goods_are_held(laboratory: Laboratory) -> None:
    other = FAR[~laboratory.state.perishable[FAR]]
    found = laboratory.run([(), (Held(other, "staging-lang-son", np.full(other.size, 4 * 3600.0)),)], RUNS)
    assert found.perishable_hours[:, 1].mean() < found.perishable_hours[:, 0].mean() - 5


def test_diverted_trucks_stand_at_the_other_gate(laboratory: Laboratory) -> None:
    found = laboratory.run([(), (Diverted(FAR, "tan-thanh"),)], RUNS)
    joined = [np.bincount(found.joined[0][world].gate, minlength=2) for world in range(2)]
    assert joined[1][TAN_THANH] - joined[0][TAN_THANH] == FAR.size
    assert found.hours[:, 1].mean() < found.hours[:, 0].mean() - 10
    assert laboratory.can_divert(int(FAR[0]), "tan-thanh")


def test_a_faster_gate_saves_hours_and_is_no_faster_than_it_can_be(laboratory: Laboratory) -> None:
    acts = [(), (Worked("huu-nghi", faster=1.5),), (Worked("huu-nghi", faster=1.5, max_veh_per_h=1.0),)]
    found = laboratory.run(acts, RUNS)
    assert (found.hours[:, 1] < found.hours[:, 0]).all()
    assert found.hours[:, 2].mean() > found.hours[:, 1].mean()


def test_lanes_taken_from_imports_cost_imports_time(laboratory: Laboratory) -> None:
    found = laboratory.run([(), (Worked("huu-nghi", imports_slower=2.0),)], RUNS)
    assert found.hours[:, 1].mean() > found.hours[:, 0].mean()
    assert np.array_equal(found.queue_veh[:, 0, HUU_NGHI], found.queue_veh[:, 1, HUU_NGHI])


def test_longer_hours_spare_a_night() -> None:
    evening = Laboratory(NETWORK, state_at(16), seed=3)
    found = evening.run([(), (Worked("huu-nghi", longer_s=7200.0),)], RUNS)
    assert found.hours[:, 1].mean() < found.hours[:, 0].mean() - 100


def test_who_may_not_set_out_waits_at_home_and_is_counted(laboratory: Laboratory) -> None:
    ban_s = 5 * 3600.0
    found = laboratory.run([(), (Banned("huu-nghi", ban_s),), (Banned("huu-nghi", ban_s, "other"),)], RUNS)
    joined = [np.mean([(run[world].at_s < 6 * 3600).sum() for run in found.joined]) for world in range(3)]
    assert joined[0] > joined[2] > joined[1]
    assert found.hours[:, 1].mean() >= found.hours[:, 0].mean() - 1, "no hours are won by leaving trucks out"


def test_held_trucks_go_when_they_are_released(laboratory: Laboratory) -> None:
    km = np.full(40, 16.2)
    road_id, offset_m = CORRIDOR.place_at("QL1A", km)
    held = replace(
        laboratory.state,
        road_id=road_id.astype(np.int64),
        offset_m=offset_m,
        speed_mps=np.zeros(40),
        gate=np.full(40, HUU_NGHI),
        perishable=np.zeros(40, bool),
        age_s=np.zeros(40),
        hold_until_s=np.full(40, 5 * 3600.0),
        yard=np.full(40, -1),
        yard_since_s=np.zeros(40),
    )
    standing = Laboratory(NETWORK, held, seed=1)
    rows = np.arange(40)
    acts = [(), (Released(rows, np.zeros(40)),), (Released(rows, 600.0 * np.arange(40)),)]
    found = standing.run(acts, RUNS)
    assert found.hours[:, 1].mean() < found.hours[:, 2].mean() < found.hours[:, 0].mean()
    way_s = standing.way_s("staging-lang-son", "huu-nghi")
    first = [np.sort(found.joined[0][world].at_s)[:3].min() for world in range(3)]
    assert first[1] == pytest.approx(way_s, rel=0.5)


def closed(*places: tuple[float, float], yard_id: str = "xuan-cuong") -> Closed:
    return Closed(yard_id, tuple(PlacesFrom(hours * 3600.0, veh) for hours, veh in places))


def test_a_closed_yard_sends_the_queue_back_and_one_with_its_places_changes_nothing(laboratory: Laboratory) -> None:
    trial = laboratory.run([(), (closed((0, 350)),), (closed((0, 0)),)], RUNS)
    assert np.array_equal(trial.queue_veh[:, 0], trial.queue_veh[:, 1])
    queue, without = (np.median(trial.queue_veh[:, world, HUU_NGHI], axis=0).max() for world in (0, 2))
    assert without > queue
    assert (trial.hours[:, 2] > trial.hours[:, 0]).all()
    with pytest.raises(KeyError):
        laboratory.run([(closed((0, 1), yard_id="nowhere"),)], 1)


ALONE = replace(state_at(), yard_capacity_veh=np.array([60.0 if y == "xuan-cuong" else 0.0 for y in NETWORK.yard_ids]))
"""The gate has this yard alone, and more trucks than it holds."""


def test_a_yard_closes_and_opens_in_the_course_of_a_run() -> None:
    laboratory = Laboratory(NETWORK, ALONE, seed=7)
    yard = NETWORK.yard_ids.index("xuan-cuong")
    for_an_hour = closed((0, 60), (1.5, 20), (3, 80))
    acts = [(), (for_an_hour,), (closed((0, 60), (1.5, 20)),), (closed((0, 60), (1.5, 60)),)]
    trial = laboratory.run(acts, RUNS)
    base, hour, to_the_end, same = (trial.occupancy_veh[:, world, yard] for world in range(4))
    assert np.array_equal(base, same)
    shuts, opens = round(1.5 * 3600 / trial.step_s), round(3 * 3600 / trial.step_s)
    before = trial.queue_veh[:, :, :, :shuts]
    assert np.array_equal(before[:, 0], before[:, 1])
    emptying = hour[:, shuts:opens]
    full = emptying[:, 1:] <= 20.0
    assert ((np.diff(emptying) <= 0.0) | full).all(), "nobody comes in while more are inside than there are places"
    assert full.any()
    assert not full.all()
    assert np.array_equal(hour[:, :opens], to_the_end[:, :opens])
    assert (hour[:, shuts - 1] > 45.0).all()
    assert (hour[:, opens + 6] > emptying[:, -1]).all(), "those who waited at the entrance come in"
    assert 60.0 < hour.max() <= 80.0
    assert (to_the_end[:, opens + 12 :] <= np.maximum(20.0, to_the_end[:, opens, None])).all()
    none, some, most = trial.queue_hours[:, :3, HUU_NGHI].mean(axis=0)
    assert none < some < most


def test_places_that_the_state_knows_to_change_are_those_of_a_closure_that_is_tried() -> None:
    steps = closed((0, 60), (0.75, 0), (2.25, 45))
    known = replace(ALONE, yard_changes={"xuan-cuong": steps.places[1:]})
    made = Laboratory(NETWORK, known, seed=7).run([()], 4)
    tried = Laboratory(NETWORK, ALONE, seed=7).run([(steps,)], 4)
    for name in ("queue_veh", "wait_s", "occupancy_veh", "hours"):
        assert np.array_equal(getattr(made, name), getattr(tried, name)), name
    back = Laboratory(NETWORK, known, seed=7).run([(closed((0, 60)),)], 4)
    never = Laboratory(NETWORK, ALONE, seed=7).run([()], 4)
    assert np.array_equal(back.queue_veh, never.queue_veh)


def test_places_that_cannot_be_are_refused() -> None:
    for places, message in ((closed((0, 60), (1, -3)), "cannot hold -3"), (closed((-1, -2)), "cannot hold -2")):
        with pytest.raises(InvalidInputError, match=message):
            Laboratory(NETWORK, replace(ALONE, yard_changes={"xuan-cuong": places.places}), seed=1)
    with pytest.raises(InvalidInputError, match="no yard nowhere"):
        Laboratory(NETWORK, replace(ALONE, yard_changes={"nowhere": (PlacesFrom(0.0, 1.0),)}), seed=1)
