"""Declarations as those who may see them read them: revisions, differences, why one is closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.accounts import store as account_store
from app.declarations import checks, on_sheet, store
from app.declarations.differences import differences
from app.declarations.form import Form, problems_of
from app.declarations.tables import DeclarationRow
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus, Stage
from geo.errors import ConflictError, NotFoundError

# Reading


def get(session: Session, principal: Principal, trip_id: int, *, now: datetime) -> dict[str, Any]:
    """A declaration with its revisions, what the last ones differ in, and what the caller may do with it.

    Raises
    ------
    NotFoundError
        If the caller may see none.
    """
    found = store.find_trip(session, visible_trips(principal, "declarations.read"), trip_id)
    rows = _shown(principal, store.revisions_of(session, trip_id)) if found else []
    if found is None or not rows:
        raise NotFoundError("There is no declaration of trip {trip_id} that you may see.", trip_id=trip_id)
    latest, trip = rows[0], found.Trip
    why_not = why_closed(session, trip, latest)
    is_draft = latest.status == DeclarationStatus.DRAFT
    data = latest.data if is_draft else {**latest.data, "gate_id": trip.gate_id}  # an order may have moved the trip
    form = Form.from_record(data)
    alone = checks.Surroundings(now, kept_arrival=form.planned_arrival)
    names = {row.account_id: row.full_name for row in _people(session, rows)}
    base = _compared(rows)
    return {
        "trip_id": trip_id,
        "code": trip.code,
        "plate": found.plate,
        "organisation": found.organisation,
        "organisation_id": trip.organisation_id,
        "stage": trip.stage,
        "simulated": trip.simulated,
        "revision": latest.revision,
        "status": latest.status,
        "version": version_of(rows),
        "data": data,
        "may_edit": principal.may("declarations.write") and why_not is None,
        "why_closed": None if why_not is None else why_not,
        "compared_with": base.revision if base else None,
        "differences": [one.to_record() for one in differences(base.data, latest.data)] if base else [],
        "notes": problems_of(checks.check(form, alone), notes=True),
        "revisions": [_describe(row, names) for row in rows],
    }


def list_declarations(
    session: Session, principal: Principal, *, status: str | None, page: PageRequest
) -> Page[dict[str, Any]]:
    """The declarations the caller may see, newest trip first."""
    visible = visible_trips(principal, "declarations.read")
    rows = store.list_latest(session, visible, status=status, before=page.before, limit=page.fetch)
    return paginate(rows, page, "trip_id", _describe_latest)


def _describe_latest(row: Any) -> dict[str, Any]:
    return {
        "trip_id": row.DeclarationRow.trip_id,
        "revision": row.DeclarationRow.revision,
        "status": row.DeclarationRow.status,
        "version": row.DeclarationRow.version,
        "code": row.code,
        "plate": row.plate,
        "organisation": row.organisation,
        "goods": row.goods,
        "gate_id": row.gate_id,
        "stage": row.stage,
        "planned_arrival": row.planned_arrival,
        "simulated": row.simulated,
        "submitted_at": row.DeclarationRow.submitted_at,
        "returned_at": row.DeclarationRow.returned_at,
    }


def copy(session: Session, principal: Principal, trip_id: int) -> Form:
    """An earlier declaration as the beginning of a new one: without what belongs to that crossing alone.

    Raises
    ------
    NotFoundError
        If the caller may see none.
    """
    found = store.find_trip(session, visible_trips(principal, "declarations.read"), trip_id)
    rows = store.revisions_of(session, trip_id) if found else []
    if not rows:
        raise NotFoundError("There is no declaration of trip {trip_id} that you may see.", trip_id=trip_id)
    form = Form.from_record(rows[0].data)
    once = {"planned_arrival": None, "customs_number": "", "health_symptoms": "", "health_note": ""}
    return replace(form, **once, health_temperature_c=None)  # type: ignore[arg-type]


def previous_revision(session: Session, trip_id: int, revision: int) -> DeclarationRow | None:
    rows = store.revisions_of(session, trip_id)
    return next((row for row in rows if row.revision < revision), None)


def why_closed(session: Session, trip: Trip, latest: DeclarationRow) -> ConflictError | None:
    """Why a declaration can no longer be changed; `None` if it can."""
    if trip.stage not in Stage.open():
        return ConflictError("The trip {code} is over; enter a new one.", code=trip.code)
    is_returned = latest.status == DeclarationStatus.RETURNED or (
        latest.status == DeclarationStatus.DRAFT and _was_returned(session, latest)
    )
    if latest.status == DeclarationStatus.DRAFT and latest.revision == 1:
        return None
    if is_returned:
        return None
    if trip.stage not in Stage.before_yard() or store.has_step_done(session, trip.trip_id):
        return ConflictError(
            "An agency has begun with the trip {code}; ask it to return the sheet, then declare again.", code=trip.code
        )
    return None


def _was_returned(session: Session, draft: DeclarationRow) -> bool:
    previous = previous_revision(session, draft.trip_id, draft.revision)
    return previous is not None and previous.returned_at is not None


def version_of(rows: Sequence[DeclarationRow]) -> int:
    return max(row.version for row in rows)


def _shown(principal: Principal, rows: Sequence[DeclarationRow]) -> list[DeclarationRow]:
    """Drafts are their author's: agencies read what was submitted."""
    return list(rows) if principal.may("declarations.write") else on_sheet.handed_in(rows)


def _compared(rows: Sequence[DeclarationRow]) -> DeclarationRow | None:
    """What the latest revision is compared with: the one before it."""
    return rows[1] if len(rows) > 1 else None


def _people(session: Session, rows: Sequence[DeclarationRow]) -> list[Any]:
    ids = {one for row in rows for one in (row.submitted_by, row.returned_by) if one is not None}
    return [account_store.get_account(session, one) for one in sorted(ids)]


def _describe(row: DeclarationRow, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "revision": row.revision,
        "status": row.status,
        "created_at": row.created_at,
        "submitted_at": row.submitted_at,
        "submitted_by": names.get(row.submitted_by or 0),
        "returned_at": row.returned_at,
        "returned_by": names.get(row.returned_by or 0),
        "return_reasons": row.return_reasons,
        "data": row.data,
    }
