"""The database: declarative base, engine, session factory, column types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, Result, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import QueuePool

from geo.errors import InvalidInputError
from geo.text import nfc

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record")
POOL_TIMEOUT_S = 2.0
SCHEMAS = ("geo", "routing", "capacity", "ingest", "app", "open_data")
"""One PostgreSQL schema a package, each named like it; the last holds the views that everybody may read."""


_NOTICE_A_CUT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Seconds, the last in milliseconds (libpq, "Connection Parameters"); the system's own would wait for 15 minutes."""
_LET_THE_SERVER_NOTICE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""The same at the server's end of each connection (PostgreSQL, "TCP Settings"): a session whose client is gone without
a word holds its locks for half a minute, not for the two hours of the system's own."""


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


def values_of(row: DataclassInstance) -> dict[str, object]:
    """The values of a row by name of column; not copied, as `dataclasses.asdict` would."""
    return {column.name: getattr(row, column.name) for column in fields(row)}


def records(
    of: Callable[..., Record], rows: Result[*tuple[object, ...]], **readers: Callable[[Any], object]
) -> list[Record]:
    """One record for each row, by the names of the columns; a column with a reader is read by it.

    Four times as fast as `of(**row._mapping)`, which looks up every name of every row. For long lists let `of` be a
    `NamedTuple` with the columns in their order: ten times as fast again.

    Raises
    ------
    TypeError
        If the fields of a `NamedTuple` are not the columns.
    """
    names = tuple(rows.keys())
    make = getattr(of, "_make", None)
    if make is not None and not readers:
        if getattr(of, "_fields", None) != names:
            raise TypeError(f"{of} has other fields than the columns {', '.join(names)}.")
        return list(map(make, rows.all()))
    named = (dict(zip(names, row, strict=True)) for row in rows.all())
    if not readers:
        return [of(**values) for values in named]
    return [of(**values | {name: read(values[name]) for name, read in readers.items()}) for values in named]


def make_engine(url: str, *, pool_size: int = 5, application_name: str = "cuakhau") -> Engine:
    """An engine on a PostgreSQL URL (`postgresql://user:password@host:port/name`).

    Connections are checked before use, so that a restarted server costs a reconnect, not an error. One that was cut
    without a word is given up within half a minute, waiting for an answer included, and so is its session by the
    server. Where all are taken, one is waited for `POOL_TIMEOUT_S`: who asks hears that soon, and does not hold what
    others need.
    """
    settings = {"timezone": "UTC", **_LET_THE_SERVER_NOTICE}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = create_engine(
        make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg2"),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        executemany_mode="values_plus_batch",  # many rows in one message to the server, not one message each
        connect_args={"application_name": application_name, "options": options, **_NOTICE_A_CUT},
    )
    event.listen(engine, "before_cursor_execute", _compose, retval=True)
    return engine


def _compose(
    _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
) -> tuple[str, Any]:
    """Let text reach the database in composed form (NFC) only, whatever keyboard or file it came from.

    Raises
    ------
    InvalidInputError
        If it holds NUL, which PostgreSQL keeps in no text.
    """
    if isinstance(parameters, Mapping):
        return statement, _composed(parameters)
    return statement, [_composed(row) if isinstance(row, Mapping) else row for row in parameters]


def _composed(values: Mapping[str, Any]) -> Mapping[str, Any]:
    if any(_holds_nul(value) for value in values.values()):
        raise InvalidInputError("Text cannot hold the character NUL.")
    if all(not isinstance(value, str) or value.isascii() for value in values.values()):
        return values
    return {name: nfc(value) if isinstance(value, str) else value for name, value in values.items()}


def _holds_nul(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(each, str) and "\0" in each for each in value)
    return isinstance(value, str) and "\0" in value


def make_session_factory(engine: Engine) -> sessionmaker[Session]:
    """A factory of sessions; whoever opens one owns its transaction."""
    return sessionmaker(engine, expire_on_commit=False)


def is_alive(engine: Engine) -> bool:
    """Whether the database answers a trivial query."""
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)
