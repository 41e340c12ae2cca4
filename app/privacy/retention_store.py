"""Deleting rows whose time is over, in small batches, with what hangs on them. Nothing here commits.

Tables and columns are those of `app.privacy.retention`, names of ours; references are read from the database, so that
a table which a later version adds is neither forgotten nor in the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, TableClause, and_, column, delete, func, literal, or_, select, table, text, update
from sqlalchemy.orm import Session

from app.privacy.retention import ACCOUNTING_DAYS, RetentionRule
from app.privacy.vocabulary import RetentionBasis
from app.trips.vocabulary import Stage

SCHEMAS = ("geo", "routing", "capacity", "ingest", "app")


@dataclass(frozen=True)
class Reference:
    """A column that refers to a row of another table; `optional`: it may be empty."""

    child: str
    column: str
    optional: bool
    parent: str


@dataclass(frozen=True)
class Held:
    """What legal holds keep."""

    trip_ids: frozenset[int] = frozenset()
    vehicle_ids: frozenset[int] = frozenset()
    account_ids: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Shape:
    """The tables of the database: columns, single-column primary keys, references."""

    columns: dict[str, frozenset[str]]
    keys: dict[str, str]
    references: tuple[Reference, ...]

    def of(self, parent: str) -> list[Reference]:
        """What refers to a table, other tables and itself."""
        return [reference for reference in self.references if reference.parent == parent]


def read_shape(session: Session) -> Shape:
    """The tables as they are."""
    named = session.execute(
        text(
            """
            SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY 1
            """
        ),
        {"schemas": list(SCHEMAS)},
    ).all()
    keys = session.execute(
        text(
            """
            SELECT n.nspname || '.' || c.relname, a.attname FROM pg_constraint k
            JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'p' AND cardinality(k.conkey) = 1 AND n.nspname = ANY(:schemas)
            """
        ),
        {"schemas": list(SCHEMAS)},
    ).all()
    references = session.execute(
        text(
            """
            SELECT cn.nspname || '.' || c.relname, a.attname, NOT a.attnotnull, pn.nspname || '.' || p.relname
            FROM pg_constraint k
            JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
            JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND cn.nspname = ANY(:schemas)
            ORDER BY 1, 2
            """
        ),
        {"schemas": list(SCHEMAS)},
    ).all()
    return Shape(
        {name: frozenset(columns) for name, columns in named},
        {name: key for name, key in keys},
        tuple(Reference(*row) for row in references),
    )


def delete_due(session: Session, shape: Shape, rule: RetentionRule, now: datetime, held: Held, *, limit: int) -> int:
    """Delete up to `limit` rows of a table whose time is over, with all that belongs to them; how many."""
    rows, due = _due(shape, rule, now, held)
    return _delete(session, shape, rule.table, rows, due, limit)


def count_due(session: Session, shape: Shape, rule: RetentionRule, now: datetime, held: Held, *, limit: int) -> int:
    """How many rows of a table `delete_due` would find, up to `limit`."""
    rows, condition = _due(shape, rule, now, held)
    due = select(rows.c[rule.column]).where(condition).limit(limit).subquery()
    return session.execute(select(func.count()).select_from(due)).scalar_one()


def _due(shape: Shape, rule: RetentionRule, now: datetime, held: Held) -> tuple[TableClause, ColumnElement[bool]]:
    """A table, and of its rows those that are older than their rule says and held by nothing.

    A trip is old when so long has passed since its end; one that had to pay is kept as long as its fee.
    """
    assert rule.days is not None
    columns = shape.columns[rule.table]
    rows = _table(rule.table, *columns)
    due = [rows.c[rule.column] < now - timedelta(days=rule.days), *_free(rows, columns, held)]
    if rule.needs:
        due.append(rows.c[rule.needs].is_not(None))
    if rule.basis is RetentionBasis.TRIP:
        fees_before = now - timedelta(days=max(ACCOUNTING_DAYS, rule.days))
        fees = _table("app.fee", "trip_id", "opened_at")
        has_fee = select(fees.c.trip_id).where(fees.c.trip_id == rows.c.trip_id, fees.c.opened_at >= fees_before)
        due += [rows.c.stage.in_([stage.value for stage in Stage if stage not in Stage.open()]), ~has_fee.exists()]
    return rows, and_(*due)


def _free(rows: TableClause, columns: frozenset[str], held: Held) -> list[ColumnElement[bool]]:
    """What no hold concerns, as far as a table says whose its rows are."""
    kept = {
        "trip_id": held.trip_ids,
        "other_trip_id": held.trip_ids,
        "vehicle_id": held.vehicle_ids,
        "account_id": held.account_ids,
        "driver_id": held.account_ids,
    }
    return [
        or_(rows.c[name].is_(None), rows.c[name].not_in(sorted(ids)))
        for name, ids in kept.items()
        if ids and name in columns
    ]


def _delete(
    session: Session, shape: Shape, name: str, rows: TableClause, condition: ColumnElement[bool], limit: int
) -> int:
    key = shape.keys.get(name)
    if key is None:
        place: ColumnElement[object] = column("ctid")
        due = select(place).select_from(rows).where(condition).limit(limit)
        return len(session.scalars(delete(rows).where(place.in_(due)).returning(literal(1))).all())
    ids = session.scalars(select(rows.c[key]).where(condition).order_by(rows.c[key]).limit(limit)).all()
    if ids:
        delete_tree(session, shape, name, ids)
    return len(ids)


def delete_tree(session: Session, shape: Shape, name: str, ids: Sequence[object]) -> None:
    """Delete rows by their keys; what must refer to them goes first, what may refer to them forgets them."""
    for reference in shape.of(name):
        child = _table(reference.child, *shape.columns[reference.child])
        refers = child.c[reference.column].in_(ids)
        key = shape.keys.get(reference.child)
        if reference.optional:
            session.execute(update(child).where(refers).values({reference.column: None}))
        elif key is not None and shape.of(reference.child):
            inner = session.scalars(select(child.c[key]).where(refers)).all()
            if inner:
                delete_tree(session, shape, reference.child, inner)
        else:
            session.execute(delete(child).where(refers))
    rows = _table(name, *shape.columns[name])
    session.execute(delete(rows).where(rows.c[shape.keys[name]].in_(ids)))


def _table(name: str, *columns: str) -> TableClause:
    schema, _, bare = name.partition(".")
    return table(bare, *(column(each) for each in columns), schema=schema)


def must_refer(shape: Shape, child: str, parent: str) -> bool:
    """Whether rows of a table must refer to rows of another, so that they go with them."""
    return any(reference.child == child and not reference.optional for reference in shape.of(parent))
