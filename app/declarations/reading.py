"""Declarations as those who may see them read them: revisions, differences, why one is closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.declarations import checks, on_sheet, personal, store
from app.declarations.differences import Difference, differences
from app.declarations.documents import ReturnReasons
from app.declarations.form import Form, problems_of
from app.declarations.official_notes import notes_of
from app.declarations.tables import DeclarationRow
from app.platform.json import JsonObject
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Role
from app.procedures.changes import Change
from app.sheets import standing
from app.trips.scope import visible_trips
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus, Stage
from app.web.forms import Problem
from geo.errors import ConflictError, NotFoundError


@dataclass(frozen=True)
class ShownRevision:
    """One revision, with the names of who handed it in and who returned it."""

    revision: int
    status: str
    created_at: datetime
    submitted_at: datetime | None
    submitted_by: str | None
    returned_at: datetime | None
    returned_by: str | None
    return_reasons: ReturnReasons | None
    data: JsonObject


@dataclass(frozen=True)
class ShownDeclaration:
    """A declaration: its latest revision (`data`, a `Form` as JSON) and how that differs from `compared_with`.

    `why_closed` is why nobody may change it; `revisions` are those that the caller may see, newest first.
    """

    trip_id: int
    code: str
    plate: str
    organisation_id: int
    organisation: str
    stage: str
    simulated: bool
    revision: int
    status: str
    version: int
    may_edit: bool
    why_closed: ConflictError | None
    data: JsonObject
    compared_with: int | None
    differences: list[Difference]
    notes: list[Problem]
    revisions: list[ShownRevision]


def get(session: Session, principal: Principal, trip_id: int, *, now: datetime) -> ShownDeclaration:
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
    latest, trip, role = rows[0], found.trip, principal.reader
    why_not = why_closed(session, trip, latest)
    is_draft = latest.status == DeclarationStatus.DRAFT
    data = latest.data if is_draft else {**latest.data, **of_the_trip(trip)}
    form = Form.from_record(data)
    alone = checks.Surroundings(now, kept_arrival=form.planned_arrival)
    names = _names(session, rows)
    base = _compared(rows)
    return ShownDeclaration(
        trip_id=trip_id,
        code=trip.code,
        plate=found.plate,
        organisation_id=trip.organisation_id,
        organisation=found.organisation,
        stage=trip.stage,
        simulated=trip.simulated,
        revision=latest.revision,
        status=latest.status,
        version=version_of(rows),
        may_edit=principal.may("declarations.write") and why_not is None,
        why_closed=why_not,
        data=personal.project(data, role),
        compared_with=base.revision if base else None,
        differences=personal.project_differences(differences(base.data, latest.data), role) if base else [],
        notes=[
            note
            for note in [*problems_of(checks.check(form, alone), notes=True), *notes_of(session, form, now)]
            if personal.may_read(note.field, role)
        ],
        revisions=[_show(row, names, role) for row in rows],
    )


def list_declarations(
    session: Session, principal: Principal, *, status: str | None, page: PageRequest
) -> Page[store.ListedDeclaration]:
    """The declarations the caller may see, newest trip first."""
    visible = visible_trips(principal, "declarations.read")
    rows = store.list_latest(session, visible, status=status, before=page.before, limit=page.fetch)
    shown = [
        replace(row, return_reasons=personal.project_reasons(row.return_reasons, principal.reader)) for row in rows
    ]
    return Page.of(shown, page, lambda row: row.trip_id)


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
    form = Form.from_record(personal.project(rows[0].data, principal.reader))
    once = {"planned_arrival": None, "customs_number": "", "health_symptoms": "", "health_note": ""}
    return replace(form, **once, health_temperature_c=None)  # type: ignore[arg-type]


def of_the_trip(trip: Trip) -> JsonObject:
    """What a trip says of itself whatever was declared: an order may have moved it, and its arrival may be put off."""
    return {"gate_id": trip.gate_id, "planned_arrival": trip.planned_arrival.astimezone(UTC).isoformat()}


def previous_revision(session: Session, trip_id: int, revision: int) -> DeclarationRow | None:
    rows = store.revisions_of(session, trip_id)
    return next((row for row in rows if row.revision < revision), None)


def why_closed(session: Session, trip: Trip, latest: DeclarationRow) -> ConflictError | None:
    """Why a declaration can no longer be changed; `None` if it can. The first can be handed in at any time."""
    if trip.stage in Stage.open() and latest.status == DeclarationStatus.DRAFT and latest.revision == 1:
        return None
    try:
        standing.check_changes(session, trip, {Change.GOODS})
    except ConflictError as refused:
        return refused
    return None


def version_of(rows: Sequence[DeclarationRow]) -> int:
    return max(row.version for row in rows)


def _shown(principal: Principal, rows: Sequence[DeclarationRow]) -> list[DeclarationRow]:
    """Drafts are their author's: agencies read what was submitted."""
    return list(rows) if principal.may("declarations.write") else on_sheet.handed_in(rows)


def _compared(rows: Sequence[DeclarationRow]) -> DeclarationRow | None:
    """What the latest revision is compared with: the one before it."""
    return rows[1] if len(rows) > 1 else None


def _names(session: Session, rows: Sequence[DeclarationRow]) -> dict[int, str]:
    ids = {account_id for row in rows for account_id in (row.submitted_by, row.returned_by) if account_id is not None}
    return {account_id: accounts.get_account(session, account_id).full_name for account_id in sorted(ids)}


def _show(row: DeclarationRow, names: Mapping[int, str], role: Role) -> ShownRevision:
    return ShownRevision(
        revision=row.revision,
        status=row.status,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        submitted_by=names.get(row.submitted_by or 0),
        returned_at=row.returned_at,
        returned_by=names.get(row.returned_by or 0),
        return_reasons=personal.project_reasons(row.return_reasons, role),
        data=personal.project(row.data, role),
    )
