"""The database: declarative base, engine, session factory, column types."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Engine, MetaData, create_engine, make_url, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import QueuePool

SCHEMAS = ("geo", "routing", "capacity", "ingest", "app")
"""One PostgreSQL schema a package, each named like it."""


class Base(DeclarativeBase):
    """Declarative base of all tables; constraint names are derived, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012 - SQLAlchemy's own name


def one_of(column: str, values: Iterable[str]) -> str:
    """The CHECK of an enumeration held as text: `one_of("kind", Kind)`; values are names of code, never input."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def make_engine(url: str, *, pool_size: int = 5, application_name: str = "cuakhau") -> Engine:
    """An engine on a PostgreSQL URL (`postgresql://user:password@host:port/name`).

    Connections are checked before use, so that a restarted server costs a reconnect, not an error.
    """
    return create_engine(
        make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg2"),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"application_name": application_name, "connect_timeout": 10, "options": "-c timezone=UTC"},
    )


def make_session_factory(engine: Engine) -> sessionmaker[Session]:
    """A factory of sessions; whoever opens one owns its transaction."""
    return sessionmaker(engine, expire_on_commit=False)


def is_alive(engine: Engine) -> bool:
    """Whether the database answers a trivial query."""
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)
