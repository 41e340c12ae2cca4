"""What scales, scanners and seals report, tied to the trip it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy.orm import Session

from app.checkpoints import service as checkpoints
from app.equipment import read_store, reads, scales, service, store
from app.equipment.passages import find_candidates
from app.equipment.pictures import Pictures
from app.equipment.schemas import WeighingOut
from app.equipment.tables import Equipment, Scan, SealEvent, Weighing
from app.equipment.vocabulary import ReadStatus
from app.fees import service as fees
from app.gates.vocabulary import EquipmentKind, HistoryReason
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role
from app.sheets.service import Sheets
from app.transshipments import service as transshipments
from app.trips.service import insert_events
from geo.errors import InvalidInputError
from ingest.formats.plate_read import Candidate
from ingest.plates import normalise_plate

OLDEST: Final = timedelta(days=7)
AHEAD: Final = timedelta(minutes=2)
JUST_READ: Final = timedelta(minutes=5)
"""A device that names no plate means the truck whose plate was read at its station within this time."""
NAMED_PLATE: Final = 0.95
"""How far a plate that another system names is believed."""
ALARMED: Final = (str(Role.CUSTOMS), str(Role.BORDER_GUARD))
SEAL_SERVICE: Final = "Niêm phong điện tử"
"""What the device is called that stands for the service of seals, in the language of the offices."""

Reported = TypeVar("Reported", Weighing, Scan, SealEvent)


@dataclass(frozen=True)
class Subject:
    """What a report is about, as its device names it: a time, a name of its own, and a plate or trip code if known."""

    ref: str
    time: datetime | None = None
    plate: str | None = None
    trip_code: str | None = None


@dataclass(frozen=True)
class Origin:
    """The columns that all reports share: the device, when, under which name, and the truck and trip it is of."""

    equipment_id: int
    time: datetime
    received_at: datetime
    source_ref: str
    plate_norm: str | None
    trip_id: int | None


def weigh(
    session: Session,
    device: Equipment,
    subject: Subject,
    *,
    gross_kg: int,
    tare_kg: int | None,
    sheets: Sheets,
    now: datetime,
) -> Weighing:
    """A truck was weighed: kept beside what its trip declared. The same weighing sent again is the same.

    Where it changes what the trip's fee is assessed on, the fee follows.

    Raises
    ------
    InvalidInputError
        If the weights cannot be, or the time or the plate is none.
    """
    if not 0 < gross_kg <= scales.MAX_GROSS_KG or (tare_kg is not None and not 0 < tare_kg <= gross_kg):
        raise InvalidInputError(
            "A truck of {gross_kg} kg with a tare of {tare_kg} kg cannot be; check the scale.",
            field="gross_kg",
            gross_kg=gross_kg,
            tare_kg=tare_kg,
        )
    origin = _origin(session, device, subject, now)
    if origin.trip_id is not None:
        store.lock_trips(session, [origin.trip_id])  # before the report refers to it, as acts on its fee do
    found = scales.compare(
        gross_kg,
        tare_kg,
        _goods_on_board_kg(session, origin.trip_id),
        share=device.setting("tolerance_share", scales.TOLERANCE_SHARE),
        least_kg=int(device.setting("tolerance_kg", scales.TOLERANCE_KG)),
    )
    row, is_new = _keep(
        session,
        Weighing,
        origin,
        {
            "gross_kg": gross_kg,
            "tare_kg": tare_kg,
            "declared_kg": found.declared_kg,
            "difference_kg": found.difference_kg,
            "tolerance_kg": found.tolerance_kg,
            "verdict": found.verdict,
        },
    )
    if is_new:
        data = {"weighing_id": row.weighing_id, "gross_kg": gross_kg, "verdict": found.verdict}
        _publish_report(session, device, row.trip_id, "weighing", data, now)
        if row.trip_id is not None:
            fees.follow_weighing(ActionContext(session, None, now), sheets, row.trip_id)
    return row


def _goods_on_board_kg(session: Session, trip_id: int | None) -> int | None:
    """What a trip declared, less what went on in other vehicles; `None` where there is nothing to compare with."""
    if trip_id is None:
        return None
    declared_kg = scales.declared_goods_kg(store.declared_data(session, trip_id))
    return None if declared_kg is None else declared_kg - round(transshipments.moved_kg(session, trip_id))


def scan(
    session: Session,
    device: Equipment,
    subject: Subject,
    *,
    result: str,
    note: str = "",
    container: str | None = None,
    archive_ref: str | None = None,
    image: bytes | None = None,
    pictures: Pictures,
    now: datetime,
) -> Scan:
    """A container went through a scanner; what was found may follow under the same name, replacing `pending`.

    Raises
    ------
    InvalidInputError
        If the time or the plate is none.
    """
    origin = _origin(session, device, subject, now)
    image_ref = pictures.keep(image, now)
    row, is_new = _keep(
        session,
        Scan,
        origin,
        {
            "result": result,
            "note": note,
            "container": container,
            "archive_ref": archive_ref,
            "image_ref": image_ref,
        },
    )
    if not is_new and row.result == "pending" and result != "pending":
        row.result, row.note = result, note or row.note
        row.image_ref, row.archive_ref = image_ref or row.image_ref, archive_ref or row.archive_ref
        session.flush()
        is_new = True
    if is_new:
        _publish_report(session, device, row.trip_id, "scan", {"scan_id": row.scan_id, "result": row.result}, now)
    return row


def report_seal(
    session: Session,
    device: Equipment,
    subject: Subject,
    *,
    seal_number: str,
    kind: str,
    lon: float | None = None,
    lat: float | None = None,
    now: datetime,
) -> SealEvent:
    """A seal was closed, opened or tampered with; without a plate it is of the trip it was last closed on.

    Raises
    ------
    InvalidInputError
        If the time or the plate is none.
    """
    origin = _origin(session, device, subject, now, by_station=False)
    if origin.trip_id is None and subject.plate is None and subject.trip_code is None:
        last = store.newest_seal_event(session, seal_number)
        origin = replace(origin, trip_id=last.trip_id if last is not None else None)
    row, is_new = _keep(session, SealEvent, origin, {"seal_number": seal_number, "kind": kind, "lon": lon, "lat": lat})
    if is_new:
        data = {"event_id": row.event_id, "seal_number": seal_number, "status": kind}
        _publish_report(session, device, row.trip_id, "seal", data, now)
    return row


def seal_service(session: Session, now: datetime) -> Equipment:
    """The device that stands for the service of seals that is a neighbour: it has no key, no door takes it."""
    found = store.find_keyless(session, EquipmentKind.SEAL)
    if found is not None:
        return found
    kind = EquipmentKind.SEAL
    device = Equipment(kind=kind, name=SEAL_SERVICE, vendor=kind.vendors[0], config={}, created_at=now)
    return store.insert_equipment(session, device)


# Pieces


def _keep(
    session: Session, table: type[Reported], origin: Origin, values: Mapping[str, object]
) -> tuple[Reported, bool]:
    """The kept report, and whether it is new."""
    row = store.insert_report(session, table, {**asdict(origin), **values})
    if row is not None:
        return row, True
    known = store.find_report(session, table, origin.equipment_id, origin.source_ref)
    assert known is not None
    return known, False


def _origin(session: Session, device: Equipment, subject: Subject, now: datetime, *, by_station: bool = True) -> Origin:
    device = store.lock_equipment(session, device.equipment_id)
    service.heard(session, device, now)
    time = subject.time or now
    if time > now + AHEAD or time < now - OLDEST:
        raise InvalidInputError(
            "The time {time} is in the future or more than {days} days ago; set the device's clock.",
            field="time",
            time=time.isoformat(),
            days=OLDEST.days,
        )
    plate = normalise_plate(subject.plate) if subject.plate else None
    trip_id = _trip_of(session, device, subject, plate, time, by_station)
    return Origin(device.equipment_id, time, now, subject.ref, plate, trip_id)


def _trip_of(
    session: Session, device: Equipment, subject: Subject, plate: str | None, time: datetime, by_station: bool
) -> int | None:
    if subject.trip_code:
        return store.find_trip_by_code(session, subject.trip_code.strip().upper())
    if plate is not None:
        readings = [Candidate(plate, NAMED_PLATE)]
        found = find_candidates(session, readings, device, None, time)
        under_way = [candidate for candidate in found if candidate.history_reason != HistoryReason.OLDER_THAN_TRIP]
        match = reads.match_read(readings, [candidate.here for candidate in under_way])
        return match.best.trip_id if match.best is not None and match.verdict == ReadStatus.MATCHED else None
    if by_station and device.gate_id is not None:
        return read_store.newest_matched_at(session, device.gate_id, device.station, time - JUST_READ)
    return None


def _publish_report(
    session: Session, device: Equipment, trip_id: int | None, kind: str, data: JsonObject, now: datetime
) -> None:
    """Timeline and event of a report; officers hear of it, the enterprise reads it on its trip."""
    if trip_id is not None:
        line = {"trip_id": trip_id, "at": now, "kind": kind, "data": data, "actor_id": None}
        insert_events(session, [line])
        if kind in ("scan", "seal"):
            checkpoints.compare_trip(ActionContext(session, None, now), trip_id)
    told = {"equipment_id": device.equipment_id, "status": kind, "trip_id": trip_id, **_plain(data)}
    outbox.publish_event(
        session, "equipment", service.audience_of(device, (*ALARMED, str(Role.YARD_OPERATOR))), told, at=now
    )


def _plain(data: JsonObject) -> JsonObject:
    return {name: value for name, value in data.items() if name != "status"} | {"result": data.get("status")}


def list_weighings(session: Session, principal: Principal, *, before: datetime | None, limit: int) -> list[WeighingOut]:
    """The newest weighings on scales the caller may see."""
    visible = service.visible_equipment(principal, "equipment.read")
    rows = store.list_reports(session, Weighing, visible, limit=limit, before=before)
    return [WeighingOut.of(found) for found in rows]
