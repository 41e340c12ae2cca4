"""Columns of keyed digests that find what stands encrypted beside them, and making them again under another key.

A column says once of which columns of its row it is made, and how:

    number_digests: Mapped[list[str]] = mapped_column(ARRAY(Text), info=made_of(NUMBERS, digests_of))

Whoever writes a row by hand makes them by the same function. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, Table, Update, and_, bindparam, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from app.platform.json import JsonObject

BATCH: Final = 1000
"""Rows a statement."""
_INFO: Final = "digests"


@dataclass(frozen=True)
class _Rule:
    """`make` takes the clear values of `sources` by name; `None` leaves the column as it is."""

    sources: tuple[str, ...]
    make: Callable[[JsonObject], object]


def made_of(sources: Sequence[str], make: Callable[[JsonObject], object]) -> dict[str, object]:
    """What a column's `info` says: of which columns it is made, and how of their clear values.

    `make` answers `None` where nothing can be said, such as of a person who was erased: then the old digests stay.
    """
    return {_INFO: _Rule(tuple(sources), make)}


def digest_columns(metadata: MetaData) -> Iterator[tuple[Table, Column[Any]]]:
    """Every column of digests, with its table."""
    for rows in metadata.sorted_tables:
        for held in rows.columns:
            if _INFO in held.info:
                yield rows, held


def rewrite_digests(connection: Connection, metadata: MetaData) -> int:
    """Make every digest again under the key of the settings, which may have changed; how many columns of rows.

    A row whose new digests another row has already, written since the key was changed, keeps its old ones. One that is
    changed by another at the same time keeps what the other wrote.

    Raises
    ------
    UnavailableError
        If what stands beside a digest is encrypted with a key that this installation does not have.
    """
    return sum(_rewrite(connection, rows, held) for rows, held in digest_columns(metadata))


def _rewrite(connection: Connection, rows: Table, held: Column[Any]) -> int:
    rule: _Rule = held.info[_INFO]
    keys = list(rows.primary_key.columns)
    sources = [rows.c[name] for name in rule.sources]
    same = and_(*(key == bindparam(f"key_{key.name}") for key in keys), held == bindparam("was", type_=held.type))
    query = update(rows).where(same).values({held.name: bindparam("becomes", type_=held.type)})
    after: tuple[object, ...] = ()
    changed = 0
    while True:
        wanted = select(*keys, held, *sources).where(held.is_not(None)).order_by(*keys).limit(BATCH)
        if after:
            wanted = wanted.where(tuple_(*keys) > tuple_(*after))
        stored = [tuple(row) for row in connection.execute(wanted)]
        named = []
        for row in stored:
            was, values = row[len(keys)], dict(zip(rule.sources, row[len(keys) + 1 :], strict=True))
            becomes = rule.make(values)
            if becomes is not None and becomes != was:
                places = {f"key_{key.name}": value for key, value in zip(keys, row, strict=False)}
                named.append({**places, "was": was, "becomes": becomes})
        changed += _replace(connection, query, named) if named else 0
        if len(stored) < BATCH:
            return changed
        after = stored[-1][: len(keys)]


def _replace(connection: Connection, query: Update, named: Sequence[Mapping[str, object]]) -> int:
    """Write some rows; of those that may not become equal to another row, the others."""
    try:
        with connection.begin_nested():
            connection.execute(query, list(named))
    except IntegrityError:
        half = len(named) // 2
        return _replace(connection, query, named[:half]) + _replace(connection, query, named[half:]) if half else 0
    return len(named)
