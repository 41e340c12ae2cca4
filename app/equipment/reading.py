"""What people see of plate reads and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.equipment import read_store, service, store
from app.equipment.schemas import ReadOut
from app.equipment.tables import Scan
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from geo.errors import NotFoundError


def list_reads(session: Session, principal: Principal, *, status: str | None, page: PageRequest) -> Page[ReadOut]:
    """A page of plate reads the caller may see, newest first."""
    visible = service.visible_equipment(principal, "equipment.read")
    rows = read_store.list_reads(session, visible, status=status, before=page.before, limit=page.fetch)
    return paginate(rows, page, "read_id", ReadOut.of)


def get_read(session: Session, principal: Principal, read_id: int) -> ReadOut:
    """One plate read the caller may see; raises NotFoundError."""
    return ReadOut.of(_find(session, principal, read_id))


def picture_of_read(session: Session, principal: Principal, read_id: int) -> str | None:
    """The best picture of a read's passage, as a reference; raises NotFoundError if the caller may see no such read."""
    return _find(session, principal, read_id).picture_ref


def picture_of_scan(session: Session, principal: Principal, scan_id: int) -> str | None:
    """The reference of a scan's picture; raises NotFoundError if there is no such scan for the caller."""
    scan = session.get(Scan, scan_id)
    visible = service.visible_equipment(principal, "scans.read")
    if scan is None or store.find_equipment(session, visible, scan.equipment_id) is None:
        raise NotFoundError("There is no scan {scan_id} that you may see.", scan_id=scan_id)
    return scan.image_ref


def _find(session: Session, principal: Principal, read_id: int) -> read_store.SeenRead:
    row = read_store.find_read(session, service.visible_equipment(principal, "equipment.read"), read_id)
    if row is None:
        raise NotFoundError("There is no plate read {read_id} that you may see.", read_id=read_id)
    return row


def trips_considered(session: Session, reads: Sequence[ReadOut]) -> dict[int, store.TripTitle]:
    """Code, plate and goods of the trips that described reads might be of, by trip."""
    wanted = {trip.trip_id for read in reads for trip in read.considered}
    return store.describe_trips(session, sorted(wanted | {read.trip_id for read in reads if read.trip_id}))
