"""Rows that tests of what is counted begin with: where trips' trucks are and were."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.trips.vocabulary import PlaceKind


def put_place(session: Session, trip_id: int, kind: PlaceKind, at: datetime, *, site_id: str | None = None) -> None:
    """A trip's truck is somewhere from a moment on, at the trip's gate if that is at one; its stage follows."""
    values = {"trip_id": trip_id, "at": at, "kind": kind.value, "site_id": site_id, "stage": kind.stage.value}
    values |= {"at_gate": kind in (*PlaceKind.at_gate(), *PlaceKind.over())}
    session.execute(
        text("UPDATE app.trip_place SET ended_at = :at WHERE trip_id = :trip_id AND ended_at IS NULL"), values
    )
    session.execute(
        text(
            "INSERT INTO app.trip_place (trip_id, began_at, kind, gate_id, site_id, source, trust) "
            "SELECT trip_id, :at, :kind, CASE WHEN :at_gate THEN gate_id END, :site_id, 'gps', 1 FROM app.trip "
            "WHERE trip_id = :trip_id"
        ),
        values,
    )
    session.execute(text("UPDATE app.trip SET stage = :stage, stage_since = :at WHERE trip_id = :trip_id"), values)
