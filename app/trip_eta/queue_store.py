"""Queries on places in queues. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.orm import Session

from app.trip_eta.queue_places import QueuePlace
from app.trip_eta.tables import QueuePlaceRow
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.database import values_of

WAITING_STAGES: Final = (Stage.PLANNED, Stage.ON_THE_ROAD, Stage.QUEUED)
"""Those in which a truck is not behind the entrance; a place of a minute ago may be over."""
_COLUMNS: Final = tuple(getattr(QueuePlaceRow, each.name) for each in fields(QueuePlace))


def list_places(session: Session) -> list[QueuePlace]:
    """The places as they were made last, of all gates."""
    return [QueuePlace(*row) for row in session.execute(select(*_COLUMNS))]


def find_place(session: Session, visible: ColumnElement[bool], trip_id: int, *, since: datetime) -> QueuePlace | None:
    """The place of a trip's truck made since a time, if it waits and the trip is `visible`."""
    row = session.execute(
        select(*_COLUMNS)
        .join(Trip, Trip.trip_id == QueuePlaceRow.trip_id)
        .where(
            QueuePlaceRow.trip_id == trip_id,
            QueuePlaceRow.made_at >= since,
            QueuePlaceRow.gate_id == Trip.gate_id,
            Trip.stage.in_(WAITING_STAGES),
            visible,
        )
    ).one_or_none()
    return None if row is None else QueuePlace(*row)


def replace_places(session: Session, places: Sequence[QueuePlace]) -> None:
    """Put the places of one minute in place of those before."""
    session.execute(delete(QueuePlaceRow))
    if places:
        session.execute(insert(QueuePlaceRow), [values_of(place) for place in places])
