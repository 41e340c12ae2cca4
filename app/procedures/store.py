"""Queries on the versions of procedures. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.procedures.tables import ProcedureRow

Key = tuple[str, str, str]
"""Gate, direction, regime; `EVERY_GATE` for the template that holds for gates without their own."""
EVERY_GATE: Final = "*"


# Procedures


def find_published(session: Session, key: Key) -> ProcedureRow | None:
    """The procedure in force for a gate, direction and regime."""
    return session.scalars(select(ProcedureRow).where(*_is(key), ProcedureRow.status == "published")).one_or_none()


def list_procedures(session: Session) -> Sequence[ProcedureRow]:
    """All procedures, by gate, direction and regime, newest version first."""
    columns = (ProcedureRow.gate_id, ProcedureRow.direction, ProcedureRow.regime, ProcedureRow.version.desc())
    return session.scalars(select(ProcedureRow).order_by(*columns)).all()


def known_keys(session: Session) -> set[Key]:
    """The gates, directions and regimes that have a procedure of any version."""
    query = select(ProcedureRow.gate_id, ProcedureRow.direction, ProcedureRow.regime).distinct()
    return {(row.gate_id, row.direction, row.regime) for row in session.execute(query)}


def gates_with_published(session: Session, direction: str, regime: str) -> set[str]:
    """The gates, `EVERY_GATE` among them, with a procedure in force for a direction and regime."""
    query = select(ProcedureRow.gate_id).where(
        ProcedureRow.direction == direction, ProcedureRow.regime == regime, ProcedureRow.status == "published"
    )
    return set(session.scalars(query))


def insert_shipped(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """First versions; those that another transaction made since are left as they are."""
    if rows:
        session.execute(pg_insert(ProcedureRow).on_conflict_do_nothing(), [dict(row) for row in rows])


def insert_draft(session: Session, key: Key, values: Mapping[str, object]) -> ProcedureRow:
    """A new version of a procedure."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": "procedure " + " ".join(key)}
    )
    newest = session.scalars(select(func.max(ProcedureRow.version)).where(*_is(key))).one()
    gate_id, direction, regime = key
    row = ProcedureRow(
        gate_id=gate_id, direction=direction, regime=regime, version=(newest or 0) + 1, status="draft", edit=1, **values
    )
    session.add(row)
    session.flush()
    return row


def retire_published(session: Session, key: Key) -> int | None:
    """Take the procedure in force out of force; its id."""
    query = (
        update(ProcedureRow)
        .where(*_is(key), ProcedureRow.status == "published")
        .values(status="retired")
        .returning(ProcedureRow.procedure_id)
    )
    return session.execute(query).scalar_one_or_none()


def _is(key: Key) -> tuple[ColumnElement[bool], ...]:
    gate_id, direction, regime = key
    return (ProcedureRow.gate_id == gate_id, ProcedureRow.direction == direction, ProcedureRow.regime == regime)
