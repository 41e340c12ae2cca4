"""Pages of equipment: devices with their alarms, set up by the administrator; doubtful plate reads for a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.accounts.authorisation import allow
from app.equipment import reading, service
from app.equipment.vocabulary import CameraMovement, ReadStatus
from app.gates.vocabulary import EquipmentKind, HistoryReason
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.procedures.steps import Step
from app.web.pages import render
from ingest.formats.registry import CAMERA_FORMATS
from ingest.plates import display_plate

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow("equipment.read"))]

PAGE_SIZE = 30
VENDOR_NAMES = {
    **{name: item.title for name, item in CAMERA_FORMATS.items()},
    "generic": "JSON",
    "http": "HTTP",
    "mqtt": "MQTT",
}
SITE_KINDS = ("gate", "barrier", "yard", "temporary_yard", "camera")


@router.get("/equipment")
def show_equipment(request: Request, session: SessionDep, corridor: CorridorDep, principal: Reader) -> Response:
    """Devices: where they are, when they were last heard of, which are silent; the form of a new one."""
    return render(
        request,
        "equipment/equipment.html",
        devices=service.list_equipment(session, principal),
        sites=corridor.sites,
        places=[site for site in corridor.sites.values() if site.kind in SITE_KINDS],
        kind_names=EquipmentKind.labels(),
        stations=Step.with_equipment(),
        vendors={str(kind): kind.vendors for kind in EquipmentKind},
        vendor_names=VENDOR_NAMES,
        movements=CameraMovement.labels(),
    )


@router.get("/equipment/reads")
def show_reads(
    request: Request,
    session: SessionDep,
    principal: Reader,
    status: ReadStatus = ReadStatus.DOUBTFUL,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Plate reads with their pictures; the doubtful and unknown ones for a person to decide."""
    page = reading.list_reads(session, principal, status=status, page=PageRequest(before, PAGE_SIZE))
    return render(
        request,
        "equipment/reads.html",
        reads=page.items,
        following=page.next_before,
        wanted=status,
        statuses=ReadStatus.listed(),
        history_reasons=HistoryReason.labels(),
        shown_plate=display_plate,
        trips=reading.trips_considered(session, page.items),
    )
