"""What follows from a plate read: a line of its trip's timeline, an open sheet at the station, a movement of the yard,
a position on the road, the trip's arrival; or, of a plate that nobody declared, a ring at the support desk.

On the highway a matched read counts as a position: it is appended to the stream of fixes like a device's own, at the
camera's place, without speed or heading, with `FLAG_CAMERA` and `source: camera` among its attributes, under the
negative number of the camera as device. So it is placed, judged for jumps, stored and published like any other fix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import numpy as np
import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.checkpoints import service as checkpoints
from app.declarations import sightings
from app.declarations.sightings import Sighting
from app.equipment import service, store
from app.equipment.passages import CERTAIN_PLATE, KeptRead
from app.equipment.tables import Equipment, PlateReadRow
from app.equipment.vocabulary import ReadStatus
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.trips.service import insert_events
from app.trips.yard_ledger import publish_yards
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from geo.corridor import Corridor, Site
from ingest import dead_letters
from ingest.fixes import FIX, FLAG_CAMERA, pack
from ingest.formats.report import AttributeValues, to_microseconds
from ingest.plates import find_plate
from ingest.store import find_vehicle
from ingest.stream import stream_key

READERS: Final = tuple(
    str(role)
    for role in (
        Role.BORDER_GUARD,
        Role.YARD_OPERATOR,
        Role.SUPPORT,
        Role.CUSTOMS,
        Role.HEALTH_QUARANTINE,
        Role.ANIMAL_QUARANTINE,
        Role.PLANT_QUARANTINE,
    )
)
"""Who is sent the reads at a gate; the event names the read and the trip, no plate."""
CAMERA_ACCURACY_M: Final = 30.0
CAMERA_DOOR: Final = b"camera"
"""Where a fix came through, as its entry in the stream says."""
HEADING_TOLERANCE_DEG: Final = 90.0
JUST_NOW: Final = timedelta(minutes=5)
"""A read that came later than this after its moment no longer says who stands at the station."""

log = structlog.get_logger("equipment")


@dataclass(frozen=True)
class ReadEffects:
    """Lets plate reads have their effects.

    `note_arrival(action, trip_id, at)` is called for a truck that a camera saw at its gate, with the time of that.
    """

    corridor: Corridor
    redis: Redis
    shards: int
    note_arrival: Callable[[ActionContext, int, datetime], object]

    def take(self, session: Session, device: Equipment, kept: Sequence[KeptRead], now: datetime) -> None:
        """Timeline, map, yard, event, arrival and ring of the reads that count; repeats and history have none.

        Locks are taken in the order in which officers' acts take them, trips, yards, audit, so that none waits for
        another in a circle.
        """
        site = self.corridor.sites.get(device.site_id or "")
        idle = {ReadStatus.REPEAT, ReadStatus.HISTORY}
        counted = [(read.row, read.trip) for read in kept if read.row.status not in idle]
        certain = [(row, trip) for row, trip in counted if trip is not None and row.status == ReadStatus.MATCHED]
        store.lock_trips(session, sorted({trip.trip_id for _, trip in certain}))
        for row, trip in certain:
            data = {
                "read_id": row.read_id,
                "station": device.station,
                "site_id": device.site_id,
                "probability": round(row.probability or 0.0, 4),
                "by_person": row.decided_by is not None,
            }
            line = {"trip_id": trip.trip_id, "at": row.time, "kind": "plate", "data": data, "actor_id": row.decided_by}
            insert_events(session, [line])
            if site is not None and site.kind == "camera":
                self._place(session, device, site, row, trip.vehicle_id, now)
        for row, likely in counted:
            _move_yard(session, device, site, row, likely, now)
            _publish_read(session, device, row, now)
        for row, trip in certain:
            # The first read at its gate is the truck's arrival there.
            if device.gate_id is not None and device.gate_id == trip.gate_id:
                self.note_arrival(ActionContext(session, None, now), trip.trip_id, row.time)
        repeated = [read.row.passage_id for read in kept if read.row.status == ReadStatus.REPEAT]
        leads = [session.get_one(PlateReadRow, read_id).trip_id for read_id in repeated if read_id is not None]
        for trip_id in sorted(
            {trip.trip_id for _, trip in certain} | {trip_id for trip_id in leads if trip_id is not None}
        ):
            checkpoints.compare_trip(ActionContext(session, None, now), trip_id)
        sightings.withdraw(session, [old.read_id for read in kept for old in read.superseded], now)
        pictured = [read.row.passage_id for read in kept if read.row.image_ref is not None]
        sightings.note_pictures(session, [read_id for read_id in pictured if read_id is not None])
        for row, likely in counted:
            _ring(session, device, row, likely, now)

    def _place(
        self, session: Session, device: Equipment, site: Site, row: PlateReadRow, vehicle_id: int, now: datetime
    ) -> None:
        """Append the read to the stream of fixes. Repeating it does no harm: a vehicle has one fix at a time."""
        fix = np.zeros(1, FIX)
        fix["vehicle_id"], fix["device_id"] = vehicle_id, -device.equipment_id
        fix["time_us"], fix["received_us"] = to_microseconds(row.time), to_microseconds(now)
        fix["lon"], fix["lat"], fix["accuracy_m"] = site.lon, site.lat, CAMERA_ACCURACY_M
        fix["speed_mps"], fix["heading_deg"], fix["flags"] = math.nan, math.nan, FLAG_CAMERA
        attributes: AttributeValues = {"source": "camera", "equipment_id": device.equipment_id, "read_id": row.read_id}
        shard = vehicle_id % self.shards
        fields = cast("dict[bytes, bytes]", {b"d": CAMERA_DOOR, **pack(fix, {0: attributes})})
        try:
            self.redis.xadd(stream_key(shard), fields)  # type: ignore[arg-type]
        except RedisError:
            log.warning("Redis is away: a camera's read is placed on the map later", read_id=row.read_id)
            dead_letters.keep_unsent(session, shard, f"read-{row.read_id}", fields, CAMERA_DOOR.decode(), now)


def _ring(session: Session, device: Equipment, row: PlateReadRow, trip: store.TripRow | None, now: datetime) -> None:
    """Ring at the support desk for a truck that came to the gate undeclared; one that leaves needs no declaration."""
    if device.gate_id is None or _movement(device, row) == "leave":
        return
    if row.status == ReadStatus.UNKNOWN:
        if find_plate(row.plate_norm) is None and row.confidence < CERTAIN_PLATE:
            return  # too little of a plate to ask anybody about
        plate = row.plate_norm
    elif row.status == ReadStatus.MATCHED and trip is not None and not trip.is_declared:
        plate = trip.plate_norm
    else:
        return
    has_picture = row.image_ref is not None
    sightings.ring(session, Sighting(device.gate_id, plate, row.read_id, has_picture, device.name, row.time), now)


def _publish_read(session: Session, device: Equipment, row: PlateReadRow, now: datetime) -> None:
    """Open the sheet at the station, or ask for a look at the picture. Along the road there is no station."""
    if device.gate_id is not None:
        data = {
            "read_id": row.read_id,
            "station": device.station,
            "trip_id": row.trip_id,
            "status": row.status,
            "gate_id": device.gate_id,
            "is_late": row.time < now - JUST_NOW,
        }
        outbox.publish_event(session, "plate", service.audience_of(device, READERS), data, at=now)


def _move_yard(
    session: Session, device: Equipment, site: Site | None, row: PlateReadRow, trip: store.TripRow | None, now: datetime
) -> None:
    kind = _movement(device, row)
    if site is None or site.kind not in {"yard", "temporary_yard"} or kind is None:
        return
    if row.time < now - capacity_store.KEEP_STAYS:
        return  # the ledger no longer knows that day
    if not any(yard.yard_id == site.site_id for yard in capacity_store.list_yards(session)):
        log.warning("a camera stands at a yard that has no ledger", site_id=site.site_id)
        return
    if trip is not None:
        truck = LedgerTruck(trip.vehicle_id, trip.plate_norm)
    else:
        plate = find_plate(row.plate_norm)
        if row.status != ReadStatus.UNKNOWN or plate is None or row.confidence < CERTAIN_PLATE:
            return
        vehicle = find_vehicle(session, plate)
        truck = LedgerTruck(vehicle.vehicle_id if vehicle else None, plate)
    moved = Movement(truck, kind, row.time, "camera", source_ref=f"read:{row.read_id}", recorded_by=row.decided_by)
    touched = capacity_store.record_movements(session, [(site.site_id, moved)], now=now)
    if touched:
        states = capacity_store.yard_states(session, now)
        publish_yards(session, [state for state in states if state.yard_id in touched], now)


def _movement(device: Equipment, row: PlateReadRow) -> str | None:
    heading_deg = row.candidates.get("heading_deg")
    return movement_of(device.config, row.direction, heading_deg if isinstance(heading_deg, int | float) else None)


def movement_of(config: Mapping[str, object], direction: str | None, heading_deg: float | None) -> str | None:
    """Whether a truck that passes a camera enters or leaves, as its `config.movement` says; `None` if it says nothing.

    `enter` and `leave` for a lane of one direction; `toward_enters` and `away_enters` by the camera's own direction;
    `heading_enters` if it moves within 90° of `enter_heading_deg` across the picture.
    """
    movement = config.get("movement")
    if movement in {"enter", "leave"}:
        return str(movement)
    if movement in {"toward_enters", "away_enters"} and direction in {"toward", "away"}:
        return "enter" if movement == f"{direction}_enters" else "leave"
    if movement == "heading_enters" and heading_deg is not None:
        enter_deg = config.get("enter_heading_deg")
        enter_deg = enter_deg if isinstance(enter_deg, int | float) else 0.0
        off_deg = abs((heading_deg - enter_deg + 180.0) % 360.0 - 180.0)
        return "enter" if off_deg <= HEADING_TOLERANCE_DEG else "leave"
    return None
