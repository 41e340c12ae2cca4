"""A corridor from an invented OpenStreetMap file."""

from __future__ import annotations

from pathlib import Path

import osmnx
import pytest

from geo.corridor import Corridor, Road
from geo.errors import InvalidInputError, MalformedError, NotFoundError
from geo.osm import corridor_from_osm_file, import_corridor
from geo.units import mps_to_kmh

MAP = Path(__file__).parent / "data" / "gate.osm"
GATE = (106.7050, 21.9500)


@pytest.fixture(scope="module")
def corridor() -> Corridor:
    return corridor_from_osm_file(MAP, gate=GATE, gate_id="test-gate", gate_name="Cửa khẩu thử")


def of_way(corridor: Corridor, way: int, direction: str | None = None) -> list[Road]:
    found = [road for road in corridor.roads if road.source == f"OpenStreetMap way {way}"]
    return [road for road in found if direction in {None, road.direction}]


def test_only_connected_roads_for_trucks_are_taken(corridor: Corridor) -> None:
    assert {road.source.rpartition(" ")[2] for road in corridor.roads} == {"101", "102", "103", "104", "105"}


def test_one_way_streets_stay_one_way(corridor: Corridor) -> None:
    assert {road.direction for road in of_way(corridor, 101)} == {"to_border"}
    assert {road.direction for road in of_way(corridor, 102)} == {"from_border"}
    assert {road.direction for road in of_way(corridor, 103)} == {"to_border", "from_border"}


def test_kilometres_count_from_the_gate(corridor: Corridor) -> None:
    gate = corridor.get_site("test-gate")
    assert (gate.km, gate.road, gate.name["vi"]) == (0.0, "QL.1", "Cửa khẩu thử")
    assert (gate.lon, gate.lat) == pytest.approx(GATE, abs=1e-6)
    assert corridor.km_span("QL.1")[0] == 0.0
    way_m = sum(road.length_m for road in of_way(corridor, 103, "to_border"))
    assert of_way(corridor, 101)[0].km_to == pytest.approx(way_m / 1000.0, abs=1e-6)
    for road in corridor.roads:
        assert abs(road.km_from - road.km_to) * 1000.0 == pytest.approx(road.length_m, abs=0.01)


def test_a_gate_between_two_junctions_cuts_the_road() -> None:
    corridor = corridor_from_osm_file(MAP, gate=(106.7030, 21.9402))
    assert "gate-km-0" in {road.to_node for road in corridor.roads}
    beyond = [road for road in corridor.roads if road.from_node == "gate-km-0"]
    assert {road.direction for road in beyond} == {"from_border"}


def test_pieces_are_at_most_two_kilometres(corridor: Corridor) -> None:
    assert max(road.length_m for road in corridor.roads) <= 2_000.0
    assert len(of_way(corridor, 104, "to_border")) == 2


def test_lanes_are_those_of_one_direction(corridor: Corridor) -> None:
    assert {(road.lanes, road.provenance["lanes"]) for road in of_way(corridor, 101)} == {(2, "surveyed")}
    assert {(road.lanes, road.provenance["lanes"]) for road in of_way(corridor, 103)} == {(2, "derived")}
    assert {(road.lanes, road.provenance["lanes"]) for road in of_way(corridor, 105)} == {(1, "assumed")}


@pytest.mark.parametrize(
    ("way", "speed_kmh", "how"),
    [(101, 80.0, "derived"), (102, 50.0, "derived"), (103, 60.0, "assumed"), (104, 48.28, "derived")],
)
def test_speed_limits_are_carried_over(corridor: Corridor, way: int, speed_kmh: float, how: str) -> None:
    road = of_way(corridor, way)[0]
    assert mps_to_kmh(road.free_speed_mps) == pytest.approx(speed_kmh, abs=0.01)
    assert road.provenance["free_speed_mps"] == how


@pytest.mark.parametrize(
    ("way", "hgv", "how"),
    [(103, "designated", "surveyed"), (104, "no", "surveyed"), (105, "private", "surveyed"), (101, "yes", "assumed")],
)
def test_restrictions_are_carried_over(corridor: Corridor, way: int, hgv: str, how: str) -> None:
    road = of_way(corridor, way)[0]
    assert (road.hgv, road.provenance["hgv"]) == (hgv, how)


def test_source_and_licence_are_named(corridor: Corridor) -> None:
    assert (corridor.attribution, corridor.license) == ("© OpenStreetMap contributors", "ODbL-1.0")


def test_import_writes_a_corridor_that_reads_back(tmp_path: Path) -> None:
    output = tmp_path / "corridor.geojson"
    summary = import_corridor(str(MAP), output, gate="106.7050,21.9500")
    corridor = Corridor.from_geojson(output)
    assert summary["roads"] == len(corridor.roads)
    assert summary["assumed"]["capacity_veh_per_h"] == len(corridor.roads)
    assert corridor == corridor_from_osm_file(MAP, gate=GATE)


def test_settings_of_osmnx_are_left_as_they_were() -> None:
    before = list(osmnx.settings.useful_tags_way)
    corridor_from_osm_file(MAP, gate=GATE)
    assert osmnx.settings.useful_tags_way == before


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="LON,LAT"):
        import_corridor(str(MAP), tmp_path / "out", gate="somewhere")
    with pytest.raises(NotFoundError):
        corridor_from_osm_file(tmp_path / "none.osm", gate=GATE)
    broken = tmp_path / "broken.osm"
    broken.write_text("<osm><node")
    with pytest.raises(MalformedError):
        corridor_from_osm_file(broken, gate=GATE)
    empty = tmp_path / "empty.osm"
    empty.write_text('<osm version="0.6"></osm>')
    with pytest.raises((MalformedError, NotFoundError)):
        corridor_from_osm_file(empty, gate=GATE)
