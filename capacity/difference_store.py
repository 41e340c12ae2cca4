"""Trucks of whom a yard's ledger says what cannot be true, settled one by one. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from capacity.ledger import CONTRADICTORY, Flag
from capacity.store import KEEP_STAYS
from capacity.tables import PresenceRow
from geo.errors import ConflictError


@dataclass(frozen=True)
class OddTruck:
    """A truck of whom the reports contradict each other: what is odd, and what was reported last.

    `truck_key` is its name in the ledger; without `left_at` it is inside as far as the ledger knows.
    """

    truck_key: str
    plate_norm: str | None
    flag: Flag
    entered_at: datetime | None
    entered_source: str | None
    left_at: datetime | None
    left_source: str | None


def list_odd(session: Session, yard_id: str, now: datetime, *, limit: int = 50) -> list[OddTruck]:
    """The odd trucks of a yard of late, the newest first."""
    rows = session.scalars(
        select(PresenceRow)
        .where(
            PresenceRow.yard_id == yard_id,
            PresenceRow.flag.in_([flag.value for flag in CONTRADICTORY]),
            or_(PresenceRow.left_at.is_(None), PresenceRow.left_at > now - KEEP_STAYS),
        )
        .order_by(PresenceRow.left_at.desc().nulls_first(), PresenceRow.truck_key)
        .limit(limit)
    )
    return [
        OddTruck(
            row.truck_key,
            row.plate_norm,
            Flag(row.flag or ""),
            row.entered_at,
            row.entered_source,
            row.left_at,
            row.left_source,
        )
        for row in rows
    ]


def settle(session: Session, yard_id: str, truck_key: str) -> Flag:
    """The ledger is right about a truck: nothing is odd about it any more; what was.

    Raises
    ------
    ConflictError
        If nothing is odd about it, or somebody settled it before.
    """
    where = PresenceRow.yard_id == yard_id, PresenceRow.truck_key == truck_key
    flag = session.scalar(select(PresenceRow.flag).where(*where).with_for_update())
    if flag not in CONTRADICTORY:
        raise ConflictError("Nothing is open about this truck at the yard {yard_id}.", yard_id=yard_id)
    session.execute(update(PresenceRow).where(*where).values(flag=None).execution_options(synchronize_session=False))
    return Flag(flag)
