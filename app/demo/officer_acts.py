"""What the officers of the demo day do with a trip, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import numpy as np

from app.demo.day import JourneyPlan
from app.demo.store import TripPapers
from app.fees.vocabulary import FeeStatus
from app.platform.permissions import Principal, Role
from app.procedures.steps import Step, StepStatus
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.vocabulary import Stage

BY_CONFIRMATION: Final = frozenset(set(Step) - {Step.DECLARATION, Step.TRANSSHIPMENT, Step.FEE})
"""Steps that an officer confirms or returns by hand; the others are done by what is done elsewhere."""
TAKES: Final = timedelta(seconds=45)
"""Nobody confirms a step sooner than this after it is ready."""
REDECLARES: Final = (180.0, 600.0)
"""How long (s) an enterprise takes to declare again."""
PAPERS_AT_GATE, AT_GATE, ON_THE_ROAD = 0, 1, 2
"""How urgent an act is: a truck at a gate without papers comes before all others, one on the road after all others."""
HELD_UNDECLARED: Final = -1
"""In place of an order's number: a truck that stands in the temporary yard until it is declared."""

SIMULATED_REASON: Final = "Đã đối chiếu hồ sơ (dữ liệu mô phỏng)"
"""Why a simulated officer confirms against a warning."""
People: TypeAlias = Mapping[tuple[Role, str | int | None], Principal]
"""The simulated people by role and gate or organisation."""


@dataclass
class Journey:
    """One open trip: its papers as read, its truck in the recording, and its plan in the platform's time."""

    papers: TripPapers
    truck: int
    day: int
    plan: JourneyPlan
    origin: datetime
    stops_s: float | None
    acts_done: int = 0

    def __lt__(self, other: Journey) -> bool:
        return self.papers.trip_id < other.papers.trip_id

    def moment(self, seconds: float) -> datetime | None:
        """When a second of the recorded day comes; `None` while the truck stands before it for an order."""
        if self.stops_s is not None and seconds > self.stops_s:
            return None
        return self.origin + timedelta(seconds=seconds)


def next_act(journey: Journey, now: datetime) -> list[tuple[int, datetime, str, Journey]]:
    """The next act due on a trip, if any, behind its urgency: papers of trucks at the gate, the gate, the road."""
    waiting = [act for act in acts(journey) if act[0] <= now]
    if not waiting:
        return []
    at, name = min(waiting)
    is_at_gate = journey.papers.stage in Stage.at_gate()
    urgency = ON_THE_ROAD if not is_at_gate else PAPERS_AT_GATE if name == "declare" else AT_GATE
    return [(urgency, at, name, journey)]


def acts(journey: Journey) -> Iterator[tuple[datetime, str]]:
    """What can be done on a trip next, each with the moment at which it is: `kind:step`."""
    papers, plan = journey.papers, journey.plan
    if papers.procedure_id is None:
        yield from _undeclared(journey)
        return
    steps = papers.steps
    declaration, customs = steps.get(Step.DECLARATION), steps.get(Step.CUSTOMS)
    if declaration is not None and declaration.status == StepStatus.RETURNED:
        wait_s = np.random.default_rng([journey.truck, papers.returns]).uniform(*REDECLARES)
        yield declaration.since + timedelta(seconds=float(wait_s)), "redeclare"
        return
    if papers.channel is None and customs is not None and customs.status != StepStatus.DONE:
        yield from _when(journey, plan.channel_s, "channel:")
    for step, stands in steps.items():
        if stands.status not in StepStatus.open():
            continue
        earliest = stands.since + TAKES
        if step == Step.FEE:
            yield from _fee(journey, earliest)
        elif step in BY_CONFIRMATION:
            at = journey.moment(plan.steps.get(step, plan.passages.entered_s))  # no moment drawn: once it is inside
            if at is None:
                continue
            if plan.returned_at == step and not papers.returns:
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
    papers, plan = journey.papers, journey.plan
    if plan.undeclared_s is None:
        yield journey.origin + timedelta(seconds=plan.declare_s), "declare"
        return
    if papers.arrived_at is None or "undeclared_since" not in papers.facts:
        is_aside = journey.stops_s is not None
        here = journey.origin + timedelta(seconds=journey.stops_s or 0.0) if is_aside else None
        at = here or journey.moment(plan.passages.near_s)
        if at is not None:
            yield max(at, papers.arrived_at or at), "arrive"
        return
    latest = None if journey.stops_s is not None else journey.moment(plan.steps[Step.HEALTH])  # aside it has time
    waits = [papers.arrived_at + timedelta(seconds=seconds) for seconds in plan.undeclared_s]
    if latest is not None and latest - timedelta(minutes=2) < waits[-1]:
        share = max(timedelta(), latest - timedelta(minutes=2) - papers.arrived_at) / 3
        waits = [papers.arrived_at + share * count for count in (1, 2, 3)]
    if papers.arrival is None:
        yield waits[0], "register"
    elif papers.arrival.opened_at is None:
        yield waits[1], "open"
    else:
        yield waits[2], "declare_there"


def _fee(journey: Journey, earliest: datetime) -> Iterator[tuple[datetime, str]]:
    fee, plan = journey.papers.fee, journey.plan
    if fee is None:
        yield earliest, "fee:open"
    elif fee.status == FeeStatus.OPEN_QUESTION:
        yield from _when(journey, plan.decide_s, "fee:decide", earliest)
    elif fee.status == FeeStatus.DUE and plan.pays_by_transfer:
        paid = fee.amount_vnd is not None and fee.applied_vnd >= fee.amount_vnd
        later_s = 240.0 if paid else 0.0
        yield from _when(journey, plan.pay_s + later_s, "fee:confirm" if paid else "fee:transfer", earliest)
    elif fee.status == FeeStatus.DUE:
        yield from _when(journey, plan.pay_s, "fee:cash", earliest)


def _transship(journey: Journey) -> Iterator[tuple[datetime, str]]:
    papers, plan, steps = journey.papers, journey.plan, journey.papers.steps
    if plan.transshipment_s is None or Step.TRANSSHIPMENT not in steps or steps[Step.CUSTOMS].status == StepStatus.DONE:
        return
    if papers.transshipment is None:
        quarantines = [stands.status for step, stands in steps.items() if Step.get(step).spec.is_quarantine]
        if steps[Step.YARD].status == StepStatus.DONE and all(status in StepStatus.over() for status in quarantines):
            yield from _when(journey, plan.transshipment_s[0], "transshipment:register")
    elif papers.transshipment.status == TransshipmentStatus.REGISTERED:
        yield from _when(journey, plan.transshipment_s[1], "transshipment:approve")
    elif (
        papers.transshipment.status == TransshipmentStatus.APPROVED
        and steps[Step.TRANSSHIPMENT].status == StepStatus.READY
    ):
        earliest = steps[Step.TRANSSHIPMENT].since + TAKES
        yield from _when(journey, plan.steps[Step.TRANSSHIPMENT], "transshipment:carry_out", earliest)
