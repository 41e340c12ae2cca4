"""A study for SUMO: its own tools read it and its trucks arrive."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing.scenario import parse_scenario, study_inputs
from routing.study import StudyInputs
from routing.sumo_export import sumo_files


@pytest.fixture(scope="module")
def inputs(corridor: Corridor) -> StudyInputs:
    gates = {"huu-nghi": {"exports_veh_per_day": 500, "entrance_lanes": 2}, "tan-thanh": {"exports_veh_per_day": 100}}
    values = {"name": "sumo", "start": "07:00", "horizon_h": 5, "world": {"gates": gates}}
    scenario = parse_scenario({**values, "change": {"demand": [{"factor": 0.0, "gate": "tan-thanh"}]}})
    return study_inputs(corridor, scenario, seed=4)


def test_the_trucks_are_those_of_the_run(inputs: StudyInputs) -> None:
    network = inputs.study.network
    for world, drawn in enumerate(inputs.study.draw(2)):
        vehicles = ET.fromstring(sumo_files(inputs, world=world, run=2)["trucks.rou.xml"]).findall("vehicle")
        wanted = (drawn.fleet.gate >= 0) & (drawn.fleet.gate < len(network.gate_ids)) & (drawn.fleet.link >= 0)
        assert len(vehicles) == wanted.sum() > 50
        stops = [vehicle.find("stop").attrib for vehicle in vehicles]
        assert any(stop["lane"] == "gate_huu-nghi_1" for stop in stops)
        assert any(stop["lane"].startswith("gate_tan-thanh") for stop in stops) is (world == 0)
        departures = [float(vehicle.get("depart")) for vehicle in vehicles]
        assert departures == sorted(departures)
    with pytest.raises(InvalidInputError, match="no world 2"):
        sumo_files(inputs, world=2)


def test_sumo_reads_it_and_the_trucks_arrive(inputs: StudyInputs, tmp_path: Path) -> None:
    sumo = pytest.importorskip("sumo", reason="the bench group brings SUMO")
    files = sumo_files(inputs)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    home = Path(sumo.SUMO_HOME) / "bin"
    nodes, edges = ("--node-files", "network.nod.xml"), ("--edge-files", "network.edg.xml")
    convert = [home / "netconvert", *nodes, *edges, "-o", "network.net.xml"]
    subprocess.run(convert, cwd=tmp_path, check=True, capture_output=True)
    options = ["--mesosim", "--end", "36000", "--tripinfo-output", "trips.xml", "--no-step-log"]
    subprocess.run([home / "sumo", "-c", "study.sumocfg", *options], cwd=tmp_path, check=True, capture_output=True)
    trips = ET.parse(tmp_path / "trips.xml").getroot().findall("tripinfo")
    vehicles = ET.fromstring(files["trucks.rou.xml"]).findall("vehicle")
    assert len(trips) == len(vehicles)
    # Free travel of some 85 km takes above an hour; nobody flies, nobody stands for ever.
    hours = [float(trip.get("duration")) / 3600.0 for trip in trips]
    assert 1.0 < min(hours) < max(hours) < 5.0
