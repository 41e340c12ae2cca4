"""Build `corridor.geojson`, the packaged corridor from Bắc Giang to the Hữu Nghị and Tân Thanh gates.

Run as ``python -m geo.data.build_corridor REFERENCE.geojson [-o corridor.geojson]``. REFERENCE is the set of
road lines of the CTU-SematX/LegoCity open data (`LICENSE.md` beside this file names it). The lines are chained
by their recorded identifiers, known faults are repaired, both roads are cut at junctions and at most every
2 km, and every value that the lines do not carry is derived or assumed and labelled so.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry import Point, Polygon, mapping
from shapely.ops import substring

from geo.data.reference_lines import Axis, chain, read_lines
from geo.projection import geometry_to_degrees, geometry_to_metres

Json = dict[str, Any]

MAX_PIECE_M: Final = 2_000.0
LINES_SOURCE: Final = "CTU-SematX/LegoCity opendata/giaothong/giaothong.geojson at a1aabc7, CC BY-SA 4.0"
PRESS_2023: Final = "einpresswire 638581939 (2023-06)"
BULLETINS: Final = "exports, imports: bulletins of 2025"

SPACE_PER_TRUCK_M: Final = 20.0
"""Road a standing truck takes: an articulated truck of 16 to 17 m (the legal most is 20 m, QCVN 09) and its gap."""

CAPACITY_VEH_PER_H_LANE: Final = 560
"""1,700 passenger cars an hour and direction of a two-lane highway, 3 cars to a truck in rolling country
(Highway Capacity Manual, 6th ed., chapter 15), so 560 trucks an hour and lane where all are trucks."""

# Chains of (gid, reversed) from the border inland. The pieces of QL4B (240, 295) and QL1A south of Bắc Giang
# (236) are left out.
QL1A_CHAIN: Final = (
    (247, True),
    (296, True),
    (463, False),
    (462, False),
    (460, False),
    (461, False),
    (0, False),
    (267, True),
)
TAN_THANH_CHAIN: Final = ((422, True), (256, False), (423, False))

BAC_GIANG: Final = (106.19888, 21.28160)  # OSM node 369487030 (ODbL)
QL4B_JUNCTION: Final = (106.77291, 21.85404)  # where the QL4B lines leave QL1A at Lạng Sơn
DONG_DANG: Final = (106.7026022, 21.9442930)  # the end of the QL4A line, a vertex of QL1A as well
HUU_NGHI_GATE: Final = (106.71112, 21.97062)  # secondary source, unverified

STAGING_TOWNS: Final = {
    "staging-huu-lung": (106.345, 21.508, 150, "Hữu Lũng", "Huu Lung", "右陇"),
    "staging-chi-lang": (106.577, 21.660, 150, "Chi Lăng", "Chi Lang", "支棱"),
    "staging-lang-son": (106.762, 21.862, 200, "Lạng Sơn", "Lang Son", "谅山"),
}
"""Town (lon, lat, about), capacity in trucks: all assumed. The area lies where QL1A passes nearest the town."""


@dataclass(frozen=True)
class Zone:
    """Assumed free speed and lanes a direction between two kilometres of a road."""

    km_from: float
    km_to: float
    free_speed_mps: float
    lanes: int


# Assumed: below the legal limits of trucks with trailers on undivided roads, 60 km/h outside and 50 km/h inside
# built-up areas (TT 31/2019/TT-BGTVT art. 6 and 7); 30 km/h in the gate areas; 45 km/h on the hill road.
ZONES: Final = {
    "QL1A": (
        Zone(0.0, 1.2, 8.33, 2),
        Zone(1.2, 3.0, 13.89, 2),
        Zone(3.0, 5.5, 11.11, 2),
        Zone(5.5, 13.0, 16.67, 2),
        Zone(13.0, 23.0, 13.89, 2),
        Zone(23.0, 999.0, 16.67, 2),
    ),
    "QL4A": (Zone(0.0, 1.2, 8.33, 1), Zone(1.2, 999.0, 12.5, 1)),
}


def to_degrees(geometry: Any) -> Any:
    """EPSG:32648 to EPSG:4326, rounded to 0.1 m."""
    return shapely.transform(geometry_to_degrees(geometry), lambda xy: xy.round(6))


def cuts(nodes: dict[float, str], prefix: str) -> list[tuple[float, str]]:
    """Kilometres at which a road is cut: its nodes, and between two of them equal parts of at most 2 km."""
    result: list[tuple[float, str]] = []
    named = sorted(nodes.items())
    for (start, node), (end, _) in itertools.pairwise(named):
        parts = math.ceil((end - start) * 1000.0 / MAX_PIECE_M - 1e-9)
        for part in range(parts):
            km = start + (end - start) * part / parts
            result.append((km, node if part == 0 else f"{prefix}-km-{km:.3f}"))
    return [*result, named[-1]]


def road_features(axis: Axis, nodes: dict[float, str]) -> list[Json]:
    """Both directions of a road as features, each directed line in driving order."""
    prefix = axis.road.lower()
    places = cuts(nodes, prefix)
    inland: list[Json] = []
    border: list[Json] = []
    km = 0.0
    for number, ((start, near), (end, far)) in enumerate(itertools.pairwise(places)):
        line = to_degrees(substring(axis.line, start * 1000.0, end * 1000.0))
        length_m = round(geometry_to_metres(line).length, 2)
        zone = next(z for z in ZONES[axis.road] if z.km_from <= (start + end) / 2 < z.km_to)
        origins, begin = [], 0.0
        for until, gid, name in axis.stretches:
            if begin < end * 1000.0 - 1.0 and until > start * 1000.0 + 1.0:
                origins.append((gid, name))
            begin = until
        mended = any(gid == -1 for gid, _ in origins)
        gids = ", ".join(str(gid) for gid, _ in origins if gid != -1)
        renamed = any(gid in {247, 422} for gid, _ in origins)  # one is mislabelled, the other has no name
        shared: Json = {
            "feature": "road",
            "name": "Nhánh Tân Thanh" if 422 in dict(origins) else f"Quốc lộ {axis.road[2:]}",
            "road": axis.road,
            "length_m": length_m,
            "lanes": zone.lanes,
            "free_speed_mps": zone.free_speed_mps,
            "capacity_veh_per_h": CAPACITY_VEH_PER_H_LANE * zone.lanes,
            "storage_veh": max(1, math.floor(length_m * zone.lanes / SPACE_PER_TRUCK_M)),
            "hgv": "yes",
            "source": f"{LINES_SOURCE}; gid {gids}" + ("; a gap of about 60 m closed" if mended else ""),
            "provenance": {
                "geometry": "derived" if mended else "surveyed",
                "name": "derived" if renamed else "surveyed",
                "km": "derived",
                "length_m": "derived",
                "direction": "derived",
                "lanes": "assumed",
                "free_speed_mps": "assumed",
                "capacity_veh_per_h": "assumed",
                "storage_veh": "assumed",
                "hgv": "assumed",
            },
        }
        low, high = round(km, 5), round(km + length_m / 1000.0, 5)
        km = high
        for direction, geometry, ends, kms, into in (
            ("to_border", line.reverse(), (far, near), (high, low), border),
            ("from_border", line, (near, far), (low, high), inland),
        ):
            edge_id = f"{prefix}-{direction.partition('_')[0]}-{number:03d}"
            own = {
                "edge_id": edge_id,
                "direction": direction,
                "from_node": ends[0],
                "to_node": ends[1],
                "km_from": kms[0],
                "km_to": kms[1],
            }
            into.append({"type": "Feature", "id": edge_id, "properties": shared | own, "geometry": mapping(geometry)})
    return [*reversed(border), *inland]


def site_feature(
    axis: Axis,
    site_id: str,
    kind: str,
    km: float,
    name: tuple[str, str, str],
    *,
    gate_id: str | None = None,
    side_m: float = 0.0,
    source: str = "assumed",
    position: str = "assumed",
    attributes: Json | None = None,
    provenance: dict[str, str] | None = None,
) -> Json:
    """A point at a kilometre, `side_m` to the left (positive) or right seen from the border inland."""
    distance = km * 1000.0
    here, ahead = axis.line.interpolate(distance), axis.line.interpolate(distance + 1.0)
    dx, dy = ahead.x - here.x, ahead.y - here.y
    norm = math.hypot(dx, dy)
    point = to_degrees(Point(here.x - dy / norm * side_m, here.y + dx / norm * side_m))
    properties = {
        "feature": "site",
        "site_id": site_id,
        "kind": kind,
        "gate_id": gate_id,
        "name": dict(zip(("vi", "en", "zh"), name, strict=True)),
        "road": axis.road,
        "km": round(km, 3),
        "attributes": attributes or {},
        "source": source,
        "provenance": {"position": position}
        | ({} if kind in {"barrier", "camera"} else {"geofence": "assumed"})
        | (provenance or {}),
    }
    return {"type": "Feature", "id": site_id, "properties": properties, "geometry": mapping(point)}


def fence_feature(axis: Axis, site_id: str, km: tuple[float, float], *, near_m: float, far_m: float) -> Json:
    """A polygon along a stretch of road, between two distances to its left (negative: right)."""
    stretch = substring(axis.line, km[0] * 1000.0, km[1] * 1000.0)
    middle, half = (near_m + far_m) / 2.0, abs(far_m - near_m) / 2.0
    base = stretch if middle == 0.0 else shapely.offset_curve(stretch, middle, join_style="mitre")
    area = to_degrees(shapely.orient_polygons(base.buffer(half, cap_style="flat", join_style="mitre")))
    if not isinstance(area, Polygon) or not area.is_valid:
        raise SystemExit(f"The geofence of {site_id} is not one valid polygon.")
    properties = {"feature": "geofence", "site_id": site_id, "provenance": {"geometry": "assumed"}}
    return {"type": "Feature", "id": f"{site_id}-geofence", "properties": properties, "geometry": mapping(area)}


def gate_features(axis: Axis, gate_id: str, gate_km: float, *, names: Json, side_m: float, facts: Json) -> list[Json]:
    """A gate with its two barriers, its yard, its temporary yard and their geofences."""
    sign = math.copysign(1.0, side_m)
    barrier_1, barrier_2, temporary_km = gate_km + 0.5, gate_km - 0.3, gate_km + 0.8
    vi, en, zh = names["gate"]
    yard_id, yard_name = names["yard"]
    barriers = [
        site_feature(
            axis,
            f"{gate_id}-barrier-{number}",
            "barrier",
            km,
            (f"Barie {number} {vi}", f"{en} barrier {number}", f"{zh}{number}号道闸"),
            gate_id=gate_id,
            attributes={"number": number, "side": side, "cameras": 2},
        )
        for number, km, side in ((1, barrier_1, "inland"), (2, barrier_2, "border"))
    ]
    return [
        site_feature(
            axis,
            gate_id,
            "gate",
            gate_km,
            (f"Cửa khẩu {vi}", f"{en} border gate", f"{zh}口岸"),
            gate_id=gate_id,
            source=facts["gate_source"],
            position=facts["gate_position"],
            attributes=facts["gate"],
            provenance=facts["gate_provenance"],
        ),
        *barriers,
        site_feature(
            axis,
            yard_id,
            "yard",
            gate_km + 0.28,
            (f"Bến bãi {yard_name}", f"{yard_name} yard", f"{yard_name} 停车场"),
            gate_id=gate_id,
            side_m=side_m,
            source=f"capacity: {PRESS_2023}; position: assumed",
            attributes=facts["yard"],
            provenance=facts["yard_provenance"],
        ),
        site_feature(
            axis,
            f"{gate_id}-temporary",
            "temporary_yard",
            temporary_km,
            (f"Bãi tạm {vi}", f"{en} temporary yard", f"{zh}临时停车场"),
            gate_id=gate_id,
            side_m=-side_m,
            attributes={"capacity_veh": 60},
            provenance={"capacity_veh": "assumed"},
        ),
        fence_feature(axis, gate_id, (barrier_2, barrier_1), near_m=-40.0, far_m=40.0),
        fence_feature(axis, yard_id, (gate_km + 0.12, gate_km + 0.44), near_m=sign * 65.0, far_m=sign * 185.0),
        fence_feature(
            axis,
            f"{gate_id}-temporary",
            (temporary_km - 0.06, temporary_km + 0.06),
            near_m=-sign * 80.0,
            far_m=-sign * 160.0,
        ),
    ]


def demand(exports_veh_per_day: float, imports_veh_per_day: float, undeclared_exports_veh_per_h: float) -> Json:
    """Who comes to a gate: trucks a day in bulletins of 2025; undeclared ones assumed at about half the exports."""
    return {
        "exports_veh_per_day": exports_veh_per_day,
        "imports_veh_per_day": imports_veh_per_day,
        "undeclared_exports_veh_per_h": undeclared_exports_veh_per_h,
    }


def build(reference: Path) -> Json:
    """The whole FeatureCollection from the reference lines."""
    lines = read_lines(reference)
    ql1a = chain("QL1A", lines, QL1A_CHAIN)
    ql1a = ql1a.cut_to(ql1a.km_near(*BAC_GIANG))
    branch = chain("QL4A", lines, TAN_THANH_CHAIN)

    huu_nghi_km, tan_thanh_km = round(ql1a.km_near(*HUU_NGHI_GATE), 2), 0.6
    staging_km = {site_id: round(ql1a.km_near(*town[:2]), 2) for site_id, town in STAGING_TOWNS.items()}
    fork_km = ql1a.km_near(*DONG_DANG)
    ql1a_nodes = {
        0.0: "huu-nghi-border",
        huu_nghi_km: "huu-nghi-gate",
        huu_nghi_km + 0.5: "huu-nghi-barrier-1",
        fork_km: "dong-dang",
        ql1a.km_near(*QL4B_JUNCTION): "lang-son-ql4b",
        ql1a.line.length / 1000.0: "bac-giang",
    } | {km: site_id for site_id, km in staging_km.items()}
    branch_nodes = {
        0.0: "tan-thanh-border",
        tan_thanh_km: "tan-thanh-gate",
        tan_thanh_km + 0.5: "tan-thanh-barrier-1",
        branch.stretches[0][0] / 1000.0: "ql4a-tan-thanh",
        branch.line.length / 1000.0: "dong-dang",
    }
    features = [*road_features(ql1a, ql1a_nodes), *road_features(branch, branch_nodes)]

    surveyed_capacity = {"capacity_veh": "surveyed", "overflow_veh": "surveyed"}
    facts_from = f"cleared: {PRESS_2023}; {BULLETINS}"
    assumed_hours = {"opens": "07:00", "closes": "19:00"}
    surveyed = ("cleared_veh_per_day", "exports_veh_per_day", "imports_veh_per_day")
    assumed = ("lanes", *assumed_hours, "undeclared_exports_veh_per_h")
    assumed_gate = dict.fromkeys(assumed, "assumed") | dict.fromkeys(surveyed, "surveyed")
    features += gate_features(
        ql1a,
        "huu-nghi",
        huu_nghi_km,
        names={"gate": ("Hữu Nghị", "Huu Nghi", "友谊"), "yard": ("xuan-cuong", "Xuân Cương")},
        side_m=125.0,
        facts={
            "gate": {"lanes": 4, "cleared_veh_per_day": 750, **assumed_hours, **demand(262, 608, 6.0)},
            "gate_source": f"position: secondary source, unverified, moved onto the road line; {facts_from}",
            "gate_position": "derived",
            "gate_provenance": assumed_gate,
            "yard": {"capacity_veh": 450, "overflow_veh": 900},
            "yard_provenance": surveyed_capacity,
        },
    )
    features += gate_features(
        branch,
        "tan-thanh",
        tan_thanh_km,
        names={"gate": ("Tân Thanh", "Tan Thanh", "新清"), "yard": ("bao-nguyen", "Bảo Nguyên")},
        side_m=-125.0,
        facts={
            # Assumed, until the Management Board sets it: a secondary gate takes no transit and no new vehicles.
            "gate": {
                "lanes": 3,
                "cleared_veh_per_day": 300,
                **assumed_hours,
                **demand(145, 438, 3.0),
                "regimes_closed": ["transit"],
                "goods_closed": ["vehicles"],
            },
            "gate_source": f"position: assumed, 0.6 km before the end of the line; {facts_from}",
            "gate_position": "assumed",
            "gate_provenance": {**assumed_gate, "regimes_closed": "assumed", "goods_closed": "assumed"},
            "yard": {"capacity_veh": 1150, "overflow_veh": 0},
            "yard_provenance": {"capacity_veh": "surveyed", "overflow_veh": "assumed"},
        },
    )
    cameras = (
        ("camera-huu-lung", staging_km["staging-huu-lung"] + 1.0, "Hữu Lũng", "Huu Lung", "右陇"),
        ("camera-chi-lang", staging_km["staging-chi-lang"] + 1.0, "Chi Lăng", "Chi Lang", "支棱"),
        ("camera-lang-son", staging_km["staging-lang-son"] + 1.0, "Lạng Sơn", "Lang Son", "谅山"),
        ("camera-dong-dang", fork_km + 0.5, "Đồng Đăng", "Dong Dang", "同登"),
    )
    for site_id, km, vi, en, zh in cameras:
        features.append(
            site_feature(
                ql1a,
                site_id,
                "camera",
                km,
                (f"Camera {vi}", f"{en} camera", f"{zh}摄像头"),
                source="four cameras on QL1A from Hữu Lũng to the gate area; position: assumed",
                attributes={"reads": "plates"},
            )
        )
    for site_id, (*_, capacity, vi, en, zh) in STAGING_TOWNS.items():
        km = staging_km[site_id]
        features.append(
            site_feature(
                ql1a,
                site_id,
                "staging",
                km,
                (f"Điểm dừng chờ {vi}", f"{en} staging area", f"{zh}待行区"),
                side_m=-120.0,
                attributes={"capacity_veh": capacity},
                provenance={"capacity_veh": "assumed"},
            )
        )
        features.append(fence_feature(ql1a, site_id, (km - 0.12, km + 0.12), near_m=-70.0, far_m=-170.0))
    return {
        "type": "FeatureCollection",
        "attribution": f"Road lines: {LINES_SOURCE}. Places: © OpenStreetMap contributors (ODbL).",
        "license": "CC-BY-SA-4.0",
        "features": features,
    }


def main() -> None:
    """Read the arguments, build, write one feature a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reference", type=Path, help="GeoJSON of the reference road lines")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("corridor.geojson"))
    arguments = parser.parse_args()
    collection = build(arguments.reference)
    features = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in collection.pop("features"))
    head = json.dumps(collection, ensure_ascii=False)[:-1]
    arguments.output.write_text(f'{head}, "features": [\n{features}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
