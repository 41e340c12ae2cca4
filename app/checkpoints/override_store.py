"""The log of overrides of a day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.platform.json import JsonObject
from app.platform.sealed_json import SealedJson


@dataclass(frozen=True)
class LoggedOverride:
    """An override: who did what on which trip against which warning, and why."""

    override_id: int
    at: datetime
    gate_id: str
    step: str
    kind: str
    identity: str
    message: str
    details: JsonObject
    reason: str
    trip_id: int
    code: str
    plate: str
    account_id: int
    full_name: str
    role: str


_LOGGED: Final = """
    SELECT o.override_id, o.at, o.gate_id, o.step, o.kind, o.identity, o.message, o.details, o.reason,
           o.trip_id, t.code, v.plate, o.account_id, a.full_name, a.role
    FROM app.override o JOIN app.trip t ON t.trip_id = o.trip_id
    JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id JOIN app.account a ON a.account_id = o.account_id
"""


def list_overrides(
    session: Session, *, since: datetime, until: datetime, gate_id: str | None, step: str | None, limit: int
) -> Sequence[LoggedOverride]:
    """Those of a time, newest first; of one gate and step if given."""
    rows = session.execute(
        text(
            f"""{_LOGGED}
            WHERE o.at >= :since AND o.at < :until AND (CAST(:gate_id AS text) IS NULL OR o.gate_id = :gate_id)
              AND (CAST(:step AS text) IS NULL OR o.step = :step)
            ORDER BY o.at DESC, o.override_id DESC LIMIT :limit
            """
        ).columns(details=SealedJson),
        {"since": since, "until": until, "gate_id": gate_id, "step": step, "limit": limit},
    )
    return [LoggedOverride(*row) for row in rows]


def list_of_trips(session: Session, trip_ids: Collection[int]) -> Sequence[LoggedOverride]:
    """Those of some trips, by trip, oldest first."""
    rows = session.execute(
        text(f"{_LOGGED} WHERE o.trip_id = ANY(:trip_ids) ORDER BY o.trip_id, o.at, o.override_id").columns(
            details=SealedJson
        ),
        {"trip_ids": list(trip_ids)},
    )
    return [LoggedOverride(*row) for row in rows]
