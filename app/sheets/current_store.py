"""Queries on the open steps of a trip. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.procedures.steps import Step, StepStatus
from app.trips.vocabulary import Stage

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def open_steps(session: Session, trip_id: int) -> Sequence[AnyRow]:
    """The steps of a trip that somebody can do now: `step status since`, and who collects its fee.

    `since` is when the step could be done and the truck was there; `None` while the truck is not.
    """
    return session.execute(
        text(
            """
            SELECT s.step, s.status, t.facts ->> 'collector' AS collector,
                   CASE WHEN s.step = :declaration THEN s.since
                        WHEN t.arrived_at IS NOT NULL OR t.stage = :in_the_yard
                        THEN greatest(s.since, coalesce(t.arrived_at, t.stage_since)) END AS since
            FROM app.trip_step s JOIN app.trip t USING (trip_id)
            WHERE s.trip_id = :trip_id AND s.is_live AND s.status = ANY(:open_statuses)
            ORDER BY since, s.step
            """
        ),
        {
            "trip_id": trip_id,
            "declaration": Step.DECLARATION,
            "open_statuses": list(StepStatus.open()),
            "in_the_yard": Stage.IN_THE_YARD,
        },
    ).all()
