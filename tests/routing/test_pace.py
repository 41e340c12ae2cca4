"""The filter of a gate's pace: what it must find, how quickly, and what it must not be moved by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import build_network
from routing.pace import (
    GatePace,
    LaneChange,
    PaceDraw,
    changing,
    learn_pace,
    paced,
    paced_imports,
    usual_rate,
)
from routing.pace_evidence import Passages, common, lanes_taken
from routing.pace_record import pace_record, read_pace
from routing.runs import complete_settings
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet

HOUR = 3600.0


def lanes_at_work(
    rng: np.random.Generator, spans: list[tuple[float, float, int]], *, mean_s: float = 345.0, cv: float = 0.4
) -> np.ndarray:
    """When busy lanes finish trucks, one span after the other, gamma service times."""
    found = []
    for begin, end, lanes in spans:
        for _ in range(lanes):
            services = rng.gamma(1.0 / cv**2, mean_s * cv**2, int((end - begin) / mean_s * 3) + 20)
            times = begin + rng.uniform(0.0, mean_s) + np.cumsum(services)
            found.append(times[times < end])
    return np.sort(np.concatenate([np.zeros(0), *found]))


def learned(times: np.ndarray, busy: list[tuple[float, float]], **options: object) -> GatePace:
    values = {"usual_veh_per_h": 40.0, "service_cv": 0.4} | options
    return learn_pace(Passages.of(times, busy), **values)  # type: ignore[arg-type]


def test_the_rate_that_is_expected_is_the_mean_of_the_courses_that_are_drawn() -> None:
    rng = np.random.default_rng(7)
    times = lanes_at_work(rng, [(-6 * HOUR, -HOUR, 4), (-HOUR, 0.0, 1)])
    pace = learned(times, [(-6 * HOUR, 0.0)])
    assert pace.is_disturbed
    after_s = np.array([0.0, 0.5, 2.0, 24.0]) * HOUR
    expected = pace.expected_veh_per_h(after_s)
    draws = [pace.draw(rng) for _ in range(4000)]
    drawn = [np.mean([d.rate_veh_per_h if s < d.change_s else d.next_veh_per_h for d in draws]) for s in after_s]
    assert expected == pytest.approx(drawn, rel=0.15)
    assert expected[0] == pytest.approx(pace.mean_veh_per_h)
    assert expected[0] < expected[1] < expected[2] < expected[3] < 1.05 * pace.usual_veh_per_h

    declared = replace(pace, declared=LaneChange(HOUR, 0.5)).expected_veh_per_h(after_s)
    assert declared[:2] == pytest.approx(expected[:2])
    assert declared[2:] == pytest.approx(0.5 * pace.usual_veh_per_h)


def gates() -> Iterator[np.random.Generator]:
    """Chance for as many gates as a rule about a gate of chance is tried on, the same each time.

    Such a rule cannot hold for all of them: of four busy lanes none lets anybody in for five minutes once in a few
    hundred hours, and then a stop is what is to be believed. So the tests say of how many it holds.
    """
    return map(np.random.default_rng, range(200))


def test_lanes_without_a_truck_say_nothing_of_the_pace() -> None:
    """Two of four lanes have a truck for three hours, each followed by the next: half of what the gate can serve."""
    errors = []
    for rng in list(gates())[:50]:
        times = lanes_at_work(rng, [(-3 * HOUR, 0.0, 2)])
        there = [(-3 * HOUR, 0.0), (-3 * HOUR, 0.0)]
        alone = learned(times, there[:1])
        pace = learn_pace(
            Passages.of(times, there[:1], lanes_taken(there, 4, 1.0)), usual_veh_per_h=40.0, service_cv=0.4
        )
        assert pace.sd_veh_per_h > alone.sd_veh_per_h, "half the lanes say less than all"
        errors.append([alone.mean_veh_per_h - 41.7, pace.mean_veh_per_h - 41.7])
    assert np.mean(errors, axis=0) == pytest.approx([-20.0, 0.0], abs=3.0)


def test_lanes_are_taken_one_after_the_other_and_by_unseen_trucks_as_well() -> None:
    there = [(0.0, 100.0), (20.0, 80.0), (40.0, 60.0)]
    lanes = lanes_taken(there, 4, 1.0)
    assert [lane.tolist() for lane in lanes] == [[[0.0, 100.0]], [[20.0, 80.0]], [[40.0, 60.0]], []]
    assert lanes_taken(there, 4, 0.5)[3].tolist() == [[20.0, 80.0]], "beside each that is seen there is another"
    assert all(lane.size == 0 for lane in lanes_taken([], 4, 1.0))
    spans = np.array([[10.0, 30.0], [70.0, 120.0]])
    assert common(spans, lanes[1]).tolist() == [[20.0, 30.0], [70.0, 80.0]]
    edges = np.array([0.0, 50.0, 100.0, 150.0])
    np.testing.assert_allclose(Passages.of([], [], lanes).at_work(spans, edges), [7.5, 10.0, 0.0])


def test_a_steady_gate_is_found_whatever_the_profile_says() -> None:
    between, near = [], []
    for rng in gates():
        mean_s, lanes = rng.uniform(120.0, 900.0), int(rng.integers(1, 7))
        times = lanes_at_work(rng, [(-3 * HOUR, 0.0, lanes)], mean_s=mean_s)
        pace = learned(times, [(-3 * HOUR, 0.0)])
        true = lanes * 3600.0 / mean_s
        between.append(pace.quantile(0.01) <= true <= pace.quantile(0.995))
        near.append(pace.mean_veh_per_h == pytest.approx(true, rel=0.3, abs=2.5))
    assert np.mean(between) >= 0.985
    assert np.mean(near) >= 0.98


def test_a_closed_lane_is_noticed_within_three_quarters_of_an_hour() -> None:
    noticed = []
    for rng in gates():
        times = lanes_at_work(rng, [(-4 * HOUR, -0.75 * HOUR, 4), (-0.75 * HOUR, 0.0, 2)])
        noticed.append(learned(times, [(-4 * HOUR, 0.0)]).mean_veh_per_h < 33.0)
    assert np.mean(noticed) >= 0.96


def test_a_stop_is_noticed_within_half_an_hour_and_so_is_its_end() -> None:
    over = []
    for rng in gates():
        before = lanes_at_work(rng, [(-5 * HOUR, -0.5 * HOUR, 4)])
        assert learned(before, [(-5 * HOUR, 0.0)]).mean_veh_per_h < 12.0
        again = np.concatenate((before, lanes_at_work(rng, [(0.0, 0.75 * HOUR, 4)]))) - 0.75 * HOUR
        over.append(learned(again, [(-5.75 * HOUR, 0.0)]).mean_veh_per_h > 27.0)
    assert np.mean(over) >= 0.98


def opening_chance(pace: GatePace, within_h: float) -> float:
    """How likely a gate is to be back at its usual pace within so many hours, as runs draw it."""
    rng = np.random.default_rng(2)
    draws = [pace.draw(rng) for _ in range(600)]
    back = [d.change_s < within_h * HOUR and d.next_veh_per_h > 0.8 * pace.usual_veh_per_h for d in draws]
    return float(np.mean(back))


def test_what_has_just_begun_may_be_brief_and_what_has_lasted_is_mended_in_time() -> None:
    """Within an hour and a half lanes that closed half an hour ago open as likely as those that closed hours ago, and
    likelier than those that closed an hour ago, which are no brief affair any more."""
    chances = []
    for closed_h in (0.5, 1.25, 4.0):
        found = []
        for rng in list(gates())[:20]:
            spans = [(-(closed_h + 4) * HOUR, -closed_h * HOUR, 4), (-closed_h * HOUR, 0.0, 1)]
            pace = learned(lanes_at_work(rng, spans), [(-(closed_h + 4) * HOUR, 0.0)])
            found.append(opening_chance(pace, 1.5))
        chances.append(np.mean(found))
    assert chances[1] + 0.02 < min(chances[0], chances[2])
    assert max(chances) < 0.75


def test_a_gate_that_stands_opens_soon_in_some_runs_and_stands_for_hours_in_others() -> None:
    before = lanes_at_work(np.random.default_rng(5), [(-5 * HOUR, -0.4 * HOUR, 4)])
    pace, rng = learned(before, [(-5 * HOUR, 0.0)]), np.random.default_rng(1)
    ends_h = np.array([pace.draw(rng).change_s for _ in range(2000)]) / HOUR
    assert np.quantile(ends_h, 0.1) < 0.25
    assert np.quantile(ends_h, 0.9) > 3.0


def test_a_gate_that_works_as_usual_is_no_surer_to_change_after_a_long_day() -> None:
    chances = []
    for worked_h in (4.0, 12.0):
        found = []
        for own in list(gates())[:20]:
            times = lanes_at_work(own, [(-worked_h * HOUR, 0.0, 4)])
            pace, rng = learned(times, [(-worked_h * HOUR, 0.0)]), np.random.default_rng(3)
            found.append(np.mean([pace.draw(rng).change_s < 1.5 * HOUR for _ in range(500)]))
        chances.append(np.median(found))
    assert chances[0] == pytest.approx(chances[1], abs=0.05)


def test_a_record_from_before_phases_can_be_read() -> None:
    pace = learned(np.zeros(0), [])
    record = json.loads(json.dumps(pace_record({"g": pace})))
    assert np.array_equal(read_pace(record)["g"].phase, pace.phase)
    del record["g"]["phase"]
    assert np.allclose(read_pace(record)["g"].phase, 1.0 / 3.0)


def test_a_declared_closure_counts_before_it_is_seen() -> None:
    """Half the lanes are declared closed a minute ago; or when that had been noticed; or it is not true."""
    closing = [LaneChange(-60.0, 0.5)]
    for rng in list(gates())[:40]:
        before = lanes_at_work(rng, [(-4 * HOUR, 0.0, 4)])
        told = learned(before, [(-4 * HOUR, 0.0)], usual_veh_per_h=20.0, declared=closing)
        assert told.mean_veh_per_h < 0.7 * learned(before, [(-4 * HOUR, 0.0)]).mean_veh_per_h
        noticed = lanes_at_work(rng, [(-4 * HOUR, -HOUR, 4), (-HOUR, 0.0, 2)])
        assert learned(noticed, [(-4 * HOUR, 0.0)], usual_veh_per_h=20.0, declared=closing).mean_veh_per_h > 12.0
        not_closed = lanes_at_work(rng, [(-5 * HOUR, 0.0, 4)])
        late = learned(not_closed, [(-5 * HOUR, 0.0)], declared=[LaneChange(-1.5 * HOUR, 0.5)])
        assert late.mean_veh_per_h > 33.0
    nothing = learned(np.zeros(0), [], usual_veh_per_h=20.0, declared=closing)
    assert nothing.quantile(0.5) == pytest.approx(20.0, rel=0.1)


def test_a_change_of_lanes_declared_for_later_is_expected_then() -> None:
    times = lanes_at_work(np.random.default_rng(7), [(-4 * HOUR, 0.0, 4)])
    pace = learned(times, [(-4 * HOUR, 0.0)], declared=[LaneChange(1800.0, 0.5), LaneChange(7200.0, 2.0)])
    rng = np.random.default_rng(1)
    draws = [pace.draw(rng) for _ in range(500)]
    then = [each.next_veh_per_h for each in draws if each.change_s == 1800.0]
    assert len(then) > 350
    assert np.median(then) == pytest.approx(0.5 * pace.usual_veh_per_h, rel=0.1)
    assert read_pace(json.loads(json.dumps(pace_record({"g": pace}))))["g"].declared == LaneChange(1800.0, 0.5)


def test_an_empty_step_of_a_gate_that_works_is_no_stop() -> None:
    """Now and then nobody is let in for five minutes although trucks wait; half an hour of that is a stop."""
    stops = []
    for rng in gates():
        mean_s, lanes = rng.uniform(240.0, 480.0), int(rng.integers(2, 7))
        times = lanes_at_work(rng, [(-3 * HOUR, -300.0, lanes)], mean_s=mean_s)
        after_a_gap = learned(times, [(-3 * HOUR, 0.0)], usual_veh_per_h=lanes * 3600.0 / mean_s)
        stops.append(after_a_gap.weight[0])
        longer = learned(times - 1800.0, [(-3 * HOUR, 0.0)], usual_veh_per_h=lanes * 3600.0 / mean_s)
        assert longer.mean_veh_per_h < 0.3 * lanes * 3600.0 / mean_s
    assert np.mean(np.array(stops) < 0.5) >= 0.95


def test_what_was_learned_is_not_forgotten_in_quiet_hours() -> None:
    for rng in gates():
        times = lanes_at_work(rng, [(-12 * HOUR, -6 * HOUR, 4)], mean_s=600.0)
        pace = learned(times, [(-12 * HOUR, -6 * HOUR)], usual_veh_per_h=60.0)
        assert 18.0 < pace.mean_veh_per_h < 33.0
        just_then = learned(times + 6 * HOUR, [(-6 * HOUR, 0.0)], usual_veh_per_h=60.0)
        assert pace.usual_log_sd > just_then.usual_log_sd


def test_nothing_seen_is_the_profile() -> None:
    pace = learned(np.zeros(0), [])
    assert pace.quantile(0.5) == pytest.approx(40.0, rel=0.1)
    assert pace.sd_veh_per_h > 0.3 * pace.mean_veh_per_h
    assert (pace.served_veh, pace.busy_s) == (0.0, 0.0)


def test_many_trucks_without_anybody_waiting_show_a_faster_gate() -> None:
    times = np.sort(np.random.default_rng(1).uniform(-3 * HOUR, 0.0, 240))
    pace = learned(times, [])
    assert pace.quantile(0.05) > 60.0


def test_few_trucks_without_anybody_waiting_say_nothing() -> None:
    times = np.sort(np.random.default_rng(1).uniform(-3 * HOUR, 0.0, 15))
    assert learned(times, []).quantile(0.5) == pytest.approx(40.0, rel=0.15)


def test_closed_hours_say_nothing_of_the_pace_if_the_gate_keeps_them() -> None:
    times = lanes_at_work(np.random.default_rng(3), [(-14 * HOUR, -10 * HOUR, 4), (-HOUR, 0.0, 4)])
    busy, closed = [(-14 * HOUR, 0.0)], [(-10 * HOUR, -HOUR)]
    kept = learned(times, busy, closed_s=closed)
    assert kept.keeps_hours
    assert kept.mean_veh_per_h == pytest.approx(41.7, rel=0.15)
    through = lanes_at_work(np.random.default_rng(3), [(-14 * HOUR, 0.0, 4)])
    assert not learned(through, busy, closed_s=closed).keeps_hours


def test_overlapping_waits_count_once_and_order_does_not_matter() -> None:
    times = lanes_at_work(np.random.default_rng(5), [(-2 * HOUR, 0.0, 4)])
    waits = [(-2 * HOUR, -HOUR), (-1.5 * HOUR, -0.5 * HOUR), (-0.6 * HOUR, 0.0)]
    a, b = learned(times, waits), learned(times[::-1], waits[::-1])
    assert np.array_equal(a.weight, b.weight)
    assert a.busy_s == pytest.approx(2 * HOUR)
    assert a.served_veh == times.size


def test_draws_have_the_distribution_and_the_record_reads_back() -> None:
    pace = learned(lanes_at_work(np.random.default_rng(7), [(-2 * HOUR, 0.0, 4)]), [(-2 * HOUR, 0.0)])
    rng = np.random.default_rng(1)
    draws = np.array([pace.draw(rng).rate_veh_per_h for _ in range(4000)])
    assert draws.mean() == pytest.approx(pace.mean_veh_per_h, rel=0.03)
    assert draws.std() == pytest.approx(pace.sd_veh_per_h, rel=0.15)
    again = read_pace(json.loads(json.dumps(pace_record({"g": pace}))))["g"]
    assert np.array_equal(again.weight, pace.weight)
    assert np.array_equal(again.is_usual, pace.is_usual)
    assert np.array_equal(again.usual, pace.usual)
    assert (again.served_veh, again.busy_s, again.keeps_hours) == (pace.served_veh, pace.busy_s, pace.keeps_hours)


def test_a_pace_is_that_of_the_entrance() -> None:
    setting = GateSetting("g", "export", Server(4, ServiceTime(384.0, 0.6)))
    assert usual_rate(setting) == pytest.approx(37.5)
    pace = learned(np.zeros(0), [])
    found = paced(setting, 21.0, pace)
    assert found.entrance.rate_veh_per_h() == pytest.approx(21.0)
    assert (found.crossing, found.entrance.lanes, found.entrance.hours) == (
        setting.crossing,
        setting.entrance.lanes,
        setting.entrance.hours,
    )


def test_a_crossing_is_no_slower_and_no_more_closed_than_trucks_were_seen_to_leave() -> None:
    setting = GateSetting("g", "export", Server(4, ServiceTime(384.0, 0.6), OpeningHours.parse("07:00–19:00")))
    pace = replace(learned(np.zeros(0), []), crossing_veh_per_h=55.0, crosses_closed=True)
    found = paced(setting, 40.0, pace)
    assert found.crossing.rate_veh_per_h() == pytest.approx(55.0)
    assert found.crossing.hours.is_always_open
    slower = paced(setting, 40.0, replace(pace, crossing_veh_per_h=10.0, crosses_closed=False))
    assert slower.crossing == setting.crossing


def test_an_import_meets_the_crossing_first() -> None:
    setting = GateSetting("g", "import", Server(4, ServiceTime(384.0, 0.6)))
    found = paced_imports(setting, 75.0)
    assert found.crossing.rate_veh_per_h() == pytest.approx(75.0)
    assert found.entrance == setting.entrance


def test_a_check_that_has_begun_goes_on_at_the_new_pace(corridor: Corridor) -> None:
    """A lane that has stopped for good works again when the pace changes, at once."""
    network = build_network(corridor)
    settings = complete_settings(network, (GateSetting("huu-nghi", "export", Server(4, ServiceTime(5.0, 0.0))),))
    stopped = tuple(
        replace(s, entrance=Server(1, ServiceTime(1e6, 0.0, "deterministic"))) if s.direction == "export" else s
        for s in settings
    )
    link = network.path(network.origins[0], 0)[-1]
    trucks = TruckBatch.of(np.zeros(10, np.int64), link, np.arange(10.0))
    fleet = sample_fleet(network, trucks, stopped, np.random.default_rng(1).spawn(3))
    gates = changing(gate_arrays(network, stopped), network, {"huu-nghi": PaceDraw(0.0036, 3600.0, 36.0)})
    result = simulate(link_arrays(network), gates, fleet, horizon_s=7200.0, step_s=300.0)
    starts = np.sort(result.entrance_start_s)
    assert starts[0] < 60.0
    assert np.diff(starts[1:]) == pytest.approx(100.0)
    assert starts[1] == pytest.approx(3600.0 + (1e6 - 3600.0 + starts[0]) * 1e-4, abs=1.0)
    busy_s = np.where(np.arange(len(network.gates)) == 0, 1e6, 0.0)[:, None]
    in_the_lane = simulate(
        link_arrays(network), gates._replace(entrance_busy_s=busy_s), fleet, horizon_s=7200.0, step_s=300.0
    )
    starts = np.sort(in_the_lane.entrance_start_s)
    assert starts[0] == pytest.approx(3600.0 + (1e6 - 3600.0) * 1e-4), "and so does one that began before the run"


def test_who_passed_in_the_last_minutes_shows_that_the_gate_has_not_stopped() -> None:
    # Minutes ago, at a gate that stood still for nine of them by chance and works.
    ago = [0.2, 1.0, 1.0, 10.1, 10.5, 12.0, 14.7, 15.2, 17.1, 19.6, 20.4, 20.7, 25.0, 26.5, 28.7, 30.0, 34.6, 37.0]
    times = -60.0 * np.array([*ago, *(37.0 + 2.0 * np.arange(1, 60))])
    pace = learned(times, [(-2.5 * HOUR, 0.0)], usual_veh_per_h=30.0, latency_s=120.0)
    assert not pace.is_disturbed
    assert pace.mean_veh_per_h > 25.0
    nobody_since = learned(times[3:], [(-2.5 * HOUR, 0.0)], usual_veh_per_h=30.0, latency_s=120.0)
    assert nobody_since.is_disturbed


def test_passages_that_become_known_late_do_not_make_a_gate_slower_or_faster() -> None:
    ratios = []
    for rng in gates():
        times = lanes_at_work(rng, [(0.0, 4.0 * HOUR, 4)]) - 4.0 * HOUR
        # By acts and cameras half of them at once, the others within two minutes.
        known = times[times + rng.choice([0.0, 1.0], times.size) * rng.uniform(0.0, 120.0, times.size) <= 0.0]
        ratios.append(learned(known, [(-4.0 * HOUR, 0.0)], latency_s=120.0).mean_veh_per_h / (4.0 * 3600.0 / 345.0))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


def test_receivers_that_fall_silent_and_come_back_are_no_stop_and_no_rush() -> None:
    rng = np.random.default_rng(1)
    times = lanes_at_work(rng, [(-6 * HOUR, 0.0, 4)])
    is_silent = rng.random(times.size) < 0.6

    def now(at_s: float, *, knows: bool) -> GatePace:
        """Six in ten that wait or pass are not heard of from 3 h until 2 h before the end."""
        away, back = -3 * HOUR, min(-2 * HOUR, at_s)
        lost = is_silent & (times > away) & (times < back)
        heard = times[~lost & (times < at_s)] - at_s
        begun = [(-6 * HOUR - at_s, 0.0)]
        if at_s < -2 * HOUR:
            seen = Passages.of(heard, begun, silent=[away - at_s] * 24 if knows else (), waiting_veh=40)
        elif knows:
            seen = Passages.of(heard, begun, between=[(away - at_s, back - at_s)] * int(lost.sum()))
        else:
            seen = Passages.of([*heard, *[back - at_s] * int(lost.sum())], begun)
        return learn_pace(seen, usual_veh_per_h=40.0, service_cv=0.4)

    steady = now(-3 * HOUR, knows=True).mean_veh_per_h
    silent, back = now(-2.1 * HOUR, knows=True), now(-1.8 * HOUR, knows=True)
    assert silent.mean_veh_per_h == pytest.approx(steady, rel=0.1)
    assert back.mean_veh_per_h == pytest.approx(steady, rel=0.1)
    assert back.usual_veh_per_h == pytest.approx(steady, rel=0.1)
    assert silent.usual_chance > 0.8
    # What the counts alone would show.
    assert now(-2.1 * HOUR, knows=False).mean_veh_per_h < 0.7 * steady
    assert now(-1.8 * HOUR, knows=False).mean_veh_per_h > 1.3 * steady
    assert back.served_veh == pytest.approx((times < -1.8 * HOUR).sum(), abs=1.0)
