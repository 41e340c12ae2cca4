"""Queries on the open steps of a trip. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.procedures.steps import Step, StepStatus
from app.trips.vocabulary import Stage
from geo.database import records


@dataclass(frozen=True)
class StepToDo:
    """A step that somebody can do now, `since` then or `None` while its truck is not there.

    `collector` is who takes the fee of its trip, as far as that is known.
    """

    step: str
    status: str
    collector: str | None
    since: datetime | None


def open_steps(session: Session, trip_id: int) -> list[StepToDo]:
    """The steps of a trip that somebody can do now, longest open first."""
    rows = session.execute(
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
    )
    return records(StepToDo, rows)
