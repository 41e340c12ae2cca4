"""The recorded demo day is what it says it is, and its moments become the right moments of platform time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.demo.recording import DATA, DAY_S, Recording, Timeline
from app.trips.declaration import check_direction, check_goods
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from ingest.plates import normalise_plate, vehicle_kind

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.load()


def test_every_file_says_that_it_is_simulated() -> None:
    files = sorted(DATA.glob("*.parquet"))
    assert len(files) == 4
    for file in files:
        assert pq.read_schema(file).metadata[b"simulated"] == b"true", file.name
    for name in ("demo_day_fixes", "demo_day_trucks"):
        assert all(pq.read_table(DATA / f"{name}.parquet", columns=["simulated"])["simulated"].to_pylist())
    assert sum(file.stat().st_size for file in files) < 6e6


def test_a_file_that_does_not_say_so_is_not_played(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t_s": [1]}), tmp_path / "demo_day_fixes.parquet")
    with pytest.raises(InvalidInputError, match="not marked as simulated"):
        Recording.load(tmp_path)


def test_it_is_a_busy_day(recording: Recording) -> None:
    assert len(recording.trucks) >= 600
    assert recording.t_s.size > 300_000
    assert {(t.gate, t.direction) for t in recording.trucks} == {
        (gate, direction) for gate in ("huu-nghi", "tan-thanh") for direction in ("export", "import")
    }


def test_papers_can_be_declared(recording: Recording) -> None:
    for truck in recording.trucks:
        assert vehicle_kind(normalise_plate(truck.plate)) == "truck"
        assert check_direction(truck.regime, truck.direction) == truck.direction
        assert check_goods(truck.goods, truck.goods_class, None)[1] == truck.perishable
    assert len({truck.plate for truck in recording.trucks}) == len(recording.trucks)
    assert sum(truck.enterprise == 0 for truck in recording.trucks) == 40


def test_a_jam_builds_and_dissolves() -> None:
    truth = pq.read_table(DATA / "demo_day_truth.parquet").to_pandas()
    queue, tail_km = truth["huu-nghi.queue_veh"].to_numpy(), truth["huu-nghi.tail_km"].to_numpy()
    start_s = Recording.load().start_s
    now = int(np.searchsorted(truth["t_s"], start_s))
    assert 30 < queue[now] < queue[now + 12] < queue[now + 36], "it grows over the hours after the start"
    assert queue.max() > 300
    assert 5.0 < tail_km.max() < 8.0
    assert queue[0] < 10
    assert queue[-1] < 10


def test_the_barrier_worked_as_the_parameters_say(recording: Recording) -> None:
    passages = pq.read_table(DATA / "demo_day_passages.parquet").to_pandas()
    through = passages[(passages["gate"] == "huu-nghi") & (passages["direction"] == "export")]
    gate = recording.about["gates"]["huu-nghi"]
    assert through["barrier_1_s"].notna().all(), "nobody slipped through unchecked"
    assert through["service_s"].mean() == pytest.approx(gate["service_mean_s"], rel=0.05)
    assert through["service_s"].std() == pytest.approx(gate["service_cv"] * gate["service_mean_s"], rel=0.1)
    saturated = ((through["barrier_1_s"] > 7 * 3600) & (through["barrier_1_s"] <= 17 * 3600)).sum() / 10.0
    assert saturated == pytest.approx(gate["lanes"] * 3600 / gate["service_mean_s"], rel=0.05)


def test_trucks_drive_on_the_corridor_and_stand_in_its_yards(recording: Recording, corridor: Corridor) -> None:
    road_id, offset_m, distance_m = corridor.locate(recording.lon, recording.lat)
    moving = recording.speed_mps > 5.0
    assert np.percentile(distance_m[moving], 99) < 45.0
    km = corridor.km_of(road_id, offset_m)
    assert km[moving].max() > 115.0
    for truck in recording.trucks[::50]:
        fixes = recording.fixes_of(truck.truck)
        if truck.direction == "export":
            newest = fixes[np.argmax(recording.t_s[fixes])]
            assert km[newest] < 0.4, "an export is last seen at the border"


def test_days_join_without_a_seam(recording: Recording) -> None:
    """At midnight about as many trucks report as a day later, when the recording's tail overlaps its start."""

    def reporting(at_s: float) -> int:
        return sum(len(indices) for _, indices in recording.sent_between(at_s - 1200, at_s))

    counts = [reporting(DAY_S + hour * 900.0) for hour in range(-8, 9)]
    assert min(counts) > 0.5 * max(counts)
    assert max(truck.end_s - truck.depart_s for truck in recording.trucks) < 22 * 3600, "back before its next journey"
    assert recording.longest_s > DAY_S


def test_the_timeline_puts_the_start_at_now(recording: Recording) -> None:
    timeline = Timeline.starting(NOW, recording.start_s)
    assert timeline.moment(0, recording.start_s) == NOW
    assert timeline.moment(1, recording.start_s) == NOW + timedelta(days=1)
    assert timeline.day_of(NOW) == 0
    assert timeline.day_of(NOW + timedelta(days=2)) == 2


def test_a_journey_lasts_until_its_end(recording: Recording) -> None:
    timeline = Timeline.starting(NOW, recording.start_s)
    truck = max(recording.trucks, key=lambda truck: truck.end_s)
    assert truck.end_s > DAY_S
    assert timeline.journey_at(truck, timeline.moment(0, truck.end_s - 1)) == 0
    assert timeline.journey_at(truck, timeline.moment(0, truck.end_s + 1)) == 1


def test_each_fix_is_sent_once(recording: Recording) -> None:
    pieces = [0.0, 1000.0, 50_000.0, DAY_S - 0.5, DAY_S + 0.5, 2.0 * DAY_S]
    whole = sum(len(indices) for _, indices in recording.sent_between(pieces[0], pieces[-1]))
    parts = sum(len(i) for a, b in pairwise(pieces) for _, i in recording.sent_between(a, b))
    assert whole == parts


def test_many_trucks_move_when_the_demo_starts(recording: Recording) -> None:
    moving = 0
    for day, indices in recording.last_sent(recording.start_s, within_s=120):
        assert np.all(recording.sent_s[indices] + day * DAY_S <= recording.start_s)
        moving += int((recording.speed_mps[indices] > 1.5).sum())
    assert moving > 200


def test_the_demo_driver_is_on_the_way(recording: Recording, corridor: Corridor) -> None:
    truck = recording.trucks[recording.driver_truck]
    assert (truck.gate, truck.direction, truck.enterprise) == ("huu-nghi", "export", 0)
    fixes = recording.fixes_of(truck.truck)
    near = fixes[np.abs(recording.t_s[fixes] - recording.start_s) < 40]
    road_id, offset_m, _ = corridor.locate(recording.lon[near], recording.lat[near])
    assert np.all((corridor.km_of(road_id, offset_m) > 40) & (corridor.km_of(road_id, offset_m) < 60))


def test_a_thinned_day_has_some_of_its_trucks_as_they_were(recording: Recording) -> None:
    few = recording.thinned(10)
    assert len(few.trucks) == few.about["trucks"] == pytest.approx(len(recording.trucks) / 10, abs=1)
    assert few.trucks[few.driver_truck].plate == recording.trucks[recording.driver_truck].plate
    number_of = {truck.plate: truck.truck for truck in recording.trucks}
    for number, truck in enumerate(few.trucks):
        assert truck.truck == number
        mine, whole = few.fixes_of(number), recording.fixes_of(number_of[truck.plate])
        for column in ("t_s", "sent_s", "lon", "lat", "speed_mps", "heading_deg", "accuracy_m"):
            np.testing.assert_array_equal(getattr(few, column)[mine], getattr(recording, column)[whole])
    assert few.truck.size == sum(len(few.fixes_of(truck.truck)) for truck in few.trucks)
    assert [truck.plate for truck in recording.thinned(1).trucks] == [truck.plate for truck in recording.trucks]
