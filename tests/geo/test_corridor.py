"""The corridor: the packaged data, its checks, and linear referencing."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.corridor import PACKAGED_CORRIDOR, Corridor, Site
from geo.errors import InvalidInputError, MalformedError, NotFoundError
from geo.opening_hours import OpeningHours
from geo.projection import geometry_to_metres

CORRIDOR = Corridor.default()


def collection() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(PACKAGED_CORRIDOR.read_text(encoding="utf-8"))
    return parsed


def pieces(road: str, direction: str) -> list[Any]:
    return [piece for piece in CORRIDOR.roads if piece.road == road and piece.direction == direction]


@pytest.mark.parametrize("road", ["QL1A", "QL4A"])
@pytest.mark.parametrize("direction", ["to_border", "from_border"])
def test_each_direction_is_one_connected_directed_line(road: str, direction: str) -> None:
    ordered = sorted(pieces(road, direction), key=lambda piece: piece.km_from, reverse=direction == "to_border")
    for segment, following in itertools.pairwise(ordered):
        assert segment.to_node == following.from_node
        assert segment.km_to == pytest.approx(following.km_from, abs=1e-9)
        assert segment.geometry.coords[-1] == following.geometry.coords[0]
    assert min(piece.km_to if direction == "to_border" else piece.km_from for piece in ordered) == 0.0


def test_pieces_are_at_most_two_kilometres_and_their_kilometres_are_their_lengths() -> None:
    for piece in CORRIDOR.roads:
        assert piece.length_m <= 2_000.0
        assert abs(piece.km_from - piece.km_to) * 1000.0 == pytest.approx(piece.length_m, abs=0.02)
        assert geometry_to_metres(piece.geometry).length == pytest.approx(piece.length_m, abs=0.02)


def test_the_road_to_bac_giang_has_the_length_of_the_highway() -> None:
    low, high = CORRIDOR.km_span("QL1A")
    assert low == 0.0
    assert 108.0 < high < 119.0  # the official post of Bắc Giang is about km 118


def test_the_gap_is_closed_and_said_so() -> None:
    mended = [piece for piece in CORRIDOR.roads if "gap" in piece.source]
    assert {piece.provenance["geometry"] for piece in mended} == {"derived"}
    assert len(mended) == 2


def test_the_mislabelled_piece_is_named_for_what_it_is() -> None:
    renamed = [piece for piece in CORRIDOR.roads if "gid 247" in piece.source]
    assert {(piece.name, piece.road) for piece in renamed} == {("Quốc lộ 1A", "QL1A")}


def test_the_fork_joins_both_roads() -> None:
    at_fork = {(p.road, p.direction) for p in CORRIDOR.roads if "dong-dang" in {p.from_node, p.to_node}}
    assert at_fork == {(road, way) for road in ("QL1A", "QL4A") for way in ("to_border", "from_border")}


def test_sites_are_there() -> None:
    assert [gate.site_id for gate in CORRIDOR.gates()] == ["huu-nghi", "tan-thanh"]
    for gate in CORRIDOR.gates():
        inland, border = CORRIDOR.barriers(gate.site_id)
        assert (inland.site_id, border.site_id) == (f"{gate.site_id}-barrier-1", f"{gate.site_id}-barrier-2")
        assert inland.km > gate.km > border.km
        assert len(CORRIDOR.temporary_yards(gate.site_id)) == 1
    assert {yard.site_id: yard.capacity_veh for yard in CORRIDOR.yards()} == {"xuan-cuong": 450, "bao-nguyen": 1150}
    assert len(CORRIDOR.cameras()) == 4
    assert {s.site_id for s in CORRIDOR.staging_areas()} == {"staging-huu-lung", "staging-chi-lang", "staging-lang-son"}
    for site in CORRIDOR.sites.values():
        assert set(site.name) == {"vi", "en", "zh"}
        assert site.provenance["position"] in {"assumed", "derived"}


def test_no_yard_reaches_onto_the_road() -> None:
    lines = shapely.union_all([geometry_to_metres(piece.geometry) for piece in CORRIDOR.roads])
    for site in CORRIDOR.sites.values():
        if site.geofence is None:
            continue
        area, point = geometry_to_metres(site.geofence), geometry_to_metres(shapely.Point(site.lon, site.lat))
        assert area.contains(point)
        if site.kind != "gate":
            assert area.distance(lines) >= 50.0
            assert point.distance(lines) <= 150.0


def test_geojson_round_trip() -> None:
    assert Corridor.from_geojson(json.loads(json.dumps(CORRIDOR.to_geojson()))) == CORRIDOR


def test_a_site_that_names_no_road_is_placed_where_it_lies() -> None:
    parsed = collection()
    bare = next(f for f in parsed["features"] if f["properties"].get("site_id") == "tan-thanh")
    placed = dict(bare["properties"])
    del bare["properties"]["road"], bare["properties"]["km"]
    site = Corridor.from_geojson(parsed).get_site("tan-thanh")
    assert site.road == placed["road"] == "QL4A"
    assert site.km == pytest.approx(placed["km"], abs=0.01)
    assert (site.provenance["road"], site.provenance["km"]) == ("derived", "derived")
    bare["properties"]["road"] = "QL4A"
    with pytest.raises(InvalidInputError, match="has no property km"):
        Corridor.from_geojson(parsed)


# Linear referencing


@given(
    road=st.sampled_from(["QL1A", "QL4A"]),
    direction=st.sampled_from(["to_border", "from_border"]),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20),
)
def test_kilometre_to_place_and_back(road: str, direction: Any, shares: list[float]) -> None:
    km = np.array(shares) * CORRIDOR.km_span(road)[1]
    road_id, offset_m = CORRIDOR.place_at(road, km, direction)
    assert CORRIDOR.km_of(road_id, offset_m) == pytest.approx(km, abs=1e-6)
    assert {CORRIDOR.roads[i].direction for i in road_id} == {direction}


@given(shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_position_to_kilometre_and_back(shares: list[float]) -> None:
    km = np.array(shares) * CORRIDOR.km_span("QL1A")[1]
    lon, lat = CORRIDOR.position("QL1A", km)
    road_id, offset_m, distance_m = CORRIDOR.locate(lon, lat)
    assert distance_m == pytest.approx(0.0, abs=1e-3)
    on_main = np.array([CORRIDOR.roads[i].road == "QL1A" for i in road_id])
    fork_km = next(piece.km_to for piece in pieces("QL1A", "to_border") if piece.to_node == "dong-dang")
    assert (on_main | (np.abs(km - fork_km) < 0.01)).all()
    assert CORRIDOR.km_of(road_id, offset_m)[on_main] == pytest.approx(km[on_main], abs=1e-5)


def test_both_directions_of_a_kilometre_are_one_place() -> None:
    km = np.arange(0.5, 117.0, 0.7)
    there, back = (np.array(CORRIDOR.position("QL1A", km, way)) for way in ("to_border", "from_border"))  # type: ignore[arg-type]
    assert there == pytest.approx(back, abs=1e-7)


def test_locate_measures_the_distance_to_the_road() -> None:
    lon, lat = CORRIDOR.position("QL1A", [60.0])
    _, _, distance_m = CORRIDOR.locate(lon + 0.01, lat)
    assert 500.0 < distance_m[0] < 1_034.0  # 0.01° of longitude here is 1,034 m


def test_locate_of_nothing_is_nothing() -> None:
    road_id, offset_m, distance_m = CORRIDOR.locate([], [])
    assert len(road_id) == len(offset_m) == len(distance_m) == 0


def test_kilometre_posts() -> None:
    posts = CORRIDOR.kilometre_posts(10.0)
    assert [post.km for post in posts if post.road == "QL1A"] == [10.0 * n for n in range(12)]
    assert [post.km for post in posts if post.road == "QL4A"] == [0.0, 10.0]
    located = CORRIDOR.locate([post.lon for post in posts], [post.lat for post in posts])
    assert CORRIDOR.km_of(*located[:2]) == pytest.approx([post.km for post in posts], abs=1e-5)


@pytest.mark.parametrize(("road", "km"), [("QL1A", 118.0), ("QL1A", -1.0), ("QL9", 1.0), ("QL1A", float("nan"))])
def test_a_kilometre_that_is_not_there_is_refused(road: str, km: float) -> None:
    with pytest.raises(InvalidInputError):
        CORRIDOR.position(road, [km])


def test_what_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="ql9"):
        CORRIDOR.get_road("ql9")
    with pytest.raises(NotFoundError):
        CORRIDOR.get_site("nowhere")
    assert CORRIDOR.get_road("ql1a-to-000").to_node == "huu-nghi-border"


# Checks


def roads_of(file: dict[str, Any]) -> list[dict[str, Any]]:
    return [feature for feature in file["features"] if feature["properties"]["feature"] == "road"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("edge_id", "ql1a-to-062", "edge_id"),
        ("km_from", 3.0, "km_from"),
        ("length_m", 1_700.0, "length_m"),
        ("direction", "sideways", "direction"),
        ("lanes", 0, "lanes"),
        ("free_speed_mps", float("nan"), "free_speed_mps"),
        ("from_node", "huu-nghi-gate", "from_node"),
        ("provenance", {"km": "guessed"}, "provenance"),
    ],
)
def test_a_road_that_contradicts_itself_is_refused(field: str, value: Any, named: str) -> None:
    file = collection()
    roads_of(file)[0]["properties"][field] = value
    with pytest.raises(InvalidInputError) as error:
        Corridor.from_geojson(file)
    assert error.value.field == named


def test_roads_that_fall_apart_are_refused() -> None:
    file = collection()
    file["features"] = [f for f in file["features"] if f.get("id") not in {"ql1a-to-030", "ql1a-from-030"}]
    with pytest.raises(InvalidInputError, match="2 networks"):
        Corridor.from_geojson(file)


def test_a_missing_property_is_named() -> None:
    file = collection()
    del roads_of(file)[3]["properties"]["lanes"]
    with pytest.raises(InvalidInputError, match="lanes") as error:
        Corridor.from_geojson(file)
    assert error.value.field == "lanes"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"road": "QL9"}, "road"),
        ({"gate_id": "chi-ma"}, "gate_id"),
        ({"kind": "castle"}, "kind"),
        ({"attributes": {}}, "attributes"),
    ],
)
def test_a_site_that_points_nowhere_is_refused(change: dict[str, Any], field: str) -> None:
    yard = CORRIDOR.get_site("xuan-cuong")
    with pytest.raises(InvalidInputError) as error:
        replace(CORRIDOR, sites={**CORRIDOR.sites, yard.site_id: replace(yard, **change)})
    assert error.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        {"geometry": None},
        {"geometry": {"type": "Point", "coordinates": [106.0, 21.0]}},
        {"geometry": {"type": "LineString", "coordinates": "here"}},
        {"properties": None},
        {"properties": {"feature": "river"}},
    ],
)
def test_what_cannot_be_read_is_refused_by_name(change: dict[str, Any]) -> None:
    file = collection()
    file["features"][3] |= change
    with pytest.raises(InvalidInputError, match="ql1a-to-06"):
        Corridor.from_geojson(file)


def test_a_site_that_occurs_twice_is_refused() -> None:
    file = collection()
    file["features"].append(next(f for f in file["features"] if f["id"] == "huu-nghi"))
    with pytest.raises(InvalidInputError, match="twice"):
        Corridor.from_geojson(file)


def test_a_geofence_of_nothing_is_refused() -> None:
    file = collection()
    file["features"] = [f for f in file["features"] if f["id"] != "xuan-cuong"]
    with pytest.raises(InvalidInputError, match="xuan-cuong"):
        Corridor.from_geojson(file)


def test_a_new_gate_is_data() -> None:
    file = collection()
    lon, lat = CORRIDOR.position("QL4A", [6.0])
    gate = {
        "feature": "site",
        "site_id": "coc-nam",
        "kind": "gate",
        "gate_id": "coc-nam",
        "road": "QL4A",
        "km": 6.0,
        "name": {"vi": "Cốc Nam", "en": "Coc Nam", "zh": "谷南"},
        "attributes": {},
        "source": "a test",
        "provenance": {"position": "assumed"},
    }
    file["features"].append(
        {"type": "Feature", "properties": gate, "geometry": {"type": "Point", "coordinates": [lon[0], lat[0]]}}
    )
    assert [site.site_id for site in Corridor.from_geojson(file).gates()] == ["huu-nghi", "tan-thanh", "coc-nam"]


@pytest.mark.parametrize("text", ["", "{", '{"type": "Feature"}', "[]"])
def test_what_is_no_corridor_is_malformed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "corridor.geojson"
    path.write_text(text)
    with pytest.raises(MalformedError):
        Corridor.from_geojson(path)


def test_a_site_without_places_has_no_capacity() -> None:
    camera: Site = CORRIDOR.cameras()[0]
    assert camera.capacity_veh is None


def test_a_site_with_hours_that_cannot_be_read_is_refused() -> None:
    gate = CORRIDOR.get_site("huu-nghi")
    assert gate.opening_hours == OpeningHours.parse("07:00–19:00")
    assert CORRIDOR.get_site("huu-nghi-barrier-1").opening_hours is None
    paused = replace(gate, attributes={**gate.attributes, "breaks": "12:00–13:00", "holidays": {"2026-02-17": ""}})
    assert paused.opening_hours is not None
    assert str(paused.opening_hours) == "07:00–12:00, 13:00–19:00"
    broken = replace(gate, attributes={**gate.attributes, "opens": "morning"})
    with pytest.raises(InvalidInputError, match="Site huu-nghi: morning is no time of day"):
        replace(CORRIDOR, sites={**CORRIDOR.sites, "huu-nghi": broken})


@pytest.mark.parametrize("value", [0, -5.0, "many", float("nan"), float("inf")])
@pytest.mark.parametrize("attribute", ["entrance_veh_per_h", "exit_veh_per_h"])
def test_a_yard_whose_side_lets_nobody_through_is_refused(attribute: str, value: object) -> None:
    yard = CORRIDOR.get_site("xuan-cuong")
    assert (yard.entrance_headway_s, yard.exit_headway_s) == (0.0, 0.0)
    told = replace(yard, attributes={**yard.attributes, "entrance_veh_per_h": 120, "exit_veh_per_h": 90.0})
    assert (told.entrance_headway_s, told.exit_headway_s) == (30.0, 40.0)
    broken = replace(yard, attributes={**yard.attributes, attribute: value})
    with pytest.raises(InvalidInputError, match=f"Site xuan-cuong: {attribute} of {value} is not possible"):
        replace(CORRIDOR, sites={**CORRIDOR.sites, "xuan-cuong": broken})
