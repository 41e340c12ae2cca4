"""Scenarios that begin with the corridor as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.gates import assumed_settings
from routing.graph import build_network
from routing.measure import measure_queues
from routing.pace import GatePace
from routing.runs import as_seen, complete_settings
from routing.scenario import (
    Change,
    DemandChange,
    GateChange,
    Hold,
    Scenario,
    ScenarioResult,
    World,
    YardChange,
    run_scenario,
)
from routing.scenario_now import PresentTrucks, read_state, state_record
from routing.scenario_worlds import demand_factor
from routing.study import StudyInputs
from routing.yard_places import PlacesFrom

CORRIDOR = Corridor.default()
NETWORK = build_network(CORRIDOR)
SETTINGS = tuple(assumed_settings(CORRIDOR))
NOW = Scenario(name="now", start="10:00", horizon_h=3, world=World(begins="now"))


@pytest.fixture(scope="module")
def state() -> CorridorState:
    """A queue of 5 km before Huu Nghi, trucks on their way, some in the yards."""
    km = np.concatenate([np.arange(1.2, 6.0, 0.03), np.linspace(10, 70, 60)])
    road_id, offset_m = CORRIDOR.place_at("QL1A", km)
    n = km.size
    return CorridorState(
        made_at=datetime(2026, 3, 2, 3, tzinfo=UTC),
        road_id=road_id.astype(np.int64),
        offset_m=offset_m,
        speed_mps=np.where(km < 6.0, 0.8, np.where(np.arange(n) % 7 == 0, np.nan, 12.0)),
        gate=np.zeros(n, np.int64),
        perishable=np.arange(n) % 2 == 0,
        age_s=np.full(n, 10.0),
        yard=np.full(n, -1),
        yard_since_s=np.zeros(n),
        yard_inside_veh=np.full(len(NETWORK.yard_ids), 40.0),
        yard_capacity_veh=np.full(len(NETWORK.yard_ids), 350.0),
        gate_settings=SETTINGS,
    )


def run(state: CorridorState, change: Change | None = None, runs: int = 16) -> ScenarioResult:
    scenario = NOW.model_copy(update={"change": change or Change()})
    result = run_scenario(CORRIDOR, scenario, seed=5, runs=runs, settings=SETTINGS, state=state)
    assert result is not None
    return result


def test_a_state_survives_being_written_down(state: CorridorState) -> None:
    back = read_state(json.loads(json.dumps(state_record(state))), SETTINGS)
    for name, value in vars(state).items():
        assert np.array_equal(getattr(back, name), value, equal_nan=name == "speed_mps"), name
        if isinstance(value, np.ndarray):
            assert getattr(back, name).dtype == value.dtype, name


def test_places_that_will_change_survive_being_written_down(state: CorridorState) -> None:
    known = replace(state, yard_changes={"xuan-cuong": (PlacesFrom(1800.0, 12.0), PlacesFrom(5400.0, 350.0))})
    back = read_state(json.loads(json.dumps(state_record(known))), SETTINGS)
    assert back.yard_changes == known.yard_changes
    assert back.yard_changes["xuan-cuong"][0].from_s == 1800.0


def test_a_base_that_begins_now_has_the_places_of_its_state_and_a_variant_its_own_for_its_hours(
    state: CorridorState,
) -> None:
    crowded = replace(state, yard_capacity_veh=np.where(np.array(NETWORK.yard_ids) == "xuan-cuong", 45.0, 0.0))
    lost = Change(yards={"xuan-cuong": YardChange(capacity_veh=5, from_h=1, to_h=2)})
    made = replace(crowded, yard_changes={"xuan-cuong": (PlacesFrom(3600.0, 5.0), PlacesFrom(7200.0, 45.0))})
    found, known = run(crowded, lost), run(made)
    assert np.array_equal(found.queue_veh[1], known.queue_veh[0])
    assert np.array_equal(found.occupancy_veh[1], known.occupancy_veh[0])
    steps = round(3600 / found.step_s)
    assert np.array_equal(found.queue_veh[0, :, :, :steps], found.queue_veh[1, :, :, :steps])
    queued = found.totals["waiting_truck_hours"].mean(axis=1)
    assert queued[1] > queued[0]
    to_the_end = run(crowded, Change(yards={"xuan-cuong": YardChange(capacity_veh=5, from_h=1)}))
    assert to_the_end.totals["waiting_truck_hours"].mean(axis=1)[1] > queued[1]
    with pytest.raises(ValueError, match="before it begins"):
        YardChange(capacity_veh=5, from_h=3, to_h=2)


def test_the_base_is_the_live_forecast(state: CorridorState) -> None:
    state = replace(state, age_s=np.zeros(state.n_trucks))
    base = run(state)
    live = forecast(NETWORK, state, runs=32, seed=3, horizon_s=3 * 3600.0)
    measured = measure_queues(NETWORK, state)
    assert measured.queue_veh[0] > 100
    assert (base.queue_veh[:, :, :, 0] == measured.queue_veh).all(), "it begins with the measured queue"
    assert (base.tail_km[:, :, :, 0] == measured.tail_km).all()
    assert np.array_equal(base.queue_veh[0], base.queue_veh[1])
    for step in (1, 6, 12, 24, 36):
        assert base.queue_veh[0, 1, 0, step] == pytest.approx(live.queue_veh[1, 0, step], abs=15), step
        assert base.occupancy_veh[0, 1, 0, step] == pytest.approx(live.occupancy_veh[1, 0, step], abs=15), step


def test_all_worlds_begin_as_unsure_of_the_queue_as_the_live_forecast(state: CorridorState) -> None:
    aged = replace(state, age_s=np.full(state.n_trucks, 120.0))
    base = run(aged, Change(demand=(DemandChange(factor=0.5),)), runs=200)
    live = forecast(NETWORK, aged, runs=400, seed=3, horizon_s=600.0)
    first = base.queue_veh[:, :, 0, 0]
    assert np.array_equal(first[0], first[1]), "the same error in both worlds"
    low, middle, high = live.queue_veh[:, 0, 0]
    assert high - low > 2.0
    assert first[0, 1] == middle == measure_queues(NETWORK, aged).queue_veh[0]
    assert first[0, 2] - first[0, 0] == pytest.approx(high - low, rel=0.3)


@pytest.mark.parametrize("reversed_lanes", [0, 1])
def test_imports_keep_the_pace_that_was_seen(state: CorridorState, reversed_lanes: int) -> None:
    """Half as fast as the profile says, in the base and in a variant, in proportion to the lanes that are left."""
    (setting,) = [own for own in SETTINGS if (own.gate_id, own.direction) == ("huu-nghi", "import")]
    rate = setting.crossing.rate_veh_per_h() / 2.0
    sure = np.array([1.0])
    seen = {
        "huu-nghi": GatePace(np.array([rate]), sure, is_usual=sure, usual=sure, phase=np.array([[0.0], [0.0], [1.0]]))
    }
    changed = Change(gates={"huu-nghi": GateChange(reversed_lanes=reversed_lanes)})
    scenario = NOW.model_copy(update={"change": changed})
    capacity = dict.fromkeys(NETWORK.yard_ids, 350.0)
    state = replace(state, import_pace=seen)
    study = StudyInputs(CORRIDOR, scenario, 5, SETTINGS, capacity, state=state).study
    lanes = setting.crossing.lanes
    number = [(place.gate_id, place.direction) for place in study.network.gates].index(("huu-nghi", "import"))
    for world, own_lanes in zip(study.draw(0), (lanes, lanes - reversed_lanes), strict=True):
        assert world.gates.entrance_lanes[number] == own_lanes
    # Over many runs, since what a check takes is drawn.
    drawn = [[world.fleet.entrance_s[world.fleet.gate == number] for world in study.draw(i)] for i in range(20)]
    for own in (np.concatenate(times) for times in zip(*drawn, strict=True)):
        assert own.size > 500
        assert own.mean() == pytest.approx(lanes * 3600.0 / rate, rel=0.08)


def test_imports_are_as_unsure_as_what_was_seen(state: CorridorState) -> None:
    """Of two paces that are as likely, runs have the one or the other, the same in all worlds."""
    even = np.array([0.5, 0.5])
    seen = {
        "huu-nghi": GatePace(np.array([20.0, 60.0]), even, is_usual=even, usual=even, phase=np.full((3, 2), 1.0 / 3.0))
    }
    present = PresentTrucks(NETWORK, replace(state, import_pace=seen), [np.ones((2, 2, 24))], horizon_s=3600.0)
    base = as_seen(replace(state, import_pace=seen), complete_settings(NETWORK, SETTINGS))

    def rate(number: int) -> float:
        rates = present.import_rates(np.random.default_rng(number))
        assert rates == present.import_rates(np.random.default_rng(number))
        paced = {(own.gate_id, own.direction): own for own in present.paced(base, {}, rates)}
        assert paced["huu-nghi", "export"] in base
        return paced["huu-nghi", "import"].crossing.rate_veh_per_h()

    rates = np.array([rate(number) for number in range(60)])
    slow = rates < 40.0
    assert 0.25 < slow.mean() < 0.75
    assert rates[slow].max() < 30.0
    assert rates[~slow].min() > 45.0


def test_demand_is_thinned_and_added_to(state: CorridorState) -> None:
    nobody, double = (run(state, Change(demand=(DemandChange(factor=factor),))) for factor in (0.0, 2.0))
    hours = {name: r.totals["truck_hours"].mean(axis=1) for name, r in (("nobody", nobody), ("double", double))}
    assert hours["nobody"][1] < hours["nobody"][0]
    more, less = hours["double"][1] - hours["double"][0], hours["nobody"][0] - hours["nobody"][1]
    assert more == pytest.approx(less, rel=0.3), "as many come again as would not come"


def test_a_hold_concerns_who_is_on_the_road_before_it(state: CorridorState) -> None:
    near, *_, far = sorted(NETWORK.staging_link, key=lambda name: CORRIDOR.sites[name].km)
    waited_h = {}
    for staging in (near, far):
        held = run(state, Change(holds=(Hold(staging=staging, until_h=2.5),)))
        base_h, waited_h[staging] = held.totals["waiting_truck_hours"].mean(axis=1)
        all_base_h, all_variant_h = held.totals["truck_hours"].mean(axis=1)
        assert all_variant_h >= all_base_h, "time held is time spent"
    assert waited_h[near] < 0.9 * base_h, "who is held there does not wait at the gate"
    assert waited_h[near] < waited_h[far] <= base_h


def test_factors_by_gate_goods_and_hour() -> None:
    changes = (
        DemandChange(factor=2.0, gate="huu-nghi", goods="perishable", from_hour=6, to_hour=8),
        DemandChange(factor=0.5),
    )
    factor = demand_factor(NETWORK, changes)
    own = NETWORK.gate_ids.index("huu-nghi")
    assert factor[own, 0, 5:9].tolist() == [0.5, 1.0, 1.0, 0.5]
    assert (factor[own, 1] == 0.5).all()
    assert (factor[1 - own] == 0.5).all()


def test_now_needs_the_state_and_nothing_else_takes_it(state: CorridorState) -> None:
    with pytest.raises(InvalidInputError):
        run_scenario(CORRIDOR, NOW, seed=1, runs=1)
    described = Scenario(name="x", world=World.model_validate({"gates": {"huu-nghi": {"exports_veh_per_day": 100}}}))
    with pytest.raises(InvalidInputError):
        run_scenario(CORRIDOR, described, seed=1, runs=1, state=state)
