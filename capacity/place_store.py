"""One trip's place in the newest plan, changed between two plans. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Integer, ScalarSelect, cast, delete, func, literal, select, update
from sqlalchemy.orm import Session

from capacity.records import ReasonRecord
from capacity.tables import AssignmentRow, PlanRow

NO_ZONE: Final[Mapping[str, None]] = {"zone_id": None, "place_kind": None}
"""In which zone a place is that was moved, the next plan says."""


def move_place(session: Session, trip_id: int, yard_id: str, free_veh: int) -> bool:
    """Give a trip that the newest plan covers a place in another yard, free when it arrives; whether it had one."""
    reason: ReasonRecord = {"code": "free_on_arrival", "wait_s": 0, "free_veh": free_veh}
    query = (
        update(AssignmentRow)
        .where(AssignmentRow.trip_id == trip_id, AssignmentRow.plan_id == _newest_plan())
        .values(yard_id=yard_id, place_free_at=AssignmentRow.arrive_at, wait_s=0, reason=reason, **NO_ZONE)
        .returning(AssignmentRow.trip_id)
    )
    return session.scalars(query.execution_options(synchronize_session=False)).one_or_none() is not None


def rebook(session: Session, trip_id: int, yard_id: str, starts_at: datetime) -> bool:
    """Give a trip that the newest plan covers the place that is booked for it now, from `starts_at` on; whether it had
    one."""
    place_free_at = func.greatest(AssignmentRow.arrive_at, literal(starts_at))
    wait_s = cast(func.extract("epoch", place_free_at - AssignmentRow.arrive_at), Integer)
    until = literal(starts_at.isoformat())
    query = (
        update(AssignmentRow)
        .where(AssignmentRow.trip_id == trip_id, AssignmentRow.plan_id == _newest_plan())
        .values(
            yard_id=yard_id,
            place_free_at=place_free_at,
            wait_s=wait_s,
            reason=func.jsonb_build_object("code", "booked", "wait_s", wait_s, "until", until),
            **NO_ZONE,
        )
        .returning(AssignmentRow.trip_id)
    )
    return session.scalars(query.execution_options(synchronize_session=False)).one_or_none() is not None


def drop_place(session: Session, trip_id: int) -> bool:
    """Take back what the newest plan says of a trip, so that its place is free; whether it had one."""
    query = (
        delete(AssignmentRow)
        .where(AssignmentRow.trip_id == trip_id, AssignmentRow.plan_id == _newest_plan())
        .returning(AssignmentRow.trip_id)
    )
    return session.scalars(query.execution_options(synchronize_session=False)).one_or_none() is not None


def _newest_plan() -> ScalarSelect[int]:
    return select(func.max(PlanRow.plan_id)).scalar_subquery()
