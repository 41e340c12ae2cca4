"""Databases of their own, beside the one of the tests."""

from __future__ import annotations

from sqlalchemy import Connection, text


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database if it is there, whoever is connected to it; outside of transactions.

    Not by FORCE: that fails while PostgreSQL's own vacuum is in it, which belongs to nobody; without, it is sent away.
    """
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = :name AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER')"
        ),
        {"name": name},
    )
    connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
