"""What people see of plate reads and pictures."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.equipment import service, store
from app.equipment.tables import Scan
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from geo.errors import NotFoundError


def list_reads(
    session: Session, principal: Principal, *, status: str | None, page: PageRequest
) -> Page[dict[str, Any]]:
    """A page of plate reads the caller may see, newest first."""
    visible = service.visible_equipment(principal, "equipment.read")
    rows = store.list_reads(session, visible, status=status, before=page.before, limit=page.fetch)
    return paginate(rows, page, "read_id", describe)


def get_read(session: Session, principal: Principal, read_id: int) -> dict[str, Any]:
    """One plate read the caller may see; raises NotFoundError."""
    return describe(_find(session, principal, read_id))


def picture_of_read(session: Session, principal: Principal, read_id: int) -> str | None:
    """The reference of a read's picture; raises NotFoundError if there is no such read for the caller."""
    ref: str | None = _find(session, principal, read_id).PlateReadRow.image_ref
    return ref


def picture_of_scan(session: Session, principal: Principal, scan_id: int) -> str | None:
    """The reference of a scan's picture; raises NotFoundError if there is no such scan for the caller."""
    scan = session.get(Scan, scan_id)
    visible = service.visible_equipment(principal, "scans.read")
    if scan is None or store.find_equipment(session, visible, scan.equipment_id) is None:
        raise NotFoundError("There is no scan {scan_id} that you may see.", scan_id=scan_id)
    return scan.image_ref


def _find(session: Session, principal: Principal, read_id: int) -> Any:
    row = store.find_read(session, service.visible_equipment(principal, "equipment.read"), read_id)
    if row is None:
        raise NotFoundError("There is no plate read {read_id} that you may see.", read_id=read_id)
    return row


def describe(row: Any) -> dict[str, Any]:
    """A plate read with its camera and trip (see `store.list_reads`) as a record."""
    read, camera = row.PlateReadRow, row.Equipment
    return {
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
        "has_picture": read.image_ref is not None,
        "status": read.status,
        "trip_id": read.trip_id,
        "trip_code": row.code,
        "probability": read.probability,
        "decided_by": read.decided_by,
        "decided_at": read.decided_at,
    }


def trips_considered(session: Session, reads: list[dict[str, Any]]) -> dict[int, Any]:
    """Code, plate and goods of the trips that described reads might be of, by trip."""
    wanted = {one["trip_id"] for read in reads for one in read["considered"]}
    return store.describe_trips(session, sorted(wanted | {read["trip_id"] for read in reads if read["trip_id"]}))
