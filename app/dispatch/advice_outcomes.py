"""Whether what was advised of came: each advice is kept as it was first given, and judged when its hour is past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.dispatch import advice_outcome_store
from app.dispatch.advice_inputs import Advice
from app.dispatch.advice_outcome_store import GivenAdvice
from app.dispatch.vocabulary import AdviceKind, AdvisoryStatus, Outcome

FORESEEN_BEFORE: Final = timedelta(minutes=10)
"""What comes true sooner was seen, not foreseen: such advice is not judged."""
GRACE: Final = timedelta(hours=1)
"""So much later than told a risk may come and still have been foreseen."""
MEASURED_WITHIN: Final = timedelta(minutes=10)
RECENT: Final = timedelta(days=30)
KEEP: Final = timedelta(days=400)


@dataclass(frozen=True)
class Measured:
    """The corridor as measured: kilometre of the end of each queue (where there is one), trucks in it, trucks in each
    yard."""

    tails_km: Mapping[str, float]
    queues_veh: Mapping[str, float]
    inside_veh: Mapping[str, float]


@dataclass(frozen=True)
class HitRate:
    """Of `judged` pieces of advice of a kind in the last `days`, `right` came as told.

    `acted_on` were followed by an officer and did not come: whether they would have is not known, so they count as
    neither.
    """

    kind: AdviceKind
    right: int
    judged: int
    acted_on: int
    days: int = RECENT.days


def keep(session: Session, advisory_id: int, advice: Advice, now: datetime) -> None:
    """Keep an advice as it is first given, if it is foreseen."""
    kind = AdviceKind.of(advice.kind)
    if advice.by - now < FORESEEN_BEFORE and kind is not AdviceKind.RELEASE:
        return
    place_id, threshold = place_and_threshold(advice.kind, advice.gate_id, advice.message.values)
    by = advice.until if kind is AdviceKind.RELEASE else advice.by
    given = GivenAdvice(advisory_id, kind, place_id, threshold, now, by)
    advice_outcome_store.insert_given(session, given)


def place_and_threshold(kind: str, gate_id: str, values: Mapping[str, object]) -> tuple[str, float]:
    """What an advice is about, from the values of its message: the gate or yard, and the kilometre of the queue's end
    or the number of trucks that it is told to reach."""

    def number(name: str) -> float:
        return float(str(values[name]))

    match AdviceKind.of(kind):
        case AdviceKind.YARD:
            return str(values["yard_id"]), number("share") * number("capacity_veh")
        case AdviceKind.CLOSING:
            return gate_id, number("at_least_veh")
        case AdviceKind.QUEUE | AdviceKind.RELEASE:
            return gate_id, number("km")


def judge(session: Session, measured: Measured, now: datetime) -> int:
    """Judge the advice whose risk has come, or whose hour is past; how many."""
    judged = 0
    for given, status in advice_outcome_store.list_unjudged(session):
        outcome = outcome_of(given, measured, now, is_followed=status == AdvisoryStatus.TAKEN)
        if outcome is not None:
            advice_outcome_store.set_outcome(session, given.advisory_id, outcome, now)
            judged += 1
    return judged


def outcome_of(given: GivenAdvice, measured: Measured, now: datetime, *, is_followed: bool) -> Outcome | None:
    """What became of an advice; `None` while that is open.

    A queue or a yard may reach what was told until `GRACE` after the time told; trucks left at closing are counted
    then; a road that was told clear has to stay so until then.
    """
    reached = _level(given, measured) >= given.threshold
    not_come = Outcome.ACTED_ON if is_followed else Outcome.WRONG
    if given.kind == AdviceKind.RELEASE:
        if reached and now <= given.by:
            return Outcome.WRONG
        return Outcome.RIGHT if now > given.by else None
    if given.kind == AdviceKind.CLOSING:
        if now < given.by:
            return None
        if now - given.by > MEASURED_WITHIN:
            return Outcome.UNKNOWN
        return Outcome.RIGHT if reached else not_come
    if reached:
        return Outcome.RIGHT
    return not_come if now > given.by + GRACE else None


def _level(given: GivenAdvice, measured: Measured) -> float:
    levels = {
        AdviceKind.QUEUE: measured.tails_km,
        AdviceKind.RELEASE: measured.tails_km,
        AdviceKind.CLOSING: measured.queues_veh,
        AdviceKind.YARD: measured.inside_veh,
    }
    return levels[AdviceKind.get(given.kind)].get(given.place_id, 0.0)


def hit_rates(session: Session, now: datetime) -> dict[AdviceKind, HitRate]:
    """How often recent advice came as told, of each kind that was judged."""
    counts = advice_outcome_store.count_outcomes(session, now - RECENT)
    found = {}
    for kind in AdviceKind:
        right, wrong, acted_on = (
            counts.get((kind, outcome), 0) for outcome in (Outcome.RIGHT, Outcome.WRONG, Outcome.ACTED_ON)
        )
        if right + wrong + acted_on:
            found[kind] = HitRate(kind, right, right + wrong, acted_on)
    return found


def prune(session: Session, now: datetime) -> None:
    """Forget advice given long ago."""
    advice_outcome_store.delete_before(session, now - KEEP)
