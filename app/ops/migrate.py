"""Bringing a database to the schema this version wants."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

LOCK_KEY = 0x6375616B  # "cuak": two platforms that start at once migrate one after the other


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate the database to `revision` under a lock, in one transaction."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back down to `revision` (`base` for none)."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        command.downgrade(_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Whether the database is at the newest revision this version knows."""
    present = MigrationContext.configure(connection).get_current_heads()
    wanted = ScriptDirectory.from_config(_config(connection)).get_heads()
    return set(present) == set(wanted)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    return config
