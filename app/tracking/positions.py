"""Positions as GeoJSON (RFC 7946): the last of every vehicle, a moment of the past, a vehicle's track."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.tracking import position_store
from app.trips.scope import visible_vehicles
from app.trips.vocabulary import Stage
from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError
from geo.matching import Status
from ingest.tables import LastPosition

SILENT_AFTER = timedelta(minutes=20)
MAX_TRACK_FIXES = 50_000
MAX_FRAMES = 300
MAX_FRAME_FIXES = 400_000


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
    """The last position of every vehicle the principal may see, as a GeoJSON FeatureCollection in bytes."""
    visible = visible_vehicles(principal, "positions.read", LastPosition.vehicle_id, now=now)
    rows = position_store.list_positions(session, visible, gate_id=gate_id, bbox=bbox, since=since)
    road_of = [road.road for road in corridor.roads]
    gate_of = {site.site_id: site.gate_id for site in corridor.sites.values()}
    silent_before = now - SILENT_AFTER

    def features() -> Iterable[dict[str, Any]]:
        for (
            vehicle_id,
            plate,
            trip_id,
            time,
            lon,
            lat,
            speed_mps,
            heading_deg,
            road_id,
            edge_id,
            km,
            direction,
            site,
            motion,
            gate,
            stage,
            simulated,
            goods_class,
            perishable,
        ) in rows:
            yield {
                "type": "Feature",
                "id": vehicle_id,
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {
                    "vehicle_id": vehicle_id,
                    "plate": plate,
                    "trip_id": trip_id,
                    "time": time,
                    "speed_mps": None if speed_mps is None else round(speed_mps, 2),
                    "heading_deg": heading_deg,
                    "edge_id": edge_id,
                    "road": None if road_id is None else road_of[road_id],
                    "km": None if km is None else round(km, 4),
                    "direction": direction,
                    "gate": gate or gate_of.get(site),
                    "state": state(motion, stage, silent=time < silent_before),
                    "site": site,
                    "simulated": bool(simulated),
                    "goods_class": goods_class,
                    "perishable": perishable,
                },
            }

    return collection(features(), as_of=now)


def state(motion: str, stage: str | None, *, silent: bool) -> str:
    """What people are shown: silent for 20 minutes, queued (its trip is, and it is on the road), else its motion."""
    if silent:
        return "silent"
    return "queued" if stage == Stage.QUEUED and motion in {"moving", "slow", "stopped"} else motion


def at(session: Session, corridor: Corridor, moment: datetime) -> bytes:
    """Where every vehicle was at `moment`: its last fix of the 20 minutes before, as GeoJSON bytes."""
    road_of = [road.road for road in corridor.roads]
    rows = position_store.positions_at(session, moment, SILENT_AFTER.total_seconds())
    return collection(
        (
            {
                "type": "Feature",
                "id": vehicle_id,
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {
                    "vehicle_id": vehicle_id,
                    "plate": plate,
                    "time": time,
                    "speed_mps": None if speed_mps is None else round(speed_mps, 2),
                    "heading_deg": heading_deg,
                    "road": None if road_id is None else road_of[road_id],
                    "km": None if km is None else round(km, 4),
                    "direction": direction,
                    "state": "off_road" if status != Status.ON_ROAD else None,
                },
            }
            for vehicle_id, plate, time, lon, lat, speed_mps, heading_deg, road_id, km, direction, status in rows
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
    newest: list[dict[int, list[Any]]] = [{} for _ in range(count)]
    for vehicle_id, time, lon, lat, speed_mps, _heading, km, _status in rows:
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


def track(session: Session, corridor: Corridor, vehicle_id: int, begin: datetime, end: datetime) -> bytes:
    """A vehicle's fixes from `begin` to `end` as one GeoJSON Feature: a LineString with `times`, `speed_mps`, `km`.

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
    rows = position_store.track(session, vehicle_id, begin, end, MAX_TRACK_FIXES + 1)
    kept = rows[:MAX_TRACK_FIXES]
    points = [[row[1], row[2]] for row in kept]
    geometry: dict[str, Any] | None = {"type": "LineString", "coordinates": points}
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
            "times": [row[0] for row in kept],
            "speed_mps": [None if row[3] is None else round(row[3], 2) for row in kept],
            "heading_deg": [row[4] for row in kept],
            "road": [None if row[5] is None else corridor.roads[row[5]].road for row in kept],
            "km": [None if row[6] is None else round(row[6], 4) for row in kept],
            "flags": [row[7] for row in kept],
        },
    }
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def collection(features: Iterable[dict[str, Any]], *, as_of: datetime) -> bytes:
    """A FeatureCollection in bytes."""
    document = {"type": "FeatureCollection", "as_of": as_of.astimezone(UTC), "features": list(features)}
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)
