"""Queries on pre-filled declarations. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.declarations.prefilled_tables import PrefilledRow
from app.platform.json import JsonObject
from app.trips.service import Trip


def lock(session: Session, source: str, reference: str, empty: JsonObject) -> PrefilledRow:
    """What is known of a reference, locked until the transaction ends; made with version -1 if nothing is."""
    values = {"source": source, "reference": reference, "version": -1, **empty}
    session.execute(pg_insert(PrefilledRow).values(**values).on_conflict_do_nothing())
    query = select(PrefilledRow).where(PrefilledRow.source == source, PrefilledRow.reference == reference)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def find(
    session: Session, visible: ColumnElement[bool], prefilled_id: int, *, is_locked: bool = False
) -> PrefilledRow | None:
    """A visible one by its number."""
    query = select(PrefilledRow).where(PrefilledRow.prefilled_id == prefilled_id, visible)
    query = query.with_for_update() if is_locked else query
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def find_of_trip(session: Session, trip_id: int) -> PrefilledRow | None:
    """What a trip was declared with."""
    return session.scalars(select(PrefilledRow).where(PrefilledRow.trip_id == trip_id)).one_or_none()


def list_visible(
    session: Session, visible: ColumnElement[bool], *, before: int | None, limit: int
) -> Sequence[PrefilledRow]:
    """The visible ones, newest first."""
    query = select(PrefilledRow).where(visible).order_by(PrefilledRow.prefilled_id.desc()).limit(limit)
    if before is not None:
        query = query.where(PrefilledRow.prefilled_id < before)
    return session.scalars(query).all()


def organisation_of_consignee(session: Session, consignee_number: str) -> int | None:
    """Whom a desk gave goods for a consignee with this number to the last time."""
    query = (
        select(PrefilledRow.organisation_id)
        .where(PrefilledRow.consignee_number == consignee_number, PrefilledRow.assigned_at.is_not(None))
        .order_by(PrefilledRow.prefilled_id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def stage_of(session: Session, trip_id: int) -> str | None:
    """The stage of a trip."""
    return session.scalars(select(Trip.stage).where(Trip.trip_id == trip_id)).one_or_none()
