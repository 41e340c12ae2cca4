"""The measurement of the forecast looks at nothing that has not come in yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from app.dispatch.policy import AdvicePolicy
from app.forecasting.skill_publish import publish_curve
from app.forecasting.skill_vocabulary import Quantity
from app.forecasting.state_readings import Readings
from bench.days.alarms import Alarm, tell
from bench.days.kept import SEEN, kept
from bench.days.kinds import KINDS, Day, draw_day
from bench.days.memory import START, Memory
from bench.days.published import PublishedQueue, Publisher
from bench.days.receivers import Reports
from geo.corridor import Corridor

from .skilling import GATE, forecast_of

NOON_S = 8.0 * 3600.0


def drives(day: Day, corridor: Corridor) -> Reports:
    """Twenty trucks that drive QL1A to the barrier one after the other, stand there, go in and are in the yard."""
    yard = corridor.sites["xuan-cuong"]
    rows = []
    for truck in range(20):
        begin_s = truck * 1200.0
        kms = [*np.arange(100.0, 1.2, -0.42), *([1.1] * 10), 0.95]
        road_id, offset_m = corridor.place_at("QL1A", kms)
        lon, lat = corridor.position_on(road_id, offset_m)
        for i, km in enumerate(kms):
            rows.append((truck, begin_s + 30.0 * i, lon[i], lat[i], 0.1 if km == 1.1 else 14.0))
        rows += [(truck, begin_s + 30.0 * (len(kms) + i), yard.lon, yard.lat, 0.0) for i in range(20)]
    values = np.array(sorted(rows, key=lambda row: row[1]))
    reads = np.arange(20) * 1200.0 + 3600.0
    return Reports(
        truck=values[:, 0].astype(np.int64),
        time_s=values[:, 1],
        received_s=values[:, 1] + 3.0,
        lon=values[:, 2],
        lat=values[:, 3],
        speed_mps=values[:, 4],
        heading_deg=np.full(len(values), np.nan),
        accuracy_m=np.full(len(values), 6.0),
        read_truck=np.arange(20),
        read_s=reads,
        read_at_barrier=np.zeros(20, bool),
    )


def readings_at_noon(day: Day, reports: Reports, corridor: Corridor) -> Readings:
    memory = Memory(day, reports, corridor)
    memory.advance(NOON_S)
    return memory.readings()


def test_what_comes_in_later_changes_nothing(corridor: Corridor) -> None:
    day = draw_day(KINDS["unseen"], 1)
    reports = drives(day, corridor)
    later = reports.received_s > NOON_S
    rng = np.random.default_rng(1)
    shuffled = replace(
        reports,
        lon=np.where(later, rng.permutation(reports.lon), reports.lon),
        speed_mps=np.where(later, 3.0, reports.speed_mps),
        read_truck=np.where(reports.read_s > NOON_S, 0, reports.read_truck),
    )
    assert later.any()
    assert readings_at_noon(day, reports, corridor) == readings_at_noon(day, shuffled, corridor)


def test_a_truck_is_seen_to_wait_to_go_in_and_to_stay(corridor: Corridor) -> None:
    day = draw_day(KINDS["ordinary"], 1)
    found = readings_at_noon(day, drives(day, corridor), corridor)
    assert len(found.passages) >= 12
    for passage in found.passages:
        assert passage.gate_id == "huu-nghi"
        assert passage.waited_since is not None
        assert 300.0 <= (passage.time - passage.waited_since).total_seconds() <= 420.0
    assert {truck.yard_id for truck in found.inside} == {"xuan-cuong"}


def test_equal_seeds_draw_equal_days() -> None:
    for kind in KINDS.values():
        assert draw_day(kind, 5) == draw_day(kind, 5)
        assert draw_day(kind, 5) != draw_day(kind, 6)
    unseen = draw_day(KINDS["unseen"], 5)
    without = np.array([not seen for seen in unseen.has_gps])
    assert not (without & np.array(unseen.declared)).any()
    assert 0.2 < without.mean() < 0.4


def test_what_is_published_is_calibrated_as_at_the_doors() -> None:
    """A forecast that says 10 ± 1, and 14 to 18 come: the band holds what comes after two days, not at once."""
    publisher, rng = Publisher(), np.random.default_rng(1)
    bands = []
    for step in range(96):
        predicted = forecast_of(START + timedelta(seconds=1800.0 * step), 10.0, spread=1.0)
        published = publisher.publish(predicted, {GATE: float(rng.uniform(14.0, 18.0))})[GATE]
        bands.append(published.queue_veh[:, round(3600.0 / predicted.step_s)])
    first, last = bands[0], bands[-1]
    assert first[2] < 14.0
    assert last[0] < 16.0 < last[2]
    assert last[2] - last[0] < 8.0
    # While the gate is disturbed the ensemble's own band counts, whatever was learned.
    raw, lead_s = predicted.queue_veh[:, 0], np.arange(predicted.queue_veh.shape[2]) * predicted.step_s
    learned, own = (
        publish_curve(publisher.standings, Quantity.QUEUE, GATE, raw, lead_s, {}, is_disturbed=is_disturbed)
        for is_disturbed in (False, True)
    )
    assert learned.published[2, -1] > raw[2, -1] + 1.0
    np.testing.assert_allclose(own.published, raw)
    publisher.begin_day()
    assert publisher.waiting == []
    assert publisher.standings


HOUR_S = 3600.0
POLICY = AdvicePolicy(likely=0.6, keep=0.4)
HALF_HOURS = np.arange(0.0, 6.0 * HOUR_S, 1800.0)


def curves(*median_veh: float) -> list[PublishedQueue]:
    """For each forecast a queue that stays at its median, give or take ten trucks."""
    each = [np.repeat([[veh - 10.0], [veh], [veh + 10.0]], 37, axis=1) for veh in median_veh]
    return [PublishedQueue(queue_veh, queue_veh) for queue_veh in each]


def test_an_alarm_needs_more_to_come_than_to_stay() -> None:
    """Of 60 trucks: half as likely as not is no alarm, likely is, and half as likely as not is enough to stay."""
    told = tell(HALF_HOURS[:6], curves(60.0, 65.0, 60.0, 60.0, 40.0, 40.0), 300.0, 60.0, 6.0 * HOUR_S, POLICY)
    assert [(alarm.given_s, alarm.over_s) for alarm in told] == [(1800.0, 7200.0)]


def test_what_is_said_of_the_time_after_a_day_is_no_alarm() -> None:
    queue_veh = np.zeros((3, 37))
    queue_veh[:, 20:] = 100.0
    rising = [PublishedQueue(queue_veh, queue_veh)]
    assert tell(HALF_HOURS[:1], rising, 300.0, 60.0, 1.5 * HOUR_S) == ()
    (alarm,) = tell(HALF_HOURS[:1], rising, 300.0, 60.0, 2.0 * HOUR_S)
    assert alarm.by_s == 20 * 300.0


def test_an_alarm_foresees_what_comes_while_it_stands_and_is_false_when_nothing_does() -> None:
    time_s = np.arange(0.0, 6.0 * HOUR_S, 300.0)
    comes = np.where(time_s >= 3.0 * HOUR_S, 80.0, 20.0)
    early, late = Alarm(1.0 * HOUR_S, 3.0 * HOUR_S, np.inf), Alarm(2.5 * HOUR_S, 3.0 * HOUR_S, np.inf)
    withdrawn = Alarm(0.5 * HOUR_S, 1.0 * HOUR_S, 1.5 * HOUR_S)
    assert early.foresees(3.0 * HOUR_S)
    assert not late.foresees(3.0 * HOUR_S)
    assert not withdrawn.foresees(3.0 * HOUR_S)
    assert not early.is_false(time_s, comes, 60.0)
    assert withdrawn.is_false(time_s, comes, 60.0)
    assert early.is_false(time_s, np.full(time_s.size, 60.0), 60.0)


def test_what_is_kept_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> list[int]:
        made.append(1)
        return [1, 2]

    assert kept(tmp_path, "day", SEEN, make) == kept(tmp_path, "day", SEEN, make) == [1, 2]
    assert kept(tmp_path, "another", SEEN, make) == [1, 2]
    assert len(made) == 2


def test_an_alarm_counts_every_time_at_which_the_queue_may_be_long() -> None:
    """At each moment half of the runs have a long queue, each run at another: that it comes at all is likely."""
    at_times = np.repeat([[40.0], [58.0], [70.0]], 37, axis=1)
    at_all = np.repeat([[55.0], [66.0], [80.0]], 37, axis=1)
    assert tell(HALF_HOURS[:1], [PublishedQueue(at_times, at_times)], 300.0, 60.0, 6.0 * HOUR_S, POLICY) == ()
    assert len(tell(HALF_HOURS[:1], [PublishedQueue(at_times, at_all)], 300.0, 60.0, 6.0 * HOUR_S, POLICY)) == 1
