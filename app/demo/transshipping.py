"""What simulated people do about a transshipment: part of a load goes on in another truck, the rest stays.

The recorded truck drives on over the border with the rest. The truck that receives is invented, so that nothing is seen
of it on the road; it is led through its steps and leaves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.demo import store
from app.demo.cashiers import act_on_fee
from app.demo.officer_acts import SIMULATED_REASON, People
from app.demo.store import TripPapers
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets
from app.transshipments import load, service
from app.transshipments.balance import Amount, Move
from app.transshipments.receivers import Receiver
from geo.errors import CuaKhauError

TAKES: Final = timedelta(minutes=6)
"""How long a receiving truck waits at each of its steps."""
MAX_AT_ONCE: Final = 6
GRAM: Final = Decimal("0.001")

log = structlog.get_logger()


def act_on_transshipment(
    session: Session,
    sheets: Sheets,
    people: People,
    papers: TripPapers,
    act: str,
    *,
    seed: int,
    now: datetime,
) -> None:
    """Register, approve or carry out; the receiving truck's plate and papers are invented."""
    if act == "register":
        to_plate = f"桂F·A{1000 + seed % 9000}"
        lines = load.lines_left(session, papers.trip_id)
        moves = [Move(line.number, "", to_plate, _half(line.amount)) for line in lines]
        clerk = people[Role.ENTERPRISE, papers.organisation_id]
        note = "Sang tải mô phỏng"
        told: JsonObject = {"driver_name": "王伟 (mô phỏng)", "container": "none", "payload_kg": 26_000}
        receiver = Receiver(to_plate, None, told)
        action = ActionContext(session, clerk, now)
        service.register(action, sheets, papers.trip_id, moves, receivers=[receiver], note=note)
        return
    known = papers.transshipment
    assert known is not None, "only a transshipment that is registered is approved and carried out"
    if act == "approve":
        service.approve(
            ActionContext(session, people[Role.CUSTOMS, papers.gate_id], now), known.transshipment_id, known.version
        )
        return
    moves = [
        Move(move.line, move.from_plate, move.to_plate, Amount(move.packages, move.weight_kg))
        for move in service.moves_of(session, [known.transshipment_id])
    ]
    operator = people[Role.YARD_OPERATOR, papers.gate_id]
    service.carry_out(ActionContext(session, operator, now), sheets, known.transshipment_id, known.version, moves)


def next_step(papers: TripPapers, now: datetime) -> str | None:
    """A step of a trip that has been waiting for as long as one takes."""
    ready = (
        step
        for step, standing in papers.steps.items()
        if standing.status == StepStatus.READY and standing.since + TAKES <= now
    )
    return next(ready, None)


def lead_receivers(sessions: sessionmaker[Session], sheets: Sheets, people: People, now: datetime) -> None:
    """Lead the trucks that received goods through their steps and out, a step each time."""
    with sessions() as session:
        found = store.papers(session, store.receiving_vehicles(session))
    due = [(papers, step) for papers in found if (step := next_step(papers, now)) is not None]
    for papers, step in due[:MAX_AT_ONCE]:
        try:
            with sessions.begin() as session:
                _lead(session, sheets, people, papers, step, now)
        except (CuaKhauError, SQLAlchemyError) as error:
            log.warning("demo receiver could not", trip_id=papers.trip_id, act=step, error=str(error)[:300])


def _lead(session: Session, sheets: Sheets, people: People, papers: TripPapers, step: str, now: datetime) -> None:
    officer = people[Step.get(step).agency(papers.collector), papers.gate_id]
    if step == Step.FEE:
        is_open = papers.fee is not None and papers.fee.status == FeeStatus.OPEN_QUESTION
        act_on_fee(session, sheets, officer, papers, "decide" if is_open else "cash", now=now)
        return
    action, data = ActionContext(session, officer, now), {"simulated": True}
    sheets.confirm_step(action, papers.trip_id, step, expected_version=None, data=data, reason=SIMULATED_REASON)


def _half(amount: Amount) -> Amount:
    """About half of an amount, in whole packages of the same weight; all of what cannot be parted."""
    packages = amount.packages // 2
    if amount.packages == 1:
        return amount
    share = Decimal(packages) / amount.packages if amount.packages else Decimal("0.5")
    return Amount(packages, (amount.weight_kg * share).quantize(GRAM))
