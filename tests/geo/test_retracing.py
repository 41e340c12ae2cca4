"""Taking a truck's way again says the same as judging its fixes as they came, in batches of any size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.corridor import Corridor
from geo.matching import Fixes, LastPlaces, Matcher
from geo.projection import to_degrees, to_metres
from geo.retracing import Retraced, TraceState, Waypoints, retrace
from tests.profiles import examples

CORRIDOR = Corridor.default()
MATCHER = Matcher(CORRIDOR)
SITES = ["staging-lang-son", *(site for site in MATCHER.site_ids if CORRIDOR.sites[site].geofence is not None)]


def way_of(seed: int, count: int) -> Waypoints:
    """A truck about the edges of areas, with coarse fixes, jumps, and wrong places that repeat."""
    rng = np.random.default_rng(seed)
    site = CORRIDOR.sites[SITES[seed % len(SITES)]]
    assert site.geofence is not None
    x, y = to_metres(np.array([site.geofence.centroid.x]), np.array([site.geofence.centroid.y]))
    size_m = float(np.sqrt(site.geofence.area)) * 111_000
    east = rng.normal(0, size_m, count).cumsum() / 2 + rng.normal(0, 15, count)
    north = rng.normal(0, size_m, count).cumsum() / 2 + rng.normal(0, 15, count)
    wrong = np.repeat(rng.random(count // 2 + 1) < 0.15, 2)[:count]
    lon, lat = to_degrees(x + east + wrong * 40_000, y + north)
    accuracy_m = np.where(rng.random(count) < 0.2, 150.0, np.where(rng.random(count) < 0.5, 5.0, np.nan))
    return Waypoints(np.cumsum(rng.integers(5, 90, count)).astype(float), lon, lat, accuracy_m)


def part(way: Waypoints, rows: slice) -> Waypoints:
    return Waypoints(way.time_s[rows], way.lon[rows], way.lat[rows], way.accuracy_m[rows])


def state_after(way: Waypoints, judged: Retraced, before: TraceState | None) -> TraceState | None:
    good = np.flatnonzero(~judged.unlikely)
    if not len(good):
        assert before is not None
        more = before.suspects
        joined = (np.concatenate([getattr(more, n), getattr(way, n)]) for n in Waypoints.__annotations__)
        return TraceState(before.time_s, before.lon, before.lat, before.site, Waypoints(*joined))
    last = good[-1]
    return TraceState(
        way.time_s[last], way.lon[last], way.lat[last], int(judged.site[last]), part(way, slice(last + 1, None))
    )


@given(st.integers(0, 10_000), st.integers(1, 60), st.lists(st.integers(1, 59), max_size=5))
@examples(300)
def test_in_pieces_as_in_one(seed: int, count: int, cuts: list[int]) -> None:
    way = way_of(seed, count)
    whole = retrace(MATCHER.fences, way, None, MATCHER.options)
    state: TraceState | None = None
    unlikely, site = [], []
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    for begin, end in pairwise(bounds):
        piece = part(way, slice(begin, end))
        judged = retrace(MATCHER.fences, piece, state, MATCHER.options)
        state = state_after(piece, judged, state)
        unlikely += judged.unlikely.tolist()
        site += judged.site.tolist()
    assert unlikely == whole.unlikely.tolist()
    assert site == whole.site.tolist()


@given(st.integers(0, 10_000), st.integers(1, 40))
@examples(200)
def test_as_the_matcher_says(seed: int, count: int) -> None:
    way = way_of(seed, count)
    places = MATCHER.match(Fixes.of(np.ones(count), way.time_s, way.lon, way.lat, accuracy_m=way.accuracy_m))
    judged = retrace(MATCHER.fences, way, None, MATCHER.options)
    assert judged.unlikely.tolist() == places.unlikely.tolist()
    believed = ~judged.unlikely
    assert judged.site[believed].tolist() == places.site[believed].tolist()


def test_after_a_known_place_as_the_matcher() -> None:
    way = way_of(3, 30)
    first = part(way, slice(0, 1))
    known = LastPlaces(first.time_s, np.array([-1], np.int32), np.array([np.nan]), first.lon, first.lat, np.array([-1]))
    rest = part(way, slice(1, None))
    places = MATCHER.match(Fixes.of(np.ones(29), rest.time_s, rest.lon, rest.lat, accuracy_m=rest.accuracy_m), known)
    state = TraceState(first.time_s[0], first.lon[0], first.lat[0], -1, part(way, slice(0, 0)))
    judged = retrace(MATCHER.fences, rest, state, MATCHER.options)
    assert judged.unlikely.tolist() == places.unlikely.tolist()
    assert judged.site[~judged.unlikely].tolist() == places.site[~places.unlikely].tolist()
