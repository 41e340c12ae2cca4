"""In whatever order and batches fixes come, what is concluded in the end is that of their order in time."""

from __future__ import annotations

import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.platform.runtime import Runtime
from geo.corridor import Corridor
from geo.matching import Matcher
from geo.projection import to_degrees, to_metres
from ingest import mending, pipeline
from ingest.fixes import FIX, FLAG_JUMP, FLAG_SECOND, FixArray, pack
from ingest.formats.report import to_microseconds
from ingest.mending import Mender
from tests.app.gps import rows
from tests.profiles import examples

CORRIDOR = Corridor.default()
FENCED = [site for site in CORRIDOR.sites.values() if site.geofence is not None]
VEHICLES = itertools.count(10_000)


@pytest.fixture
def context(runtime: Runtime) -> pipeline.Context:
    now = runtime.clock.now()
    with runtime.engine.begin() as connection:
        pipeline.fix_store.ensure_partitions(connection, (now - timedelta(days=2)).date(), now.date())
    return pipeline.Context(runtime.engine, runtime.redis, runtime.clock, Matcher(runtime.corridor), 31)


def way_of(runtime: Runtime, seed: int, count: int, *, receivers: int = 1) -> FixArray:
    """A truck about the edges of an area: coarse fixes, wrong places that repeat, perhaps two receivers."""
    rng = np.random.default_rng(seed)
    site = FENCED[seed % len(FENCED)]
    assert site.geofence is not None
    x, y = to_metres(np.array([site.geofence.centroid.x]), np.array([site.geofence.centroid.y]))
    size_m = float(np.sqrt(site.geofence.area)) * 111_000
    east = rng.normal(0, size_m, count).cumsum() / 2
    north = rng.normal(0, size_m, count).cumsum() / 2
    wrong = np.repeat(rng.random(count // 2 + 1) < 0.15, 2)[:count]
    made = np.zeros(count, FIX)
    made["lon"], made["lat"] = to_degrees(x + east + wrong * 40_000 + rng.normal(0, 10, count), y + north)
    made["accuracy_m"] = np.where(rng.random(count) < 0.2, 150.0, np.where(rng.random(count) < 0.5, 5.0, np.nan))
    made["speed_mps"] = made["heading_deg"] = np.nan
    now_us = to_microseconds(runtime.clock.now())
    made["time_us"] = now_us - 20_000_000_000 + np.cumsum(rng.integers(5, 90, count)) * 1_000_000
    made["received_us"] = now_us
    made["device_id"] = rng.integers(1, receivers + 1, count)
    return made


def feed(context: pipeline.Context, fixes: FixArray, vehicle_id: int) -> None:
    own = fixes.copy()
    own["vehicle_id"], own["device_id"] = vehicle_id, own["device_id"] + vehicle_id * 10
    pipeline.run([{key: value for key, value in pack(own).items()}], context)  # type: ignore[misc]


def mend_all(context: pipeline.Context) -> None:
    mender = Mender(context.engine, context.matcher)
    while mended := mender.mend_due([0], 1, idle=True):
        context.latest.forget(mended)


def conclusions(runtime: Runtime, vehicle_id: int) -> dict[str, list[tuple[object, ...]]]:
    flags = FLAG_JUMP | FLAG_SECOND
    return {
        "events": rows(
            runtime,
            "SELECT site_id, kind, time FROM ingest.site_event "
            f"WHERE vehicle_id = {vehicle_id} ORDER BY time, kind DESC",
        ),
        "flags": rows(
            runtime, f"SELECT time, flags & {flags} FROM ingest.fix WHERE vehicle_id = {vehicle_id} ORDER BY time"
        ),
        "last": rows(runtime, f"SELECT time, site_id FROM ingest.last_position WHERE vehicle_id = {vehicle_id}"),
    }


@pytest.mark.long
@given(data=st.data())
@examples(300, suppress=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_order_and_batching_ends_the_same(runtime: Runtime, context: pipeline.Context, data: st.DataObject) -> None:
    seed, count = data.draw(st.integers(0, 10_000)), data.draw(st.integers(2, 40))
    fixes = way_of(runtime, seed, count, receivers=data.draw(st.integers(1, 2)))
    in_order, shuffled = next(VEHICLES), next(VEHICLES)
    feed(context, fixes, in_order)
    order = data.draw(st.permutations(range(count)))
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1), max_size=5)))
    mend_between = data.draw(st.booleans())
    forget_between = data.draw(st.booleans())
    for begin, end in itertools.pairwise([0, *cuts, count]):
        feed(context, fixes[list(order[begin:end])], shuffled)
        if mend_between:
            mend_all(context)
        if forget_between:
            context.latest.clear()
    mend_all(context)
    expected, found = conclusions(runtime, in_order), conclusions(runtime, shuffled)
    assert found == expected
    feed(context, fixes[list(order)], shuffled)  # all of it again
    mend_all(context)
    assert conclusions(runtime, shuffled) == expected


def test_one_at_a_time_is_as_all_at_once(runtime: Runtime, context: pipeline.Context) -> None:
    for seed in range(4):
        fixes = way_of(runtime, seed, 30, receivers=2)
        whole, single = next(VEHICLES), next(VEHICLES)
        feed(context, fixes, whole)
        for row in range(len(fixes)):
            feed(context, fixes[row : row + 1], single)
        assert conclusions(runtime, single) == conclusions(runtime, whole)
        assert rows(runtime, "SELECT * FROM ingest.way_to_retrace") == []


def test_a_yard_entered_and_left_in_a_late_buffer_is_told_once(runtime: Runtime, context: pipeline.Context) -> None:
    site = next(each for each in FENCED if each.kind == "yard")
    assert site.geofence is not None
    vehicle_id, now_us = next(VEHICLES), to_microseconds(runtime.clock.now())
    fixes = np.zeros(9, FIX)
    fixes["lon"], fixes["lat"] = site.geofence.centroid.x, site.geofence.centroid.y
    fixes["lat"][[0, 1, 7, 8]] -= 0.05
    fixes["speed_mps"] = fixes["heading_deg"] = fixes["accuracy_m"] = np.nan
    fixes["time_us"], fixes["received_us"] = now_us - (9 - np.arange(9)) * 600_000_000, now_us
    fixes["device_id"] = 1
    feed(context, fixes[[0, 8]], vehicle_id)
    assert conclusions(runtime, vehicle_id)["events"] == []
    for _ in range(2):
        feed(context, fixes[1:8][::-1], vehicle_id)
        mend_all(context)
        events = conclusions(runtime, vehicle_id)["events"]
        assert [event[:2] for event in events] == [(site.site_id, "enter"), (site.site_id, "leave")]
        numbers = rows(runtime, "SELECT max(event_id) FROM ingest.site_event")
    mend_all(context)
    assert rows(runtime, "SELECT max(event_id) FROM ingest.site_event") == numbers


def test_a_long_way_is_taken_in_pieces(
    runtime: Runtime, context: pipeline.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "CHUNK_FIXES", 7)
    for seed in range(6):
        fixes = way_of(runtime, seed + 50, 60, receivers=1 + seed % 2)
        whole, late = next(VEHICLES), next(VEHICLES)
        feed(context, fixes, whole)
        missing = np.zeros(60, bool)
        missing[[3, 11, 12, 30]] = True
        feed(context, fixes[~missing], late)
        feed(context, fixes[missing], late)
        mend_all(context)
        assert conclusions(runtime, late) == conclusions(runtime, whole)


def test_what_only_ceases_to_be_true_is_told_again(runtime: Runtime, context: pipeline.Context) -> None:
    """A leaving that a late fix undoes: nothing new happened, yet who reads what is new must look again."""
    site = next(each for each in FENCED if each.kind == "yard")
    assert site.geofence is not None
    vehicle_id, now_us = next(VEHICLES), to_microseconds(runtime.clock.now())
    fixes = np.zeros(3, FIX)
    fixes["lon"], fixes["lat"] = site.geofence.centroid.x, site.geofence.centroid.y
    fixes["speed_mps"] = fixes["heading_deg"] = fixes["accuracy_m"] = np.nan
    fixes["time_us"], fixes["received_us"] = now_us - np.array([50, 35, 30]) * 1_000_000, now_us
    fixes["device_id"] = 1
    fixes["lat"][2] -= 0.009  # within reach in 20 s, out of reach in 5 s
    feed(context, fixes[[0, 2]], vehicle_id)
    assert [event[1] for event in conclusions(runtime, vehicle_id)["events"]] == ["enter", "leave"]
    newest = rows(runtime, "SELECT max(event_id) FROM ingest.site_event")[0][0]
    feed(context, fixes[[1]], vehicle_id)
    mend_all(context)
    found = conclusions(runtime, vehicle_id)
    assert [event[1] for event in found["events"]] == ["enter"]
    assert [flags for _, flags in found["flags"]] == [0, 0, FLAG_JUMP]
    assert found["last"][0][1] == site.site_id
    assert rows(runtime, f"SELECT event_id > {newest} FROM ingest.site_event WHERE vehicle_id = {vehicle_id}") == [
        (True,)
    ]
