"""One run of a study for Eclipse SUMO: the network and the trucks of one world, to look at with other eyes.

A gate is an edge with as many lanes as its entrance; each truck stops there as long as its check takes, so that those
behind it wait as they do at the barrier. Exports on the road and to come are in it; yards, crossings and imports are
not: a yard that is full is not seen.

Source of the formats: SUMO user documentation, "Networks/PlainXML" and "Definition of Vehicles, Vehicle Types, and
Routes".
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

import numpy as np
import shapely

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.projection import geometry_to_metres
from routing.arrays import FloatArray
from routing.network import Link, Network
from routing.study import Study, StudyInputs

GATE_LENGTH_M: Final = 60.0
TRUCK: Final = {"id": "truck", "vClass": "truck", "length": "16.5", "minGap": "3", "maxSpeed": "22"}
README: Final = """netconvert --node-files network.nod.xml --edge-files network.edg.xml -o network.net.xml
sumo -c study.sumocfg
"""


def sumo_files(inputs: StudyInputs, *, world: int = 0, run: int = 0) -> dict[str, str]:
    """The files of one run: name → text. `world` 0 is the base, then what is compared with it in the study's order.

    Raises
    ------
    InvalidInputError
        If the study has no such world.
    """
    study = inputs.study
    if not 0 <= world < len(study.worlds):
        raise InvalidInputError(
            "There is no world {value}; the study has {count}, counted from 0 (the base).",
            field="world",
            value=world,
            count=len(study.worlds),
        )
    nodes, edges = _network(inputs.corridor, study.network, study.worlds[world].gates.entrance_lanes.tolist())
    routes = _routes(study, world, run)
    return {
        "network.nod.xml": nodes,
        "network.edg.xml": edges,
        "trucks.rou.xml": routes,
        "study.sumocfg": _configuration(study.horizon_s),
        "README.txt": README,
    }


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _shape_m(corridor: Corridor, link: Link) -> FloatArray:
    """[N, 2] x, y of a link in driving order."""
    lines = [geometry_to_metres(corridor.roads[road].geometry) for road in link.roads]
    return np.concatenate([shapely.get_coordinates(line) for line in lines])


def _network(corridor: Corridor, network: Network, entrance_lanes: list[int]) -> tuple[str, str]:
    nodes, edges = ET.Element("nodes"), ET.Element("edges")
    places: dict[str, FloatArray] = {}
    for index, link in enumerate(network.links):
        if not link.roads:
            continue  # a place abroad, from which imports come
        shape = _shape_m(corridor, link)
        places.setdefault(link.from_node, shape[0])
        places.setdefault(link.to_node, shape[-1])
        ET.SubElement(
            edges,
            "edge",
            {
                "id": f"link{index}",
                "name": link.name,
                "from": link.from_node.replace(">", "+").replace("<", "-"),
                "to": link.to_node.replace(">", "+").replace("<", "-"),
                "numLanes": str(max(1, corridor.roads[link.roads[0]].lanes)),
                "speed": f"{link.free_speed_mps:.3f}",
                "length": f"{link.length_m:.2f}",
                "shape": " ".join(f"{x:.2f},{y:.2f}" for x, y in shape),
            },
        )
    for gate, gate_id in enumerate(network.gate_ids):
        node = network.gates[gate].node
        if node not in places:
            continue
        places[f"gate_{gate_id}"] = places[node] + np.array([0.0, GATE_LENGTH_M])
        ET.SubElement(
            edges,
            "edge",
            {
                "id": f"gate_{gate_id}",
                "from": node.replace(">", "+"),
                "to": f"gate_{gate_id}",
                "numLanes": str(entrance_lanes[gate]),
                "speed": "5",
                "length": f"{GATE_LENGTH_M:.0f}",
            },
        )
    for name, (x, y) in places.items():
        at = {"id": name.replace(">", "+").replace("<", "-"), "x": f"{x:.2f}", "y": f"{y:.2f}"}
        ET.SubElement(nodes, "node", at)
    return _text(nodes), _text(edges)


def _routes(study: Study, world: int, run: int) -> str:
    network = study.network
    drawn = list(study.draw(run))[world]
    fleet, lanes = drawn.fleet, drawn.gates.entrance_lanes
    to_come = np.zeros(fleet.gate.size, bool)
    to_come[fleet.to_come] = True
    depart_s = np.where(to_come, fleet.ready_s, 0.0)
    root = ET.Element("routes")
    ET.SubElement(root, "vType", TRUCK)
    served = np.zeros(len(network.gate_ids), np.int64)
    for truck in np.argsort(depart_s, kind="stable"):
        gate, link = int(fleet.gate[truck]), int(fleet.link[truck])
        if not 0 <= gate < len(network.gate_ids) or link < 0:
            continue
        gate_id = network.gate_ids[gate]
        values = {
            "id": str(truck),
            "type": "truck",
            "depart": f"{depart_s[truck]:.2f}",
            "departLane": "best",
            "departSpeed": "desired",
            "speedFactor": f"{1.0 / fleet.slowness[truck]:.4f}",
        }
        if not to_come[truck]:
            # What is left of its way along the link is in its time to the end.
            left_m = fleet.ready_s[truck] * network.free_speed_mps[link]
            values["departPos"] = f"{max(0.0, float(network.length_m[link]) - left_m):.1f}"
            values["departSpeed"] = "0"
        vehicle = ET.SubElement(root, "vehicle", values)
        way = [*(f"link{i}" for i in network.path(link, gate)), f"gate_{gate_id}"]
        ET.SubElement(vehicle, "route", {"edges": " ".join(way)})
        lane = int(served[gate] % lanes[gate])
        served[gate] += 1
        ET.SubElement(
            vehicle,
            "stop",
            {"lane": f"gate_{gate_id}_{lane}", "endPos": "-1", "duration": f"{fleet.entrance_s[truck]:.1f}"},
        )
    return _text(root)


def _configuration(horizon_s: float) -> str:
    root = ET.Element("configuration")
    inputs = ET.SubElement(root, "input")
    ET.SubElement(inputs, "net-file", {"value": "network.net.xml"})
    ET.SubElement(inputs, "route-files", {"value": "trucks.rou.xml"})
    times = ET.SubElement(root, "time")
    ET.SubElement(times, "end", {"value": f"{horizon_s:.0f}"})
    processing = ET.SubElement(root, "processing")
    ET.SubElement(processing, "time-to-teleport", {"value": "-1"})
    return _text(root)
