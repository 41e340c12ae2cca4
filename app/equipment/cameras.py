"""What follows from a camera's message: each read is matched to a trip, published to its station, entered in the yard
and placed on the road.

A read is kept once (`source_ref`), and reads of one truck passing one camera once are one passage: the best counts, the
others are repeats. What a person decides on a doubtful read has the same effects as a certain one.

On the highway a matched read counts as a position: it is appended to the stream of fixes like a device's own, at the
camera's place, without speed or heading, with `FLAG_CAMERA` and `source: camera` among its attributes, under the
negative number of the camera as device. So it is placed, judged for jumps, stored and published like any other fix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.equipment import reads, service, store
from app.equipment.pictures import Pictures
from app.equipment.tables import Equipment, PlateReadRow
from app.equipment.vocabulary import ReadStatus
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from app.trips.service import insert_events
from app.yards.plan import emit_yards
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from geo.corridor import Corridor, Site
from geo.errors import ConflictError, InvalidInputError, MalformedError, NotFoundError
from ingest.fixes import FIX, FLAG_CAMERA, pack
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import PlateRead
from ingest.formats.report import AttributeValues, to_microseconds
from ingest.plates import find_plate, normalise_plate
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
CLOCK_TOLERANCE: Final = timedelta(minutes=2)
"""A camera whose clock runs further ahead than this is not believed: the time of receipt stands for its own."""
MAX_READ_AGE: Final = timedelta(days=30)
"""Nor is a camera whose clock is further back than a camera can have waited for its line."""
CERTAIN_PLATE: Final = 0.8
"""From this confidence on a plate that belongs to no trip still enters the yard's ledger: a truck did pass."""
CAMERA_ACCURACY_M: Final = 30.0
HEADING_TOLERANCE_DEG: Final = 90.0
MAX_CONSIDERED_TRIPS: Final = 5
"""Trips kept with a read, for the person who decides."""

Kept: TypeAlias = tuple[PlateReadRow, store.TripRow | None]
"""A read as kept, and the trip it is of (see `store.trips_like`) or `None`."""

log = structlog.get_logger("equipment")


@dataclass(frozen=True)
class ReceivedPlates:
    """What a camera's message held: the number of plates, and the reads among them that are new."""

    plates: int
    new: tuple[PlateReadRow, ...]


@dataclass(frozen=True)
class PlateIntake:
    """Takes in the messages of plate cameras from any transport; holds what reads are judged and kept with.

    `note_arrival(action, trip_id)` is called for a truck that a camera saw at its gate, at the time of `action`.
    """

    corridor: Corridor
    pictures: Pictures
    redis: Redis
    shards: int
    note_arrival: Callable[[ActionContext, int], object]

    @classmethod
    def of(cls, runtime: Runtime, sheets: Sheets) -> PlateIntake:
        """That of a process."""
        settings = runtime.settings
        pictures = Pictures.of(settings.data_dir)
        return cls(runtime.corridor, pictures, runtime.redis, settings.ingest_shards, sheets.note_arrival)

    def receive(
        self,
        session: Session,
        camera_format: CameraFormat,
        payload: bytes,
        content_type: str,
        *,
        device: Equipment | None,
        now: datetime,
    ) -> ReceivedPlates:
        """Take in one message; the same message sent again has no second effect.

        `device` is the camera that has proved itself; with `None` it is the one that the message names.

        Raises
        ------
        MalformedError
            If the message is too large or cannot be read.
        NotFoundError
            If the message names no camera that is set up.
        """
        if len(payload) > camera_format.max_bytes:
            raise MalformedError("The message is larger than {limit} bytes.", limit=camera_format.max_bytes)
        found = camera_format.decode(payload, content_type)
        if device is None and found:
            device = store.find_camera(session, camera_format.name, found[0].camera)
            if device is None:
                raise NotFoundError(
                    "There is no camera {camera} of {vendor}.", camera=found[0].camera, vendor=camera_format.title
                )
        new = [] if device is None else _accept(session, device, found, self, now)
        return ReceivedPlates(len(found), tuple(new))


def _accept(
    session: Session, device: Equipment, found: Sequence[PlateRead], intake: PlateIntake, now: datetime
) -> list[PlateReadRow]:
    """Keep what a camera read and let it have its effects; the reads that are new."""
    device = store.lock_equipment(session, device.equipment_id)
    service.heard(session, device, now)
    camera_id = device.config.get("camera_id")
    kept: list[Kept] = []
    for read in found:
        if camera_id and read.camera and read.camera != camera_id:
            log.warning("read of another camera", equipment_id=device.equipment_id, camera=read.camera[:40])
            continue
        new = _keep(session, device, read, intake, now)
        if new is not None:
            kept.append(new)
    _take_effect(session, device, kept, intake, now)
    return [row for row, _ in kept]


def decide(
    action: ActionContext, read_id: int, *, trip_id: int | None, plate: str | None, intake: PlateIntake
) -> PlateReadRow:
    """A person says whose a doubtful or unknown read is: a trip's, or a truck's by its true plate.

    The plate of a truck on an open trip at this gate is that trip's.

    Raises
    ------
    NotFoundError
        If there is no such read at the caller's gate, or no such trip.
    ConflictError
        If it is decided already.
    InvalidInputError
        If the plate is none.
    """
    found = store.find_read(action.session, service.visible_equipment(action.actor, "plates.decide"), read_id)
    if found is None:
        raise NotFoundError("There is no plate read {read_id} at your gate.", read_id=read_id)
    device = found.camera
    row = store.lock_read(action.session, read_id)
    if row.status not in ReadStatus.undecided() or row.decided_at is not None:
        raise ConflictError("The read {read_id} is decided already.", read_id=read_id)
    true_plate = normalise_plate(plate) if plate and trip_id is None else None
    wanted = store.find_open_trip(action.session, true_plate) if true_plate else trip_id
    trip = store.find_trip(action.session, wanted) if wanted is not None else None
    if trip is not None and trip_id is None and trip.gate_id != device.gate_id:
        trip = None  # at the wrong gate: not a trip of this station
    if trip_id is not None and (trip is None or trip.gate_id != device.gate_id):
        raise NotFoundError("There is no trip {trip_id} at this gate.", field="trip_id", trip_id=trip_id)
    if trip is None and true_plate is None:
        raise InvalidInputError("Name the trip, or the plate of a truck without one.", field="trip_id")
    before = {"status": row.status, "plate": row.plate_norm}
    row.plate_norm = trip.plate_norm if trip is not None else str(true_plate)
    row.status = ReadStatus.MATCHED if trip is not None else ReadStatus.UNKNOWN
    row.trip_id, row.probability = (trip.trip_id, 1.0) if trip is not None else (None, None)
    row.decided_by, row.decided_at, row.confidence = action.actor.account_id, action.now, 1.0
    action.session.flush()
    _take_effect(action.session, device, [(row, trip)], intake, action.now)
    after = {"status": row.status, "plate": row.plate_norm, "trip_id": row.trip_id}
    action.record("plates.decide", "plate_read", read_id, before, after)
    return row


def _keep(session: Session, device: Equipment, read: PlateRead, intake: PlateIntake, now: datetime) -> Kept | None:
    believed = read.time is not None and now - MAX_READ_AGE <= read.time <= now + CLOCK_TOLERANCE
    time = read.time if believed and read.time is not None else now
    site = intake.corridor.sites.get(device.site_id or "")
    rows = _trips_like(session, read, site, time)
    match = reads.match_read(read.candidates, [_trip_here(row, device, time) for row in rows])
    considered = {trip.trip_id: trip.probability for trip in match.trips[:MAX_CONSIDERED_TRIPS]}
    best = match.best if match.verdict != ReadStatus.UNKNOWN else None
    row = store.insert_report(
        session,
        PlateReadRow,
        {
            "equipment_id": device.equipment_id,
            "time": time,
            "received_at": now,
            "plate_norm": read.plate,
            "confidence": read.confidence,
            "candidates": {
                "readings": [{"plate": other.plate, "confidence": other.confidence} for other in read.candidates],
                "trips": [{"trip_id": key, "probability": round(p, 4)} for key, p in considered.items() if p >= 0.001],
                "camera_time": read.time.isoformat() if read.time is not None else None,
                "heading_deg": read.heading_deg,
            },
            "direction": read.direction,
            "image_ref": intake.pictures.keep(read.image, now),
            "status": match.verdict,
            "trip_id": best.trip_id if best is not None and match.verdict == ReadStatus.MATCHED else None,
            "probability": best.probability if best is not None else None,
            "source_ref": read.source_ref,
        },
    )
    if row is None:
        return None  # the camera sent it again
    earlier = _same_passage(session, device, row, best.trip_id if best else None)
    if earlier is not None and not _is_better(row, earlier):
        row.status, row.trip_id = ReadStatus.REPEAT, earlier.trip_id
        session.flush()
        return row, None
    if earlier is not None:
        earlier.status, earlier.trip_id = ReadStatus.REPEAT, row.trip_id
        session.flush()
    return row, next((trip for trip in rows if trip.trip_id == row.trip_id), None)


def _trips_like(session: Session, read: PlateRead, site: Site | None, time: datetime) -> list[store.TripNear]:
    heads, tails = reads.search_keys(read.candidates)
    return store.trips_like(session, heads, tails, store.Spot(site.lon, site.lat) if site else None, time)


def _trip_here(row: store.TripNear, device: Equipment, time: datetime) -> reads.TripHere:
    expected = reads.expectation(
        reads.Place(device.gate_id),
        gate_id=row.gate_id,
        stage=row.stage,
        planned_arrival=row.planned_arrival,
        now=time,
    )
    return reads.TripHere(row.trip_id, row.plates, expected, row.distance_m, row.fix_age_s)


def _same_passage(session: Session, device: Equipment, row: PlateReadRow, trip_id: int | None) -> PlateReadRow | None:
    """An earlier read of the same truck passing the same camera."""
    window = row.time - reads.PASSAGE, row.time + reads.PASSAGE
    for other in store.reads_around(session, device.equipment_id, *window):
        if other.read_id == row.read_id:
            continue
        same_trip = trip_id is not None and other.trip_id == trip_id
        if same_trip or reads.is_same_passage(row.plate_norm, other.plate_norm, row.time - other.time):
            return other
    return None


def _is_better(row: PlateReadRow, earlier: PlateReadRow) -> bool:
    """Whether a later read of a passage says more than what is kept of it."""
    if earlier.status == ReadStatus.MATCHED or earlier.decided_at is not None:
        return False
    return row.status == ReadStatus.MATCHED or (row.status == earlier.status and row.confidence > earlier.confidence)


# What follows from a read


def _take_effect(session: Session, device: Equipment, kept: Sequence[Kept], intake: PlateIntake, now: datetime) -> None:
    """Timeline, map, yard, event and arrival of the reads that count.

    Locks are taken in the order in which officers' acts take them, trips, yards, audit, so that none waits for another
    in a circle.
    """
    site = intake.corridor.sites.get(device.site_id or "")
    counted = [(row, trip) for row, trip in kept if row.status != ReadStatus.REPEAT]
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
            _place(intake, device, site, row, trip.vehicle_id, now)
    for row, likely in counted:
        _move_yard(session, device, site, row, likely, now)
        _publish_read(session, device, row, now)
    for row, trip in certain:
        # The first read at its gate is the truck's arrival there.
        if device.gate_id is not None and device.gate_id == trip.gate_id:
            intake.note_arrival(ActionContext(session, None, row.time), trip.trip_id)


def _publish_read(session: Session, device: Equipment, row: PlateReadRow, now: datetime) -> None:
    """Open the sheet at the station, or ask for a look at the picture. Along the road there is no station."""
    if device.gate_id is not None:
        data = {
            "read_id": row.read_id,
            "station": device.station,
            "trip_id": row.trip_id,
            "status": row.status,
            "gate_id": device.gate_id,
        }
        outbox.publish_event(session, "plate", service.audience_of(device, READERS), data, at=now)


def _place(
    intake: PlateIntake, device: Equipment, site: Site, row: PlateReadRow, vehicle_id: int, now: datetime
) -> None:
    """Append the read to the stream of fixes. Repeating it does no harm: a vehicle has one fix at a time."""
    fix = np.zeros(1, FIX)
    fix["vehicle_id"], fix["device_id"] = vehicle_id, -device.equipment_id
    fix["time_us"], fix["received_us"] = to_microseconds(row.time), to_microseconds(now)
    fix["lon"], fix["lat"], fix["accuracy_m"] = site.lon, site.lat, CAMERA_ACCURACY_M
    fix["speed_mps"], fix["heading_deg"], fix["flags"] = math.nan, math.nan, FLAG_CAMERA
    attributes: AttributeValues = {"source": "camera", "equipment_id": device.equipment_id, "read_id": row.read_id}
    try:
        intake.redis.xadd(stream_key(vehicle_id % intake.shards), pack(fix, {0: attributes}))  # type: ignore[arg-type]
    except RedisError:
        log.warning("Redis is away: a camera's read is kept but not placed on the map", read_id=row.read_id)


def _move_yard(
    session: Session, device: Equipment, site: Site | None, row: PlateReadRow, trip: store.TripRow | None, now: datetime
) -> None:
    heading_deg = row.candidates.get("heading_deg")
    heading_deg = heading_deg if isinstance(heading_deg, int | float) else None
    kind = movement_of(device.config, row.direction, heading_deg)
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
    touched = capacity_store.record_movements(session, [(site.site_id, moved)])
    if touched:
        states = capacity_store.yard_states(session, now)
        emit_yards(session, [state for state in states if state.yard_id in touched], now)


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
