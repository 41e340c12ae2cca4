"""What the officers of the demo day do with a trip, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from app.demo.day import JourneyPlan
from app.fees.vocabulary import FeeStatus
from app.procedures.steps import Step, StepStatus
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.vocabulary import Stage

BY_CONFIRMATION: Final = frozenset(set(Step) - {Step.DECLARATION, Step.TRANSSHIPMENT, Step.FEE})
"""Steps that an officer confirms or returns by hand; the others are done by what is done elsewhere."""
TAKES: Final = timedelta(seconds=45)
"""Nobody confirms a step sooner than this after it is ready."""
REDECLARES: Final = (180.0, 600.0)
"""How long (s) an enterprise takes to declare again."""
HELD_UNDECLARED: Final = -1
"""In place of an order's number: a truck that stands in the temporary yard until it is declared."""


@dataclass
class Journey:
    """One open trip: its row as read, its truck in the recording, and its plan in the platform's time."""

    row: Any
    truck: int
    day: int
    plan: JourneyPlan
    origin: datetime
    stops_s: float | None
    acts_done: int = 0

    def __lt__(self, other: Journey) -> bool:
        return bool(self.row.trip_id < other.row.trip_id)

    def moment(self, seconds: float) -> datetime | None:
        """When a second of the recorded day comes; `None` while the truck stands before it for an order."""
        if self.stops_s is not None and seconds > self.stops_s:
            return None
        return self.origin + timedelta(seconds=seconds)


def next_act(journey: Journey, now: datetime) -> list[tuple[int, datetime, str, Journey]]:
    """The next act due on a trip, if any, behind its urgency: papers of trucks at the gate, the gate, the road."""
    waiting = [one for one in acts(journey) if one[0] <= now]
    if not waiting:
        return []
    at, name = min(waiting)
    is_at_gate = journey.row.stage in Stage.at_gate()
    return [(0 if is_at_gate and name == "declare" else 1 if is_at_gate else 2, at, name, journey)]


def acts(journey: Journey) -> Iterator[tuple[datetime, str]]:
    """What can be done on a trip next, each with the moment at which it is: `kind:step`."""
    row, plan = journey.row, journey.plan
    if row.procedure_id is None:
        yield from _undeclared(journey)
        return
    steps: Mapping[str, Sequence[Any]] = row.steps
    if steps.get(Step.DECLARATION, (StepStatus.DONE,))[0] == StepStatus.RETURNED:
        since = _moment(steps[Step.DECLARATION][1])
        wait_s = np.random.default_rng([journey.truck, row.returns]).uniform(*REDECLARES)
        yield since + timedelta(seconds=float(wait_s)), "redeclare"
        return
    if row.channel is None and steps.get(Step.CUSTOMS, (StepStatus.DONE,))[0] != StepStatus.DONE:
        yield from _when(journey, plan.channel_s, "channel:")
    for step, (status, since) in steps.items():
        if status not in StepStatus.open():
            continue
        earliest = _moment(since) + TAKES
        if step == Step.FEE:
            yield from _fee(journey, earliest)
        elif step in BY_CONFIRMATION:
            at = journey.moment(plan.steps.get(step, plan.passages.entered_s))  # no moment drawn: once it is inside
            if at is None:
                continue
            if plan.returned_at == step and not row.returns:
                yield max(at - timedelta(minutes=4), earliest), f"return:{step}"
            else:
                yield max(at, earliest), f"confirm:{step}"
    yield from _transship(journey)


def _when(
    journey: Journey, seconds: float, name: str, not_before: datetime | None = None
) -> Iterator[tuple[datetime, str]]:
    at = journey.moment(seconds)
    if at is not None:
        yield max(at, not_before or at), name


def _undeclared(journey: Journey) -> Iterator[tuple[datetime, str]]:
    row, plan = journey.row, journey.plan
    if plan.undeclared_s is None:
        yield journey.origin + timedelta(seconds=plan.declare_s), "declare"
        return
    if row.arrived_at is None or "undeclared_since" not in row.facts:
        is_aside = journey.stops_s is not None
        here = journey.origin + timedelta(seconds=journey.stops_s or 0.0) if is_aside else None
        at = here or journey.moment(plan.passages.near_s)
        if at is not None:
            yield max(at, row.arrived_at or at), "arrive"
        return
    latest = None if journey.stops_s is not None else journey.moment(plan.steps[Step.HEALTH])  # aside it has time
    waits = [row.arrived_at + timedelta(seconds=one) for one in plan.undeclared_s]
    if latest is not None and latest - timedelta(minutes=2) < waits[-1]:
        share = max(timedelta(), latest - timedelta(minutes=2) - row.arrived_at) / 3
        waits = [row.arrived_at + share * count for count in (1, 2, 3)]
    if row.arrival_id is None:
        yield waits[0], "register"
    elif row.opened_at is None:
        yield waits[1], "open"
    else:
        yield waits[2], "declare_there"


def _fee(journey: Journey, earliest: datetime) -> Iterator[tuple[datetime, str]]:
    row, plan = journey.row, journey.plan
    if row.fee_id is None:
        yield earliest, "fee:open"
    elif row.fee_status == FeeStatus.OPEN_QUESTION:
        yield from _when(journey, plan.decide_s, "fee:decide", earliest)
    elif row.fee_status == FeeStatus.DUE and plan.pays_by_transfer:
        paid = row.applied_vnd >= row.amount_vnd
        later_s = 240.0 if paid else 0.0
        yield from _when(journey, plan.pay_s + later_s, "fee:confirm" if paid else "fee:transfer", earliest)
    elif row.fee_status == FeeStatus.DUE:
        yield from _when(journey, plan.pay_s, "fee:cash", earliest)


def _transship(journey: Journey) -> Iterator[tuple[datetime, str]]:
    row, plan, steps = journey.row, journey.plan, journey.row.steps
    if plan.transshipment_s is None or Step.TRANSSHIPMENT not in steps or steps[Step.CUSTOMS][0] == StepStatus.DONE:
        return
    if row.transshipment is None:
        quarantines = [status for step, (status, _) in steps.items() if Step.get(step).spec.is_quarantine]
        if steps[Step.YARD][0] == StepStatus.DONE and all(one in StepStatus.over() for one in quarantines):
            yield from _when(journey, plan.transshipment_s[0], "transshipment:register")
    elif row.transshipment == TransshipmentStatus.REGISTERED:
        yield from _when(journey, plan.transshipment_s[1], "transshipment:approve")
    elif row.transshipment == TransshipmentStatus.APPROVED and steps[Step.TRANSSHIPMENT][0] == StepStatus.READY:
        earliest = _moment(steps[Step.TRANSSHIPMENT][1]) + TAKES
        yield from _when(journey, plan.steps[Step.TRANSSHIPMENT], "transshipment:carry_out", earliest)


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written)
