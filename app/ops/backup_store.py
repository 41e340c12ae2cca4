"""Queries of backup and restore: what a database holds, table by table, and which backups were made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from app.ops.tables import BackupRow
from geo.database import SCHEMAS

_ASIDE = "_replaced"


class TableContent(BaseModel):
    """What a table holds: how many rows, and the sum of their 64-bit hashes, whatever their order."""

    model_config = ConfigDict(frozen=True)

    rows: int
    checksum: str


def export_snapshot(connection: Connection) -> str:
    """Let other connections see exactly what this one sees, as long as its transaction lasts."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    return str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())


def table_contents(connection: Connection) -> dict[str, TableContent]:
    """Each table of the platform, partitions by themselves; the sum does not depend on the session's settings."""
    for setting in ("timezone = 'UTC'", "extra_float_digits = 1", "bytea_output = 'hex'", "datestyle = 'ISO, YMD'"):
        connection.execute(text(f"SET LOCAL {setting}"))
    names = connection.execute(
        text(
            """
            SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY(:schemas) AND c.relkind = 'r' ORDER BY 1
            """
        ),
        {"schemas": list(SCHEMAS)},
    ).scalars()
    return {name: _content(connection, name) for name in names.all()}


def _content(connection: Connection, quoted_name: str) -> TableContent:
    query = f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {quoted_name} t"  # noqa: S608 - quoted by the server
    rows, checksum = connection.execute(text(query)).one()
    return TableContent(rows=rows, checksum=checksum)


def is_empty(connection: Connection) -> bool:
    """Whether no platform was ever in this database."""
    return connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar_one() is None


def put_aside(connection: Connection) -> None:
    """Rename the platform's schemas, so that a backup can take their place; nothing if there are none."""
    drop_aside(connection)
    for schema in _present(connection, SCHEMAS):
        connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{schema}{_ASIDE}"'))
    if not is_empty(connection):
        connection.execute(text(f'ALTER TABLE public.alembic_version SET SCHEMA "app{_ASIDE}"'))


def bring_back(connection: Connection) -> None:
    """Undo `put_aside`."""
    for schema in SCHEMAS:
        if _present(connection, [f"{schema}{_ASIDE}"]):
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
            connection.execute(text(f'ALTER SCHEMA "{schema}{_ASIDE}" RENAME TO "{schema}"'))
    if connection.execute(text("SELECT to_regclass('app.alembic_version')")).scalar_one() is not None:
        connection.execute(text("ALTER TABLE app.alembic_version SET SCHEMA public"))


def drop_aside(connection: Connection) -> None:
    """Erase for good what was put aside."""
    for schema in SCHEMAS:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}{_ASIDE}" CASCADE'))


def _present(connection: Connection, schemas: Sequence[str]) -> list[str]:
    query = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:schemas)")
    return list(connection.execute(query, {"schemas": list(schemas)}).scalars())


def working_parts(connection: Connection) -> list[str]:
    """The parts of the platform that are connected, by name; commands are no parts."""
    found = connection.execute(
        text(
            """
            SELECT DISTINCT substr(application_name, 9) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'cuakhau-%'
                AND application_name <> 'cuakhau-cli'
            ORDER BY 1
            """
        )
    ).scalars()
    return list(found)


def record_backup(session: Session, backup: BackupRow) -> None:
    """Note that a backup was made, or that it failed."""
    session.add(backup)


def newest_good_backup(session: Session) -> BackupRow | None:
    """The newest that worked."""
    query = select(BackupRow).where(BackupRow.failure.is_(None)).order_by(BackupRow.backup_id.desc()).limit(1)
    return session.scalar(query)


def newest_backup(session: Session) -> BackupRow | None:
    """The newest, whether it worked or not."""
    return session.scalar(select(BackupRow).order_by(BackupRow.backup_id.desc()).limit(1))


def forget_backups(session: Session, before: datetime) -> None:
    """Forget what was noted long ago."""
    session.execute(text("DELETE FROM app.backup WHERE started_at < :before"), {"before": before})
