"""The telephones of drivers as they were declared, for those who are told by text message."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from app.declarations import store


def declared_telephones(session: Session, trip_ids: Collection[int]) -> dict[int, str]:
    """The driver's telephone of each trip as handed in last, by trip; of trips without one nothing."""
    found = {trip_id: str(data.get("driver_phone") or "") for trip_id, data in store.handed_in(session, trip_ids)}
    return {trip_id: phone for trip_id, phone in found.items() if phone}
