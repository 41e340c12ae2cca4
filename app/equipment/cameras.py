"""The one way in of plate cameras' messages from any transport, and what a person decides on a doubtful read.

A read is kept once (`source_ref`) and judged (`passages.py`); what counts has its effects (`effects.py`). What a person
decides on a doubtful read has the same effects as a certain one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app.equipment import read_store, service, store
from app.equipment.effects import ReadEffects
from app.equipment.passages import KeptRead, keep_read
from app.equipment.pictures import Pictures
from app.equipment.reads import CLOCK_TOLERANCE
from app.equipment.tables import Equipment, PlateReadRow
from app.equipment.vocabulary import ReadStatus
from app.gates.vocabulary import HistoryReason
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import ConflictError, InvalidInputError, MalformedError, NotFoundError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import PlateRead
from ingest.plates import normalise_plate

LARGE_BYTES: Final = 2**20
"""From this size on messages are read one at a time: read, one may be twenty times as large."""
_large: Final = threading.Lock()

log = structlog.get_logger("equipment")


@dataclass(frozen=True)
class ReceivedPlates:
    """What a camera's message held: the number of plates, and the reads among them that are new."""

    plates: int
    new: tuple[PlateReadRow, ...]


@dataclass(frozen=True)
class PlateIntake:
    """Takes in the messages of plate cameras from any transport."""

    pictures: Pictures
    effects: ReadEffects

    @classmethod
    def of(cls, runtime: Runtime, sheets: Sheets) -> PlateIntake:
        """That of a process."""
        settings = runtime.settings
        effects = ReadEffects(runtime.corridor, runtime.redis, settings.ingest_shards, sheets.note_arrival)
        return cls(Pictures.of(settings.data_dir), effects)

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
        with _large if len(payload) > LARGE_BYTES else nullcontext():
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
    site = intake.effects.corridor.sites.get(device.site_id or "")
    kept: list[KeptRead] = []
    for read in found:
        if camera_id and read.camera and read.camera != camera_id:
            log.warning("read of another camera", equipment_id=device.equipment_id, camera=read.camera[:40])
            continue
        new = keep_read(session, device, site, read, intake.pictures, now)
        if new is not None:
            kept.append(new)
    intake.effects.take(session, device, kept, now)
    return [read.row for read in kept]


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
    found = read_store.find_read(action.session, service.visible_equipment(action.actor, "plates.decide"), read_id)
    if found is None:
        raise NotFoundError("There is no plate read {read_id} at your gate.", read_id=read_id)
    device = found.camera
    row = read_store.lock_read(action.session, read_id)
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
    if trip is not None and row.time < trip.began_at - CLOCK_TOLERANCE:
        row.status, row.history_reason, trip = ReadStatus.HISTORY, HistoryReason.OLDER_THAN_TRIP, None
    action.session.flush()
    intake.effects.take(action.session, device, [KeptRead(row, trip, superseded=(row,))], action.now)
    after = {"status": row.status, "plate": row.plate_norm, "trip_id": row.trip_id}
    action.record("plates.decide", "plate_read", read_id, before, after)
    return row
