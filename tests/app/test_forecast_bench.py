"""The measurement of the forecast looks at nothing that has not come in yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from app.forecasting.state_readings import Readings
from bench.days.kinds import KINDS, Day, draw_day
from bench.days.memory import START, Memory
from bench.days.published import Publisher
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
        bands.append(published[:, round(3600.0 / predicted.step_s)])
    first, last = bands[0], bands[-1]
    assert first[2] < 14.0
    assert last[0] < 16.0 < last[2]
    assert last[2] - last[0] < 8.0
    publisher.begin_day()
    assert publisher.waiting == []
    assert publisher.standings
