"""Queries on corrections of sheets. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account
from app.sheets.tables import Correction
from app.trips.service import Trip
from ingest.tables import Vehicle

_Asker, _Decider = aliased(Account), aliased(Account)


@dataclass(frozen=True)
class NamedCorrection:
    """A correction with the names of who asked and who decided, and its trip's code and plate."""

    correction: Correction
    asked_by_name: str
    decided_by_name: str | None
    code: str
    plate: str


def insert_correction(session: Session, values: Mapping[str, object]) -> Correction | None:
    """A new correction; `None` if one of the same step waits already."""
    query = (
        insert(Correction)
        .values(**values)
        .on_conflict_do_nothing(
            index_elements=[Correction.trip_id, Correction.step], index_where=text("status = 'asked'")
        )
        .returning(Correction)
    )
    return session.scalars(query).one_or_none()


def find_waiting(session: Session, trip_id: int, step: str) -> Correction | None:
    """The correction of a step that waits for a second person."""
    query = select(Correction).where(
        Correction.trip_id == trip_id, Correction.step == step, Correction.status == "asked"
    )
    return session.scalars(query).one_or_none()


def lock_correction(session: Session, visible: ColumnElement[bool], correction_id: int) -> Correction | None:
    """A correction, locked until the transaction ends."""
    query = select(Correction).where(Correction.correction_id == correction_id, visible)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def list_corrections(session: Session, condition: ColumnElement[bool], *, limit: int) -> Sequence[NamedCorrection]:
    """Corrections, newest first."""
    query = (
        select(Correction, _Asker.full_name, _Decider.full_name, Trip.code, Vehicle.plate)
        .join(_Asker, _Asker.account_id == Correction.asked_by)
        .outerjoin(_Decider, _Decider.account_id == Correction.decided_by)
        .join(Trip, Trip.trip_id == Correction.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(condition)
        .order_by(Correction.correction_id.desc())
        .limit(limit)
    )
    return [NamedCorrection(*row) for row in session.execute(query)]


def corrections_of(session: Session, trip_id: int) -> Sequence[NamedCorrection]:
    """The corrections of a trip's sheet, newest first."""
    return list_corrections(session, Correction.trip_id == trip_id, limit=200)
