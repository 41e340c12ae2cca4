"""Parameters are learned from recordings: those that a simulated recording was made with come back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import GatePlace, Link, assemble
from routing.parameter_fit import calibrate, replay_gate
from routing.parameters import Estimate, Quantity, dwell, free_speeds, road_flows, saturated_headways, service
from routing.recordings import Drives, Passages, Recording, Stays
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet

START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
DAY_S = 86400.0
NOTHING = ServiceTime(0.0, 0.0, "deterministic")
Z_OF_INTERVAL = 1.96
WIDE = 4.0
"""Standard errors within which a value must lie: drawn examples are many, and one in twenty leaves its 95 %."""


def gate(
    lanes: int = 3,
    mean_s: float = 200.0,
    cv: float = 0.5,
    *,
    crossing: Server | None = None,
    dwell: ServiceTime = NOTHING,
) -> GateSetting:
    entrance = Server(lanes, ServiceTime(mean_s, cv))
    return GateSetting("huu-nghi", "export", crossing or Server(64, NOTHING), entrance, dwell)


def poisson(rng: np.random.Generator, veh_per_h: float, length_s: float) -> NDArray[np.float64]:
    return np.sort(rng.uniform(0.0, length_s, rng.poisson(veh_per_h * length_s / 3600.0)))


def record_gate(setting: GateSetting, load: float, seed: int, length_s: float = DAY_S) -> tuple[Passages, Stays]:
    """What a gate leaves behind in a day of the engine, `load` of what its entrance serves coming to it."""
    rng = np.random.default_rng(seed)
    network = assemble([Link("r", "a", "b", 10.0, 10.0, 3.6e6, 100_000)], [GatePlace("huu-nghi", "export", "b")])
    arrived_s = poisson(rng, load * setting.entrance.rate_veh_per_h(), length_s)
    fleet = sample_fleet(network, TruckBatch.of(0, 0, arrived_s, to_come=True), [setting], rng.spawn(3))
    result = simulate(link_arrays(network), gate_arrays(network, [setting]), fleet, horizon_s=length_s)
    started = result.entrance_start_s < length_s
    inside = result.yard_in_s < length_s
    left_s = result.exit_s - fleet.crossing_s
    stays = Stays(result.yard_in_s[inside], np.where(left_s < length_s, left_s, np.nan)[inside])
    return Passages.of(result.entrance_start_s[started], result.unhindered_s[started]), stays


def find(found: list[Estimate], quantity: Quantity) -> Estimate:
    return next(each for each in found if each.quantity == quantity)


def is_near(each: Estimate, true: float, errors: float = WIDE) -> bool:
    """Whether the true value lies within so many standard errors, on a logarithmic scale."""
    low, high = np.log([each.low / each.value, each.high / each.value]) / Z_OF_INTERVAL * errors
    return bool(low <= np.log(true / each.value) <= high)


@settings(deadline=None, max_examples=15)
@given(
    lanes=st.integers(1, 6),
    mean_s=st.floats(60.0, 600.0),
    cv=st.floats(0.2, 1.0),
    load=st.floats(1.02, 1.5),
    seed=st.integers(0, 2**31),
)
def test_the_service_of_a_gate_comes_back(lanes: int, mean_s: float, cv: float, load: float, seed: int) -> None:
    setting = gate(lanes, mean_s, cv)
    passages, _ = record_gate(setting, load, seed)
    found = service(passages, gate(lanes, 2.0 * mean_s, 0.5))
    assert is_near(find(found, Quantity.SERVICE_MEAN_S), mean_s)
    assert is_near(find(found, Quantity.CAPACITY_VEH_PER_H), lanes * 3600.0 / mean_s)
    assert is_near(find(found, Quantity.SERVICE_CV), cv, 5.0)


def test_intervals_hold_what_they_say() -> None:
    setting = gate(3, 240.0, 0.6)
    inside = [
        find(service(record_gate(setting, 1.1, seed, DAY_S / 2)[0], setting), Quantity.SERVICE_MEAN_S)
        for seed in range(60)
    ]
    holds = np.mean([each.low <= 240.0 <= each.high for each in inside])
    assert holds >= 0.88  # of 95 %, 60 draws: less than one in fifty


def test_an_idle_gate_says_nothing_of_its_service() -> None:
    setting = gate(4, 60.0, 0.5)
    passages, _ = record_gate(setting, 0.05, 3)
    assert passages.start_s.size > 200
    assert service(passages, setting) == []


def test_stops_and_closing_times_are_no_service() -> None:
    setting = gate(1, 100.0, 0.3)
    passages, _ = record_gate(setting, 1.3, 5)
    stopped = passages.start_s + np.where(passages.start_s > DAY_S / 2, 3.0 * 3600.0, 0.0)
    later = Passages(stopped, passages.arrived_s)
    usual = find(service(passages, setting), Quantity.SERVICE_MEAN_S).value
    assert find(service(later, setting), Quantity.SERVICE_MEAN_S).value == pytest.approx(usual, rel=0.01)
    half = [(0.0, DAY_S / 2)]
    kept = np.concatenate(saturated_headways(passages, half)).size
    assert 0 < kept < np.concatenate(saturated_headways(passages)).size
    assert find(service(passages, setting, closed_s=half), Quantity.SERVICE_MEAN_S).observations == kept


def test_trucks_that_nobody_noticed_are_counted_with_the_others() -> None:
    setting = gate(2, 150.0, 0.5)
    passages, _ = record_gate(setting, 1.2, 7)
    noticed = np.random.default_rng(1).uniform(size=passages.start_s.size) < 0.6
    seen = Passages(passages.start_s[noticed], passages.arrived_s[noticed])
    found = service(seen, setting, seen_share=0.6)
    assert is_near(find(found, Quantity.SERVICE_MEAN_S), 150.0)
    assert not [each for each in found if each.quantity == Quantity.SERVICE_CV]


@pytest.mark.parametrize(("mean_s", "cv", "load"), [(2400.0, 0.3, 0.5), (5400.0, 0.6, 0.5), (9000.0, 0.4, 0.3)])
def test_stays_come_back_though_many_wait_for_the_crossing(mean_s: float, cv: float, load: float) -> None:
    hours = OpeningHours.parse("07:00–19:00")
    crossing = Server(4, ServiceTime(240.0, 0.5), hours)
    setting = gate(2, 120.0, 0.5, crossing=crossing, dwell=ServiceTime(mean_s, cv))
    closed = [(0.0, 7 * 3600.0), (19 * 3600.0, DAY_S)]
    for seed in range(3):
        _, stay = record_gate(setting, load, seed)
        naive = float(np.nanmean(stay.left_s - stay.entered_s))
        assert naive > 1.3 * mean_s, "a night in the yard is no stay that the truck needs"
        found = dwell(stay, setting, length_s=DAY_S, closed_s=closed)
        assert is_near(find(found, Quantity.DWELL_MEAN_S), mean_s)
        assert is_near(find(found, Quantity.DWELL_CV), cv)


def test_a_crossing_that_does_not_keep_its_hours_hinders_nobody() -> None:
    setting = gate(4, 60.0, 0.5, crossing=Server(8, ServiceTime(60.0, 0.5)), dwell=ServiceTime(5400.0, 0.6))
    _, stay = record_gate(setting, 0.2, 4)
    closed = [(0.0, 7 * 3600.0), (19 * 3600.0, DAY_S)]
    assert is_near(find(dwell(stay, setting, length_s=DAY_S, closed_s=closed), Quantity.DWELL_MEAN_S), 5400.0)


def test_a_crossing_that_is_never_free_says_nothing_of_stays() -> None:
    setting = gate(2, 120.0, 0.5, crossing=Server(4, ServiceTime(300.0, 0.5)), dwell=ServiceTime(5400.0, 0.6))
    _, stay = record_gate(setting, 0.95, 1)
    assert stay.left_s.size > 500
    assert dwell(stay, setting, length_s=DAY_S) == []


def test_stays_without_a_wait_come_back_within_their_error() -> None:
    setting = gate(4, 60.0, 0.5, dwell=ServiceTime(5400.0, 0.6))
    for seed in range(8):
        _, stay = record_gate(setting, 0.2, seed)
        found = dwell(stay, setting, length_s=DAY_S)
        assert is_near(find(found, Quantity.DWELL_MEAN_S), 5400.0)
        assert is_near(find(found, Quantity.DWELL_CV), 0.6)


def drives_on(
    corridor: Corridor, road: int, speed_mps: float, rng: np.random.Generator, n: int, *, hindered: float = 0.0
) -> Drives:
    """Drives whose speeds differ as trucks do; some behind a slow one without ever being slow, some in a queue."""
    speed = speed_mps * np.exp(0.05 * rng.standard_normal(n))
    unseen = rng.uniform(size=n) < hindered
    speed = np.where(unseen, speed * rng.uniform(0.6, 0.95, n), speed)
    queued = rng.uniform(size=n) < 0.1
    speed = np.where(queued, 2.0, speed)
    length = np.full(n, corridor.roads[road].length_m)
    return Drives(np.full(n, road), rng.uniform(0.0, DAY_S, n), length, length / speed, np.where(queued, 0.5, speed))


def long_road(corridor: Corridor) -> int:
    return max(range(len(corridor.roads)), key=lambda i: corridor.roads[i].length_m)


@settings(deadline=None, max_examples=25)
@given(speed_mps=st.floats(8.0, 25.0), n=st.integers(60, 600), seed=st.integers(0, 2**31))
def test_free_speeds_come_back(corridor: Corridor, speed_mps: float, n: int, seed: int) -> None:
    road = long_road(corridor)
    found = free_speeds(drives_on(corridor, road, speed_mps, np.random.default_rng(seed), n), corridor)
    assert [each.subject for each in found] == [corridor.roads[road].edge_id]
    assert is_near(found[0], speed_mps)
    assert found[0].observations <= n


def test_free_speeds_stand_where_a_fifth_is_hindered_unseen(corridor: Corridor) -> None:
    road = long_road(corridor)
    drives = drives_on(corridor, road, 15.0, np.random.default_rng(2), 500, hindered=0.2)
    found = free_speeds(drives, corridor)[0]
    assert found.value == pytest.approx(15.0, rel=0.03)
    plain_median = float(np.median((drives.length_m / drives.time_s)[drives.slowest_mps > 6.0]))
    assert abs(found.value - 15.0) < abs(plain_median - 15.0)


def test_few_drives_say_nothing(corridor: Corridor) -> None:
    drives = drives_on(corridor, long_road(corridor), 15.0, np.random.default_rng(2), 12)
    assert free_speeds(drives, corridor) == []
    assert road_flows(Recording(START, DAY_S, drives), corridor) == []


def test_a_road_takes_what_it_took(corridor: Corridor) -> None:
    road = long_road(corridor)
    drives = drives_on(corridor, road, 15.0, np.random.default_rng(2), 60)
    drives.begin_s[:40] = np.linspace(1000.0, 1800.0, 40)
    found = road_flows(Recording(START, DAY_S, drives), corridor)
    assert found[0].value >= 160.0
    assert found[0].low <= 160.0 <= found[0].high


def test_what_was_learned_does_better_where_it_was_not_learned(corridor: Corridor) -> None:
    true, believed = gate(3, 300.0, 0.5), gate(3, 220.0, 0.5)
    passages, stays = record_gate(true, 1.05, 11, 3 * DAY_S)
    drives = drives_on(corridor, long_road(corridor), 12.0, np.random.default_rng(3), 400)
    drives.begin_s[:] *= 3.0
    recording = Recording(START, 3 * DAY_S, drives, {"huu-nghi": passages}, {"huu-nghi": stays})
    found = calibrate(recording, corridor, [believed], seed=1)
    fit = found.gates[0]
    assert fit.recorded_veh.mean() > 10.0
    assert fit.queue_error_veh.learned < 0.5 * fit.queue_error_veh.before
    assert fit.wait_error_s.learned < 0.5 * fit.wait_error_s.before
    assert found.speeds is not None
    assert found.speeds.error.learned < found.speeds.error.before
    learned = found.find(Quantity.SERVICE_MEAN_S, "huu-nghi")
    assert learned is not None
    assert learned.is_new
    # The rest of the recording has no say in what was learned.
    cut = Recording(START, 3 * DAY_S, drives, {"huu-nghi": passages}).part(0.0, 0.7 * 3 * DAY_S)
    assert service(cut.passages["huu-nghi"], believed)[0].value == learned.value


def test_a_replay_takes_the_trucks_that_came() -> None:
    setting = gate(1, 600.0, 0.0)
    passages = Passages.of(np.array([100.0, 700.0, 1300.0]), np.array([-500.0, 0.0, 1300.0]))
    recording = Recording(START, 3600.0, passages={"huu-nghi": passages})
    queues, starts = replay_gate(passages, setting, recording, seed=1, runs=2)
    assert starts[0].tolist() == starts[1].tolist() == pytest.approx([0.0, 600.0, 1300.0], abs=0.2)
    # The first drives up to the gate, a metre, when the recording begins; the second until ten minutes later.
    assert queues[0, :4].tolist() == [2.0, 1.0, 1.0, 0.0]


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="two moments in order"):
        Recording(START, 0.0)
