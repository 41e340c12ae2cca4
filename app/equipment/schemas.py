"""What is answered of devices, of what they reported and of what they were told."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from app.equipment.config_secrets import shown_config
from app.equipment.read_store import SeenRead
from app.equipment.store import CommandLine, DeviceReport
from app.equipment.tables import Equipment, PlateReadRow, Scan, SealEvent, Weighing
from app.equipment.vocabulary import CommandStatus, ReadStatus
from app.gates.vocabulary import EquipmentKind, HistoryReason, WeighingVerdict
from app.platform.json import JsonObject


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class EquipmentOut(_FromRow):
    """A device."""

    equipment_id: int
    kind: EquipmentKind
    name: str
    vendor: str
    gate_id: str | None
    site_id: str | None
    station: str | None
    config: JsonObject
    created_at: datetime
    last_seen_at: datetime | None
    alarm_since: datetime | None
    disabled_at: datetime | None
    version: int

    @classmethod
    def of(cls, device: Equipment) -> EquipmentOut:
        """A device; the secrets of its set-up are hidden."""
        return EquipmentOut.model_validate(device).model_copy(update={"config": shown_config(device)})


class EquipmentMade(EquipmentOut):
    """A device with its key, which is shown only now, and the address it reports to."""

    key: str
    url: str | None


class EquipmentList(BaseModel):
    """Devices."""

    items: list[EquipmentOut]


class ReadingOut(BaseModel):
    """A plate as a camera may have read it."""

    plate: str
    confidence: float


class ConsideredTrip(BaseModel):
    """A trip that a plate read might be of."""

    trip_id: int
    probability: float


class ReadOut(BaseModel):
    """A plate read; `considered` are the trips it might be of, with their probabilities.

    A read stands for its passage and shows its best picture; a repeat names that read by `passage_id`. History opened
    and moved nothing, because of `history_reason`.
    """

    read_id: int
    equipment_id: int
    camera: str
    gate_id: str | None
    station: str | None
    time: datetime
    plate: str
    confidence: float
    readings: list[ReadingOut]
    considered: list[ConsideredTrip]
    direction: str | None
    has_picture: bool
    status: ReadStatus
    history_reason: HistoryReason | None
    passage_id: int | None
    trip_id: int | None
    trip_code: str | None
    probability: float | None
    decided_by: int | None
    decided_at: datetime | None

    @classmethod
    def of(cls, seen: SeenRead) -> Self:
        """A plate read with its camera and trip."""
        read, camera = seen.read, seen.camera
        return cls.model_validate(
            {
                "read_id": read.read_id,
                "equipment_id": read.equipment_id,
                "camera": camera.name,
                "gate_id": camera.gate_id,
                "station": camera.station,
                "time": read.time,
                "plate": read.plate_norm,
                "confidence": read.confidence,
                "readings": read.candidates.get("readings", []),
                "considered": read.candidates.get("trips", []),
                "direction": read.direction,
                "has_picture": seen.picture_ref is not None,
                "status": read.status,
                "history_reason": read.history_reason,
                "passage_id": read.passage_id,
                "trip_id": read.trip_id,
                "trip_code": seen.trip_code,
                "probability": read.probability,
                "decided_by": read.decided_by,
                "decided_at": read.decided_at,
            }
        )


class ReadPage(BaseModel):
    """A page of plate reads, newest first; the header `Link` points to the next."""

    items: list[ReadOut]


class CommandOut(BaseModel):
    """One command, or the note of an opening by hand."""

    command_id: int
    equipment_id: int
    barrier: str
    station: str | None
    trip_id: int | None
    requested_at: datetime
    requested_by: int | None
    status: CommandStatus
    reason: str | None
    answered_at: datetime | None
    detail: str | None

    @classmethod
    def of(cls, line: CommandLine) -> Self:
        """A command with its barrier."""
        command, barrier = line.command, line.barrier
        return cls(
            command_id=command.command_id,
            equipment_id=command.equipment_id,
            barrier=barrier.name,
            station=barrier.station,
            trip_id=command.trip_id,
            requested_at=command.requested_at,
            requested_by=command.requested_by,
            status=CommandStatus(command.status),
            reason=command.reason,
            answered_at=command.answered_at,
            detail=command.detail,
        )


class CommandList(BaseModel):
    """Commands, newest first."""

    items: list[CommandOut]


class WeighingOut(BaseModel):
    """A weighing beside the declaration; `difference_kg` = gross − tare − declared."""

    weighing_id: int
    equipment_id: int
    scale: str
    trip_id: int | None
    plate: str | None
    time: datetime
    gross_kg: int
    tare_kg: int | None
    declared_kg: int | None
    difference_kg: int | None
    tolerance_kg: int | None
    verdict: WeighingVerdict

    @classmethod
    def of(cls, found: DeviceReport[Weighing]) -> Self:
        """A weighing with its scale."""
        row = found.report
        return cls(
            weighing_id=row.weighing_id,
            equipment_id=row.equipment_id,
            scale=found.device.name,
            trip_id=row.trip_id,
            plate=row.plate_norm,
            time=row.time,
            gross_kg=row.gross_kg,
            tare_kg=row.tare_kg,
            declared_kg=row.declared_kg,
            difference_kg=row.difference_kg,
            tolerance_kg=row.tolerance_kg,
            verdict=WeighingVerdict(row.verdict),
        )


class WeighingList(BaseModel):
    """Weighings, newest first."""

    items: list[WeighingOut]


class Kept(BaseModel):
    """What a device's report became."""

    id: int
    trip_id: int | None


# On the sheet of a trip


class ReadOnSheet(BaseModel):
    """A passage of a camera, or a read kept as history, as the sheet of its trip shows it."""

    read_id: int
    camera: str
    station: str | None
    site_id: str | None
    time: datetime
    plate: str
    status: str
    confidence: float
    probability: float | None
    by_person: bool
    has_picture: bool
    history_reason: HistoryReason | None

    @classmethod
    def of(cls, found: DeviceReport[PlateReadRow], *, has_picture: bool) -> Self:
        """A plate read with its camera; whether any read of its passage has a picture."""
        row, camera = found.report, found.device
        return cls(
            read_id=row.read_id,
            camera=camera.name,
            station=camera.station,
            site_id=camera.site_id,
            time=row.time,
            plate=row.plate_norm,
            status=row.status,
            confidence=row.confidence,
            probability=row.probability,
            by_person=row.decided_by is not None,
            has_picture=has_picture,
            history_reason=HistoryReason.lookup(row.history_reason),
        )


class ScanOnSheet(BaseModel):
    """A scan; its picture is fetched by its number."""

    scan_id: int
    equipment_id: int
    scanner: str
    trip_id: int | None
    time: datetime
    container: str | None
    result: str
    note: str
    archive_ref: str | None
    has_picture: bool

    @classmethod
    def of(cls, found: DeviceReport[Scan]) -> Self:
        """A scan with its scanner."""
        row = found.report
        return cls(
            scan_id=row.scan_id,
            equipment_id=row.equipment_id,
            scanner=found.device.name,
            trip_id=row.trip_id,
            time=row.time,
            container=row.container,
            result=row.result,
            note=row.note,
            archive_ref=row.archive_ref,
            has_picture=row.image_ref is not None,
        )


class SealEventOnSheet(_FromRow):
    """A seal's event."""

    event_id: int
    seal_number: str
    kind: str
    time: datetime
    trip_id: int | None
    lon: float | None
    lat: float | None


class SealOnSheet(BaseModel):
    """An electronic seal: its state, and what it reported."""

    seal_number: str
    state: str
    events: list[SealEventOnSheet]

    @classmethod
    def of(cls, seal_number: str, state: str, events: list[SealEvent]) -> Self:
        """A seal of these events, oldest first."""
        shown = [SealEventOnSheet.model_validate(event) for event in events]
        return cls(seal_number=seal_number, state=state, events=shown)


class EquipmentOnSheet(BaseModel):
    """What devices reported of a trip; `scans` only for those who may see them."""

    reads: list[ReadOnSheet]
    weighings: list[WeighingOut]
    seals: list[SealOnSheet]
    barriers: list[CommandOut]
    scans: list[ScanOnSheet] | None = None
