"""The risks that are advised of now: what acts are tried against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.dispatch import advisory_store
from app.dispatch.advice_outcomes import place_and_threshold
from app.dispatch.vocabulary import AdviceKind, AdvisoryStatus


@dataclass(frozen=True)
class StandingRisk:
    """A risk that stands and that nobody has dismissed.

    `threshold` is what the queue's end (kilometre), the queue or the yard (trucks) at `place_id` is told to reach by
    `by`; for advice to release trucks, what it stays clear of.
    """

    advisory_id: int
    gate_id: str
    kind: AdviceKind
    place_id: str
    threshold: float
    by: datetime
    until: datetime
    severity: str


def list_risks(session: Session) -> list[StandingRisk]:
    """The risks that stand, the oldest first."""
    found = []
    for row in advisory_store.standing_advisories(session):
        if row.status == AdvisoryStatus.DISMISSED:
            continue
        place_id, threshold = place_and_threshold(row.kind, row.gate_id, row.values)
        by = datetime.fromisoformat(str(row.values["by"]))
        kind = AdviceKind.of(row.kind)
        found.append(StandingRisk(row.advisory_id, row.gate_id, kind, place_id, threshold, by, row.until, row.severity))
    return found
