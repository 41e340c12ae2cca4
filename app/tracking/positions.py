"""Positions as GeoJSON (RFC 7946): the last of every vehicle, a moment of the past, a vehicle's track."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy.orm import Session

from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.tracking import position_store
from app.tracking.position_store import Unheard, Whereabouts
from app.trips.gps_silence import silence_at
from app.trips.scope import visible_past, visible_positions, visible_vehicles
from app.trips.service import Trip
from app.trips.vocabulary import PlaceKind, Stage
from geo.corridor import Corridor, Site
from geo.errors import InvalidInputError, NotFoundError
from geo.matching import Status
from geo.motion import STANDING_MPS, Pace
from ingest.tables import FixRow, LastPosition

SILENT_AFTER = timedelta(minutes=20)
MOTIONS_ON_ROAD = frozenset(pace.name.lower() for pace in Pace)
MAX_TRACK_FIXES = 50_000
MAX_FRAMES = 300
MAX_FRAME_FIXES = 400_000
_OF_POSITION = ("speed_mps", "heading_deg", "edge_id", "road", "km")
"""What only a position says of a truck."""


def parse_bbox(text: str) -> position_store.BoundingBox:
    """`west,south,east,north` in degrees.

    Raises
    ------
    InvalidInputError
        If it is not four numbers that make a box on earth.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidInputError("bbox={value} is not west,south,east,north in degrees.", field="bbox", value=text[:80])
    return west, south, east, north


def current(
    session: Session,
    principal: Principal,
    corridor: Corridor,
    *,
    now: datetime,
    gate_id: str | None = None,
    bbox: position_store.BoundingBox | None = None,
    since: datetime | None = None,
) -> bytes:
    """Where every vehicle is that the principal may see, as a GeoJSON FeatureCollection in bytes.

    It is its last position. A truck that others than GPS know to be at a gate, and whose GPS is silent, is where it is
    counted (`here_silent`), whether its GPS was ever heard or not. `place` is where the truck of a trip is counted at
    a gate, `gps_overdue_s` how long a position of it is overdue by the regulation, `null` if none is.
    """
    visible = visible_positions(principal, LastPosition.vehicle_id)
    rows = position_store.list_positions(session, visible, gate_id=gate_id, bbox=bbox, since=since)
    visible_trucks = visible_vehicles(principal, "positions.read", Trip.vehicle_id)
    unheard = position_store.list_unheard(session, visible_trucks, gate_id=gate_id, since=since)
    road_of = [road.road for road in corridor.roads]
    gate_of = {site.site_id: site.gate_id for site in corridor.sites.values()}
    silent_before = now - SILENT_AFTER

    def features() -> Iterable[JsonObject]:
        for row in rows:
            place = row.place
            is_at_gate = place.is_at_gate
            is_silent = row.time < silent_before
            heard_at = row.time if row.device_id > 0 else None
            properties: JsonObject = {
                "vehicle_id": row.vehicle_id,
                "plate": row.plate,
                "trip_id": row.trip_id,
                "time": row.time,
                "speed_mps": None if row.speed_mps is None else round(row.speed_mps, 2),
                "heading_deg": row.heading_deg,
                "edge_id": row.edge_id,
                "road": None if row.road_id is None else road_of[row.road_id],
                "km": None if row.km is None else round(row.km, 4),
                "direction": row.direction,
                "gate": row.gate_id or (None if row.site_id is None else gate_of.get(row.site_id)),
                "state": state(row.motion, row.stage, silent=is_silent, here=is_at_gate),
                "site": row.site_id,
                "simulated": bool(row.simulated),
                "goods_class": row.goods_class,
                "perishable": row.perishable,
                "place": place.kind if is_at_gate else None,
                "gps_overdue_s": overdue_s(place, heard_at, row.speed_mps, now),
            }
            spot = [row.lon, row.lat]
            stands_at = corridor.sites.get(place.site_id or place.gate_id or "") if is_silent and is_at_gate else None
            is_seen_there = row.site_id is not None and row.site_id in (place.site_id, place.gate_id)
            if stands_at is not None and not is_seen_there:
                spot = [stands_at.lon, stands_at.lat]
                properties |= dict.fromkeys(_OF_POSITION) | {"site": stands_at.site_id}
            yield {
                "type": "Feature",
                "id": row.vehicle_id,
                "geometry": {"type": "Point", "coordinates": spot},
                "properties": properties,
            }
        for truck in unheard:
            stands_at = corridor.sites.get(truck.place.site_id or truck.place.gate_id or "")
            if stands_at is not None and (bbox is None or _is_within(stands_at, bbox)):
                yield _unheard_feature(truck, stands_at, now)

    return collection(features(), as_of=now)


def _unheard_feature(truck: Unheard, site: Site, now: datetime) -> JsonObject:
    return {
        "type": "Feature",
        "id": truck.vehicle_id,
        "geometry": {"type": "Point", "coordinates": [site.lon, site.lat]},
        "properties": {
            **dict.fromkeys(_OF_POSITION),
            "vehicle_id": truck.vehicle_id,
            "plate": truck.plate,
            "trip_id": truck.trip_id,
            "time": truck.place.since,
            "direction": 0,
            "gate": truck.gate_id,
            "state": state("stopped", None, silent=True, here=True),
            "site": site.site_id,
            "simulated": truck.simulated,
            "goods_class": truck.goods_class,
            "perishable": truck.perishable,
            "place": truck.place.kind,
            "gps_overdue_s": overdue_s(truck.place, None, None, now),
        },
    }


def _is_within(site: Site, bbox: position_store.BoundingBox) -> bool:
    west, south, east, north = bbox
    return west <= site.lon <= east and south <= site.lat <= north


def overdue_s(place: Whereabouts, heard_at: datetime | None, speed_mps: float | None, now: datetime) -> float | None:
    """How long a position of a truck on its way is overdue by the regulation, seconds; `None` if it is not."""
    if place.kind is None or place.under_way_since is None:
        return None
    was_moving = None if speed_mps is None else speed_mps >= STANDING_MPS
    silence = silence_at(
        PlaceKind.get(place.kind),
        heard_at=heard_at,
        required_since=place.under_way_since,
        was_moving=was_moving,
        as_of=now,
    )
    return None if silence is None else round(silence.overdue_s)


def state(motion: str, stage: str | None, *, silent: bool, here: bool = False) -> str:
    """What people are shown: silent for 20 minutes, queued (its trip is, and it is on the road), else its motion.

    `here`: others than GPS know the truck to be at a gate; silent, it is still there.
    """
    if silent:
        return "here_silent" if here else "silent"
    return "queued" if stage == Stage.QUEUED and motion in MOTIONS_ON_ROAD else motion


def at(session: Session, corridor: Corridor, moment: datetime) -> bytes:
    """Where every vehicle was at `moment`: its last fix of the 20 minutes before, as GeoJSON bytes."""
    road_of = [road.road for road in corridor.roads]
    rows = position_store.positions_at(session, moment, SILENT_AFTER.total_seconds())
    return collection(
        (
            {
                "type": "Feature",
                "id": row.vehicle_id,
                "geometry": {"type": "Point", "coordinates": [row.lon, row.lat]},
                "properties": {
                    "vehicle_id": row.vehicle_id,
                    "plate": row.plate,
                    "time": row.time,
                    "speed_mps": None if row.speed_mps is None else round(row.speed_mps, 2),
                    "heading_deg": row.heading_deg,
                    "road": None if row.road_id is None else road_of[row.road_id],
                    "km": None if row.km is None else round(row.km, 4),
                    "direction": row.direction,
                    "state": "off_road" if row.status != Status.ON_ROAD else None,
                },
            }
            for row in rows
        ),
        as_of=moment,
    )


def frames(session: Session, begin: datetime, end: datetime, step_s: float) -> bytes:
    """Compact frames for a slider: each `step_s` from `begin` to `end`, where every vehicle was.

    Result: `{"from","to","step_s","vehicles":[…],"frames":[[[index, lon, lat, km|null, speed|null], …], …]}`. A frame
    has only the vehicles that reported since the one before; who is missing stands where it was.

    Raises
    ------
    InvalidInputError
        If that would be too many frames or too many positions.
    """
    count = int((end - begin).total_seconds() // step_s) + 1 if end > begin and step_s > 0 else 0
    if not 1 <= count <= MAX_FRAMES:
        raise InvalidInputError(
            "{count} frames from {begin} to {end}; ask for 1 to {most}.",
            field="step_s",
            count=count,
            begin=begin.isoformat(),
            end=end.isoformat(),
            most=MAX_FRAMES,
        )
    opening = begin - timedelta(seconds=step_s)
    rows = position_store.fixes_between(session, opening, end, MAX_FRAME_FIXES + 1)
    if len(rows) > MAX_FRAME_FIXES:
        raise InvalidInputError("Too many positions in this span; ask for a shorter one.", field="to")
    numbers: dict[int, int] = {}
    newest: list[dict[int, list[float | None]]] = [{} for _ in range(count)]
    for vehicle_id, time, lon, lat, speed_mps, km in rows:
        number = numbers.setdefault(vehicle_id, len(numbers))
        frame = max(0, min(count - 1, -int((begin - time).total_seconds() // step_s)))
        newest[frame][number] = [
            number,
            round(lon, 5),
            round(lat, 5),
            None if km is None else round(km, 2),
            None if speed_mps is None else round(speed_mps, 1),
        ]
    return orjson.dumps(
        {
            "from": begin,
            "to": end,
            "step_s": step_s,
            "vehicles": list(numbers),
            "frames": [list(frame.values()) for frame in newest],
        },
        option=orjson.OPT_UTC_Z,
    )


def track(
    session: Session, principal: Principal, corridor: Corridor, vehicle_id: int, begin: datetime, end: datetime
) -> bytes:
    """A vehicle's fixes from `begin` to `end` as one GeoJSON Feature: a LineString with `times`, `speed_mps`, `km`.

    Of a vehicle whose way the caller may see (`app.tracking.traces.visible_vehicle`), those that the caller may see.

    Raises
    ------
    NotFoundError
        If there is no such vehicle.
    InvalidInputError
        If the span is empty or longer than 7 days.
    """
    if not timedelta(0) < end - begin <= timedelta(days=7):
        raise InvalidInputError("A track spans up to 7 days, from before to.", field="to")
    plate = position_store.find_plate(session, vehicle_id)
    if plate is None:
        raise NotFoundError("There is no vehicle {vehicle_id}.", vehicle_id=vehicle_id)
    visible = visible_past(principal, "traces.read", FixRow.vehicle_id, FixRow.time)
    rows = position_store.track(session, vehicle_id, begin, end, MAX_TRACK_FIXES + 1, visible)
    kept = rows[:MAX_TRACK_FIXES]
    points = [[fix.lon, fix.lat] for fix in kept]
    geometry: JsonObject | None = {"type": "LineString", "coordinates": points}
    if len(points) == 1:
        geometry = {"type": "Point", "coordinates": points[0]}
    elif not points:
        geometry = None
    document = {
        "type": "Feature",
        "id": vehicle_id,
        "geometry": geometry,
        "properties": {
            "vehicle_id": vehicle_id,
            "plate": plate,
            "truncated": len(rows) > len(kept),
            "times": [fix.time for fix in kept],
            "speed_mps": [None if fix.speed_mps is None else round(fix.speed_mps, 2) for fix in kept],
            "heading_deg": [fix.heading_deg for fix in kept],
            "road": [None if fix.road_id is None else corridor.roads[fix.road_id].road for fix in kept],
            "km": [None if fix.km is None else round(fix.km, 4) for fix in kept],
            "flags": [fix.flags for fix in kept],
        },
    }
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def collection(features: Iterable[JsonObject], *, as_of: datetime) -> bytes:
    """A FeatureCollection in bytes."""
    document = {"type": "FeatureCollection", "as_of": as_of.astimezone(UTC), "features": list(features)}
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)
