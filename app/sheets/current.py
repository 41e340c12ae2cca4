"""Where a trip stands on its sheet right now: which steps are open, with whom, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.platform.labels import STEP_NAMES
from app.sheets import current_store
from app.sheets.agencies import AGENCY_NAMES, agency_of


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
        agency = agency_of(row.step, row.collector)
        name, agency_name = STEP_NAMES.get(row.step, row.step), AGENCY_NAMES.get(agency, agency)
        found.append(OpenStep(row.step, row.status, row.since, agency, name, agency_name))
    return found
