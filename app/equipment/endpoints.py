"""Devices and their keys, plate reads to decide on, pictures, and the doors of scanners and seals."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.equipment import (
    cameras,
    on_sheet,  # noqa: F401 - its import puts equipment on the sheets
    reading,
    reports,
    service,
)
from app.equipment.camera_endpoints import read_key
from app.equipment.pictures import Pictures
from app.equipment.schemas import EquipmentList, EquipmentMade, EquipmentOut, Kept, ReadOut, ReadPage
from app.equipment.vocabulary import ReadStatus
from app.equipment.weighing_endpoints import SubjectIn
from app.gates.vocabulary import EquipmentKind, ScanResult, SealEventKind
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.web.routers import ApiRouter
from geo.errors import InvalidInputError

router = ApiRouter(tags=["equipment"])

EquipmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
ReaderDep = Annotated[Principal, Depends(allow("equipment.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("equipment.write"))]


class EquipmentIn(BaseModel):
    """A device to set up. Its gate follows from its site."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "plate_camera",
                    "vendor": "hikvision",
                    "name": "Camera bến bãi, làn vào",
                    "site_id": "xuan-cuong",
                    "station": "yard",
                    "config": {"movement": "enter"},
                }
            ]
        },
    )

    kind: EquipmentKind
    vendor: str = Field(max_length=40)
    name: PlainText = Field(max_length=200)
    site_id: str | None = Field(None, max_length=60)
    gate_id: str | None = Field(None, max_length=60)
    station: str | None = Field(None, max_length=40)
    config: dict[str, PlainText | float | int | bool | None] = Field(default_factory=dict, max_length=20)


class EquipmentChange(BaseModel):
    """What to change; what is left out stays. A hidden part of `config` sent back hidden stays as well."""

    model_config = ConfigDict(extra="forbid")

    name: PlainText = Field("", max_length=200)
    site_id: str | None = Field(None, max_length=60)
    station: str | None = Field(None, max_length=40)
    config: dict[str, PlainText | float | int | bool | None] = Field(default_factory=dict, max_length=20)
    disabled: bool = False


class DecisionIn(BaseModel):
    """Whose read it is: a trip's, or a truck without one, by its true plate."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"trip_id": 12}]})

    trip_id: int | None = Field(None, ge=1, le=2**31 - 1)
    plate: PlainText | None = Field(None, max_length=40)


class ScanIn(SubjectIn):
    """A container through the scanner: where the picture is kept, or the picture itself (JPEG or PNG)."""

    container: PlainText | None = Field(None, max_length=20)
    result: ScanResult = ScanResult.PENDING
    note: PlainText = Field("", max_length=1000)
    archive_ref: PlainText | None = Field(None, max_length=500)
    image_base64: str | None = Field(None, max_length=11 * 2**20)


class SealIn(SubjectIn):
    """An electronic seal was closed, opened or tampered with."""

    seal_number: PlainText = Field(min_length=1, max_length=60)
    kind: SealEventKind
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)


# Devices


@router.get("/api/v1/equipment", responses=problems())
def list_equipment(session: SessionDep, principal: ReaderDep) -> EquipmentList:
    """The devices of the caller's gate, or all."""
    return EquipmentList(items=service.list_equipment(session, principal))


@router.post("/api/v1/equipment", status_code=201, responses=problems())
def register_equipment(
    body: EquipmentIn, request: Request, corridor: CorridorDep, runtime: RuntimeDep, action: WriterAction
) -> EquipmentMade:
    """Set up a device; its key is in this answer and nowhere else."""
    device, key = service.register(action, corridor, body.model_dump())
    base = runtime.settings.public_url or str(request.base_url)
    return EquipmentMade(**EquipmentOut.of(device).model_dump(), key=key, url=service.door_url(base, device))


@router.get("/api/v1/equipment/{equipment_id}", responses=problems(404))
def get_equipment(
    equipment_id: EquipmentId, response: Response, session: SessionDep, principal: ReaderDep
) -> EquipmentOut:
    """One device."""
    device = service.get_equipment(session, principal, equipment_id, act="equipment.read")
    return with_etag(response, EquipmentOut.of(device))


@router.patch("/api/v1/equipment/{equipment_id}", responses=problems(404, 412, 428))
def change_equipment(
    equipment_id: EquipmentId,
    body: EquipmentChange,
    response: Response,
    corridor: CorridorDep,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> EquipmentOut:
    """Change a device, or take it out of use."""
    device = service.change(
        action,
        corridor,
        equipment_id,
        expected_version,
        body.model_dump(exclude_unset=True),
    )
    return with_etag(response, EquipmentOut.of(device))


@router.post("/api/v1/equipment/{equipment_id}/key", responses=problems(404))
def renew_key(equipment_id: EquipmentId, request: Request, runtime: RuntimeDep, action: WriterAction) -> EquipmentMade:
    """A new key for a device; the old one ends at once."""
    device, key = service.renew_key(action, equipment_id)
    base = runtime.settings.public_url or str(request.base_url)
    return EquipmentMade(**EquipmentOut.of(device).model_dump(), key=key, url=service.door_url(base, device))


# Plate reads


@router.get("/api/v1/plate-reads", responses=problems())
def list_reads(
    page: PageParams,
    answer: AnswerPage,
    session: SessionDep,
    principal: ReaderDep,
    status: ReadStatus | None = None,
) -> ReadPage:
    """Plate reads of the caller's gate, newest first."""
    return ReadPage.model_validate(answer(reading.list_reads(session, principal, status=status, page=page)))


@router.get("/api/v1/plate-reads/{read_id}", responses=problems(404))
def get_read(read_id: RowId, session: SessionDep, principal: ReaderDep) -> ReadOut:
    """One plate read."""
    return reading.get_read(session, principal, read_id)


@router.post("/api/v1/plate-reads/{read_id}/decision", responses=problems(404, 409))
def decide_read(
    read_id: RowId,
    body: DecisionIn,
    sheets: SheetsDep,
    runtime: RuntimeDep,
    action: Annotated[ActionContext, Depends(acting("plates.decide"))],
) -> ReadOut:
    """Say whose a doubtful read is; it then has the effects of a certain one."""
    cameras.decide(
        action,
        read_id,
        trip_id=body.trip_id,
        plate=body.plate,
        intake=cameras.PlateIntake.of(runtime, sheets),
    )
    return reading.get_read(action.session, action.actor, read_id)


PICTURE: dict[int | str, JsonObject] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}}


@router.get("/api/v1/plate-reads/{read_id}/picture", response_class=Response, responses=problems(404) | PICTURE)
def get_picture(read_id: RowId, session: SessionDep, runtime: RuntimeDep, principal: ReaderDep) -> Response:
    """The picture of a plate read."""
    ref = reading.picture_of_read(session, principal, read_id)
    return _picture(Pictures.of(runtime.settings.data_dir), ref)


@router.get("/api/v1/scans/{scan_id}/picture", response_class=Response, responses=problems(404) | PICTURE)
def get_scan_picture(
    scan_id: RowId,
    session: SessionDep,
    runtime: RuntimeDep,
    principal: Annotated[Principal, Depends(allow("scans.read"))],
) -> Response:
    """The picture of a scan, for border guard and customs."""
    ref = reading.picture_of_scan(session, principal, scan_id)
    return _picture(Pictures.of(runtime.settings.data_dir), ref)


def _picture(pictures: Pictures, ref: str | None) -> Response:
    data, kind = pictures.load(ref)
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=kind, headers=headers)


# Doors of the devices


@router.post("/equipment/heartbeat", status_code=204, responses=problems())
def heartbeat(request: Request, session: SessionDep, clock: ClockDep) -> None:
    """Any device says that it lives, with its key."""
    service.heard(session, service.authenticate(session, read_key(request)), clock.now())


@router.post("/equipment/scans", responses=problems())
def report_scan(body: ScanIn, request: Request, session: SessionDep, clock: ClockDep, runtime: RuntimeDep) -> Kept:
    """A scanner reports, with its key; a result that comes later is sent under the same `ref`."""
    device = service.authenticate(session, read_key(request), kind="scanner")
    row = reports.scan(
        session,
        device,
        body.subject(),
        result=body.result,
        note=body.note,
        container=body.container,
        archive_ref=body.archive_ref,
        image=_decode(body.image_base64),
        pictures=Pictures.of(runtime.settings.data_dir),
        now=clock.now(),
    )
    return Kept(id=row.scan_id, trip_id=row.trip_id)


@router.post("/equipment/seal-events", responses=problems())
def report_seal(body: SealIn, request: Request, session: SessionDep, clock: ClockDep) -> Kept:
    """An electronic seal, or the service that speaks for many, reports with its key."""
    device = service.authenticate(session, read_key(request), kind="seal")
    row = reports.report_seal(
        session,
        device,
        body.subject(),
        seal_number=body.seal_number,
        kind=body.kind,
        lon=body.lon,
        lat=body.lat,
        now=clock.now(),
    )
    return Kept(id=row.event_id, trip_id=row.trip_id)


def _decode(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if text else None
    except (binascii.Error, ValueError):
        raise InvalidInputError("image_base64 is not base64.", field="image_base64") from None
