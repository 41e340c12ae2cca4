"""Where a trip stands on its sheet right now: which steps are open, with whom, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.procedures.steps import Step
from app.sheets import current_store


@dataclass(frozen=True)
class OpenStep:
    """A step that somebody can do now, `since` then or `None` while its truck is not at the gate.

    `name` and `agency_name` are gettext keys.
    """

    step: str
    status: str
    since: datetime | None
    agency: str
    name: str
    agency_name: str


def current_steps(session: Session, trip_id: int) -> list[OpenStep]:
    """The open steps of a trip the caller may see, longest open first; none before it is declared and after its end."""
    found = []
    for row in current_store.open_steps(session, trip_id):
        step = Step.get(row.step)
        agency = step.agency(row.collector)
        found.append(OpenStep(step, row.status, row.since, agency, step.label, agency.label))
    return found
