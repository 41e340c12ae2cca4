"""Queries of advice as it was given and what became of it. Nothing here commits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.dispatch.tables import AdviceOutcome, Advisory


@dataclass(frozen=True)
class GivenAdvice:
    """An advice as it was first given.

    `threshold` is what the queue's end (kilometre), the queue or the yard (trucks) at `place_id` was told to reach by
    `by`; that a road stays clear of it until then, if `kind` is a release.
    """

    advisory_id: int
    kind: str
    place_id: str
    threshold: float
    given_at: datetime
    by: datetime


def insert_given(session: Session, given: GivenAdvice) -> None:
    """Keep an advice; the first word of it stands."""
    session.execute(insert(AdviceOutcome).values(**asdict(given)).on_conflict_do_nothing())


def list_unjudged(session: Session) -> list[tuple[GivenAdvice, str]]:
    """Advice whose outcome is open, each with what was decided of it."""
    rows = session.execute(
        select(AdviceOutcome, Advisory.status)
        .join(Advisory, Advisory.advisory_id == AdviceOutcome.advisory_id)
        .where(AdviceOutcome.outcome.is_(None))
        .order_by(AdviceOutcome.advisory_id)
    )
    names = GivenAdvice.__dataclass_fields__
    return [(GivenAdvice(**{name: getattr(row, name) for name in names}), status) for row, status in rows]


def set_outcome(session: Session, advisory_id: int, outcome: str, now: datetime) -> None:
    """Put down what became of an advice."""
    session.execute(
        update(AdviceOutcome)
        .where(AdviceOutcome.advisory_id == advisory_id)
        .values(outcome=outcome, judged_at=now)
        .execution_options(synchronize_session=False)
    )


def count_outcomes(session: Session, since: datetime) -> dict[tuple[str, str], int]:
    """How much advice was judged since a moment, by kind and outcome."""
    rows = session.execute(
        select(AdviceOutcome.kind, AdviceOutcome.outcome, func.count())
        .where(AdviceOutcome.judged_at >= since)
        .group_by(AdviceOutcome.kind, AdviceOutcome.outcome)
    )
    return {(kind, outcome): int(count) for kind, outcome, count in rows if outcome is not None}


def delete_before(session: Session, before: datetime) -> None:
    """Delete advice given before a moment."""
    session.execute(delete(AdviceOutcome).where(AdviceOutcome.given_at < before))
