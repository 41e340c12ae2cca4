"""Queries on files of declarations and their rows. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.declarations.personal import digests_of
from app.declarations.tables import DeclarationImport, DeclarationImportRow
from app.declarations.vocabulary import ImportStatus, RowState


def insert_import(session: Session, values: Mapping[str, Any]) -> DeclarationImport | None:
    """A new import; `None` if it is to be worked on while another one of the organisation is."""
    found = DeclarationImport(**values)
    return found if _flush(session, found) else None


def set_running(session: Session, found: DeclarationImport, status: ImportStatus, *, by: int, at: datetime) -> bool:
    """Have the platform work on a locked import; whether it can: another one of the organisation may be under way."""
    before = found.status
    try:
        with session.begin_nested():
            found.status, found.worked_by, found.worked_at = status, by, at
            session.flush()
    except IntegrityError:
        found.status = before
        return False
    return True


def _flush(session: Session, found: DeclarationImport) -> bool:
    try:
        with session.begin_nested():
            session.add(found)
            session.flush()
    except IntegrityError:
        return False
    return True


def find_running(session: Session, organisation_id: int) -> DeclarationImport | None:
    """The import of an organisation that the platform works on."""
    query = select(DeclarationImport).where(
        DeclarationImport.organisation_id == organisation_id, DeclarationImport.status.in_(ImportStatus.running())
    )
    return session.scalars(query).first()


def lock_import(session: Session, visible: ColumnElement[bool], import_id: int) -> DeclarationImport | None:
    """A visible import, locked."""
    query = select(DeclarationImport).where(DeclarationImport.import_id == import_id, visible).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def find_import(session: Session, visible: ColumnElement[bool], import_id: int) -> DeclarationImport | None:
    """A visible import."""
    query = select(DeclarationImport).where(DeclarationImport.import_id == import_id, visible)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def list_imports(session: Session, visible: ColumnElement[bool], *, limit: int) -> Sequence[DeclarationImport]:
    """The newest visible imports."""
    query = select(DeclarationImport).where(visible).order_by(DeclarationImport.import_id.desc()).limit(limit)
    return session.scalars(query).all()


def claim_running(session: Session) -> DeclarationImport | None:
    """The import that has waited longest for the platform to go on with it, locked; none that another process has."""
    query = (
        select(DeclarationImport)
        .where(DeclarationImport.status.in_(ImportStatus.running()))
        .order_by(DeclarationImport.worked_at.asc().nulls_first(), DeclarationImport.import_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(query).one_or_none()


def insert_rows(session: Session, values: Sequence[Mapping[str, Any]]) -> None:
    """New rows of an import."""
    if values:
        found = [{**row, "driver_digests": digests_of(row["written"])} for row in values]
        session.execute(insert(DeclarationImportRow), found)


def last_number(session: Session, import_id: int) -> int:
    """The highest number of an import's rows, 0 without any."""
    query = select(func.max(DeclarationImportRow.number)).where(DeclarationImportRow.import_id == import_id)
    return session.scalar(query) or 0


def list_rows(
    session: Session,
    import_id: int,
    *,
    states: Collection[RowState] | None = None,
    numbers: Collection[int] | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[DeclarationImportRow]:
    """Rows of an import by number: all, or those in `states`, of `numbers`, after a number, at most `limit`."""
    query = select(DeclarationImportRow).where(
        DeclarationImportRow.import_id == import_id, DeclarationImportRow.number > after
    )
    if states is not None:
        query = query.where(DeclarationImportRow.state.in_(states))
    if numbers is not None:
        query = query.where(DeclarationImportRow.number.in_(numbers))
    query = query.order_by(DeclarationImportRow.number).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def count_states(session: Session, import_id: int) -> dict[RowState, int]:
    """How many rows of an import stand how; all states."""
    query = (
        select(DeclarationImportRow.state, func.count())
        .where(DeclarationImportRow.import_id == import_id)
        .group_by(DeclarationImportRow.state)
    )
    counted = {state: count for state, count in session.execute(query)}
    return {state: counted.get(state, 0) for state in RowState}


def move_rows(
    session: Session,
    import_id: int,
    states: Collection[RowState],
    state: RowState,
    *,
    numbers: Collection[int] | None = None,
) -> None:
    """Put rows that are in `states` into another; all or those of `numbers`."""
    query = update(DeclarationImportRow).where(
        DeclarationImportRow.import_id == import_id, DeclarationImportRow.state.in_(states)
    )
    if numbers is not None:
        query = query.where(DeclarationImportRow.number.in_(numbers))
    session.execute(query.values(state=state).execution_options(synchronize_session=False))


def find_earlier(session: Session, row: DeclarationImportRow) -> Sequence[DeclarationImportRow]:
    """Earlier rows of the same import for the same truck from which declarations may still come."""
    states = (RowState.FINE, RowState.REFUSED, RowState.CHOSEN)
    query = (
        select(DeclarationImportRow)
        .where(
            DeclarationImportRow.import_id == row.import_id,
            DeclarationImportRow.plate == row.plate,
            DeclarationImportRow.number < row.number,
            DeclarationImportRow.state.in_(states),
        )
        .order_by(DeclarationImportRow.number)
    )
    return session.scalars(query).all()
