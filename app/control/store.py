"""Queries of the control loop itself: leadership, what waits to be relayed."""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session


def waiting_events(session: Session) -> int:
    """Events that no relay has sent yet."""
    return int(session.execute(text("SELECT count(*) FROM app.outbox WHERE relayed_at IS NULL")).scalar_one())


def try_lead(connection: Connection, key: int) -> bool:
    """Try to take the advisory lock of leadership; it is held as long as the connection lives."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())


def still_connected(connection: Connection) -> None:
    """Ask the server something trivial; raises if the connection, and with it the lock, is gone."""
    connection.execute(text("SELECT 1"))
