"""Bringing a database to the schema this version wants."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from app.ops import roles_store
from app.settings import Settings
from geo.database import make_engine
from geo.errors import UnavailableError

SCRIPTS = Path(__file__).parents[1] / "migrations"
LOCK_KEY = 0x6375616B  # "cuak": two platforms that start at once migrate one after the other


def upgrade(engine: Engine, revision: str = "head", *, app_role: str = roles_store.APP_ROLE) -> None:
    """Migrate the database to `revision` under a lock, in one transaction, and let the application use what is new.

    `engine` signs in as the owner; `app_role`, if there is such a role, may read and write rows and no more.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        refuse_newer(connection)
        command.upgrade(_config(connection), revision)
        roles_store.grant_rows(connection, app_role)
        roles_store.grant_views(connection)


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


def present_revision(connection: Connection) -> str | None:
    """The revision that the database is at; `None` if no platform was ever in it."""
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Whether this version's schema is that revision or came from it; a newer version's is unknown."""
    script = ScriptDirectory(str(SCRIPTS))
    return any(each.revision == revision for each in script.walk_revisions())


def check_schema(settings: Settings) -> None:
    """Refuse to start on a database that this version does not know; what `refuse_newer` raises."""
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=1, application_name="cuakhau-cli")
    try:
        with engine.connect() as connection:
            refuse_newer(connection)
    finally:
        engine.dispose()


def refuse_newer(connection: Connection) -> None:
    """Refuse a database that a newer version of the platform has migrated.

    Raises
    ------
    UnavailableError
        If it is at a revision that this version does not know.
    """
    revision = present_revision(connection)
    if revision is not None and not is_known(revision):
        raise UnavailableError(
            "The database is at revision {revision}, made by a newer version of the platform than this one, which "
            "knows revisions up to {known}. Start that version, or restore a backup of this one.",
            revision=revision,
            known=ScriptDirectory(str(SCRIPTS)).get_current_head(),
        )


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
