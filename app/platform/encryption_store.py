"""Encrypting what a table holds in clear, and bringing encrypted values under a new key. Nothing here commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    Text,
    and_,
    bindparam,
    column,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from app.platform.encryption import EncryptedBytes, EncryptedJson, EncryptedText, KeyRing
from app.platform.sealed_json import SealedJson, rewrite_tokens

BATCH = 1000
"""Rows a statement."""
FILES = 5
"""Rows a statement where each holds a file."""


def rewrite_column(
    connection: Connection,
    name: str,
    keys: Sequence[str],
    value_column: str,
    rewrite: Callable[[Any], object],
    *,
    kind: TypeEngine[Any] | None = None,
    batch: int = BATCH,
    only: ColumnElement[bool] | None = None,
) -> int:
    """Replace each value of a column that is not NULL by what `rewrite` makes of it; how many changed.

    Arguments: `name` of the table with its schema, `keys` the columns of its primary key, `kind` the column's type in
    the database, text unless given; `batch`, rows at a time, few where values are large; `only`, which values there is
    anything to do with. For migrations, with `key_ring().encrypt` and, backwards, `key_ring().decrypt`. A row that is
    changed by another at the same time keeps what the other wrote.
    """
    schema, _, bare = name.rpartition(".")
    held = column(value_column, kind if kind is not None else Text())
    rows = table(bare, *(column(key) for key in keys), held, schema=schema or None)
    present, places = rows.c[value_column], [rows.c[key] for key in keys]
    same = and_(*(rows.c[key] == bindparam(f"key_{key}") for key in keys), present == bindparam("was", type_=held.type))
    query = update(rows).where(same).values({value_column: bindparam("becomes", type_=held.type)})
    after: tuple[object, ...] = ()
    changed = 0
    while True:
        wanted = select(*places, present).where(present.is_not(None)).order_by(*places).limit(batch)
        if only is not None:
            wanted = wanted.where(only)
        if after:
            wanted = wanted.where(tuple_(*places) > tuple_(*after))
        stored = connection.execute(wanted).all()
        named = [
            {f"key_{key}": value for key, value in zip(keys, row, strict=False)} | {"was": row[-1], "becomes": becomes}
            for row in stored
            if (becomes := rewrite(row[-1])) != row[-1]
        ]
        if named:
            connection.execute(query, named)
            changed += len(named)
        if len(stored) < batch:
            return changed
        after = tuple(stored[-1])[:-1]


def encrypted_columns(metadata: MetaData) -> Iterator[tuple[str, list[str], Column[object]]]:
    """Every column that is encrypted: its table with schema, the table's primary key, the column."""
    for rows in metadata.sorted_tables:
        for held in rows.columns:
            if isinstance(held.type, EncryptedText | EncryptedJson | EncryptedBytes | SealedJson):
                yield rows.fullname, [key.name for key in rows.primary_key], held


def reencrypt(connection: Connection, metadata: MetaData, ring: KeyRing) -> int:
    """Bring every encrypted value under the first key of a ring; how many values."""
    return sum(
        _reencrypt_column(connection, name, keys, held, ring) for name, keys, held in encrypted_columns(metadata)
    )


def _reencrypt_column(
    connection: Connection, name: str, keys: Sequence[str], held: Column[object], ring: KeyRing
) -> int:
    if isinstance(held.type, SealedJson):

        def rewrite(value: object) -> object:
            return rewrite_tokens(value, ring.reencrypt)

        return rewrite_column(connection, name, keys, held.name, rewrite, kind=JSONB())
    if isinstance(held.type, EncryptedBytes):

        def again(value: bytes) -> bytes:
            return ring.encrypt_bytes(ring.decrypt_bytes(bytes(value)))

        return rewrite_column(connection, name, keys, held.name, again, kind=LargeBinary(), batch=FILES)
    return rewrite_column(connection, name, keys, held.name, lambda value: value and ring.reencrypt(value))
