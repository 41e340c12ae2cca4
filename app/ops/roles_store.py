"""The database's roles: who owns, who works, and what each may do. Nothing here commits.

| role | owns | may |
|---|---|---|
| the server's own (superuser) | PostGIS | make roles; used by nothing but the start of the private server |
| owner (`MIGRATION_DATABASE_URL`) | the database, its schemas, tables and functions | migrate, back up, restore |
| application (`DATABASE_URL`) | nothing | read and write rows; the audit log: read and add |
| open data (`OPEN_DATABASE_URL`) | nothing | read the views of the schema `open_data`, and nothing else |

What the application needs beyond rows, it asks for by functions of the owner's (`SECURITY DEFINER`), each as narrow as
the need: days of fixes are made and dropped by `ingest.add_fix_day` and `ingest.drop_fix_day`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg2 import sql
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812 - a class
from sqlalchemy import Connection, text

from geo.database import SCHEMAS

OWNER_ROLE: Final = "cuakhau_owner"
APP_ROLE: Final = "cuakhau_app"
OPEN_ROLE: Final = "cuakhau_open"
OPEN_SCHEMA: Final = "open_data"
INSERT_ONLY: Final = ("app.audit", "app.audit_head")
"""Tables that the application adds to and never changes."""


@dataclass(frozen=True)
class RoleRights:
    """What the server says of a role: its own powers, and how many things it owns."""

    is_superuser: bool
    makes_roles: bool
    makes_databases: bool
    bypasses_policies: bool
    owned: int


def make_roles(server: Psycopg2Connection, passwords: dict[str, str]) -> None:
    """Let the roles of the platform sign in with their passwords, and with no more power than they need.

    `server` is a superuser's connection, `passwords` are by name of role. The owner may make databases, so that a
    backup can be tried by restoring it, and leave out foreign keys while it copies rows in.
    """
    with server.cursor() as cursor:
        for role, password in passwords.items():
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            name = sql.Identifier(role)
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE ROLE {}").format(name))
            powers = "CREATEDB" if role == OWNER_ROLE else "NOCREATEDB"
            cursor.execute(
                sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS {} PASSWORD %s").format(
                    name, sql.SQL(powers)
                ),
                (password,),
            )
            if role == OPEN_ROLE:
                cursor.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name))
        cursor.execute(
            sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(sql.Identifier(OWNER_ROLE))
        )


def make_database(server: Psycopg2Connection, database: str) -> None:
    """The owner's database, unless it is there; new ones get PostGIS by the template."""
    with server.cursor() as cursor:
        owner, name = sql.Identifier(OWNER_ROLE), sql.Identifier(database)
        cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,))
        found = cursor.fetchone()
        if found is None:
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
        elif found[0] != OWNER_ROLE:  # of a version in which the application's role owned everything
            cursor.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))


def add_postgis(server: Psycopg2Connection) -> None:
    """PostGIS in the database of a superuser's connection: no other role may install it."""
    with server.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS postgis")


def hand_over(server: Psycopg2Connection) -> None:
    """Give the owner what an earlier version made as the superuser in our schemas."""
    with server.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'ALTER SCHEMA ' || quote_ident(nspname) || ' OWNER TO ' || %(owner)s
            FROM pg_namespace WHERE nspname = ANY(%(schemas)s) AND pg_get_userbyid(nspowner) <> %(owner)s
            UNION ALL
            SELECT CASE relkind WHEN 'S' THEN 'ALTER SEQUENCE ' WHEN 'v' THEN 'ALTER VIEW '
                   WHEN 'm' THEN 'ALTER MATERIALIZED VIEW ' ELSE 'ALTER TABLE ' END
                   || oid::regclass || ' OWNER TO ' || %(owner)s
            FROM pg_class
            WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_get_userbyid(relowner) <> %(owner)s
              AND (relnamespace::regnamespace::text = ANY(%(schemas)s) OR oid = to_regclass('public.alembic_version'))
              AND NOT EXISTS (  -- a sequence of a column goes with its table
                  SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype IN ('a', 'i') AND relkind = 'S')
            UNION ALL
            SELECT 'ALTER ROUTINE ' || oid::regprocedure || ' OWNER TO ' || %(owner)s
            FROM pg_proc
            WHERE pronamespace::regnamespace::text = ANY(%(schemas)s) AND pg_get_userbyid(proowner) <> %(owner)s
            """,
            {"owner": OWNER_ROLE, "schemas": list(SCHEMAS)},
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def grant_rows(connection: Connection, role: str) -> bool:
    """Let `role` read and write rows in our schemas, and add to the audit log; whether there is such a role.

    Run by the owner after each migration: rights are by table, and new tables begin without. Nothing is granted to the
    owner itself, who has it all.
    """
    known = connection.scalar(text("SELECT oid FROM pg_roles WHERE rolname = :role"), {"role": role})
    if known is None or connection.scalar(text("SELECT current_user")) == role:
        return False
    quoted = connection.dialect.identifier_preparer.quote(role)
    present = connection.scalars(text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:s)"), {"s": list(SCHEMAS)})
    schemas = ", ".join(sorted(present))
    statements = [
        f"GRANT USAGE ON SCHEMA {schemas}, public TO {quoted}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schemas} FROM {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schemas} TO {quoted}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schemas} TO {quoted}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schemas} TO {quoted}",
        f"GRANT SELECT ON public.alembic_version TO {quoted}",
        *(
            f"REVOKE UPDATE, DELETE ON {table} FROM {quoted}"
            for table in INSERT_ONLY
            if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is not None
        ),
    ]
    for statement in statements:
        connection.execute(text(statement))
    return True


def grant_views(connection: Connection, role: str = OPEN_ROLE) -> bool:
    """Let `role` read the views for everybody, and nothing else; whether there are both. Run as `grant_rows`."""
    known = connection.scalar(text("SELECT oid FROM pg_roles WHERE rolname = :role"), {"role": role})
    if known is None or connection.scalar(text("SELECT to_regnamespace(:s)"), {"s": OPEN_SCHEMA}) is None:
        return False
    quoted = connection.dialect.identifier_preparer.quote(role)
    connection.execute(text(f"GRANT USAGE ON SCHEMA {OPEN_SCHEMA}, public TO {quoted}"))
    connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {OPEN_SCHEMA} TO {quoted}"))
    return True


def rights_of_current_role(connection: Connection) -> RoleRights:
    """What the role of this connection may do beyond rows."""
    found = connection.execute(
        text(
            """
            SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
                   (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid AND c.relpersistence <> 't')
                   + (SELECT count(*) FROM pg_namespace n WHERE n.nspowner = r.oid AND n.nspname !~ '^pg_temp')
                   + (SELECT count(*) FROM pg_proc p WHERE p.proowner = r.oid)
                   + (SELECT count(*) FROM pg_database d WHERE d.datdba = r.oid)
            FROM pg_roles r WHERE rolname = current_user
            """
        )
    ).one()
    return RoleRights(*found)
