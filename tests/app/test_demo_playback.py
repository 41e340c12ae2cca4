"""What is due when: feeding in pieces, restarts, days that follow each other, trucks that obey orders."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from app.demo.drivers import FASTEST_S, SLOWEST_S, decide, place_within
from app.demo.feeder import FRESH, HISTORY, catch_up, encode, own_url, retry_after_s
from app.demo.playback import Fix, Playback, Shift
from app.demo.recording import DAY_S, Recording, Timeline
from app.demo.state import FILE, DemoState
from app.settings import Settings
from geo.clock import ScaledClock
from geo.corridor import Corridor
from ingest.formats import batch

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
ORDER = 7


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Every tenth truck, and the demo driver's."""
    whole = Recording.load()
    kept = (whole.truck % 10 == 0) | (whole.truck == whole.driver_truck)
    columns = ("truck", "t_s", "sent_s", "lon", "lat", "speed_mps", "heading_deg", "accuracy_m")
    return replace(whole, **{name: getattr(whole, name)[kept] for name in columns})


@pytest.fixture
def playback(recording: Recording) -> Playback:
    return Playback(recording, Timeline.starting(NOW, recording.start_s))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def fed(playback: Playback, since: datetime, until: datetime, step: timedelta) -> list[Fix]:
    """As the feeder does it: tick by tick."""
    found = []
    while since < until:
        tick = min(since + step, until)
        found += playback.due(since, tick)
        since = tick
    return found


def of(fixes: list[Fix], truck: int) -> list[Fix]:
    return [fix for fix in fixes if fix.truck == truck]


def test_ticks_give_what_one_look_gives(playback: Playback) -> None:
    whole = playback.due(NOW, NOW + minutes(30))
    assert fed(playback, NOW, NOW + minutes(30), timedelta(seconds=7)) == whole
    assert len(whole) > 500


def test_no_fix_is_sent_before_it_was_taken(playback: Playback) -> None:
    assert all(fix.time <= NOW + minutes(5) for fix in playback.due(NOW, NOW + minutes(5)))


def test_the_next_day_repeats_the_first(playback: Playback) -> None:
    first = playback.due(NOW, NOW + minutes(3))
    second = playback.due(NOW + timedelta(days=1), NOW + timedelta(days=1) + minutes(3))
    assert [replace(fix, time=fix.time + timedelta(days=1)) for fix in first] == second


def test_days_overlap_at_midnight(playback: Playback, recording: Recording) -> None:
    midnight = playback.timeline.moment(1, 0)
    fixes = playback.due(midnight - minutes(30), midnight + minutes(30))
    before = {fix.truck for fix in fixes if fix.time < midnight}
    after = {fix.truck for fix in fixes if fix.time >= midnight}
    assert len(before & after) > 5, "trucks under way go on"
    late = max(recording.trucks[::10], key=lambda truck: truck.end_s)
    assert late.end_s > DAY_S
    assert of(playback.due(midnight, midnight + timedelta(hours=8)), late.truck)


def test_the_newest_picture_comes_first(playback: Playback) -> None:
    picture, fresh, *history = list(catch_up(playback, None, NOW))
    newest: dict[int, datetime] = {}
    for fix in playback.due(NOW - minutes(20), NOW):
        newest[fix.truck] = max(newest.get(fix.truck, fix.time), fix.time)
    shown = {fix.truck: fix.time for fix in picture}
    assert shown == newest
    assert sum(fix.speed_mps > 1.5 for fix in picture) > 10
    assert fresh == playback.due(NOW - FRESH, NOW)
    everything = playback.due(NOW - HISTORY, NOW)
    assert Counter(fix for part in (fresh, *history) for fix in part) == Counter(everything)


def test_a_restart_feeds_what_is_missing(playback: Playback) -> None:
    stopped = NOW - minutes(30)
    missing = [fix for part in catch_up(playback, stopped, NOW) for fix in part]
    assert set(playback.due(stopped, NOW)) <= set(missing)
    short = [fix for part in catch_up(playback, NOW - timedelta(seconds=40), NOW) for fix in part]
    assert short == playback.due(NOW - timedelta(seconds=40), NOW)
    assert list(catch_up(playback, NOW, NOW)) == []
    assert list(catch_up(playback, NOW + minutes(5), NOW)) == [], "a clock set back"
    long_ago = [fix for part in catch_up(playback, NOW - timedelta(days=9), NOW) for fix in part]
    assert min(fix.time for fix in long_ago) > NOW - timedelta(hours=5), "not nine days of them"


def test_state_survives_a_restart(recording: Recording, tmp_path: Path) -> None:
    state = DemoState.load(tmp_path, NOW, recording.start_s)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    state.fed_until = NOW
    state.shifts[3] = Shift(0, 61.5, ORDER, 900.0, 106.7, 21.9, NOW)
    state.save(tmp_path)
    again = DemoState.load(tmp_path, NOW + timedelta(days=3), recording.start_s)
    assert again == state, "the days are not shifted again"
    assert json.loads((tmp_path / FILE).read_text())["shifts"]["3"]["order_id"] == ORDER


def test_a_faster_clock_plays_faster(playback: Playback) -> None:
    clock = ScaledClock(NOW, 60.0)
    wall = timedelta(seconds=30)
    platform = clock.origin + wall * clock.speed
    assert len(playback.due(NOW, platform)) == len(playback.due(NOW, NOW + minutes(30)))


def test_a_truck_told_to_stop_stands_and_then_goes_on_later(playback: Playback, recording: Recording) -> None:
    truck = recording.driver_truck
    undisturbed = of(playback.due(NOW, NOW + minutes(60)), truck)
    assert playback.hold(truck, ORDER, NOW, None) is not None
    assert playback.held() == {truck: ORDER}
    stood = of(fed(playback, NOW, NOW + minutes(20), timedelta(seconds=1)), truck)
    assert {fix.speed_mps for fix in stood} == {0.0}
    assert len({(fix.lon, fix.lat) for fix in stood}) == 1
    assert all(b.time - a.time == minutes(2) for a, b in pairwise(stood))
    playback.release(truck, NOW + minutes(20))
    assert playback.held() == {}
    later = of(fed(playback, NOW + minutes(20), NOW + minutes(80), timedelta(seconds=1)), truck)
    assert later == [replace(fix, time=fix.time + minutes(20)) for fix in undisturbed]


def test_others_do_not_notice(playback: Playback, recording: Recording) -> None:
    before = playback.due(NOW, NOW + minutes(10))
    playback.hold(recording.driver_truck, ORDER, NOW, None)
    after = playback.due(NOW, NOW + minutes(10))
    assert [fix for fix in before if fix.truck != recording.driver_truck] == [
        fix for fix in after if fix.truck != recording.driver_truck
    ]


def test_a_truck_held_at_a_staging_area_drives_there_first(
    playback: Playback, recording: Recording, corridor: Corridor
) -> None:
    truck = recording.driver_truck
    area = corridor.get_site("staging-lang-son").geofence
    spot = place_within(area, seed=1)
    assert playback.hold(truck, ORDER, NOW, spot) is not None
    fixes = of(fed(playback, NOW, NOW + timedelta(hours=2), minutes(1)), truck)
    assert fixes[0].speed_mps > 5.0
    assert (fixes[-1].lon, fixes[-1].lat) == spot
    assert NOW + minutes(30) < next(fix.time for fix in fixes if (fix.lon, fix.lat) == spot) < NOW + minutes(90)


def test_a_place_already_passed_cannot_be_obeyed(playback: Playback, recording: Recording, corridor: Corridor) -> None:
    spot = place_within(corridor.get_site("staging-huu-lung").geofence, seed=1)
    assert playback.hold(recording.driver_truck, ORDER, NOW, spot) is None
    assert playback.shifts == {}


def test_a_diverted_truck_ends_at_the_other_gate(playback: Playback, recording: Recording, corridor: Corridor) -> None:
    truck = recording.driver_truck
    assert recording.trucks[truck].gate == "huu-nghi"
    lon, lat = corridor.position("QL4A", corridor.km_span("QL4A")[1])
    assert playback.divert(truck, "tan-thanh", NOW, (float(lon.item()), float(lat.item())))
    fixes = of(fed(playback, NOW, NOW + timedelta(hours=14), minutes(10)), truck)
    gaps = [(b.time - a.time).total_seconds() for a, b in pairwise(fixes)]
    assert 0 < max(gaps) < 1200, "one way, without a break"
    yard = corridor.get_site("bao-nguyen").geofence
    assert yard is not None
    west, south, east, north = yard.bounds
    assert any(west <= fix.lon <= east and south <= fix.lat <= north for fix in fixes)
    assert truck not in playback.shifts, "the journey is over"


def test_the_next_journey_ends_a_delay(playback: Playback, recording: Recording) -> None:
    truck = recording.driver_truck
    playback.hold(truck, ORDER, NOW, None)
    fixes = of(fed(playback, NOW, NOW + timedelta(days=1), minutes(30)), truck)
    assert playback.shifts == {}
    assert fixes[-1].speed_mps > 0.0, "it has set out again"


def test_encoded_fixes_are_what_the_door_reads(playback: Playback, recording: Recording) -> None:
    fixes = playback.due(NOW, NOW + timedelta(seconds=20))
    identifiers = [f"device-{truck.truck}" for truck in recording.trucks]
    read = batch.decode(encode(fixes, identifiers))
    assert not read.errors
    assert read.device == [f"device-{fix.truck}" for fix in fixes]
    assert read.lon.tolist() == [fix.lon for fix in fixes]
    first = orjson.loads(encode(fixes[:1], identifiers))
    assert datetime.fromisoformat(first["time"]) == fixes[0].time


def test_drivers_answer_after_a_while_and_seldom_refuse() -> None:
    answers = [decide(1, vehicle, "hold") for vehicle in range(1000)]
    assert all(FASTEST_S <= answer.wait_s <= SLOWEST_S for answer in answers)
    assert 10 < sum(answer.refusal is not None for answer in answers) < 80
    assert answers == [decide(1, vehicle, "hold") for vehicle in range(1000)], "the same after a restart"
    assert all(decide(1, vehicle, "notice").refusal is None for vehicle in range(200))


def test_places_lie_in_their_area(corridor: Corridor) -> None:
    area = corridor.get_site("staging-chi-lang").geofence
    assert area is not None
    west, south, east, north = area.bounds
    for seed in range(20):
        lon, lat = place_within(area, seed=seed)
        assert west <= lon <= east
        assert south <= lat <= north


def test_retry_after() -> None:
    assert retry_after_s("3", 0.5) == 3.0
    assert retry_after_s(None, 0.5) == 0.5
    assert retry_after_s("Wed, 21 Oct 2026 07:28:00 GMT", 0.5) == 0.5
    assert retry_after_s("9999", 0.5) == 60.0


def test_own_url() -> None:
    assert own_url(Settings(host="0.0.0.0", port=18080, demo=True)) == "http://127.0.0.1:18080"  # type: ignore[call-arg]
    assert own_url(Settings(host="::1", port=80, demo=True)) == "http://[::1]:80"  # type: ignore[call-arg]
