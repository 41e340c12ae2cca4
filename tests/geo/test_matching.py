"""Map matching: fork, directions, noise, standing trucks, late fixes, geofences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.matching import make_drives
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.matching import Fixes, LastPlaces, Matcher, Places, Status, site_events
from geo.projection import to_degrees, to_metres

Floats = npt.NDArray[np.float64]

CORRIDOR = Corridor.default()
MATCHER = Matcher(CORRIDOR)
FORK_KM = next(r.km_to for r in CORRIDOR.roads if r.road == "QL1A" and r.to_node == "dong-dang")
BRANCH_KM = CORRIDOR.km_span("QL4A")[1]
NAMES = np.array([road.road for road in CORRIDOR.roads])


def along(road: str, kms: Any) -> tuple[Floats, Floats]:
    return CORRIDOR.position(road, kms)


def beside(road: str, km: float, *, metres: float) -> tuple[Floats, Floats]:
    """A point to the east of a kilometre."""
    x, y = to_metres(*along(road, [km]))
    return to_degrees(x + metres, y)


def noisy(lon: Floats, lat: Floats, *, sigma_m: float, seed: int = 7) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x, y = to_metres(lon, lat)
    return to_degrees(x + rng.normal(0.0, sigma_m, len(x)), y + rng.normal(0.0, sigma_m, len(y)))


def drive(lon: Floats, lat: Floats, *, every_s: float = 30.0, **known: Any) -> Fixes:
    """Fixes of one vehicle."""
    return Fixes.of(np.ones(len(lon)), np.arange(len(lon)) * every_s, lon, lat, **known)


def one_by_one(fixes: Fixes) -> list[Places]:
    """As fixes arrive live: one a batch, with the last place of the vehicle."""
    last: LastPlaces | None = None
    placed = []
    for row in range(len(fixes)):
        fix = Fixes(*(getattr(fixes, name)[row : row + 1] for name in Fixes.__annotations__))
        places = MATCHER.match(fix, last)
        last = MATCHER.last_places(fix, places)[1]
        placed.append(places)
    return placed


def site(site_id: str) -> int:
    return MATCHER.site_ids.index(site_id)


@pytest.mark.parametrize("road", ["QL1A", "QL4A"])
@pytest.mark.parametrize("toward", [1, -1])
def test_kilometre_and_direction_without_heading_or_speed(road: str, toward: int) -> None:
    km = np.linspace(8.0, 3.0, 20)[::toward]
    lon, lat = noisy(*along(road, km), sigma_m=6.0)
    places = MATCHER.match(drive(lon, lat))
    keep = NAMES[places.road_id] == road
    assert keep.all()
    assert places.km == pytest.approx(km, abs=0.05)
    assert (places.direction == toward).all()
    assert {CORRIDOR.roads[i].direction for i in places.road_id} == {"to_border" if toward == 1 else "from_border"}
    assert (places.status == Status.ON_ROAD).all()
    assert CORRIDOR.km_of(places.road_id, places.offset_m) == pytest.approx(places.km)


@pytest.mark.parametrize("toward", [1, -1])
def test_one_by_one_finds_the_same(toward: int) -> None:
    km = np.linspace(8.0, 5.0, 12)[::toward]
    places = one_by_one(drive(*noisy(*along("QL1A", km), sigma_m=6.0)))
    assert np.concatenate([p.km for p in places]) == pytest.approx(km, abs=0.05)
    assert np.concatenate([p.direction for p in places[1:]]).tolist() == [toward] * 11


@pytest.mark.parametrize("road", ["QL1A", "QL4A"])
@pytest.mark.parametrize("toward", [1, -1])
@pytest.mark.parametrize("live", [True, False])
def test_the_fork_at_dong_dang(road: str, toward: int, live: bool) -> None:
    """From Lạng Sơn through the fork to either gate and back, 8 m of noise: never on the wrong branch beyond it."""
    main_km = np.arange(FORK_KM + 2.0, FORK_KM, -0.15)
    branch_km = np.arange((FORK_KM if road == "QL1A" else BRANCH_KM) - 0.05, 0.0, -0.15)[:16]
    points = np.hstack([np.array(along("QL1A", main_km)), np.array(along(road, branch_km))])[:, ::toward]
    roads = np.array(["QL1A"] * len(main_km) + [road] * len(branch_km))[::toward]
    km = np.concatenate([main_km, branch_km])[::toward]
    for seed in range(5):
        fixes = drive(*noisy(points[0], points[1], sigma_m=8.0, seed=seed), every_s=15.0)
        if live:
            each = one_by_one(fixes)
            road_id, found_km, direction = (
                np.concatenate([getattr(p, name) for p in each]) for name in ("road_id", "km", "direction")
            )
        else:
            places = MATCHER.match(fixes)
            road_id, found_km, direction = places.road_id, places.km, places.direction
        clear = np.abs(km - np.where(roads == "QL4A", BRANCH_KM, FORK_KM)) > 0.12
        assert (NAMES[road_id] == roads)[clear].all()
        assert found_km[clear] == pytest.approx(km[clear], abs=0.05)
        assert (direction[2:] == toward).all()


@pytest.mark.parametrize("live", [True, False])
def test_a_bad_fix_on_the_other_branch_is_held_by_the_way(live: bool) -> None:
    """A fix of 60 m accuracy happens to lie on QL4A; before and after it the truck is on QL1A."""
    lon, lat = along("QL1A", FORK_KM + np.array([0.3, 0.15, -0.15, -0.3, -0.45]))
    lon[2], lat[2] = (float(value[0]) for value in along("QL4A", [BRANCH_KM - 0.1]))
    fixes = drive(lon, lat, every_s=15.0, accuracy_m=[5.0, 5.0, 60.0, 5.0, 5.0])
    alone = MATCHER.match(Fixes(*(getattr(fixes, name)[2:3] for name in Fixes.__annotations__)))
    assert NAMES[alone.road_id].tolist() == ["QL4A"]
    road_id = np.concatenate([p.road_id for p in one_by_one(fixes)]) if live else MATCHER.match(fixes).road_id
    after = NAMES[road_id][[0, 1, 3, 4]] if live else NAMES[road_id]
    assert set(after) == {"QL1A"}


def test_a_heading_gives_the_direction_of_a_single_fix() -> None:
    road = CORRIDOR.get_road("ql1a-to-020")
    lon, lat = CORRIDOR.position_on([road.road_id] * 2, [500.0, 510.0])
    x, y = to_metres(lon, lat)
    heading = float(np.degrees(np.arctan2(x[1] - x[0], y[1] - y[0])) % 360.0)
    for heading_deg, speed_mps, expected in (
        (heading, 12.0, 1),
        ((heading + 180.0) % 360.0, 12.0, -1),
        (heading, 0.0, 0),
        (heading, np.nan, 0),
        (0.0, 12.0, 0),
    ):
        fix = Fixes.of([1], [0.0], lon[:1], lat[:1], speed_mps=[speed_mps], heading_deg=[heading_deg])
        assert MATCHER.match(fix).direction.tolist() == [expected]


@pytest.mark.parametrize("toward", [1, -1])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("speed_known", [True, False])
def test_a_standing_truck_keeps_its_direction(toward: int, live: bool, speed_known: bool) -> None:
    """It drives, then stands for an hour among 10 m of noise, with a random heading or none."""
    rng = np.random.default_rng(3)
    km = np.concatenate([np.linspace(21.0, 20.0, 5)[::toward], np.full(120, 20.0 if toward == 1 else 21.0)])
    speed = np.concatenate([np.full(5, 8.0), rng.uniform(0.0, 0.4, 120)])
    lon, lat = noisy(*along("QL1A", km), sigma_m=10.0)
    known = {"speed_mps": speed, "heading_deg": np.where(speed > 1.0, np.nan, rng.uniform(1, 359, 125))}
    fixes = drive(lon, lat, **(known if speed_known else {}))
    placed = one_by_one(fixes) if live else [MATCHER.match(fixes)]
    direction = np.concatenate([p.direction for p in placed])
    assert direction[2:].tolist() == [toward] * 123


def test_a_truck_that_turns_round_is_seen_to() -> None:
    km = np.concatenate([np.linspace(50.0, 49.0, 6), np.linspace(49.1, 50.0, 6)])
    direction = MATCHER.match(drive(*noisy(*along("QL1A", km), sigma_m=5.0))).direction
    assert direction.tolist() == [1] * 6 + [-1] * 6


def test_a_crawling_truck_has_a_direction() -> None:
    """Two metres a second, a fix every 10 s: each step is lost in the noise, the way is not."""
    km = 30.0 + np.arange(40) * 0.02
    direction = MATCHER.match(drive(*noisy(*along("QL1A", km), sigma_m=4.0), every_s=10.0)).direction
    assert direction.tolist() == [-1] * 40


def test_order_within_the_batch_does_not_matter() -> None:
    drives = make_drives(CORRIDOR, trucks=40, steps=10, seed=5)
    together = Fixes(*(np.concatenate([getattr(f, n) for f in drives.fixes]) for n in Fixes.__annotations__))
    order = np.random.default_rng(1).permutation(len(together))
    shuffled = Fixes(*(getattr(together, name)[order] for name in Fixes.__annotations__))
    one, other = MATCHER.match(together), MATCHER.match(shuffled)
    for name in Places.__annotations__:
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name))


def test_a_late_fix_is_placed_between_its_neighbours() -> None:
    """Known at t = 600 on the branch; what arrives late was on the main road before the fork, and so it is placed."""
    lon, lat = along("QL4A", [BRANCH_KM - 0.6])
    now = MATCHER.match(Fixes.of([1], [600.0], lon, lat, speed_mps=[10.0]))
    last = replace(MATCHER.last_places(Fixes.of([1], [600.0], lon, lat), now)[1], direction=np.array([1], np.int8))
    km = FORK_KM + np.array([1.5, 1.2, 0.9, 0.6])
    late = Fixes.of(np.ones(4), [480.0, 500.0, 520.0, 540.0], *noisy(*along("QL1A", km), sigma_m=5.0))
    places = MATCHER.match(late, last)
    assert places.km == pytest.approx(km, abs=0.05)
    assert places.direction.tolist() == [1, 1, 1, 1]
    assert not places.unlikely.any()


def test_one_late_fix_takes_its_direction_from_where_the_truck_went_on() -> None:
    there = Fixes.of([1], [600.0], *along("QL1A", [40.0]))
    last = MATCHER.last_places(there, MATCHER.match(there))[1]
    for late_km, expected in ((41.0, 1), (39.0, -1)):
        places = MATCHER.match(Fixes.of([1], [540.0], *along("QL1A", [late_km])), last)
        assert places.direction.tolist() == [expected]


def test_off_the_carriageway_and_off_the_corridor_are_results() -> None:
    here = [beside("QL1A", 30.0, metres=m) for m in (0.0, 200.0, 3_000.0)]
    fixes = Fixes.of([1, 2, 3], [0.0] * 3, *np.hstack([np.array(p) for p in here]))
    places = MATCHER.match(fixes)
    assert places.status.tolist() == [Status.ON_ROAD, Status.OFF_ROAD, Status.OFF_CORRIDOR]
    assert (places.road_id >= 0).tolist() == [True, True, False]
    assert np.isnan(places.km).tolist() == np.isnan(places.distance_m).tolist() == [False, False, True]
    assert np.isnan(places.offset_m[2])
    assert places.direction[2] == 0


def test_broken_positions_are_off_the_corridor() -> None:
    places = MATCHER.match(Fixes.of([1, 2, 3], [0.0] * 3, [np.nan, np.inf, 0.0], [21.9, 21.9, 0.0]))
    assert places.status.tolist() == [Status.OFF_CORRIDOR] * 3


def test_a_stated_accuracy_widens_the_search() -> None:
    lon, lat = beside("QL1A", 30.0, metres=130.0)
    for accuracy_m, status in ((np.nan, Status.OFF_ROAD), (5.0, Status.OFF_ROAD), (150.0, Status.ON_ROAD)):
        assert MATCHER.match(Fixes.of([1], [0.0], lon, lat, accuracy_m=[accuracy_m])).status.tolist() == [status]
    lon, lat = beside("QL1A", 30.0, metres=600.0)
    for accuracy_m, status in ((10.0, Status.OFF_CORRIDOR), (500.0, Status.OFF_ROAD)):
        assert MATCHER.match(Fixes.of([1], [0.0], lon, lat, accuracy_m=[accuracy_m])).status.tolist() == [status]


def test_a_truck_that_drives_beside_the_drawn_line_is_on_the_road() -> None:
    """The lines err: at 60 km/h along the line and 100 m off it a truck is on the road; at a standstill it is not."""
    lon, lat = beside("QL1A", 30.0, metres=100.0)
    for speed_mps, status in ((16.0, Status.ON_ROAD), (0.0, Status.OFF_ROAD)):
        assert MATCHER.match(Fixes.of([1], [0.0], lon, lat, speed_mps=[speed_mps])).status.tolist() == [status]


def test_an_impossible_jump_is_unlikely_and_moves_nobody() -> None:
    km = np.array([60.0, 59.8, 20.0, 59.4, 59.2])
    places = MATCHER.match(drive(*along("QL1A", km)))
    assert places.unlikely.tolist() == [False, False, True, False, False]
    assert places.direction[[0, 1, 3, 4]].tolist() == [1] * 4


def test_a_jump_is_unlikely_against_the_last_known_place_too() -> None:
    first = drive(*along("QL1A", [60.0]))
    last = MATCHER.last_places(first, MATCHER.match(first))[1]
    for time_s, unlikely in ((30.0, True), (3_600.0, False)):
        places = MATCHER.match(Fixes.of([1], [time_s], *along("QL1A", [20.0])), last)
        assert places.unlikely.tolist() == [unlikely]


def test_two_fixes_that_agree_outweigh_a_wrong_place_before() -> None:
    km = np.array([100.0, 20.0, 19.8, 19.6])
    assert MATCHER.match(drive(*along("QL1A", km))).unlikely.tolist() == [False, True, False, False]


def test_of_a_standing_truck_three_do() -> None:
    km = np.array([100.0, 20.0, 20.0, 20.0, 20.0])
    assert MATCHER.match(drive(*along("QL1A", km))).unlikely.tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("wrong_km", [(20.0, 20.0), (20.0, 20.02), (20.0, 70.0, 20.0)])
def test_a_wrong_position_twice_is_not_believed(wrong_km: tuple[float, ...]) -> None:
    km = np.array([100.0, *wrong_km, 99.0, 98.8])
    unlikely = MATCHER.match(drive(*along("QL1A", km))).unlikely
    assert unlikely.tolist() == [False, *[True] * len(wrong_km), False, False]


# Geofences


def centre(site_id: str) -> tuple[float, float]:
    there = CORRIDOR.get_site(site_id)
    return there.lon, there.lat


def test_in_the_yard_is_off_the_road_and_in_the_site() -> None:
    places = MATCHER.match(Fixes.of([1], [0.0], *([v] for v in centre("xuan-cuong")), speed_mps=[6.0]))
    assert places.status.tolist() == [Status.OFF_ROAD]
    assert places.site.tolist() == [site("xuan-cuong")]
    assert places.km == pytest.approx([0.83], abs=0.05)


def test_passing_a_yard_is_not_entering_it() -> None:
    for road, yard in (("QL1A", "xuan-cuong"), ("QL4A", "bao-nguyen")):
        km = np.linspace(2.0, 0.05, 400)
        places = MATCHER.match(drive(*noisy(*along(road, km), sigma_m=8.0), every_s=1.0))
        assert site(yard) not in places.site


def test_a_trip_through_the_gate_area_as_events() -> None:
    lon, lat = along("QL1A", [1.6, 1.0, 0.5, 0.1])
    yard_lon, yard_lat = centre("xuan-cuong")
    fixes = drive(np.insert(lon, 2, [yard_lon, yard_lon]), np.insert(lat, 2, [yard_lat, yard_lat]), every_s=120.0)
    events = site_events(fixes, MATCHER.match(fixes))
    assert [
        (MATCHER.site_ids[s], bool(e), t) for s, e, t in zip(events.site, events.entered, events.time_s, strict=True)
    ] == [
        ("huu-nghi", True, 120.0),
        ("huu-nghi", False, 240.0),
        ("xuan-cuong", True, 240.0),
        ("xuan-cuong", False, 480.0),
        ("huu-nghi", True, 480.0),
        ("huu-nghi", False, 600.0),
    ]


def test_events_are_the_same_one_by_one() -> None:
    lon, lat = along("QL1A", [1.6, 1.0, 0.5, 0.1])
    fixes = drive(lon, lat, every_s=120.0)
    last: LastPlaces | None = None
    seen = []
    for row in range(len(fixes)):
        fix = Fixes(*(getattr(fixes, name)[row : row + 1] for name in Fixes.__annotations__))
        places = MATCHER.match(fix, last)
        events = site_events(fix, places, last)
        seen += list(zip(events.site.tolist(), events.entered.tolist(), events.time_s.tolist(), strict=True))
        last = MATCHER.last_places(fix, places)[1]
    assert seen == [(site("huu-nghi"), True, 120.0), (site("huu-nghi"), False, 360.0)]


@pytest.mark.parametrize("live", [True, False])
def test_a_truck_at_the_edge_of_an_area_does_not_flicker(live: bool) -> None:
    barrier_km = CORRIDOR.get_site("huu-nghi-barrier-1").km
    lon, lat = noisy(*along("QL1A", np.full(200, barrier_km - 0.003)), sigma_m=5.0)
    fixes = drive(lon, lat, speed_mps=np.zeros(200))
    placed = one_by_one(fixes) if live else [MATCHER.match(fixes)]
    inside = np.concatenate([p.site for p in placed])
    assert np.count_nonzero(np.diff(inside)) <= 1


def test_a_coarse_fix_says_nothing_about_yards() -> None:
    yard_lon, yard_lat = centre("xuan-cuong")
    road_lon, road_lat = along("QL1A", [0.83])
    fixes = drive(
        np.array([yard_lon, road_lon[0], yard_lon]),
        np.array([yard_lat, road_lat[0], yard_lat]),
        accuracy_m=[5.0, 400.0, 5.0],
    )
    places = MATCHER.match(fixes)
    assert places.site.tolist() == [site("xuan-cuong")] * 3
    assert len(site_events(fixes, places).site) == 1


def test_a_late_fix_enters_and_leaves_only_what_is_between() -> None:
    yard_lon, yard_lat = centre("xuan-cuong")
    in_yard = Fixes.of([1], [600.0], [yard_lon], [yard_lat])
    last = MATCHER.last_places(in_yard, MATCHER.match(in_yard))[1]
    late = Fixes.of([1, 1], [500.0, 560.0], [yard_lon] * 2, [yard_lat] * 2)
    assert len(site_events(late, MATCHER.match(late, last), last).site) == 0


def test_an_unlikely_fix_enters_nothing() -> None:
    yard_lon, yard_lat = centre("xuan-cuong")
    lon, lat = along("QL1A", [60.0, 59.8, 59.4])
    fixes = drive(np.insert(lon, 2, yard_lon), np.insert(lat, 2, yard_lat))
    places = MATCHER.match(fixes)
    assert places.unlikely.tolist() == [False, False, True, False]
    assert len(site_events(fixes, places).site) == 0


# Contract


def test_no_fixes_no_places() -> None:
    nothing = Fixes.of([], [], [], [])
    places = MATCHER.match(nothing)
    assert all(len(getattr(places, name)) == 0 for name in Places.__annotations__)
    assert len(site_events(nothing, places).site) == 0
    assert len(MATCHER.last_places(nothing, places)[0]) == 0


def test_known_and_new_vehicles_do_not_touch_each_other() -> None:
    """Two trucks in one batch, one seen before: the same as each for itself, places and events."""
    lon, lat = along("QL1A", [61.0, 60.7, 1.6, 0.9])
    both = Fixes.of([8, 8, 3, 3], [30.0, 60.0, 30.0, 60.0], lon, lat)
    one_before = Fixes.of([8], [0.0], *along("QL1A", [61.3]))
    known = MATCHER.last_places(one_before, MATCHER.match(one_before))[1]
    nothing = LastPlaces.nothing(2)
    mixed = LastPlaces(
        *(np.concatenate([getattr(nothing, n)[:1], getattr(known, n)]) for n in LastPlaces.__annotations__)
    )
    places = MATCHER.match(both, mixed)
    for rows, last in ((slice(0, 2), known), (slice(2, 4), None)):
        own = Fixes(*(getattr(both, name)[rows] for name in Fixes.__annotations__))
        alone = MATCHER.match(own, last)
        for name in Places.__annotations__:
            np.testing.assert_array_equal(getattr(places, name)[rows], getattr(alone, name))
    events = site_events(both, places, mixed)
    assert [events.vehicle.tolist(), events.site.tolist(), events.time_s.tolist()] == [[3], [site("huu-nghi")], [60.0]]


def test_last_places_must_fit_the_vehicles() -> None:
    with pytest.raises(InvalidInputError, match="1 last places for 2 vehicles"):
        MATCHER.match(Fixes.of([1, 2], [0.0] * 2, *along("QL1A", [1.0, 2.0])), LastPlaces.nothing(1))


def test_a_last_place_on_another_corridor_is_forgotten() -> None:
    """After a new corridor was loaded, a remembered road or site may not exist any more."""
    fix = Fixes.of([1], [30.0], *along("QL1A", [10.0]))
    last = LastPlaces.nothing(1)
    old = replace(
        last,
        time_s=np.array([0.0]),
        lon=fix.lon,
        lat=fix.lat,
        offset_m=np.array([5.0]),
        road_id=np.array([9_999], np.int32),
        site=np.array([999], np.int32),
    )
    places = MATCHER.match(fix, old)
    assert places.km == pytest.approx([10.0], abs=0.01)
    assert places.site.tolist() == [-1]


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        Fixes.of([1, 2], [0.0], [106.0], [21.0])


def test_last_places_are_the_newest_likely_ones() -> None:
    fixes = Fixes.of([2, 1, 1, 1], [5.0, 60.0, 0.0, 30.0], *along("QL1A", [9.0, 10.0, 70.0, 69.8]))
    places = MATCHER.match(fixes)
    vehicle, last = MATCHER.last_places(fixes, places)
    assert vehicle.tolist() == [1, 2]
    assert last.time_s.tolist() == [30.0, 5.0]
    assert places.unlikely.tolist() == [False, True, False, False]


def test_synthetic_drives_are_placed_right() -> None:
    """The bar that `bench.matching` measures at length, on a small sample."""
    drives = make_drives(CORRIDOR, trucks=300, steps=20, seed=11)
    last: LastPlaces | None = None
    right = total = backwards = 0
    for step, fixes in enumerate(drives.fixes):
        places = MATCHER.match(fixes, last)
        last = MATCHER.last_places(fixes, places)[1]
        right += int(
            ((NAMES[places.road_id] == drives.road[step]) & (np.abs(places.km - drives.km[step]) < 0.05)).sum()
        )
        backwards += int((places.direction == -drives.direction[step]).sum())
        total += len(fixes)
    assert right / total > 0.99
    assert backwards / total < 0.005
